"""Register the phases: orientation, heart_roi, model_grid, cycle_registration, labels, quality.

``refinement`` makes one invertible motion of both directions of a pair.
"""

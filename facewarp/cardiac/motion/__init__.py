"""Register the phases: orientation, heart_roi, model_grid, cycle_registration, labels, quality."""

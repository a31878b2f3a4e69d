"""Temporal filters of one face: smoothing, and refinement on the skin that frames show."""

"""Slices of files as one stack: slice_image, acquisition, cine_choice, phase_order, stack."""

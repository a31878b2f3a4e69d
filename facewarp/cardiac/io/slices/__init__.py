"""Slices of files as one stack: slice_image -> acquisitions -> phase_order -> stack."""

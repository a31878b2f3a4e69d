"""Slices of files as one stack: slice_image -> acquisition -> one_stack -> cine_choice -> phase_order -> stack."""

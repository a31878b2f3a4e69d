"""Track faces: registration -> confidence -> smoothing -> track -> tracker -> record."""

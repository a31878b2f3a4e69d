"""Volumes to heart: cardiac cine MRI read, carried through its cycle, measured and written."""

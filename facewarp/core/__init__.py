"""Grids, displacement fields and networks in 2D and 3D; knows no faces, hearts or screens."""

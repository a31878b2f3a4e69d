"""Tensors: grids, fields, networks. Knows nothing of faces, hearts, files' meaning or screens."""

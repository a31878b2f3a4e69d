"""Measure models on data sets: methods -> faces, hearts -> face_groups, reliability."""

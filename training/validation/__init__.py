"""Validation during training: faces, hearts -> contact sheets -> plots."""

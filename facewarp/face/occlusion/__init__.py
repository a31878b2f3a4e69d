"""Occlusion matte: how much of each px of a face's crop is the face: network -> steady."""

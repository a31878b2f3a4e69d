"""Matching: what the camera made of the scene, for paint that looks filmed by it."""

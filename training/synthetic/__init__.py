"""Synthetic data: drawn_face, beating_heart, known_motion -> demo_clip -> tracking_error."""

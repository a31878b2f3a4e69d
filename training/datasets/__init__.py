"""Readers of the data sets: photo, landmark_masks -> helen, celebamask -> crops; acdc."""

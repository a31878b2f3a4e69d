"""Dataset readers: photo, landmark_masks -> helen, celebamask -> crops; acdc."""

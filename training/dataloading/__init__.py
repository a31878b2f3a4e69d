"""From data sets to batches: face_data, heart_data -> augmentation -> batches."""

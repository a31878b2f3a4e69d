"""Data loading: face_data, heart_data -> augmentation -> batches."""

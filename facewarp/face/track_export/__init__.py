"""Tracks for compositors: `shot` collects a clip, the other modules write it."""

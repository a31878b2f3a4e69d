"""Tracks for compositors: `shot` collects a clip; `nuke`, `after_effects`, `blender` write it."""

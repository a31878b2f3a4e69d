"""Track one clip: source -> track_video -> picture and records, extra_outputs -> open_outputs."""

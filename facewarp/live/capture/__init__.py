"""Live sources: camera_list -> camera_source, stream_source, paced_source -> open_live_source."""

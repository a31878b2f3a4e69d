"""Where live frames go: recorder, virtual_camera, landmark_sender, timing_log, memory_watch."""

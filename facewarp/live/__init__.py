"""Live sessions: capture -> loop -> face_pipeline -> window, web and outputs."""

"""Head pose, gaze and the 52 expression values of ARKit, from tracked faces."""

"""Many clips: found, named, tracked side by side and never twice."""

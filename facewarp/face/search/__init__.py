"""Search for small faces: where to look in a frame, and what proposes places."""

"""Gallery: pictures of every effect, on the shipped faces and on hard frames of one's own clips."""

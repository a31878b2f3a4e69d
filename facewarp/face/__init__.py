"""From an image to a face: detector, crop, template, tracker and effects."""

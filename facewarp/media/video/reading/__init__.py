"""From the packets of a video file to its pictures: decoded, made progressive, told of."""

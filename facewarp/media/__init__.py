"""Pixels in, pixels out: videos, pictures and folders, and the files written from them.

Reading starts in `facewarp.media.sources` (`open_source`, `read_video`), writing in
`facewarp.media.sinks` (`open_sink`, `open_records`). All that passes between the two is `Frame`.
"""

# Both wheels bring X11's libraries, and OpenCV's windows hang on those of PyAV: OpenCV goes first.
import cv2  # noqa: F401

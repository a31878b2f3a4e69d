"""Pixels in, pixels out: videos, pictures and folders, and the files written from them.

Reading starts in `facewarp.media.sources` (`open_source`, `read_video`), writing in
`facewarp.media.sinks` (`open_sink`, `open_records`). All that passes between the two is `Frame`.
"""

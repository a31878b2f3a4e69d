"""Check that what was written opens, and count its frames."""

from pathlib import Path

import av

from facewarp.clips.discovery import visible
from facewarp.errors import FacewarpError
from facewarp.media.images.files import is_image_file, open_picture, pages_of


def count_frames(path: Path) -> int:
    """Count the frames of a video, the pictures of an animation, or those of a folder.

    A video's first frame is decoded, of the others the packets are counted; of pictures the
    headers are read.

    Raises:
        FacewarpError: it does not open.
    """
    if path.is_dir():
        return sum(count_frames(one) for one in visible(path) if is_image_file(one))
    if is_image_file(path):
        with open_picture(path) as picture:
            return len(pages_of(picture))
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            next(container.decode(stream))
            container.seek(0)
            return sum(1 for packet in container.demux(stream) if packet.size)
    except (av.FFmpegError, OSError, IndexError, StopIteration, ValueError) as error:
        raise FacewarpError("what was written does not open", path, "Track it again.") from error

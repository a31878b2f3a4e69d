#!/usr/bin/env bash
# PyAV: reading `VideoFrame.side_data` makes the frame refer to itself.
#
# One would guess that a decoded frame is freed when the last name for it goes, whatever was read
# from it. `frame.side_data` (rotation, mastering data, motion vectors) is made once and kept in the
# frame, and it holds the frame: a cycle that only the garbage collector breaks. The collector counts
# objects and not their bytes, and a frame of 720p is 1.4 MB in one object, so that a loop which asks
# every frame for its rotation grows by tens of megabytes a second before a collection comes.
#
# What follows: read side data where it may have changed, not in every frame, or collect by hand.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --disable-pip-version-check install --quiet av==18.1.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import gc
import io

import av
import numpy as np

buffer = io.BytesIO()
with av.open(buffer, "w", format="mp4") as container:
    stream = container.add_stream("mpeg4", rate=25)
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
    for shade in range(20):
        image = np.full((240, 320, 3), 10 * shade, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
    container.mux(stream.encode(None))


def frames_alive(read):
    """Decode the clip, let go of every frame, and count the frames that are left."""
    gc.collect()
    gc.disable()
    buffer.seek(0)
    with av.open(buffer) as container:
        for frame in container.decode(video=0):
            read(frame)
    del frame
    left = gc.collect()
    gc.enable()
    return left


print("PyAV", av.__version__)
untouched = frames_alive(lambda frame: frame.width)
touched = frames_alive(lambda frame: frame.side_data)
print("objects that only the garbage collector freed, of 20 frames:")
print("  frames whose width was read:", untouched)
print("  frames whose side_data was read:", touched)
assert touched >= 20 > untouched, "PyAV has changed: frames no longer hold themselves"
PY
echo "as described"

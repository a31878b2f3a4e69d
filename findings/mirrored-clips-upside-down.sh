#!/usr/bin/env bash
# A clip whose display matrix mirrors it, as front cameras and editors write it, by five readers.
#
# One would guess: readers that turn clips upright by the file's matrix, as OpenCV and decord do, also mirror.
# What happens: they take the matrix for a rotation. Mirrored left to right, which is an angle of 180 degrees by that
# reading, the clip stands on its head; mirrored top to bottom it is left as it is; a mirrored portrait
# lies as its mirror image, and mirrored the other way it is upside down too. PyAV's frame.rotation says 180 as well.
# The FFmpeg program, and imageio's "FFMPEG", which runs it, show all as the matrix says.
# What follows: a face detector finds nothing, or finds faces on their heads, and points from one reader are
# on the wrong side in another. Read all nine numbers: PyAV has them as side_data["DISPLAYMATRIX"]; or run
# FFmpeg. Ours are shown as the matrix says.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "opencv-python-headless==5.0.0.93" "decord2==3.4.0" "imageio==2.38.1" \
    "imageio-ffmpeg==0.8.1" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2> /dev/null <<'PY'
import struct
import sys

import av
import cv2
import decord
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np

width, height = 96, 64
quarters = np.repeat(np.repeat(np.array([[40, 90], [140, 190]], np.uint8), 32, axis=0), 48, axis=1)
with av.open("plain.mp4", "w") as clip:
    stream = clip.add_stream("libx264", rate=25, options={"qp": "1"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    for _ in range(3):
        clip.mux(stream.encode(av.VideoFrame.from_ndarray(np.dstack([quarters] * 3), "rgb24")))
    clip.mux(stream.encode(None))
plain = open("plain.mp4", "rb").read()


def write(path, a, b, c, d, x, y):
    """The clip with (column, row) -> (a column + c row + x, b column + d row + y) in its track header."""
    start = plain.index(b"tkhd") + 4 + 40  # version, times, track, duration, layer, volume
    numbers = [round(n * one) for n, one in zip((a, b, 0, c, d, 0, x, y, 1), ([65536] * 2 + [1 << 30]) * 3)]
    open(path, "wb").write(plain[:start] + struct.pack(">9i", *numbers) + plain[start + 36 :])


def order(picture):
    """Which quarter is seen upper left, upper right, lower left, lower right."""
    high, wide = picture.shape[:2]
    at = [(y, x) for y in (high // 4, 3 * high // 4) for x in (wide // 4, 3 * wide // 4)]
    return "".join(str(round((int(picture[y, x].flat[0]) - 40) / 50)) for y, x in at)


clips = {  # the matrix, and what is to be seen
    "turned by 180": ((-1, 0, 0, -1, width, height), quarters[::-1, ::-1]),
    "turned by 90": ((0, 1, -1, 0, height, 0), np.rot90(quarters, -1)),
    "left to right": ((-1, 0, 0, 1, width, 0), quarters[:, ::-1]),
    "top to bottom": ((1, 0, 0, -1, 0, height), quarters[::-1]),
    "portrait, mirrored": ((0, 1, 1, 0, 0, 0), quarters.T),
    "portrait, mirrored the other way": ((0, -1, -1, 0, height, width), quarters[::-1, ::-1].T),
}
ways = {
    "OpenCV": lambda path: cv2.VideoCapture(path, cv2.CAP_FFMPEG).read()[1],
    "decord2": lambda path: decord.VideoReader(path)[0].asnumpy(),
    "imageio, FFMPEG": lambda path: iio.imread(path, plugin="FFMPEG", index=0),
}
print(f"av {av.__version__}, OpenCV {cv2.__version__}, decord2 3.4.0, FFmpeg {imageio_ffmpeg.get_ffmpeg_version()[:12]}")
right = {}
for name, (matrix, wanted) in clips.items():
    write("clip.mp4", *matrix)
    with av.open("clip.mp4") as clip:
        rotation = next(clip.decode(video=0)).rotation
    seen = {way: order(read("clip.mp4")) for way, read in ways.items()}
    right[name] = [found == order(wanted) for found in seen.values()]
    print(f"{name}: to be seen {order(wanted)};", ", ".join(f"{way} {found}" for way, found in seen.items()),
          f"; PyAV's rotation {rotation}")  # fmt: skip
turned = [[True] * 3] * 2
sys.exit(0 if list(right.values()) == turned + [[False, False, True]] * 4 else 1)
PY

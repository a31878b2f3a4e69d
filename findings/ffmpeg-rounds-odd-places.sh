#!/usr/bin/env bash
# A face cut out of a video by FFmpeg's filter "crop", and a matte laid over it by "overlay", at column 21.
#
# One would guess: crop=40:30:21:21 begins at column 21 and row 21 of the picture, and overlay=21:21 lies there.
# What happens: both take 20. 4:2:0 video has one color sample for 2 x 2 pixels, so these filters round places down
# to even ones, without a message. crop has the option exact=1, and overlay format=yuv444 (or rgb, or auto).
# What follows: points found in a crop lie one pixel off in the whole frame where its corner is odd, and a
# matte or a texture that is laid back leaves an edge of the old picture on one side. Cut and lay at even
# places, or name these options; and look once with a picture of one white square.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "imageio-ffmpeg==0.8.1" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import subprocess
import sys

import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe, get_ffmpeg_version

WIDTH, HEIGHT = 96, 64
ramp = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)  # yuv420p: luma, then color
ramp[:HEIGHT] = 40 + np.arange(WIDTH)
ramp.tofile("ramp.yuv")
square = np.full((10, 10, 4), 255, np.uint8)
square.tofile("square.rgba")
VIDEO = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-i", "ramp.yuv"]
SQUARE = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", "10x10", "-i", "square.rgba"]


def luma(inputs, graph, width):
    """The first plane of what a graph makes, and no conversion of its range."""
    command = [get_ffmpeg_exe(), "-v", "warning", *inputs, "-filter_complex", f"{graph},extractplanes=y"]
    out = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, check=True)
    said = [line for line in out.stderr.splitlines() if b"Estimating duration" not in line]
    assert not said, said
    return np.frombuffer(out.stdout, np.uint8).reshape(-1, width)


def cut(place, more=""):
    return int(luma(VIDEO, f"[0]crop=40:30:{place}:{place}{more}", 40)[0, 0]) - 40


def laid(place, more=""):
    seen = luma([*VIDEO, *SQUARE], f"[0][1]overlay={place}:{place}{more}", WIDTH) > 200
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    assert len(rows) == len(columns) == 10 and rows[0] == columns[0]
    return int(columns[0])


print("FFmpeg", get_ffmpeg_version())
found = {
    "crop at 20": cut(20),
    "crop at 21": cut(21),
    "crop at 21, exact=1": cut(21, ":exact=1"),
    "overlay at 20": laid(20),
    "overlay at 21": laid(21),
    "overlay at 21, format=yuv444": laid(21, ":format=yuv444"),
}
for name, place in found.items():
    print(f"{name}: column {place}")
sys.exit(0 if list(found.values()) == [20, 20, 21, 20, 20, 21] else 1)
PY

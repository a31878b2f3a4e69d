#!/usr/bin/env bash
# Where the color of a 4:2:0 video lies beside its light, by FFmpeg's two scalers and by three readers.
#
# One would guess: video says where its samples of color lie (chroma_location; "left", on every second column of the luma, is
# what H.264 and HEVC mean unless they say otherwise), and a converter puts them there, at the latest when it is asked to
# interpolate color.
# What happens: swscale, by which PyAV, OpenCV and the FFmpeg program make RGB, makes the same RGB whatever the tag says: a
# sample colors two columns and two rows, so that of "left" all color is shown half a pixel too far right, and of "topleft"
# (HDR, UHD) half a pixel too low as well. full_chroma_int and accurate_rnd interpolate and keep the half pixel.
# zscale (zimg), beside it in the same program, puts color where the tag says.
# What follows: mattes by hue, keys, lips and skin found by color lie half a pixel right of the edges of the same frame, and
# of what zscale made. Measure edges in luma, or convert by zscale.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "imageio-ffmpeg==0.8.1" "av==18.1.0" "opencv-contrib-python==5.1.0.95" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2> /dev/null <<'PY'
import subprocess
import sys

import av
import cv2
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe, get_ffmpeg_version

WIDTH, HEIGHT, SLOPE = 64, 48, 3
RAW = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}"]
y, x = np.mgrid[: HEIGHT // 2, : WIDTH // 2]


def planes(along, slope):
    """Gray light, and red that changes by `slope` levels a color sample along columns or rows."""
    red = (126 + slope * ((x if along == "columns" else y) - 12)).astype(np.uint8)
    return np.full((HEIGHT, WIDTH), 128, np.uint8).tobytes() + np.full_like(red, 128).tobytes() + red.tobytes()


def ffmpeg(*command, given):
    out = subprocess.run([get_ffmpeg_exe(), "-v", "error", *command], input=given, capture_output=True, check=True)
    return out.stdout


def place(convert, along="columns"):
    """How far right of (below) its own place a color is shown, on the mean, in px of the luma.

    From a slope up and one down, so that rounding of levels is in it with both signs.
    """
    found = []
    for slope in (SLOPE, -SLOPE):
        rgb = convert(planes(along, slope)).astype(float)
        line = rgb[HEIGHT // 2] if along == "columns" else rgb[:, WIDTH // 2]
        at = np.arange(12, len(line) - 12)
        codes = 128 + (line[at, 0] - 255 / 219 * (128 - 16)) / 1.59603  # of BT.601: red tells Cr
        found.append(np.mean(at - 2 * (12 + (codes - 126) / slope)))
    return float(np.mean(found))


def rgb_of(bytes_):
    return np.frombuffer(bytes_, np.uint8).reshape(HEIGHT, WIDTH, 3)


def converted(way, tag, along="columns"):
    graph = f"setparams=chroma_location={tag}:colorspace=smpte170m:range=tv," + WAYS[way]
    command = [*RAW, "-i", "-", "-vf", graph, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return place(lambda given: rgb_of(ffmpeg(*command, given=given)), along)


WAYS = {
    "swscale": "scale=in_color_matrix=bt601",
    "swscale, interpolating": "scale=in_color_matrix=bt601:flags=bicubic+full_chroma_int+accurate_rnd",
    "zscale": "zscale=matrix=gbr:range=full:dither=none,format=gbrp",
}
print("FFmpeg", get_ffmpeg_version())
ok = True
for way in WAYS:
    columns = {tag: round(converted(way, tag), 2) for tag in ("left", "center", "topleft")}
    rows = {tag: round(converted(way, tag, "rows"), 2) for tag in ("left", "topleft")}
    print(f"{way}: columns", columns, "rows", rows)
    wanted = [0, 0.5, 0, 0.5, 0] if way == "zscale" else [0.5] * 5
    ok &= bool(np.abs(np.subtract([*columns.values(), *rows.values()], wanted)).max() < 0.1)


def by_av():
    with av.open("clip.mp4") as clip:
        return next(clip.decode(video=0)).to_ndarray(format="rgb24")


READERS = {
    "PyAV": by_av,
    "OpenCV": lambda: cv2.VideoCapture("clip.mp4").read()[1][..., ::-1],
    "FFmpeg": lambda: rgb_of(ffmpeg("-i", "clip.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-", given=b"")),
}
for tag, number in {"left": 0, "center": 1}.items():
    code = ["-c:v", "libx264", "-qp", "0", "-x264-params", f"chromaloc={number}", "-colorspace", "smpte170m"]

    def read(given, reader):
        ffmpeg(*RAW, "-i", "-", *code, "-y", "clip.mp4", given=given)
        return reader()

    seen = {name: round(place(lambda given: read(given, reader)), 2) for name, reader in READERS.items()}
    print(f"H.264 tagged {tag}:", seen)
    ok &= all(abs(value - 0.5) < 0.1 for value in seen.values())
sys.exit(0 if ok else 1)
PY

#!/usr/bin/env bash
# Label maps and pictures written by cv2.VideoWriter with codecs without loss, and read back.
#
# One would guess: a codec without loss gives back what was written, FFV1 as well as FFVHUFF or Ut Video, of which "ULRG" even
# names RGB; and a size that a codec can't take is refused.
# What happens: FFV1, HuffYUV, PNG and raw RGBA are written in RGB and come back bit for bit. FFVHUFF and Ut Video are handed
# YUV 4:2:0, as all codecs that OpenCV has no case for: flat labels come back up to 34 off, small detail up to 216. And of an
# odd width or height all of them lose the last column and row, PNG and raw too, whose pictures may have any size:
# 65 x 49 becomes 64 x 48, isOpened() is True and nothing is said.
# What follows: masks kept as video have other labels at their edges, and do not have the size of the pictures that they
# belong to, so that points beside the right edge fall out. Take FFV1 or PNG, and pad to even sizes; or numbered PNGs.
# Ours makes odd sizes even by repeating the edge.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencv-python-headless==5.0.0.93" "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import av
import cv2
import numpy as np

labels = np.zeros((50, 66, 3), np.uint8)
labels[10:33, 11:40], labels[20:41, 30:55] = (1, 2, 3), (40, 80, 120)
detail = np.random.default_rng(0).integers(0, 256, (50, 66, 3), dtype=np.uint8)
CODECS = {"FFV1": "mkv", "HFYU": "avi", "png ": "mov", "RGBA": "avi", "FFVH": "avi", "ULRG": "avi"}


def back(code, suffix, width, height):
    """What came back of labels and detail: largest errors, size, and the pixel format in the file."""
    path, pictures = f"clip.{suffix}", [np.ascontiguousarray(one[:height, :width]) for one in (labels, detail)]
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), 25, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(picture)
    writer.release()
    with av.open(path) as file:
        kind = file.streams.video[0].codec_context.pix_fmt
    reader = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    read = [reader.read()[1] for _ in pictures]
    off = [int(np.abs(a[: b.shape[0], : b.shape[1]].astype(int) - b).max()) for a, b in zip(pictures, read)]
    return off, read[0].shape[1::-1], kind


print("OpenCV", cv2.__version__)
ok = True
for code, suffix in CODECS.items():
    even, odd = back(code, suffix, 66, 50), back(code, suffix, 65, 49)
    print(f"{code!r} in .{suffix}: {even[2]}, labels {even[0][0]} off, detail {even[0][1]} off; of 65 x 49 comes {odd[1][0]} x {odd[1][1]}")
    lossy = code in ("FFVH", "ULRG")
    ok = ok and odd[1] == (64, 48) and even[1] == (66, 50) and (even[2] == "yuv420p") == lossy
    ok = ok and (min(even[0]) > 20 if lossy else even[0] == [0, 0])
sys.exit(0 if ok else 1)
PY

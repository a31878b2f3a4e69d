#!/usr/bin/env bash
# A lens corrected by FFmpeg's filter "lenscorrection" (FFmpeg 8.1 in PyAV 18.1.0), by its two ways to interpolate.
#
# One would guess: i=bilinear is i=nearest, smoother: lines stay where they were, and k1=0:k2=0, no correction, changes nothing.
# What happens: nearest does so. bilinear lies half a pixel to the left and above, with no correction as with any: a blob
# at column 50, row 40 is at 49.5 and 39.5, and every pixel is the mean of two by two. FFmpeg 5.1 does the same.
# What follows: a plate that was straightened by bilinear, which everybody will take for its quality, lies half a pixel beside maps,
# tracks and renders that were computed by number, in proxies of a quarter two. Track what was corrected, correct by an ST map or
# by OpenCV, or move back by half a pixel.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

y, x = np.mgrid[:97, :129]
blob = np.round(255 * np.exp(-((x - 50) ** 2 + (y - 40) ** 2) / 50)).astype(np.uint8)
middle = np.round(255 * np.exp(-((x - 64) ** 2 + (y - 48) ** 2) / 50)).astype(np.uint8)  # a lens leaves it in its place


def corrected(picture, setting):
    graph = Graph()
    source = graph.add_buffer(width=129, height=97, format="gray", time_base=Fraction(1, 25))
    lens, sink = graph.add("lenscorrection", setting), graph.add("buffersink")
    source.link_to(lens)
    lens.link_to(sink)
    graph.configure()
    frame = av.VideoFrame.from_ndarray(picture, "gray")
    frame.pts = 0
    graph.push(frame)
    return graph.pull().to_ndarray().astype(float)


def place(picture):
    return np.array([(picture * x).sum(), (picture * y).sum()]) / picture.sum()


print("PyAV", av.__version__, "libavfilter", ".".join(map(str, av.library_versions["libavfilter"])))
ok = True
for lens in ("k1=0:k2=0", "k1=-0.1:k2=0.02"):
    for way in ("nearest", "bilinear"):
        moved = place(corrected(middle, f"{lens}:i={way}")) - (64, 48)
        same = bool((corrected(blob, f"{lens}:i={way}") == blob).all())
        print(f"{lens} i={way}: the middle moves by {moved.round(2)}" + (f", nothing changed: {same}" if "k1=0" in lens else ""))
        ok &= bool(np.abs(moved - (0 if way == "nearest" else -0.5)).max() < 0.1)
        ok &= same == (lens == "k1=0:k2=0" and way == "nearest")
sys.exit(0 if ok else 1)
PY

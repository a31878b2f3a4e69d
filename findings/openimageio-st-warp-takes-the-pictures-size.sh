#!/usr/bin/env bash
# A painting of twice or half the plate's size, put through the plate's ST map by OpenImageIO 3.2.2 (st_warp).
#
# One would guess: the result has the map's size, since the map says for each of its pixels where to look, from 0 to 1, so
# that the painting may have any size. That is what ST maps are for, and what Nuke's STMap does.
# What happens: the result has the painting's size. From a larger painting the map's pixels come to lie in the upper left
# corner, at their places, and the rest, which the map says nothing of, is whatever was read there. From a smaller
# one the result is the upper left part. No error, has_error is False. With roi=map.roi it is right, whatever the sizes.
# What follows: proxies and paintings of 4K beside plates of HD are cut or lie in a corner. Always say roi.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "OpenImageIO==3.2.2.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import OpenImageIO as oiio
from OpenImageIO import ImageBufAlgo as algo

width, height = 80, 60


def buffer(pixels):
    return oiio.ImageBuf(np.ascontiguousarray(pixels, dtype=np.float32))


row, column = np.mgrid[:height, :width]
st = buffer(np.dstack([(column + 0.5) / width, (row + 0.5) / height, 0 * row]))  # changes nothing


def painting(scale):
    """A blob over the plate's pixel (51, 21)."""
    y, x = (np.mgrid[: int(height * scale), : int(width * scale)] + 0.5) / scale - 0.5
    return buffer(np.exp(-((x - 51) ** 2 + (y - 21) ** 2) / 72)[..., None].repeat(3, 2))


def middle(picture):
    """Size, and the blob's middle within the map's window."""
    pixels = picture.get_pixels("float")[:height, :width, 0]
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    place = [float((axis * pixels).sum() / pixels.sum()) for axis in (x, y)]
    return [picture.spec().width, picture.spec().height], np.round(place, 1).tolist()


print("OpenImageIO", oiio.VERSION_STRING)
same = True
for scale in (1, 2, 0.5):
    plain, told = algo.st_warp(painting(scale), st), algo.st_warp(painting(scale), st, roi=st.roi)
    print(f"painting {scale} times as large: {middle(plain)}, error {plain.has_error}; with roi {middle(told)}")
    size, place = middle(plain)
    same &= size == [int(width * scale), int(height * scale)] and not plain.has_error
    same &= (place == [51.0, 21.0]) == (scale >= 1)
    same &= middle(told) == ([width, height], [51.0, 21.0])
sys.exit(0 if same else 1)
PY

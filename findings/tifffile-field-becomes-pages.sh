#!/usr/bin/env bash
# A displacement field or ST map (H, W, 2), saved by tifffile.imwrite (2026.3.3).
#
# One would guess: one picture of H x W with two samples a pixel, as (H, W, 3) becomes one with three.
# What happens: H pages, each a picture of two columns and W rows, without a word; so with 5 and more channels. tifffile
# puts it together again by its own note, so that a test with tifffile passes. Other readers see the first page:
# OpenCV and Pillow a gray picture W x 2, OpenImageIO H subimages.
# What follows: fields, flow and two-channel mattes saved this way are broken for every other program. Say
# photometric="minisblack", planarconfig="contig": one picture, two samples, which OpenImageIO reads as it is.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "tifffile==2026.3.3" "OpenImageIO==3.2.2.0" "opencv-python-headless==5.0.0.93" \
    "pillow==12.2.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import cv2
import numpy as np
import OpenImageIO as oiio
import tifffile
from PIL import Image

rng = np.random.default_rng(0)
print("tifffile", tifffile.__version__)


def saved(array, **how):
    """Pages, and what three other readers see of the first: (height, width)."""
    tifffile.imwrite("field.tif", array, **how)
    with tifffile.TiffFile("field.tif") as file:
        pages = len(file.pages)
    assert (tifffile.imread("field.tif") == array).all()
    file = oiio.ImageInput.open("field.tif")
    spec = file.spec()
    by_oiio = (spec.height, spec.width, spec.nchannels)
    intact = by_oiio == array.shape and bool((file.read_image(oiio.FLOAT) == array).all())
    by_opencv = cv2.imread("field.tif", cv2.IMREAD_UNCHANGED)
    try:
        by_pillow = Image.open("field.tif").size[::-1]
    except OSError as error:
        by_pillow = type(error).__name__
    shape = None if by_opencv is None else by_opencv.shape
    print(f"{array.shape} {how}: {pages} pages; OpenImageIO {by_oiio}, OpenCV {shape}, Pillow {by_pillow}")
    return pages, by_oiio, shape, by_pillow, intact


field = rng.random((48, 64, 2), np.float32)
two, five, three = (saved(a) for a in (field, rng.random((48, 64, 5), np.float32), rng.random((48, 64, 3), np.float32)))
said = saved(field, photometric="minisblack", planarconfig="contig")
broken = two == (48, (64, 2, 1), (64, 2), (64, 2), False) and five[0] == 48
sys.exit(0 if broken and three[0] == 1 and said[0] == 1 and said[4] else 1)
PY

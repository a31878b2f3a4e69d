#!/usr/bin/env bash
# A phone's upright photograph (JPEG, stored lying, with Exif's note how to turn it) as JPEG XL, made in two ways.
#
# One would guess: JPEG XL made by Pillow (pillow-jxl-plugin 1.3.8), Exif handed on by exif=, is upright wherever the
# JPEG was, as it is for WebP, PNG and TIFF.
# What happens: JPEG XL has the orientation in the picture's own header; readers turn by that one and are to leave Exif's
# alone. The plugin writes "as it lies" there and the real one into Exif: what reads by libjxl (here imagecodecs
# 2026.3.6) shows the photograph on its side. The plugin with ImageOps.exif_transpose shows it upright,
# so that a test with Pillow passes. libjxl's own conversion of the JPEG is upright in both.
# What follows: points found in the one are not on the face in the other. Turn before saving: ImageOps.exif_transpose.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pillow-jxl-plugin==1.3.8" "pillow==13.0.0" "imagecodecs==2026.3.6" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import io
import sys

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401
from PIL import Image, ImageOps

stored = np.zeros((30, 40, 3), np.uint8)
stored[:15, :20] = 255  # white in the upper left corner, as it lies


def seen(picture):
    """Size, and in which corner the white is."""
    corners = {"upper left": picture[5, 5, 0], "upper right": picture[5, -5, 0],
               "lower left": picture[-5, 5, 0], "lower right": picture[-5, -5, 0]}
    return picture.shape[1], picture.shape[0], max(corners, key=corners.get)


same = True
for orientation in (3, 6, 8):
    exif = Image.Exif()
    exif[0x112] = orientation
    jpeg, saved = io.BytesIO(), io.BytesIO()
    Image.fromarray(stored).save(jpeg, "JPEG", exif=exif.tobytes(), quality=95)
    photograph = Image.open(jpeg)
    meant = seen(np.asarray(ImageOps.exif_transpose(photograph)))
    photograph.save(saved, "JXL", lossless=True, exif=photograph.getexif().tobytes())
    print(f"orientation {orientation}: meant {meant}")
    ways = {"pillow-jxl-plugin": saved.getvalue(), "libjxl from the JPEG": imagecodecs.jpegxl_encode_jpeg(jpeg.getvalue())}
    for way, data in ways.items():
        by_pillow = seen(np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))))
        by_libjxl = seen(imagecodecs.jpegxl_decode(data))
        print(f"    by {way}: Pillow shows {by_pillow}, libjxl {by_libjxl}")
        lying = (40, 30, "upper left") if way == "pillow-jxl-plugin" else meant
        same &= by_pillow == meant and by_libjxl == lying
sys.exit(0 if same else 1)
PY

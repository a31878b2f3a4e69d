#!/usr/bin/env bash
# One would guess that a reader of TIFF either honors PhotometricInterpretation 0 (0 is white) or
# hands out the values as they are stored, whatever their depth.
# What happens: Pillow, OpenCV and OpenImageIO turn 8 bits round, so that the picture looks right,
# and hand out 16 bits as stored: the same picture is a negative there, and nothing tells. Pillow
# does not open the big-endian one of 16 bits at all. tifffile hands out both as stored.
# What follows: of 16-bit gray from scanners, radiography and microscopes read tag 262 yourself, and
# of 8 bits leave it alone, unless the reader is tifffile.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet 'pillow==13.0.0' 'numpy==2.4.6' \
    'opencv-python-headless==5.0.0.93' 'openimageio==3.2.2.0' 'tifffile==2026.3.3'
cd "$place"
venv/bin/python - << 'PY'
import struct

import cv2
import numpy as np
import OpenImageIO as oiio
import PIL.Image
import tifffile


def write(name, bits, order):
    """8 x 8 px of light gray, stored as 1/5 of the range since 0 is white."""
    stored = np.full((8, 8), (2**bits - 1) // 5, f"{order}u{bits // 8}")
    tags = [(256, 8), (257, 8), (258, bits), (259, 1), (262, 0), (277, 1), (278, 8)]
    size = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags = sorted([*tags, (273, size), (279, stored.nbytes)])
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    for tag, value in tags:
        data += struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
    with open(name, "wb") as file:
        file.write(data + struct.pack(f"{order}I", 0) + stored.tobytes())


def by_pillow(name):
    with PIL.Image.open(name) as picture:
        return np.asarray(picture)


def by_opencv(name):
    return cv2.imread(name, cv2.IMREAD_UNCHANGED)


def by_openimageio(name):
    return oiio.ImageBuf(name).get_pixels(oiio.UINT16)[..., 0] / (65535 / 255)


readers = {
    "pillow": by_pillow,
    "opencv": by_opencv,
    "openimageio": by_openimageio,
    "tifffile": tifffile.imread,
}
versions = (PIL.__version__, cv2.__version__, oiio.VERSION_STRING, tifffile.__version__)
print(*(f"{name} {version}" for name, version in zip(readers, versions)), sep=", ")
seen = {}
for bits, order in ((8, "<"), (16, "<"), (16, ">")):
    write("a.tif", bits, order)
    for name, read in readers.items():
        try:
            top = 255 if bits == 8 or name == "openimageio" else 65535
            seen[name, bits, order] = round(float(read("a.tif")[0, 0]) / top, 2)
        except OSError as error:
            seen[name, bits, order] = type(error).__name__
        print(f"{bits:2} bits, {order}: {name:11} {seen[name, bits, order]} (shown: 0.8)")

for name in ("pillow", "opencv", "openimageio"):
    assert seen[name, 8, "<"] == 0.8 and seen[name, 16, "<"] == 0.2, name
assert seen["opencv", 16, ">"] == seen["openimageio", 16, ">"] == 0.2
assert seen["pillow", 16, ">"] == "UnidentifiedImageError"
assert all(seen["tifffile", bits, "<"] == 0.2 for bits in (8, 16))
print("8 bits are turned round, 16 bits are a negative")
PY

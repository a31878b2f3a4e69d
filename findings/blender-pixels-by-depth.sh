#!/usr/bin/env bash
# One picture with alpha, as PNG of 8 and of 16 bits, and the numbers that Blender 5.0 gives for it (image.pixels).
#
# One would guess: pixels are floats from 0 to 1, so both files give the same numbers, but for the finer steps.
# What happens: 8 bits give what the file holds: encoded by sRGB, straight alpha. 16 bits give linear light, and
# multiplied by alpha: a red of 0.502 beside an alpha of 0.502 is 0.108. Both images say that their color space is
# sRGB and their alpha straight; only is_float tells them apart.
# What follows: a script that reads or bakes textures is right with the first PNG and makes them dark, with dark
# edges, with one of 16 bits. Set colorspace_settings.name = "Non-Color" before pixels are read, which gives both
# as stored, or ask is_float. (Downloads 370 MB; needs Python 3.11.)
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "bpy==5.0.1"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import os
import struct
import sys
import zlib

import bpy
import numpy as np


def write_png(path, pixels):
    """RGBA of 8 or 16 bits (H, W, 4) as PNG, by the format's own page."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, 6, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pixel(path, space=None):
    """What Blender says of the file's first pixel, in 255ths, and of the file."""
    image = bpy.data.images.load(os.path.abspath(path))
    if space:
        image.colorspace_settings.name = space
    told = (image.colorspace_settings.name, image.alpha_mode, image.is_float)
    value = 255 * np.array(image.pixels[:4])
    bpy.data.images.remove(image)
    return value, told


stored = np.array([128, 64, 200, 128])
picture = np.full((4, 4, 4), stored, np.uint8)
write_png("eight.png", picture)
write_png("sixteen.png", picture.astype(np.uint16) * 257)
print("Blender", bpy.app.version_string, "- stored", stored)
found = {}
for name in ("eight.png", "sixteen.png"):
    for space in (None, "Non-Color"):
        found[name, space], told = pixel(name, space)
        print(name, *told, found[name, space].round(1))
encoded = stored[:3] / 255
linear = ((encoded + 0.055) / 1.055) ** 2.4
wanted = np.append(255 * linear * 128 / 255, 128)
ok = all(np.allclose(value, stored, atol=0.1) for key, value in found.items() if key != ("sixteen.png", None))
sys.exit(0 if ok and np.allclose(found["sixteen.png", None], wanted, atol=0.1) else 1)
PY

#!/usr/bin/env bash
# Soft pictures of an APNG laid over others (blend OVER) by Pillow 13.0.0: what is opaque becomes see-through.
#
# One would guess: a half-transparent picture over an opaque one gives an opaque one, as PNG's specification, browsers and
# FFmpeg have it; and a picture that is to be taken away again (disposal PREVIOUS) leaves what was there before it.
# What happens: Pillow mixes alpha as if it were a color: 128 over 255 becomes 191, 128 over nothing becomes 64. And where a
# picture laid OVER is to be taken away, it stays: what Pillow keeps as "before" is what it has painted on.
# What follows: stickers and titles with soft edges have holes and thin edges. FFmpeg (PyAV: format="apng") is right.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q pillow==13.0.0 av==18.1.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import struct
import zlib

import av
import numpy as np
import PIL.Image


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def write(name, parts):
    """Flat pictures of 16 x 12 px: color with alpha, disposal (2: PREVIOUS), blend (1: OVER)."""
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 12, 8, 6, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", len(parts), 0))
    number = 0
    for color, size, disposal, blend in parts:
        data += chunk(b"fcTL", struct.pack(">5I2H2B", number, *size, 0, 0, 1, 10, disposal, blend))
        pixels = zlib.compress((b"\0" + bytes(color) * size[0]) * size[1])
        data += chunk(b"fdAT", struct.pack(">I", number + 1) + pixels) if number else chunk(b"IDAT", pixels)
        number += 2 if number else 1
    with open(name, "wb") as file:
        file.write(data + chunk(b"IEND", b""))


def last(name):
    """The last picture's pixel at (4, 4) by both."""
    with PIL.Image.open(name) as picture:
        for page in range(picture.n_frames):
            picture.seek(page)
            picture.load()
        pillow = picture.convert("RGBA").getpixel((4, 4))
    with av.open(name, format="apng") as container:
        ffmpeg = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)][-1][4, 4]
    return tuple(pillow), tuple(map(int, ffmpeg))


red, blue, soft, none = (200, 0, 0, 255), (0, 0, 200, 255), (0, 0, 200, 128), (0, 0, 0, 0)
whole, dot = (16, 12), (1, 1)
cases = {
    "half over opaque": [(red, whole, 0, 0), (soft, whole, 0, 1)],
    "half over nothing": [(none, whole, 0, 0), (soft, whole, 0, 1)],
    "taken away again": [(red, whole, 0, 0), (blue, whole, 2, 1), (red, dot, 0, 1)],
}
print("Pillow", PIL.__version__, "PyAV", av.__version__)
found = {}
for what, parts in cases.items():
    write("a.png", parts)
    found[what] = last("a.png")
    print(f"{what}: Pillow {found[what][0]}, FFmpeg {found[what][1]}")
assert found["half over opaque"][0][3] == 191 and found["half over opaque"][1][3] == 255
assert found["half over nothing"][0][3] == 64 and found["half over nothing"][1][3] == 128
assert found["taken away again"] == (blue, red)
PY

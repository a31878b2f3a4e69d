#!/usr/bin/env bash
# One would guess that a part of an animated GIF where nothing was drawn yet, or whose picture was
# cleared away (disposal 2), is transparent, as every browser shows it, or at least that readers
# agree.
# What happens: Pillow, FFmpeg (PyAV) and OpenCV fill it with the palette's entry that the file
# names as its background, opaque, as GIF89a says and no browser has done for decades (Chromium 156
# and its ImageDecoder: alpha 0). They do not agree among themselves where the next picture has
# transparent pixels: OpenCV gives alpha 0, FFmpeg and Pillow an opaque background; and after one
# more picture FFmpeg gives alpha 0, while Pillow shows the color of the entry that stands for
# "transparent", opaque.
# What follows: of GIFs whose pictures are cleared away, or which begin with a part of their canvas,
# no reader gives what their authors saw. Where alpha matters put the pictures together by their
# blocks.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet \
    'av==18.1.0' 'pillow==13.0.0' 'opencv-python-headless==5.0.0.93' 'numpy==2.4.6'
cd "$place"
venv/bin/python - << 'PY'
import struct

import av
import cv2
import numpy as np
import PIL.Image

GREEN, BLUE, RED, HOLE = range(4)
PALETTE = bytes((0, 160, 0, 0, 0, 255, 255, 0, 0, 9, 9, 9))
WHOLE, LEFT, RIGHT = (0, 0, 64, 48), (8, 8, 16, 16), (40, 8, 16, 16)


def write(name, *pictures):
    """Plain boxes on a canvas whose background is green: disposal, holes, box, color."""
    data = b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0xF1, GREEN, 0) + PALETTE
    for disposal, holes, box, color in pictures:
        data += b"\x21\xf9\x04" + bytes([disposal << 2 | holes, 10, 0, HOLE, 0])
        data += b"\x2c" + struct.pack("<HHHHB", *box, 0)
        codes = [4]  # clear
        for place in range(box[2] * box[3]):
            codes += [4, color] if place and place % 2 == 0 else [color]
        number = sum(code << 3 * place for place, code in enumerate([*codes, 5]))
        coded = number.to_bytes((3 * (len(codes) + 1) + 7) // 8, "little")
        blocks = [coded[start : start + 255] for start in range(0, len(coded), 255)]
        data += b"\x02" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    with open(name, "wb") as file:
        file.write(data + b";")


def by_pillow(name):
    with PIL.Image.open(name) as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            yield np.asarray(gif.convert("RGBA"))


def by_ffmpeg(name):
    with av.open(name) as file:
        for picture in file.decode(video=0):
            yield picture.to_ndarray(format="bgra")[..., [2, 1, 0, 3]]


def by_opencv(name):
    _, animation = cv2.imreadanimation(name)
    for picture in animation.frames:
        opaque = np.full((*picture.shape[:2], 1), 255, np.uint8)
        rgb = picture[..., 2::-1]
        yield np.dstack([rgb, picture[..., 3:] if picture.shape[2] == 4 else opaque])


print("pillow", PIL.__version__, "| PyAV", av.__version__, "| OpenCV", cv2.__version__)
readers = {"pillow": by_pillow, "ffmpeg": by_ffmpeg, "opencv": by_opencv}
write("part.gif", (1, 0, LEFT, RED), (1, 0, RIGHT, RED))
write("cleared.gif", (2, 0, WHOLE, BLUE), (2, 0, LEFT, RED), (2, 0, RIGHT, RED))
write("holes.gif", (2, 0, WHOLE, BLUE), (2, 1, LEFT, RED), (2, 1, RIGHT, RED))
seen = {}
for file, picture, at, where in (
    ("part.gif", 0, (2, 2), "never drawn"),
    ("cleared.gif", 1, (2, 2), "cleared away"),
    ("holes.gif", 1, (2, 2), "cleared away, next picture has holes"),
    ("holes.gif", 2, (12, 12), "a picture with holes cleared away"),
):
    for name, read in readers.items():
        pixel = tuple(int(value) for value in list(read(file))[picture][at])
        seen[name, where] = pixel
        print(f"{where + ':':38} {name} {pixel}")

green = (0, 160, 0, 255)
for name in readers:
    assert seen[name, "never drawn"] == seen[name, "cleared away"] == green, name
holes, after = "cleared away, next picture has holes", "a picture with holes cleared away"
assert seen["pillow", holes] == seen["ffmpeg", holes] == green
assert seen["opencv", holes][3] == seen["opencv", after][3] == seen["ffmpeg", after][3] == 0
assert seen["pillow", after] == (9, 9, 9, 255)
print("no reader leaves bare parts of a GIF transparent as browsers do, and they disagree")
PY

#!/usr/bin/env bash
# One photograph taken upright, stored lying with the note how to turn it, in five formats, by cv2.imread.
#
# One would guess: imread turns pictures as their note says, in all formats that carry one, and IMREAD_UNCHANGED
# leaves all as they are stored.
# What happens: JPEG, PNG and WebP are turned. AVIF is not. A TIFF on its side can't be read at all: imread returns
# None and prints an assertion about original_ptr (4.14, 5.0 and 5.1), while imreadmulti reads and turns it. A TIFF on
# its head is turned even with IMREAD_UNCHANGED.
# What follows: faces in phone pictures converted to AVIF lie on their sides, where none is found, and points from
# another reader do not fit; a scanned portrait "does not exist". Pillow turns AVIF and TIFF by itself and the
# others by ImageOps.exif_transpose. Ours show all upright.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencv-python-headless==5.0.0.93" "pillow==12.2.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import cv2
import numpy as np
from PIL import Image, ImageOps

stored = np.zeros((40, 64, 3), np.uint8)
stored[:20, :32] = 255  # white upper left
formats = {"jpg": {"quality": 95}, "png": {}, "webp": {"lossless": True}, "tif": {}, "avif": {"quality": 90}}


def white(picture):
    """Width, height, and the quarter that is white: 0 to 3, upper left to lower right."""
    if picture is None:
        return None
    high, wide = picture.shape[:2]
    quarters = [picture[y, x].flat[0] for y in (high // 4, 3 * high // 4) for x in (wide // 4, 3 * wide // 4)]
    return wide, high, int(np.argmax(quarters))


def by_opencv(path, orientation, **how):
    note = Image.Exif()
    note[274] = orientation
    told = {"tiffinfo": note} if path.endswith("tif") else {"exif": note.tobytes()}
    Image.fromarray(stored).save(path, **told, **how)
    with Image.open(path) as picture:
        upright = white(np.asarray(ImageOps.exif_transpose(picture)))
    return upright, white(cv2.imread(path)), white(cv2.imread(path, cv2.IMREAD_UNCHANGED)), white(cv2.imreadmulti(path)[1][0])


print("OpenCV", cv2.__version__)
found = {}
for orientation, name in ((6, "on its side"), (3, "on its head")):
    for suffix, how in formats.items():
        found[name, suffix] = seen = by_opencv(f"picture.{suffix}", orientation, **how)
        print(f"{name}, {suffix}: upright by Pillow {seen[0]}; imread {seen[1]}, unchanged {seen[2]}, imreadmulti {seen[3]}")
lies = (64, 40, 0)
side, head = (40, 64, 1), (64, 40, 3)
ok = all(seen[0] == (side if key[0] == "on its side" else head) for key, seen in found.items())
for name, upright in (("on its side", side), ("on its head", head)):
    ok = ok and all(found[name, suffix][1:] == (upright, lies, upright) for suffix in ("jpg", "png", "webp"))
    ok = ok and found[name, "avif"][1:3] == (lies, lies)
ok = ok and found["on its side", "tif"][1:] == (None, None, side) and found["on its head", "tif"][1:3] == (head, head)
sys.exit(0 if ok else 1)
PY

#!/usr/bin/env bash
# A frame of OpenCV turned from BGR to RGB by a slice, frame[..., ::-1], and given to MediaPipe.
#
# One would guess: mp.Image holds the picture that NumPy shows, or refuses an array that is not contiguous.
# What happens: with 0.10.32 the array's shape is kept and its memory is read from the view's first byte on, in
# order. The slice of channels gives the blue of one pixel beside the green and red of the one before, a mirrored
# frame begins at the right end of the first row, and a crop has slanted rows, some from beyond it.
# Nothing is said; what lies behind the picture's end is whatever memory holds.
# What follows: detectors see wrong colors or a torn face, and find less, or find it elsewhere. Give it
# numpy.ascontiguousarray(frame[..., ::-1]) or cv2.cvtColor; ours are contiguous.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "mediapipe==0.10.32" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - 2>&1 <<'PY'
import sys

import mediapipe as mp
import numpy as np

# The picture lies in the middle of a larger block, so that nothing outside that is read.
block = np.arange(3 * 6 * 8 * 3, dtype=np.uint16).astype(np.uint8).reshape(18, 8, 3)
frame = block[6:12]
views = {
    "as it lies": frame,
    "channels turned round": frame[..., ::-1],
    "mirrored": frame[:, ::-1],
    "a crop": frame[1:4, 2:6],
}
print("MediaPipe", mp.__version__)
same = []
for name, view in views.items():
    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=view)  # kept as long as what it shows
    held = image.numpy_view()
    same.append(bool(np.array_equal(held, view)))
    print(f"{name}: first pixels {view[0, :2].tolist()} are held as {held[0, :2].tolist()}")
sys.exit(0 if same == [True, False, False, False] else 1)
PY

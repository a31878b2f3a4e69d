#!/usr/bin/env bash
# One affine matrix, from pixels of the result to pixels of the picture, given to four functions that warp by it: OpenCV
# 5.1 (WARP_INVERSE_MAP), scikit-image 0.26, SciPy 1.17 and Pillow 13.
#
# One would guess: the same picture, since all four document the matrix in pixels and from the result to the picture; rows
# come first in SciPy, which is known.
# What happens: Pillow counts from pixel corners, the others from centers, which no documentation says. A translation is
# the same by all; anything that scales or turns differs by half of (scale - 1): 0.5 px of the picture to where a
# factor of 2 shrinks it, 1.5 px of the result where it is enlarged four times. And Pillow's rotate(center=...)
# turns about a corner, so that the pixel told as the center becomes its neighbor.
# What follows: faces aligned by a matrix estimated from landmarks (similarity to a template of 112 px, say) lie
# elsewhere by Pillow than by OpenCV, by more than landmarks are off, and models trained on one see the other. Between
# them, with D a translation by 0.5: Pillow's matrix is D M D^-1.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencv-python-headless==5.0.0.93" "scikit-image==0.26.0" "scipy==1.17.1" \
    "pillow==13.0.0" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import cv2
import numpy as np
import PIL
import scipy
import skimage
from PIL import Image
from scipy import ndimage
from skimage.transform import warp

SIZE, AT = 64, (24, 20)  # row and column of the result
columns = np.tile(np.arange(SIZE, dtype=np.float32), (SIZE, 1))  # each pixel tells its column


def matrix(scale, degrees, shift):
    cosine, sine = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [0, 0, 1]])


def pillow(of):
    way = Image.Transform.AFFINE
    return np.asarray(
        Image.fromarray(columns).transform((SIZE, SIZE), way, of[:2].ravel(), resample=Image.Resampling.BILINEAR)
    )


def by_all(of):
    """Which column of the picture each of them shows at one place of the result, and Pillow by D M D^-1."""
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
    rows_first = swap @ of @ swap
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    results = {
        "OpenCV": cv2.warpAffine(columns, of[:2], (SIZE, SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP),
        "scikit-image": warp(columns, of, order=1),
        "SciPy": ndimage.affine_transform(columns, rows_first[:2, :2], rows_first[:2, 2], order=1),
        "Pillow": pillow(of),
        "Pillow, D M D^-1": pillow(half @ of @ np.linalg.inv(half)),
    }
    return {name: float(result[AT]) for name, result in results.items()}


print("OpenCV", cv2.__version__, "scikit-image", skimage.__version__, "SciPy", scipy.__version__, "Pillow", PIL.__version__)
ok = True
cases = {
    "shift by (3, 5)": matrix(1, 0, (3, 5)),
    "shrunk to 1/2": matrix(2, 0, (0, 0)),
    "enlarged 4 times": matrix(1 / 4, 0, (10, 10)),
    "turned by 25 degrees": matrix(1, 25, (20, 5)),
}
for name, of in cases.items():
    found = by_all(of)
    true = float((of @ (AT[1], AT[0], 1))[0])
    print(f"{name}: column {true:.3f} by hand; " + ", ".join(f"{who} {column:.3f}" for who, column in found.items()))
    wanted = (of[0, 0] + of[0, 1] - 1) / 2
    others = [found[who] for who in ("OpenCV", "scikit-image", "SciPy", "Pillow, D M D^-1")]
    ok = ok and np.allclose(others, true, atol=0.01) and abs(found["Pillow"] - true - wanted) < 0.01
center = (10, 12)
turned = np.asarray(Image.fromarray(columns).rotate(90, center=center))[center[1], center[0]]
about = cv2.warpAffine(columns, cv2.getRotationMatrix2D(center, 90, 1), (SIZE, SIZE))[center[1], center[0]]
print(f"turned by 90 degrees about column {center[0]}: there Pillow shows column {turned:.0f}, OpenCV {about:.0f}")
sys.exit(0 if ok and turned == center[0] - 1 and about == center[0] else 1)
PY

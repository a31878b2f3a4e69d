#!/usr/bin/env bash
# A face cut out of a large photograph as a small chip by dlib 20.0.1 (extract_image_chip, and so get_face_chip).
#
# One would guess: a chip made from pairs of points shows each point where it was told to: "the pixel locations
# chip_points[i] in the chip are mapped to img_points[i] in the original image". Shrinking costs sharpness.
# What happens: half a pixel of the chip left and above at most sizes, a whole one where nothing is scaled (the sum of half
# a pixel and a rounding), and where the chip is half the size or less, so that a level of dlib's pyramid is sampled, 0.2
# left and 0.8 above, then 0.1 and 0.9. Seen in the photograph that is 1.4 px at its own size, 1.6 at a half, 3.6 at
# a fourth and 7.6 px at an eighth, always upwards. Nothing tells of it, the chip looks as it should.
# What follows: points found in a chip, carried back by the mapping that it was made with, lie above the face, by more the
# larger the photograph is, and a mask or an effect with them; test pictures of a chip's size hide it. Recognition,
# which was trained on such chips, doesn't mind. For places shrink by OpenCV (an area mean, then warpAffine).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dlib-bin==20.0.1.post1" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import dlib
import numpy as np

HEIGHT, WIDTH, CHIP = 1200, 1600, 100
LEFT, TOP = 600, 420
y, x = np.mgrid[:HEIGHT, :WIDTH]


def middle(picture):
    weights = np.where(picture < 3, 0, picture).astype(float)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def off(factor):
    """How far a spot is from its place in the chip, in px of the chip: mean and spread of several places."""
    corners = [(10, 10), (90, 10), (10, 90)]
    there = [(LEFT + factor * a, TOP + factor * b) for a, b in corners]
    points = [dlib.dpoints([dlib.dpoint(*pair) for pair in pairs]) for pairs in (corners, there)]
    details = dlib.chip_details(*points, dlib.chip_dims(CHIP, CHIP))
    found = []
    for place in ((31.3, 40.8), (52.7, 63.1), (70.2, 28.5), (44.9, 75.6)):
        a, b = LEFT + factor * place[0], TOP + factor * place[1]
        spot = 255 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * (1.5 * max(factor, 1)) ** 2))
        chip = dlib.extract_image_chip(np.repeat(spot.astype(np.uint8)[..., None], 3, 2), details)
        found.append(middle(chip[..., 0]) - place)
    return np.mean(found, 0), np.std(found, 0).max()


print("dlib", dlib.__version__)
ok = True
for factor in (0.5, 1, 1.5, 2, 4, 8):
    mean, spread = off(factor)
    away = float(np.hypot(*mean))
    print(f"{factor} px of the picture a px of the chip: seen {mean[0]:+.2f} {mean[1]:+.2f} px beside its place "
          f"(spread {spread:.2f}), {away * factor:.1f} px of the picture")
    ok &= spread < 0.25 and away > 0.4
    ok &= away * factor > {4: 2.5, 8: 5}.get(factor, 0)
sys.exit(0 if ok else 1)
PY

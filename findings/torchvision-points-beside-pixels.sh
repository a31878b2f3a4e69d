#!/usr/bin/env bash
# Landmarks as tv_tensors.KeyPoints beside their picture, through transforms.v2 of torchvision 0.28.0.
#
# One would guess: points stay on the same place of the face, to a small part of a pixel; all transforms count alike.
# What happens: flips count from pixel centers (x becomes width - 1 - x), rotation, affine and resizing from pixel
# corners, the picture always from centers. Half a turn is two flips, for the picture to the bit, and for the points 1 px
# off in x and y. A quarter turn is 1 px off in one of them, an enlargement to four times 1.5 px of the result to
# the left and up, a half 0.25 px to the right and down. Elastic cuts points to whole pixels before it moves them:
# a field of nothing moves them by up to 1 px, 0.5 on the mean, always to the left and up. Flips and crops are exact.
# What follows: networks trained on such pairs learn the shift, twice over where flips and turns are mixed, and no loss shows
# it. Boxes, which count from corners, are right, so that a test with boxes passes. Add 0.5 before and take it off
# after rotate, affine and resize; bend points by the field oneself.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "torchvision==0.28.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import torch

# No compiled operation is needed here: torchvision is imported beside a torch for which its own were not built, too.
torch.library.register_fake = lambda *_, **__: lambda function: function
from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

SIZE = 64
PLACES = [(20.3, 25.6), (40.8, 22.1), (30.5, 41.9)]


def spots(places, size=SIZE):
    """One channel for each place, a Gaussian of 2 px."""
    y, x = np.mgrid[:size, :size]
    return torch.tensor(np.stack([np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in places]), dtype=torch.float64)


def middles(pictures):
    pictures = np.asarray(pictures).clip(0)
    y, x = np.mgrid[: pictures.shape[1], : pictures.shape[2]]
    total = pictures.sum((1, 2))
    return np.stack([(pictures * x).sum((1, 2)) / total, (pictures * y).sum((1, 2)) / total], 1)


def flipped_twice(thing):
    return F.vertical_flip(F.horizontal_flip(thing))


LINEAR = {"interpolation": InterpolationMode.BILINEAR}
turned = lambda angle: lambda thing: F.rotate(thing, angle, **LINEAR)
enlarged = lambda size: lambda thing: F.resize(thing, [size, size], **LINEAR)
still = torch.zeros(1, SIZE, SIZE, 2, dtype=torch.float64)
WAYS = {
    "crop": lambda thing: F.crop(thing, 4, 6, 50, 50),
    "flip, both ways": flipped_twice,
    "half a turn": turned(180),
    "a quarter turn": turned(90),
    "30 degrees": turned(30),
    "resize to four times": enlarged(4 * SIZE),
    "resize to a half": enlarged(SIZE // 2),
    "elastic, of nothing": lambda thing: F.elastic(thing, still, **LINEAR),
}
picture = tv_tensors.Image(spots(PLACES))
points = tv_tensors.KeyPoints(PLACES, canvas_size=(SIZE, SIZE), dtype=torch.float64)
off = {}
for name, way in WAYS.items():
    off[name] = np.asarray(way(points)) - middles(way(picture))
    print(f"{name}: points beside their pixels by", "  ".join(f"{x:+.2f} {y:+.2f}" for x, y in off[name]))
same = bool((turned(180)(picture) - flipped_twice(picture)).abs().max() < 1e-9)
print("the picture turned by half is the picture flipped twice:", same)
near = lambda name, wanted: bool(np.abs(off[name] - wanted).max() < 0.06)
cut = -(np.array(PLACES) % 1)
ok = same and near("crop", 0) and near("flip, both ways", 0) and near("half a turn", 1)
ok = ok and near("resize to four times", -1.5) and near("resize to a half", 0.25)
ok = ok and near("a quarter turn", np.array([0, 1])) and near("elastic, of nothing", cut)
sys.exit(0 if ok else 1)
PY

#!/usr/bin/env bash
# Landmarks given to kornia's AugmentationSequential with the transforms that bend: elastic, thin plate, fisheye.
#
# One would guess: data_keys=["input", "mask", "keypoints"] carries all three by the same transform, or refuses.
# What happens: with RandomElasticTransform the mask goes with the picture, and the points come back as they were:
# up to several pixels off. RandomThinPlateSpline and RandomFisheye refuse a mask (NotImplementedError) and
# return points and boxes unmoved without a word. Affine, perspective, crops and resizing are exact.
# What follows: the usual recipe for face landmarks, an affine and a bit of elastic, trains on points that are
# not where the picture has them, and the mask beside them looks right. Bend the points oneself, or draw each
# into a mask and take its middle.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "kornia==0.9.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import kornia
import kornia.augmentation as K
import torch
from torch.nn.functional import grid_sample

height, width = 96, 128
y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
picture = torch.stack([x, y, torch.ones_like(x)])[None].float()  # each pixel says its column and row
points = torch.tensor([[[40.0, 32], [54, 44], [70, 50], [90, 64]]])


def places(picture, points):
    """What the picture says at the points, (N, 2)."""
    grid = 2 * points / torch.tensor([width - 1.0, height - 1.0]) - 1
    return grid_sample(picture, grid[:, None], align_corners=True)[0, :2, 0].T


near, far = torch.tensor([0.0, 0.1]), torch.tensor([0.3, 0.4])
ways = {
    "RandomAffine": K.RandomAffine((20.0, 20.0), scale=(1.2, 1.2), p=1.0),
    "RandomPerspective": K.RandomPerspective(0.3, p=1.0),
    "RandomElasticTransform": K.RandomElasticTransform(alpha=(5.0, 5.0), p=1.0),
    "RandomThinPlateSpline": K.RandomThinPlateSpline(0.2, p=1.0),
    "RandomFisheye": K.RandomFisheye(near, near, far, p=1.0),
}
print("kornia", kornia.__version__, "torch", torch.__version__)
off, unmoved, masks = {}, {}, {}
for name, transform in ways.items():
    torch.manual_seed(1)
    bent, moved = K.AugmentationSequential(transform, data_keys=["input", "keypoints"])(picture, points)
    off[name] = float((places(bent, moved) - points[0]).abs().max())
    unmoved[name] = bool((moved == points).all())
    torch.manual_seed(1)
    try:
        both = K.AugmentationSequential(transform, data_keys=["input", "mask"])(picture, picture)
        masks[name] = float((both[1] - both[0]).abs()[..., 20:-20, 20:-20].max()) < 1.5  # nearest
    except NotImplementedError:
        masks[name] = "refused"
    print(f"{name}: points are up to {off[name]:.2f} px off, unmoved: {unmoved[name]}; mask goes along: {masks[name]}")
right = [False, False, True, True, True]
big = [value > 1 for value in off.values()]
same = list(unmoved.values()) == right == big and list(masks.values()) == [True] * 3 + ["refused"] * 2
sys.exit(0 if same and off["RandomAffine"] < 0.01 and off["RandomPerspective"] < 0.01 else 1)
PY

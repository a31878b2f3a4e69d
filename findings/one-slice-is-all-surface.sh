#!/usr/bin/env bash
# Surface distances of a long axis, which is one slice: as a picture (H, W) and as its file has it (H, W, 1), by three
# packages.
#
# One would guess: the same numbers; an axis of length 1 adds nothing, and masks of two axes are taken as well.
# What happens: in a volume every voxel of a single slice has no neighbor before and behind it, so the whole mask is
# surface, and the voxels that both masks have are at distance 0. Two disks of 48 mm, one 6 mm beside the other, are 3.6
# mm apart on average (ASSD), HD95 6 mm, surface Dice at 2 mm 0.25. As volumes of one slice they are 0.5 mm apart, HD95
# 3.5 to 4.5 mm, surface Dice 0.85 to 0.89. MONAI, MedPy and surface-distance are alike in this, and say nothing.
# What follows: NIfTI, DICOM and SimpleITK give long axes and single short axes three axes. Take the slice out before
# measuring; numbers of long and short axes in one table are not comparable otherwise. Dice does not change. Our own
# HD95 gives a single slice an outline and no ends.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "medpy==0.5.2" \
    "surface-distance-based-measures==0.1" "SimpleITK==2.5.7" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import surface_distance
import torch
from medpy.metric import binary
from monai import metrics

TOLERANCE = 2.0
y, x = np.mgrid[:80, :90]
picture = [np.hypot(y - 40, x - column) <= 16 for column in (40, 44)]


def by_monai(masks, spacing):
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in masks]
    said = {"include_background": True, "spacing": spacing}
    return (
        metrics.compute_average_surface_distance(*tensors, symmetric=True, **said).item(),
        metrics.compute_hausdorff_distance(*tensors, percentile=95, **said).item(),
        metrics.compute_surface_dice(*tensors, [TOLERANCE], **said).item(),
    )


def by_medpy(masks, spacing):
    return tuple(f(*masks, voxelspacing=spacing) for f in (binary.assd, binary.hd95)) + (None,)


def by_deepmind(masks, spacing):
    found = surface_distance.compute_surface_distances(*masks, spacing)
    return (
        float(np.mean(surface_distance.compute_average_surface_distance(found))),
        surface_distance.compute_robust_hausdorff(found, 95),
        surface_distance.compute_surface_dice_at_tolerance(found, TOLERANCE),
    )


as_told = True
for name, measure in (("MONAI", by_monai), ("MedPy", by_medpy), ("surface-distance", by_deepmind)):
    flat = measure(picture, (1.5, 1.5))
    thick = measure([mask[..., None] for mask in picture], (1.5, 1.5, 8.0))
    for shape, values in (("(80, 90)", flat), ("(80, 90, 1)", thick)):
        told = ["-" if value is None else f"{value:.2f}" for value in values]
        print(f"{name:17} {shape:12} ASSD {told[0]} mm, HD95 {told[1]} mm, surface Dice {told[2]}")
    as_told &= flat[0] > 3.3 and thick[0] < 0.7 and abs(flat[1] - 6) < 0.01 and thick[1] < 4.6
    as_told &= flat[2] is None or (flat[2] < 0.3 and thick[2] > 0.84)
sys.exit(0 if as_told else 1)
PY

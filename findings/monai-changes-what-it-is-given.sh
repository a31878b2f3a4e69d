#!/usr/bin/env bash
# Which transforms of MONAI 1.6.1 change the array that they are given, beside the one that they return.
#
# One would guess: none: a transform returns a new image, and dictionary transforms a new dictionary.
# What happens: most do so. KeepLargestConnectedComponent, FillHoles, NormalizeIntensity(nonzero=True),
# StdShiftIntensity, RandCoarseDropout and RandCoarseShuffle work in place, in tensors, MetaTensors and NumPy arrays
# alike; RemoveSmallObjects, LabelFilter, ScaleIntensity, NormalizeIntensity without nonzero and others don't. Those
# ending in d copy the dictionary and not what is in it.
# What follows: Dice "before and after" keeping the largest part is the same number twice. A Dataset of arrays in memory
# collects the holes of all epochs: after twenty the pictures are mostly holes. A contrast that is to be compared with
# its raw values is not there any more. Hand over a copy (clone()), or open the list with EnsureType and a copy of it.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "scikit-image==0.26.0" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import monai
import monai.transforms as mt
import numpy as np
import torch
from monai.data import Dataset, MetaTensor
from monai.metrics import DiceMetric

labels = np.zeros((1, 16, 16, 16), np.float32)
labels[0, 2:10, 2:10, 2:10] = 1
truth = labels.copy()
labels[0, 13:15, 13:15, 13:15] = 1  # an island
labels[0, 5, 5, 5] = 0  # and a hole
image = np.random.default_rng(0).random((1, 16, 16, 16), dtype=np.float32)

ways = {
    "KeepLargestConnectedComponent": (mt.KeepLargestConnectedComponent(), labels),
    "FillHoles": (mt.FillHoles(), labels),
    "NormalizeIntensity(nonzero=True)": (mt.NormalizeIntensity(nonzero=True), image),
    "StdShiftIntensity": (mt.StdShiftIntensity(1.0), image),
    "RandCoarseDropout": (mt.RandCoarseDropout(holes=2, spatial_size=4, prob=1), image),
    "RandCoarseShuffle": (mt.RandCoarseShuffle(holes=2, spatial_size=4, prob=1), image),
    "RemoveSmallObjects": (mt.RemoveSmallObjects(min_size=20), labels),
    "LabelFilter": (mt.LabelFilter([2]), labels),
    "NormalizeIntensity": (mt.NormalizeIntensity(), image),
    "ScaleIntensity": (mt.ScaleIntensity(), image),
    "RandGaussianNoise": (mt.RandGaussianNoise(prob=1), image),
}
print("MONAI", monai.__version__, "torch", torch.__version__)
changed = {}
for name, (transform, array) in ways.items():
    kinds = {"array": array.copy(), "tensor": torch.tensor(array), "MetaTensor": MetaTensor(torch.tensor(array))}
    changed[name] = []
    for given in kinds.values():
        result = np.asarray(transform(given))
        assert not np.array_equal(result, array), name  # it does something
        changed[name].append(not np.array_equal(np.asarray(given), array))
    print(f"{name}: what was given is changed: {dict(zip(kinds, changed[name], strict=True))}")

dice = DiceMetric()
found = {"pred": torch.tensor(labels)}
cleaned = mt.Compose([mt.KeepLargestConnectedComponentd("pred")])(found)
scores = [float(dice(item["pred"][None], torch.tensor(truth)[None])) for item in (found, cleaned)]
right = float(dice(torch.tensor(labels)[None], torch.tensor(truth)[None]))
print(f"Dice before and after keeping the largest part: {scores[0]:.4f} and {scores[1]:.4f}; before is {right:.4f}")

data = Dataset([{"image": image.copy()}], mt.RandCoarseDropoutd("image", holes=2, spatial_size=6, fill_value=0, prob=1))
data.transform.set_random_state(0)
holes = []
for _ in range(20):
    holes.append(float((np.asarray(data[0]["image"]) == 0).mean()))
print(f"a Dataset in memory, two holes an epoch: {holes[0]:.0%} of the picture, {holes[-1]:.0%} in the 20th")
expected = {name: [index < 6] * 3 for index, name in enumerate(ways)}
same = changed == expected and scores[0] == scores[1] != right
sys.exit(0 if same and holes[0] < 0.15 and holes[-1] > 0.5 else 1)
PY

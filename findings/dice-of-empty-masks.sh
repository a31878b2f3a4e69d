#!/usr/bin/env bash
# Dice of two empty masks, as of a part that neither the reader nor the model sees, by four packages.
#
# One would guess: 1, because they agree, or 0, or an error; and the Jaccard index of one package says the same
# as its Dice.
# What happens: MedPy's dc is nan and its jc beside it 1. SimpleITK's LabelOverlapMeasures is infinity.
# SciPy's dissimilarity is nan. scikit-learn's f1_score is 0, with a warning.
# What follows: a mean over slices or parts is nan, infinity or too low, by the package, and nan that a mean
# leaves out raises it. Whether empty pairs count has to be said beside a Dice. Ours is the mean over the parts
# that are present.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "medpy==0.5.2" "SimpleITK==2.5.7" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk
from medpy.metric.binary import dc, jc
from scipy.spatial.distance import dice
from sklearn.metrics import f1_score

empty = np.zeros((6, 8, 8), bool)
overlap = sitk.LabelOverlapMeasuresImageFilter()
overlap.Execute(*[sitk.GetImageFromArray(empty.astype(np.uint8))] * 2)
found = {
    "MedPy dc": float(dc(empty, empty)),
    "MedPy jc": float(jc(empty, empty)),
    "SimpleITK": overlap.GetDiceCoefficient(),
    "1 - SciPy dice": 1 - float(dice(empty.ravel(), empty.ravel())),
    "scikit-learn f1_score": float(f1_score(empty.ravel(), empty.ravel())),
}
for name, value in found.items():
    print(f"{name}: {value}")
sys.exit(0 if np.array_equal(list(found.values()), [np.nan, 1, np.inf, np.nan, 0], True) else 1)
PY

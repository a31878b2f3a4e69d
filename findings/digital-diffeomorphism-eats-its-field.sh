#!/usr/bin/env bash
# How much of one displacement field folds, asked twice, by the package of the digital criterion (digital-diffeomorphism 1.1.1).
#
# One would guess: the same numbers twice. A measure reads what it measures.
# What happens: is_disp=True adds the identity to the array that was given, in place. The second answer is of a field that
# is larger by every voxel's own index: 5.85 % of the volume that folds are 0.04 %, and at a third call 0. What the caller
# saves, warps or plots afterwards is no displacement any more.
# What follows: a loop that measures before it writes results, or after each epoch, writes broken fields, and a table that
# calls ndv twice, or once for each mask, praises the method. Give it field.copy().
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "nibabel==5.4.2" "numpy==2.4.6" "scipy==1.17.1"
"$work/venv/bin/pip" install -q --no-deps "digital-diffeomorphism==1.1.1"  # it asks for NumPy 1, and runs with 2
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
from digital_diffeomorphism import ndv
from scipy import ndimage

random = np.random.default_rng(0)
smooth = np.stack([ndimage.gaussian_filter(random.normal(size=(32, 32, 24)), 2) for _ in range(3)], -1)
field = (smooth / smooth.std() * 1.6).astype(np.float32)  # voxels
before = field.copy()
print("digital-diffeomorphism", version("digital-diffeomorphism"))
shares = []
for call in range(3):
    shares.append(ndv(field, is_disp=True)[1])
    print(f"call {call + 1}: {shares[-1]:.3f} % of the volume folds; the field's last vector is {field[-1, -1, -1].round(2)}")
copied = [ndv(before.copy(), is_disp=True)[1] for _ in range(2)]
print(f"of copies: {copied[0]:.3f} %, {copied[1]:.3f} %")
added = field - before
ok = copied[0] == copied[1] == shares[0] > 0.5 and shares[1] < shares[0] / 2 and shares[2] < 1e-6
ok = ok and np.abs(added[-1, -1, -1] - 3 * np.array([31, 31, 23])).max() < 1e-3
sys.exit(0 if ok else 1)
PY

#!/usr/bin/env bash
# The Dice of a left ventricle with the id 500, as MM-WHS and MS-CMRSeg number it, by dice-score-3d.
#
# One would guess: the Dice; or an error, since the default dtype is "uint8", which the docs ask to change from 255
# classes on (there are two here).
# What happens: labels are cast to 8 bits without a word. 500 becomes 244, so that neither file has a voxel of 500, and
# a part that is in neither file counts as Dice 1.0. Of two ventricles that overlap by a third the report says 1.0, and
# raises the mean. The wall, 205, is right.
# What follows: a perfect score of a part may mean that its id was never found. Pass dtype="uint16", and hold the count
# of voxels against the file.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dice-score-3d==1.1.2" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2>/dev/null <<'PY'
import numpy as np
import SimpleITK as sitk
from dice_score_3d import dice_metrics

_, y, x = np.indices((6, 30, 30))
far = np.hypot(y - 15, x - 15)
drawn = np.select([far < 8, far < 11], [500, 205], 0).astype(np.uint16)
for name, labels in (("reader", drawn), ("network", np.roll(drawn, 9, axis=2))):
    sitk.WriteImage(sitk.GetImageFromArray(labels), f"{name}.nii.gz")
ids = {"LV": 500, "wall": 205}
files = "reader.nii.gz", "network.nii.gz"
by_default = dice_metrics(*files, None, ids)["network.nii.gz"]
as_asked = dice_metrics(*files, None, ids, dtype="uint16")["network.nii.gz"]
for said, found in (("default", by_default), ('dtype="uint16"', as_asked)):
    print(said, {name: round(float(value), 3) for name, value in found.items()})
assert by_default["LV"] == 1.0
assert abs(as_asked["LV"] - 0.321) < 1e-3
assert by_default["wall"] == as_asked["wall"]
PY

#!/usr/bin/env bash
# SimpleITK writes an image as heart.MHA.
#
# One would guess: a file heart.MHA appears, as heart.NRRD does for that suffix, or the suffix is refused, as .NII
# is.
# What happens: nothing is said, and there is no heart.MHA: the image went to heart.mhd and heart.raw, over whatever
# lay there under these names.
# What follows: where names come from disks that do not know case (Windows, cameras, old exports), turn suffixes
# into small letters before ITK sees them, and look whether the file is there.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7"
mkdir "$work/out" && cd "$work/out"
"$work/venv/bin/python" - <<'PY'
import os
import sys

import SimpleITK as sitk

print("SimpleITK", sitk.Version_VersionString())
image = sitk.Image(4, 5, 6, sitk.sitkInt16)
found = {}
for name in ("heart.mha", "heart.MHA", "heart.NRRD", "heart.NII"):
    try:
        sitk.WriteImage(image, name)
        found[name] = sorted(os.listdir("."))
    except RuntimeError:
        found[name] = "refused"
    print(f"{name}: {found[name]}")
    for left in os.listdir("."):
        os.remove(left)
expected = [["heart.mha"], ["heart.mhd", "heart.raw"], ["heart.NRRD"], "refused"]
sys.exit(0 if list(found.values()) == expected else 1)
PY

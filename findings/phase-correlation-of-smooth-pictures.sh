#!/usr/bin/env bash
# How far a smooth picture without noise has moved, by scikit-image 0.26's phase_cross_correlation, as it is.
#
# One would guess: noise is what troubles it (the documentation recommends normalization=None for that), so that two crops
# of one picture, 1.5 px apart and free of noise, give 1.5 to a twentieth as asked for (upsample_factor=20).
# What happens: the smoother the picture, the nearer to 0 the answer, and it goes from right to 0 within a little blur: with
# Gaussians of 0.5 px 1.5, of 2 px 0.1. By default all frequencies count alike, and those that a smooth picture
# lacks hold nothing but its borders, which are in the same place in both. The error that is returned beside
# the shift is 1.00 where the answer is right and where it is not.
# What follows: MR slices, defocused faces and levels of a pyramid "have not moved", and a motion correction does nothing
# without a word. normalization=None is within a tenth here; a window helps both. Check with a shift that one knows.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "scikit-image==0.26.0" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import skimage
from scipy import ndimage
from skimage.registration import phase_cross_correlation

TRUE = 1.5


def pair(blur):
    """Two crops of one picture, the second 1.5 px further along the columns; blur is a sigma, px."""
    fine = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(320, 320)), 2 * blur)  # two samples a px
    return fine[80:240:2, 80:240:2] / fine.std(), fine[80:240:2, 83:243:2] / fine.std()


print("scikit-image", skimage.__version__, f"- true shift of columns {TRUE} px, free of noise")
window = np.hanning(80)[:, None] * np.hanning(80)
found = {}
for blur in (0.5, 1.0, 1.5, 2.0, 3.0):
    one, other = pair(blur)
    ways = {
        "as it is": phase_cross_correlation(one, other, upsample_factor=20),
        "None": phase_cross_correlation(one, other, upsample_factor=20, normalization=None),
        "None, window": phase_cross_correlation(one * window, other * window, upsample_factor=20, normalization=None),
    }
    found[blur] = [float(way[0][1]) for way in ways.values()]
    told = ", ".join(f"{name} {way[0][1]:.2f} (error {way[1]:.2f})" for name, way in ways.items())
    print(f"blurred by {blur} px: {told}")
plain = {blur: values[0] for blur, values in found.items()}
ok = abs(plain[0.5] - TRUE) < 0.06 and all(abs(plain[blur]) < 0.3 for blur in (1.5, 2.0, 3.0))
sys.exit(0 if ok and all(abs(values[1] - TRUE) < 0.2 for values in found.values()) else 1)
PY

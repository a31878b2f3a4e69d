#!/usr/bin/env bash
# The mean surface distance of two segmentations by PlatiPy's compute_metric_masd, as it is called by default.
#
# One would guess: cutting both masks to the box around them, which saves time and is the default (auto_crop=True),
# changes nothing; and a mean of distances is no larger than the largest of them, which compute_metric_hd gives.
# What happens: the box touches the masks. SimpleITK's contour and distance map see no outside beyond a picture's border,
# so that whatever outline lies there is no outline: of two left ventricles in short-axis slices, one 3 mm wider, the
# mean is 1.36 mm, without the crop 0.63; of boxes of which one lies 3 mm aside 15 mm, beside a Hausdorff distance of 3.
# Of a ventricle without its basal slice it is 2.6 for 3.2.
# compute_surface_metrics of the same package gives the uncropped number.
# What follows: a mean surface distance in a table made with PlatiPy may be twice the true one or less than it. Pass
# auto_crop=False, or take compute_surface_metrics.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "platipy==0.7.2" "SimpleITK==2.5.7" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import SimpleITK as sitk
from platipy.imaging.label.comparison import (
    compute_metric_hd,
    compute_metric_masd,
    compute_surface_metrics,
)

z, y, x = np.indices((12, 80, 80)).astype(float)


def ventricle(wider=0.0):
    radius = (25 + wider) * np.sqrt(np.clip(1 - ((z - 2) / 8) ** 2, 0, 1)) * ((z >= 2) & (z < 10))
    return np.hypot((x - 40) * 1.4, (y - 40) * 1.4) < radius


def box(aside):
    return (abs(z - 5) < 3) & (abs(y - 40) < 8) & (abs(x - 40 - aside) < 10)


def image(mask, spacing):
    made = sitk.GetImageFromArray(mask.astype(np.uint8))
    made.SetSpacing(spacing)
    return made


pairs = {
    "3 mm wider": (ventricle(), ventricle(3), (1.4, 1.4, 8.0), 1.361, 0.634),
    "no basal slice": (ventricle(), ventricle() & (z > 2), (1.4, 1.4, 8.0), 2.632, 3.160),
    "box 3 mm aside": (box(0), box(3), (1.0, 1.5, 8.0), None, None),
}
for name, (one, other, spacing, cropped, whole) in pairs.items():
    one, other = image(one, spacing), image(other, spacing)
    by_default = compute_metric_masd(one, other)
    uncropped = compute_metric_masd(one, other, auto_crop=False)
    largest = compute_metric_hd(one, other)
    beside = compute_surface_metrics(one, other)["meanSurfaceDistance"]
    print(f"{name}: mean {by_default:.3f}, without the crop {uncropped:.3f}, "
          f"compute_surface_metrics {beside:.3f}, Hausdorff {largest:.3f} mm")
    assert abs(uncropped - beside) < 1e-3
    if cropped is None:
        assert by_default > 4 * largest > 0, "no longer larger than the largest"
    else:
        assert abs(by_default - cropped) < 2e-3
        assert abs(uncropped - whole) < 2e-3
PY

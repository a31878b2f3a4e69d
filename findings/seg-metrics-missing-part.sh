#!/usr/bin/env bash
# Surface distances to a part that is missing, as a ventricle that a network left out, by five packages.
#
# One would guess: infinity, nan or an error, since there is no surface to measure to.
# What happens: seg_metrics 1.2.8 gives 0 for hd, hd95, msd, mdsd and stdsd: the distance map of an empty mask is an
# empty picture there. A missing part is the best of all results, better than one that is a millimeter off. Beside it
# the Dice is 0. scikit-image gives infinity, PlatiPy nan, MedPy an error. surface-distance 0.1 has infinity in mind and
# ends in an error beside NumPy 2, which knows np.Inf no longer; masks that are not empty it measures.
# What follows: a mean HD95 over patients by seg_metrics falls with each part that a network misses. Count missing parts
# apart, and look at Dice beside distances.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "seg-metrics==1.2.8" "surface-distance==0.1" "scikit-image==0.26.0" "medpy==0.5.2" \
    "platipy==0.7.2" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2>/dev/null <<'PY'
import numpy as np
import seg_metrics.seg_metrics as sg
import SimpleITK as sitk
from medpy.metric.binary import hd95
from platipy.imaging.label.comparison import compute_metric_hd
from skimage.metrics import hausdorff_distance
from surface_distance import compute_surface_distances

spacing = (8.0, 1.5, 1.0)
drawn = np.zeros((8, 30, 40), np.uint8)
drawn[2:6, 8:20, 10:28] = 1
missing, aside = np.zeros_like(drawn), np.roll(drawn, 3, 2)


def by_seg_metrics(found):
    (result,) = sg.write_metrics(
        labels=[1], gdth_img=drawn, pred_img=found, csv_file=None, spacing=spacing, verbose=False
    )
    return {name: float(result[name][0]) for name in ("dice", "hd", "hd95", "msd", "mdsd", "stdsd")}


result = by_seg_metrics(missing)
print("seg_metrics, part missing:", result)
print("seg_metrics, 3 mm aside:  ", by_seg_metrics(aside))
assert all(value == 0 for value in result.values())
assert by_seg_metrics(aside)["hd95"] == 3
found = {
    "scikit-image": hausdorff_distance(drawn > 0, missing > 0),
    "PlatiPy": compute_metric_hd(*[sitk.GetImageFromArray(one) for one in (drawn, missing)]),
}
for name, measure, errors in (
    ("MedPy", lambda: hd95(missing, drawn, spacing), RuntimeError),
    ("surface-distance", lambda: compute_surface_distances(drawn > 0, missing > 0, spacing), AttributeError),
):
    try:
        found[name] = measure()
    except errors as error:
        found[name] = error
print({name: str(value) for name, value in found.items()})
assert np.isinf(found["scikit-image"])
assert np.isnan(found["PlatiPy"])
assert isinstance(found["MedPy"], RuntimeError)
assert "np.Inf" in str(found["surface-distance"])
PY

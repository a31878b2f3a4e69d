#!/usr/bin/env bash
# The phases of a cine, joined or worked on by nibabel and nilearn: the time from one to the next.
#
# One would guess: 40 ms, as the cine that they came from had, or none (0, or no unit).
# What happens: nibabel's concat_images of four_to_three, and nilearn's concat_imgs of index_img, write 1 second, with
# the unit of seconds: a heartbeat of 20 phases takes 20 s, at 3 beats a minute. nilearn's math_img writes 1 and no unit.
# index_img of every second phase leaves 40 ms, so that the heart beats twice as quickly. resample_img and smooth_img
# keep the step.
# What follows: no heart rate, no strain rate and no cardiac output from such a file. facewarp refuses to believe spans
# that no heartbeat has, and says so; --time-step tells the true one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nibabel==5.4.2" "nilearn==0.14.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import nibabel as nib
import numpy as np
from nibabel.funcs import concat_images, four_to_three
from nilearn import image

cine = nib.Nifti1Image(np.random.default_rng(0).random((12, 11, 4, 20), np.float32), np.diag([1.4, 1.4, 8, 1]))
cine.header.set_xyzt_units("mm", "sec")
cine.header["pixdim"][4] = 0.04
made = {
    "nibabel concat_images": (concat_images(four_to_three(cine)), 1.0, "sec"),
    "nilearn concat_imgs": (image.concat_imgs([image.index_img(cine, t) for t in range(20)]), 1.0, "sec"),
    "nilearn resample_img": (
        image.resample_img(cine, np.diag([2, 2, 8]), copy_header=True, force_resample=True), 0.04, "sec",
    ),
    "nilearn math_img": (image.math_img("2 * cine", cine=cine), 1.0, "unknown"),
    "nilearn index_img, every second phase": (image.index_img(cine, slice(0, None, 2)), 0.04, "sec"),
    "nilearn smooth_img": (image.smooth_img(cine, 3), 0.04, "sec"),
}
for name, (found, step, unit) in made.items():
    told = float(found.header["pixdim"][4]), found.header.get_xyzt_units()[1]
    print(f"{name}: {found.shape[3]} phases, {told[0]:g} {told[1]}")
    assert abs(told[0] - step) < 1e-6, name
    assert told[1] == unit, name
PY

#!/usr/bin/env bash
# A cine in MINC, saved as NIfTI by nibabel: nib.save(nib.load("cine.mnc"), "cine.nii.gz").
#
# One would guess: a NIfTI of (X, Y, Z, T) with the time step in pixdim[4]; nibabel's conversions
# between volumes keep place and order.
# What happens: MINC keeps time as its first axis, nibabel's array is (T, Z, Y, X), and its affine is
# that of (Z, Y, X). Saved as NIfTI the first axis, of the phases, gets the direction and distance of
# slices, slices those of rows, and columns lie along NIfTI's time axis. Shape and affine look sound,
# nothing is said.
# What follows: phases are read as slices, volumes as those of a heart of other size. Give the
# converter the transposed array, and the affine's columns in that order:
#   nib.Nifti1Image(a.get_fdata().T, a.affine[:, [2, 1, 0, 3]])
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nibabel==5.4.2" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import nibabel as nib
import numpy as np
from scipy.io import netcdf_file

t, z, y, x = np.indices((5, 4, 6, 7))
cine = (1000 * t + 100 * z + 10 * y + x).astype(np.int16)
steps = {"time": 0.05, "zspace": 8.0, "yspace": 1.5, "xspace": 1.4}
with netcdf_file("cine.mnc", "w") as file:  # MINC 1 is NetCDF
    for name, count in zip(steps, cine.shape):
        file.createDimension(name, count)
        axis = file.createVariable(name, "i", ())
        axis.step, axis.start, axis.spacing = steps[name], 0.0, b"regular__"
        if name != "time":
            axis.direction_cosines = np.eye(3)[["xspace", "yspace", "zspace"].index(name)]
    image = file.createVariable("image", "h", tuple(steps))
    image[:] = cine
    image.signtype, image.valid_range = b"signed__", np.array([0.0, 5000.0])
    for name, value in (("image-max", 5000.0), ("image-min", 0.0)):
        file.createVariable(name, "d", ()).data[()] = value
loaded = nib.load("cine.mnc")
nib.save(loaded, "cine.nii.gz")
nifti = nib.load("cine.nii.gz")
print(f"nibabel {nib.__version__}: MINC of 5 phases, 4 slices, 6 rows, 7 columns")
print("NIfTI", nifti.shape, "zooms", [round(float(n), 2) for n in nifti.header.get_zooms()])
along = [int(v) for v in np.rint(nifti.get_fdata()[:, 0, 0, 0])]
print("along its first axis, of 8 mm", along)
assert nifti.shape == (5, 4, 6, 7)
assert np.allclose(nifti.header.get_zooms()[:3], (8.0, 1.5, 1.4))  # of z, y, x, not of t, z, y
assert along == [0, 1000, 2000, 3000, 4000]  # phases
nib.save(nib.Nifti1Image(loaded.get_fdata().T, loaded.affine[:, [2, 1, 0, 3]]), "right.nii.gz")
right = nib.load("right.nii.gz")
assert right.shape == (7, 6, 4, 5) and np.allclose(right.header.get_zooms()[:3], (1.4, 1.5, 8.0))
print("transposed", right.shape, [round(float(n), 2) for n in right.header.get_zooms()[:3]])
PY

#!/usr/bin/env bash
# A volume made finer or coarser by PyVista 0.49's ImageData.resample, with axes that are turned or reversed in space.
#
# One would guess: it keeps its place in space. Resampled voxels lie between the old ones, so the first one's center
# moves by part of a voxel, along the volume's own axes.
# What happens: the origin moves along the axes of space, whatever the direction matrix says. Axes straight, all is
# exact. Two of them reversed, as most NIfTI files of patients have it in one of the two customs (RAS, LPS), the
# volume made twice as fine lies half a voxel beside itself, made half as fine a whole one (of the old voxels);
# turned, by as much, in other directions.
# What follows: labels or a field that are resampled, and a surface or probes from them, lie beside those of the scan,
# by 5 to 10 mm along slices if slices are stacked downwards. Set the origin right afterwards, as the script does:
# result.origin = volume.origin + volume.direction_matrix @ (result.spacing - volume.spacing) / 2.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pyvista==0.49.1" "vtk==9.7.2" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import pyvista as pv

spacing = np.array([1.5, 1.5, 10.0])
a = np.deg2rad(30)
turned = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
directions = {
    "straight": np.eye(3), "two reversed": np.diag([-1.0, -1.0, 1.0]), "downwards": np.diag([1.0, -1.0, -1.0]),
    "turned": turned,
}
print("PyVista", pv.__version__, "VTK", pv.vtk_version_info)
off = {}
for name, direction in directions.items():
    for rate in (2.0, 0.5):
        miss = []
        for axis in range(3):  # every voxel says where it lies along one axis of space, mm
            volume = pv.ImageData(
                dimensions=(12, 14, 8), spacing=spacing, origin=(40, -30, 20), direction_matrix=direction
            )
            volume["place"] = volume.points[:, axis].copy()
            result = volume.resample(rate, scalars="place", interpolation="linear")
            inner = np.asarray(result["place"] - result.points[:, axis]).reshape(result.dimensions, order="F")
            inner = inner[2:-2, 2:-2, 1:-1] if rate > 1 else inner
            miss.append(float(np.median(inner)))
            assert np.ptp(inner) < 1e-3  # all of it is shifted alike
            by = (np.array(result.spacing) - spacing) / 2
            result.origin = np.array(volume.origin) + direction @ by
            right = np.asarray(result["place"] - result.points[:, axis])
            assert abs(float(np.median(right))) < 1e-3
        off[name, rate] = np.array(miss)
        own = off[name, rate] @ direction / spacing
        print(f"{name}, {rate} times as fine: voxels lie {np.round(off[name, rate], 3).tolist()} mm from what they"
              f" say, along the volume's axes {np.round(own, 3).tolist()} of its voxels")
same = all(np.abs(off["straight", rate]).max() < 1e-3 for rate in (2.0, 0.5))
for name, signs in (("two reversed", [1, 1, 0]), ("downwards", [0, 1, 1])):
    for rate, part in ((2.0, 0.5), (0.5, 1.0)):
        same &= np.allclose(np.abs(off[name, rate]), part * spacing * signs, atol=1e-3)
same &= 1 < np.abs(off["turned", 2.0]).max() < 3 and 1 < np.abs(off["turned", 0.5]).max() < 6
sys.exit(0 if same else 1)
PY

#!/usr/bin/env bash
# The surface of an ellipsoid in slices 8 mm apart, by scikit-image 0.26 (marching_cubes with spacing): points,
# normals and faces.
#
# One would guess: with spacing=(8, 1.5, 1.5) all that comes back is in millimeters: points, and the normals beside
# them; faces run round so that the cross product of their sides points where the normals do.
# What happens: points are in millimeters. Normals are those of the array, as if voxels were cubes, of length 1: up to
# 45 degrees off, 33 on average, most where the surface is oblique to the slices, as a ventricle's towards the apex.
# And faces run the other way round: normals point outwards, faces inwards (gradient_direction "descent", the default,
# for bright objects), so that the enclosed volume by a signed sum, as trimesh's .volume has it, is negative. With
# cubic voxels normals are right within 1 degree, so that a test on them passes.
# What follows: wall thickness along normals, motion split into normal and tangential, and shading are wrong, and the
# length says nothing. Divide the normals by the spacing and scale them to 1 again, or compute them from the faces;
# turn faces round by faces[:, ::-1], or say gradient_direction="ascent" and turn the normals.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "scikit-image==0.26.0" "trimesh==5.2.0" "numpy==2.4.6" "scipy==1.17.1"
"$work/venv/bin/python" - <<'PY'
import numpy as np
import skimage
import trimesh
from skimage.measure import marching_cubes

RADII = np.array([45.0, 25.0, 25.0])  # mm along the slices' axis, and within slices


def angles(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(1), -1, 1)))


def of_length_one(vectors):
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def surface(spacing):
    spacing = np.array(spacing)
    shape = np.ceil(2 * (RADII + 10) / spacing).astype(int) + 1
    middle = (shape - 1) / 2
    places = (np.moveaxis(np.indices(shape), 0, -1) - middle) * spacing
    level = 1 - np.linalg.norm(places / RADII, axis=-1)  # 0 on the ellipsoid, more inside
    points, faces, normals, _ = marching_cubes(level, 0.0, spacing=tuple(spacing))
    true = of_length_one((points - middle * spacing) / RADII**2)  # outwards
    sides = points[faces]
    wound = of_length_one(np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]))
    outwards = (wound * true[faces].mean(1)).sum(1)
    return {
        "normals": angles(normals, true),
        "repaired": angles(of_length_one(normals / spacing), true),
        "faces outwards": (outwards > 0).mean(),
        "ml": trimesh.Trimesh(points, faces, process=False).volume / 1000,
        "ml turned": trimesh.Trimesh(points, faces[:, ::-1], process=False).volume / 1000,
    }


print("scikit-image", skimage.__version__, f"true volume {4e-3 / 3 * np.pi * RADII.prod():.1f} ml")
for spacing in ((8.0, 1.5, 1.5), (1.5, 1.5, 1.5)):
    told = surface(spacing)
    print(
        f"voxels {spacing}: normals off by {told['normals'].mean():.1f} degrees, at most"
        f" {told['normals'].max():.1f}; divided by the spacing {told['repaired'].mean():.1f};"
        f" faces that point outwards {100 * told['faces outwards']:.0f} %;"
        f" trimesh {told['ml']:.1f} ml, turned {told['ml turned']:.1f} ml"
    )
    assert told["faces outwards"] < 0.01
    assert told["ml"] < -100 < 100 < told["ml turned"]
    assert told["repaired"].mean() < 5
    assert (told["normals"].mean() > 25) == (spacing[0] > 2)
    assert (told["normals"].max() > 40) == (spacing[0] > 2)
PY

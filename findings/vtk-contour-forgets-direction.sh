#!/usr/bin/env bash
# The surface of a ball in a volume whose axes are turned in space, by three contour filters of VTK 9.7 (PyVista 0.49).
#
# One would guess: vtkImageData has a direction matrix, so a surface made of it lies where its points lie, whichever
# filter makes it.
# What happens: vtkFlyingEdges3D and vtkMarchingCubes follow the matrix. vtkContourFilter, which is what
# PyVista's image.contour() takes unless a method is named, leaves it out: the ball is turned about the volume's
# origin, 20 mm away here, with nothing said. Slices, thresholds and probes of the same image are right.
# What follows: a heart's surface lies beside its own slices, and distances to other meshes (ours, in LPS mm) are those
# of two places. Say image.contour(..., method="flying_edges"), or cast_to_structured_grid() first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pyvista==0.49.1" "vtk==9.7.2" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import pyvista
from vtkmodules.vtkCommonCore import vtkVersion
from vtkmodules.vtkFiltersCore import vtkContourFilter, vtkFlyingEdges3D, vtkMarchingCubes

RADIUS = 20.0  # mm
cosine, sine = np.cos(0.5), np.sin(0.5)
image = pyvista.ImageData(dimensions=(40, 40, 20), spacing=(1.5, 1.5, 3), origin=(10, 20, 30))
image.direction_matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
middle = np.asarray(image.points).mean(axis=0)
image["away"] = np.linalg.norm(image.points - middle, axis=1)  # from the middle, mm
image.set_active_scalars("away")


def by_vtk(kind):
    contour = kind()
    contour.SetInputData(image)
    contour.SetValue(0, RADIUS)
    contour.Update()
    return pyvista.wrap(contour.GetOutput())


surfaces = {
    "vtkFlyingEdges3D": by_vtk(vtkFlyingEdges3D),
    "vtkMarchingCubes": by_vtk(vtkMarchingCubes),
    "vtkContourFilter": by_vtk(vtkContourFilter),
    "image.contour()": image.contour([RADIUS], scalars="away"),
    'image.contour(method="flying_edges")': image.contour([RADIUS], scalars="away", method="flying_edges"),
    "structured grid, contour()": image.cast_to_structured_grid().contour([RADIUS], scalars="away"),
}
print("VTK", vtkVersion.GetVTKVersion(), "PyVista", pyvista.__version__)
right = []
for name, surface in surfaces.items():
    off = np.linalg.norm(surface.points - middle, axis=1) - RADIUS
    right.append(bool(np.abs(off).max() < 0.1))
    print(f"{name}: points are {off.min():+.1f} to {off.max():+.1f} mm from the ball's surface")
sys.exit(0 if right == [True, True, False, False, True, True] else 1)
PY

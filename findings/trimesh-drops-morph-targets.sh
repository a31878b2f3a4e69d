#!/usr/bin/env bash
# A glTF mesh with a morph target, through trimesh and back.
#
# One would guess: trimesh keeps the target, or loads the mesh as its default weights move it, as glTF has
# it; what it cannot keep it says.
# What happens: trimesh loads the unmoved points, without targets and weights and without a word, and the file
# it exports has none. VTK's reader applies the default weights: the same file is 1 m higher there.
# What follows: converting, simplifying or measuring an animated mesh (a beating heart, a talking face) with
# trimesh freezes it at its base shape. Keep such files in Blender or three.js, or read the targets' accessors
# with pygltflib.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "trimesh==5.2.0" "pygltflib==1.16.5" "vtk==9.7.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import pygltflib as gltf
import trimesh
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOGeometry import vtkGLTFReader

points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
moved = np.array([[0, 0, 1]] * 3, np.float32)
triangle = np.array([0, 1, 2, 0], np.uint16)  # the last one fills up to 4 bytes
blob = points.tobytes() + moved.tobytes() + triangle.tobytes()


def accessor(view, values):
    low, high = values.min(axis=0).tolist(), values.max(axis=0).tolist()
    return gltf.Accessor(bufferView=view, componentType=gltf.FLOAT, count=3, type="VEC3", min=low, max=high)


primitive = gltf.Primitive(
    attributes=gltf.Attributes(POSITION=0), indices=2, targets=[{"POSITION": 1}]
)
index = gltf.Accessor(bufferView=2, componentType=gltf.UNSIGNED_SHORT, count=3, type="SCALAR")
file = gltf.GLTF2(
    scene=0,
    scenes=[gltf.Scene(nodes=[0])],
    nodes=[gltf.Node(mesh=0)],
    meshes=[gltf.Mesh(primitives=[primitive], weights=[1.0])],
    accessors=[accessor(0, points), accessor(1, moved), index],
    bufferViews=[
        gltf.BufferView(buffer=0, byteOffset=start, byteLength=size)
        for start, size in ((0, 36), (36, 36), (72, 6))
    ],
    buffers=[gltf.Buffer(byteLength=len(blob))],
)
file.set_binary_blob(blob)
file.save_binary("mesh.glb")

scene = trimesh.load("mesh.glb")
(mesh,) = scene.geometry.values()
scene.export("again.glb")
targets = gltf.GLTF2().load("again.glb").meshes[0].primitives[0].targets
reader = vtkGLTFReader()
reader.SetFileName("mesh.glb")
reader.Update()
block = reader.GetOutput()
while hasattr(block, "GetNumberOfBlocks"):
    block = block.GetBlock(0)
vtk_points = vtk_to_numpy(block.GetPoints().GetData())
print(f"trimesh {trimesh.__version__}: heights {mesh.vertices[:, 2].tolist()}; targets exported: {targets}")
print(f"VTK: heights {vtk_points[:, 2].tolist()}")
same = (mesh.vertices[:, 2] == 0).all() and not targets and (vtk_points[:, 2] == 1).all()
sys.exit(0 if same else 1)
PY

#!/usr/bin/env bash
# Vertices of an OBJ mesh with texture coordinates, read by trimesh with process=False.
#
# One would guess: process=False reads a file as it is: vertex 7 of the file is vertex 7 of the mesh, so
# landmarks, blend shapes and skin weights kept by index still fit.
# What happens: a vertex at a seam, with two texture coordinates, becomes two, and one that no face
# uses is gone, so that all indices behind them shift; the count may even stay. With
# maintain_order=True too the vertices are the file's, but the texture coordinates of this mesh are
# lost, with a warning about NaN from inside.
# What follows: keep indices with a format that has one texture coordinate a vertex (glTF), or match
# vertices by place after reading, and compare once.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q trimesh==5.2.0 numpy==2.4.6 pillow==13.0.0
"$work/venv/bin/python" - <<'PY'
import io

import numpy as np
import trimesh

# Two triangles with a seam at vertex 2, and vertex 4, a landmark that no face uses.
PLACES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9], [1, 1, 0]], float)
TEXT = "".join(f"v {x:g} {y:g} {z:g}\n" for x, y, z in PLACES)
TEXT += "vt 0 0\nvt 1 0\nvt 0 1\nvt 1 1\nf 1/1 2/2 3/3\nf 2/4 5/4 3/3\n"


def read(**how):
    return trimesh.load_mesh(io.BytesIO(TEXT.encode()), file_type="obj", **how)


plain, kept = read(process=False), read(process=False, maintain_order=True)
print("trimesh", trimesh.__version__)
print("in the file:   ", PLACES.tolist())
print("process=False: ", plain.vertices.tolist())
print("maintain_order:", kept.vertices.tolist())
assert len(plain.vertices) == len(PLACES)  # the count tells nothing: one is gone, one is there twice
assert not np.array_equal(plain.vertices, PLACES)
assert not (plain.vertices == PLACES[3]).all(1).any()
np.testing.assert_array_equal(kept.vertices, PLACES)
assert getattr(kept.visual, "uv", None) is None
assert len(plain.visual.uv) == len(plain.vertices)
PY

#!/usr/bin/env bash
# A head's points turned by +20 degrees about z, found again by Coherent Point Drift: pycpd 2.0.0 and biocpd 1.3.0.
#
# One would guess: the R of (s, R, t) is the rotation of the paper (Myronenko and Song) and of everybody else's 4 x 4 matrices:
# x = s R y + t, so that R of +20 degrees comes back.
# What happens: points are rows here, TY = s Y R + t, and R is the transpose: -20 degrees. pycpd's affine B likewise.
# The transformed points that come back beside it are right, and s and t are those of the paper. Neither package's
# documentation says so (cpd-pytorch 1.0.0, their newest relative, does).
# What follows: a pose written into a 4 x 4 matrix, a glTF or USD node or an ITK transform by R turns a head or a mesh of a
# heart the other way, which for a small turn looks like a bad registration: the points miss by twice the turn.
# Transpose R and B first, and try one point.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pycpd==2.0.0" "biocpd==1.3.0" "numpy==2.4.6" "scipy==1.17.1"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import biocpd
import numpy as np
import pycpd

angle = np.radians(20)
R = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
shift = np.array([0.1, 0.2, 0.3])
head = np.random.default_rng(0).normal(size=(60, 3))
turned = 1.2 * head @ R.T + shift  # x = s R y + t
ok = True
for package, kinds in ((pycpd, ("RigidRegistration", "AffineRegistration")), (biocpd, ("RigidRegistration",))):
    for kind in kinds:
        more = {} if kind[0] == "R" else {"max_iterations": 500, "tolerance": 1e-12}
        points, found = getattr(package, kind)(X=turned, Y=head, **more).register()
        scale, matrix, t = found if kind[0] == "R" else (1, *found)
        degrees = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
        by_matrix = np.abs(scale * head @ matrix.T + t - turned).max()
        missed = np.abs(points - turned).max()
        print(f"{package.__name__} {version(package.__name__)} {kind}: a turn of {degrees:+.1f} degrees; its points miss by "
              f"{missed:.4f}, s R y + t by {by_matrix:.2f}")
        ok &= bool(abs(degrees + 20) < 0.1 and missed < 1e-3 and by_matrix > 0.5 and np.abs(t - shift).max() < 1e-3)
sys.exit(0 if ok else 1)
PY

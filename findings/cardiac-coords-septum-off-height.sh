#!/usr/bin/env bash
# AHA segments by cardiac-coords, whose angle 0 a point tells, such as the insertion of the right ventricle at the base.
#
# One would guess: "for the polar angle theta, a point in space defining where theta = 0": only the point's direction
# around the long axis counts, at whatever height it lies; six segments of an even wall are equal.
# What happens: of the direction to the point the part along the axis is taken out for the sine and left in for the
# cosine. Unless the point lies at the height of the wall's center all angles but 0, 90, 180 and 270 degrees are off: of
# a point 30 mm aside and 40 mm above it 45 degrees are 59. Of an even wall segments 1 to 6 have 15 to 20 % of the ring
# each, for 16.7 %, and curves by segment are of other myocardium.
# What follows: put the point at the center's height: point -= axis * ((point - center) @ axis), the axis of length 1.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "cardiac-coords==0.1.1.post1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from cardiac_coords import CardiacCoordinates
from cardiac_coords.coords import spherical_coordinates

true = np.arange(0.0, 91.0, 15.0)
ring = np.stack([0 * true, 25 * np.cos(np.radians(true)), 25 * np.sin(np.radians(true))], axis=1)
for height, expected in ((0, 45.0), (20, 50.2), (40, 59.0)):
    told = spherical_coordinates(ring, (0, 0, 0), (height, 30, 0), (1, 0, 0)).thetas
    print(f"point {height} mm above the center:", np.degrees(told).round(1))
    assert abs(np.degrees(told[3]) - expected) < 0.1

z, y, x = np.indices((10, 60, 60))
spacing = (8.0, 1.4, 1.4)  # slices from the apex, z = 0, to the base
far = np.hypot(y - 30, x - 30) * 1.4
outer = 32 * np.sqrt((z + 0.5) / 9.5)
epi, endo = far < outer, (far < outer - 10) & (z > 1)
shares = {}
for name, height in (("at the base", 72.0), ("at the center", 46.0)):
    place = (height, 42.0 - 35.0, 42.0)
    found = CardiacCoordinates(
        endo.copy(), epi.copy(), apex_direction=(-1, 0, 0), theta_zero_point=place, spacing=spacing
    ).aha
    counts = np.bincount(found.ravel(), minlength=18)[1:7]
    shares[name] = 100 * counts / counts.sum()
    print(f"point {name}: segments 1 to 6 have", shares[name].round(1), "% of the basal ring")
assert np.ptp(shares["at the center"]) < 1.5
assert np.ptp(shares["at the base"]) > 4.5
PY

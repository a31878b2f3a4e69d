#!/usr/bin/env bash
# One ST map (float), saved as OpenEXR with the compression DWAA, under several names of its channels.
#
# One would guess: DWAA loses the same whatever a channel is called; or it keeps 32-bit floats, or "data" layers.
# What happens: the last part of a channel's name decides. R, G, B, Y, RY and BY, in any layer, are compressed as
# color; others are kept bit for bit. In HD the map is off by 5 px where its channels are called
# st.R and st.G, as many programs call them, and exact as st.u and st.v, at 70 times the size. A pair
# st.X, st.Y is exact in X and off in Y; so are positions and normals. B44, which is said to be lossy, keeps
# floats whoever they are; PXR24, which sounds lossless, moves this map by 0.03 px.
# What follows: whether a pass survived being saved again is told by its names, not by its type or by a picture
# of it. Save ST maps, vectors and positions as ZIPS or ZIP. Ours are called u and v.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "OpenEXR==3.5.3" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import os
import sys

import numpy as np
import OpenEXR

width, height = 1920, 1080
y, x = np.mgrid[:height, :width].astype(np.float32)
u = ((x + 0.5 + 8 * np.sin(y / 60) + 3 * np.sin(x / 37)) / width).astype(np.float32)
v = ((y + 0.5 + 6 * np.cos(x / 50)) / height).astype(np.float32)


def saved(names, compression):
    """By how many px the two channels differ after being written and read, and the size in bytes."""
    header = {"type": OpenEXR.scanlineimage, "compression": getattr(OpenEXR, f"{compression}_COMPRESSION")}
    with OpenEXR.File(header, dict(zip(names, (u, v)))) as file:
        file.write("map.exr")
    with OpenEXR.File("map.exr", separate_channels=True) as file:
        back = [file.channels()[name].pixels for name in names]
    assert all(channel.dtype == np.float32 for channel in back)
    return [float(np.abs(a - b).max()) * n for a, b, n in zip(back, (u, v), (width, height))], os.path.getsize("map.exr")


print("OpenEXR", OpenEXR.__version__)
found = {}
for compression in ("ZIPS", "DWAA", "B44", "PXR24"):
    for names in ("RG", "st.R st.G", "st.u st.v", "st.red st.green", "st.X st.Y"):
        key, names = (compression, names), names.split() if " " in names else list(names)
        found[key], size = saved(names, compression)
        print(f"{compression:5} {' '.join(names):15} off by {found[key][0]:.3f}, {found[key][1]:.3f} px; {size / 1e6:.1f} MB")
lossy = {("DWAA", "RG"): [1, 1], ("DWAA", "st.R st.G"): [1, 1], ("DWAA", "st.X st.Y"): [0, 1]}
ok = all(
    [int(value > 1) for value in values] == lossy.get(key, [0, 0])
    and (key[0] == "PXR24" or key in lossy or values == [0, 0])
    for key, values in found.items()
)
ok = ok and found["DWAA", "st.X st.Y"][0] == 0 and 0.005 < found["PXR24", "RG"][0] < 0.1
sys.exit(0 if ok else 1)
PY

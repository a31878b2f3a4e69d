#!/usr/bin/env bash
# OpenEXR's own Python module writes an array that is a view as if it were not one.
#
# One would guess: channels are numpy arrays, so a column of an (H, W, 3) picture or a flipped one is
# written as numpy shows it, or refused.
# What happens: the strides are ignored. OpenEXR 3.5.3 writes the memory from the view's first value
# on, in order: another picture, without a word. Reading it back gives what was written, so only a
# comparison with the array shows it.
# What follows: give it numpy.ascontiguousarray(channel), always, and compare once in a test.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q openexr==3.5.3 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'P'
import numpy as np
import OpenEXR

print("OpenEXR", OpenEXR.__version__)
picture = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
seen = {}
for name, green in (("view", picture[..., 1]), ("copy", np.ascontiguousarray(picture[..., 1]))):
    header = {"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"G": green}) as file:
        file.write(f"{name}.exr")
    with OpenEXR.File(f"{name}.exr") as file:
        back = file.channels()["G"].pixels
    seen[name] = bool((back == picture[..., 1]).all())
    print(f"{name}: first row given {picture[0, :, 1].tolist()}, read back {back[0].tolist()}")
assert seen == {"view": False, "copy": True}
P

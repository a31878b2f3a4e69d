#!/usr/bin/env bash
# A plate that ends early (60 % of the bytes of an EXR, DPX, 16-bit TIFF or PNG), read by OpenImageIO 3.2.2's ImageBuf.
#
# One would guess: get_pixels gives None, as ImageInput.read_image does, or raises; at least what is made of the buffer,
# or written from it, fails.
# What happens: ImageBuf(name) is initialized, get_pixels returns an array of the whole size, in which the part that
# could not be read is what memory held before (often an older copy of the same picture, so that a test sees nothing).
# write() of the buffer into another file returns True. A buffer made of it (ImageBufAlgo.resize, reorient) has no error
# at all, and its file is a sound one. Only the first buffer's has_error tells, and read(), which is False.
# What follows: ask read() or has_error of every ImageBuf once its pixels were asked for, before anything is made of it;
# a render or a copy that broke off goes on through a pipeline as a whole frame otherwise.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "OpenImageIO==3.2.2.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY' 2> errors.txt || { cat errors.txt; exit 1; }
import sys

import numpy as np
import OpenImageIO as oiio

picture = np.random.default_rng(0).random((64, 48, 3), dtype=np.float32)
print("OpenImageIO", oiio.VERSION_STRING, "- files of 64 rows that end after 60 % of their bytes")
holds = True
for name, kind in (("a.exr", "half"), ("a.dpx", "uint16"), ("a.tif", "uint16"), ("a.png", "uint16")):
    spec = oiio.ImageSpec(48, 64, 3, kind)
    whole = oiio.ImageBuf(spec)
    whole.set_pixels(spec.roi, picture)
    assert whole.write(name)
    data = open(name, "rb").read()
    with open(name, "wb") as file:
        file.write(data[: int(len(data) * 0.6)])
    buffer = oiio.ImageBuf(name)
    shape = buffer.get_pixels(oiio.FLOAT).shape
    written = buffer.write("copy.exr")
    told = buffer.has_error, buffer.read()
    cut = oiio.ImageBuf(name)
    small = oiio.ImageBufAlgo.resize(cut, roi=oiio.ROI(0, 24, 0, 32))
    of_small = small.has_error, small.write("small.exr")
    sound = oiio.ImageInput.open("small.exr").read_image(oiio.FLOAT) is not None
    direct = oiio.ImageInput.open(name).read_image(oiio.FLOAT)
    print(
        f"{name}: get_pixels {shape}, write {written}, has_error {told[0]}, read() {told[1]}; "
        f"half as large: has_error {of_small[0]}, write {of_small[1]}, sound {sound}; "
        f"ImageInput.read_image {direct}"
    )
    holds &= shape == (64, 48, 3) and written and told == (True, False)
    holds &= of_small == (False, True) and sound and direct is None
    for one in (buffer, cut):
        one.geterror()
sys.exit(0 if holds else 1)
PY

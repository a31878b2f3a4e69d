#!/usr/bin/env bash
# A mask and labels, 0 to 3, written as an 8-bit TIFF by OpenImageIO 3.2.2 (ImageOutput.write_image), by NumPy's dtype.
#
# One would guess: numbers that fit into a byte come back as they are, or an exception says that a type can't be had.
# What happens: integers are shares of their type's range. Label 3 is 3 from uint8 and 0 from uint16, int32 and int64
# (3 of 65,535 is nothing of 255); floats are shares of 1, so that 1, 2 and 3 all are 255. write_image returns True.
# A bool mask is not taken: the return value is False, no exception, the file is there, of its size and without
# pixels. ImageBuf(array) of int64 says that it is initialized, get_pixels gives what lay in memory, and the error is
# kept until somebody asks for it (has_error). set_pixels returns False and leaves the buffer black.
# What follows: labels come from argmax as int64, masks from comparisons as bool: written so, mattes and ids are black,
# or the file is broken, without a word. Give labels as uint8, masks as uint8 of 0 and 255 (or float of 0 and 1), and
# look at what write_image and set_pixels return.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "OpenImageIO==3.2.2.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import OpenImageIO as oiio

labels = np.repeat(np.arange(4), 12).reshape(6, 8, 1)  # 0, 1, 2, 3: a row and a half each
places = np.s_[[0, 1, 3, 5], [0, 5, 2, 6]]  # a pixel of each


def written(array):
    """What write_image returns, what close returns, and the labels in the file, or None."""
    output = oiio.ImageOutput.create("labels.tif")
    output.open("labels.tif", oiio.ImageSpec(8, 6, 1, "uint8"))
    told, closed = output.write_image(array), output.close()
    source = oiio.ImageInput.open("labels.tif")
    assert source.spec().width == 8 and source.spec().height == 6  # it is there, and has its size
    pixels = source.read_image("uint8")
    return told, closed, None if pixels is None else pixels[..., 0][places].tolist()


print("OpenImageIO", oiio.VERSION_STRING, "- labels 0, 1, 2, 3, as an 8-bit TIFF")
found = {}
for name in ("uint8", "uint16", "int32", "int64", "float32", "bool"):
    found[name] = written(labels.astype(name))
    told, closed, values = found[name]
    print(f"{name}: write_image {told}, close {closed}, the file has {values}")
buffer = oiio.ImageBuf(labels.astype(np.int64))
kept = buffer.initialized, buffer.has_error
print(f"ImageBuf of int64: initialized {kept[0]}, has_error {kept[1]}: {buffer.geterror()!r}")
empty = oiio.ImageBuf(oiio.ImageSpec(8, 6, 1, "uint8"))
taken = empty.set_pixels(oiio.ROI(), labels.astype(np.int64))
black = int(empty.get_pixels("uint8").max()) == 0
print(f"set_pixels of int64: returns {taken}, the buffer is black: {black}, {empty.geterror()!r}")
zeros = (True, True, [0, 0, 0, 0])
expected = {
    "uint8": (True, True, [0, 1, 2, 3]), "uint16": zeros, "int32": zeros, "int64": zeros,
    "float32": (True, True, [0, 255, 255, 255]), "bool": (False, True, None),
}
sys.exit(0 if found == expected and kept == (True, True) and not taken and black else 1)
PY

#!/usr/bin/env bash
# Straight alpha of a TIFF by OpenCV 5.1.0: colors come multiplied by it with 8 bits, and as they are with 16.
#
# One would guess: IMREAD_UNCHANGED gives the four channels as the file has them, whatever its depth, or at least one of the
# two meanings for all files: TIFF tells which it is (ExtraSamples 2 is straight, 1 is multiplied).
# What happens: 8 bits go through libtiff's RGBA reader, which multiplies straight colors; 16 bits are handed out as stored.
# So of one picture (204, 102, 51) under half alpha is (102, 51, 26) in 8 bits and 204 * 257 ... in 16. Files whose colors
# are multiplied are not changed, in either depth: nothing tells the two apart. Pillow 13.0.0 makes all straight, tifffile
# gives what is stored. IMREAD_COLOR drops alpha, and keeps the darkened colors.
# What follows: edges of a cut-out read by OpenCV and laid over a plate by its alpha are dark: alpha counts twice. Take PNG,
# or Pillow; or mark the alpha as unspecified (0), which nobody multiplies.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q opencv-contrib-python==5.1.0.95 tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import cv2
import numpy as np
import PIL.Image
import tifffile

COLOR, ALPHA = np.array((0.8, 0.4, 0.2)), 0.5
print("OpenCV", cv2.__version__, "tifffile", tifffile.__version__, "Pillow", PIL.__version__)
found = {}
for bits, kind in ((8, np.uint8), (16, np.uint16)):
    top = np.iinfo(kind).max
    for what, share in (("unassalpha", 1), ("assocalpha", ALPHA)):
        pixels = np.zeros((16, 16, 4), kind)
        pixels[..., :3], pixels[..., 3] = np.rint(COLOR * share * top), round(ALPHA * top)
        name = f"{what}{bits}.tif"
        tifffile.imwrite(name, pixels, photometric="rgb", extrasamples=[what])
        of = {
            "OpenCV": cv2.imread(name, cv2.IMREAD_UNCHANGED)[4, 4, [2, 1, 0, 3]] / top,
            "tifffile": tifffile.imread(name)[4, 4] / top,
            "Pillow": np.asarray(PIL.Image.open(name).convert("RGBA"))[4, 4] / 255,
        }
        found[what, bits] = {reader: np.round(values, 2).tolist() for reader, values in of.items()}
        print({"unassalpha": "straight", "assocalpha": "multiplied"}[what], f"{bits} bits:", found[what, bits])

straight, multiplied = [0.8, 0.4, 0.2, 0.5], [0.4, 0.2, 0.1, 0.5]
assert found["unassalpha", 8]["OpenCV"] == multiplied
assert found["unassalpha", 16]["OpenCV"] == straight
assert found["assocalpha", 8]["OpenCV"] == found["assocalpha", 16]["OpenCV"] == multiplied
for bits in (8, 16):
    assert np.allclose(found["assocalpha", bits]["Pillow"], straight, atol=0.02)
    assert found["unassalpha", bits]["Pillow"] == found["unassalpha", bits]["tifffile"] == straight
PY

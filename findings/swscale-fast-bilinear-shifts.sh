#!/usr/bin/env bash
# Where a blob lies in a picture that FFmpeg's swscale has scaled by its quickest way, "fast_bilinear" (FFmpeg 8.1 in PyAV
# 18.1; on the command line it is asked for by sws_flags=fast_bilinear).
#
# One would guess: coarser than "bilinear", in the same place: at (x + 1/2) s - 1/2.
# What happens: rows lie where they should, columns do not. Made smaller, all lies half a pixel of the result too far
# left, and more the smaller it is; made larger, RGB lies 1.1 px too far right at twice the size and 3.5 px at four
# times, and gray (so the luma of YUV) up to 1.6 px too far left. "bilinear", "bicubic" and "area" are exact.
# What follows: proxies, previews and network inputs scaled so are up to 3 px of the original beside points that were
# scaled by number, sideways alone. An average over a whole picture hides it. Take "bilinear" or "area".
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import av
import numpy as np

width, height, factors = 160, 120, (0.25, 0.5, 2, 4)
row, column = np.mgrid[:height, :width]
blob = np.round(240 * np.exp(-((column - 81) ** 2 + (row - 41) ** 2) / 288)).astype(np.uint8)


def off(format, way, factor):
    """How far the blob's middle lies beside its place, px of the result: columns, rows."""
    picture = blob if format == "gray" else np.dstack([blob] * 3)
    frame = av.VideoFrame.from_ndarray(picture, format=format)
    scaled = frame.reformat(int(width * factor), int(height * factor), format, interpolation=way).to_ndarray()
    scaled = scaled.reshape(*scaled.shape[:2], -1)[..., 0].astype(float)
    y, x = np.mgrid[: scaled.shape[0], : scaled.shape[1]]
    places = [(axis * scaled).sum() / scaled.sum() for axis in (x, y)]
    return [float(place - ((at + 0.5) * factor - 0.5)) for place, at in zip(places, (81, 41), strict=True)]


print("PyAV", av.__version__, "swscale", av.library_versions["libswscale"])
found = {}
for format in ("rgb24", "gray"):
    for way in ("FAST_BILINEAR", "BILINEAR", "AREA"):
        found[format, way] = np.array([off(format, way, factor) for factor in factors])
        told = ", ".join(f"x{f}: {x:+.2f} {y:+.2f}" for f, (x, y) in zip(factors, found[format, way], strict=True))
        print(f"{format} {way}: columns and rows are off by {told} px")
fast = {format: found[format, "FAST_BILINEAR"] for format in ("rgb24", "gray")}
exact = all(np.abs(value).max() < 0.05 for (_, way), value in found.items() if way != "FAST_BILINEAR")
same = exact and np.allclose(fast["rgb24"][:, 0], [-0.77, -0.51, 1.14, 3.52], atol=0.15)
same &= np.allclose(fast["gray"][:, 0], [-0.77, -0.51, -0.58, -1.57], atol=0.15)
sys.exit(0 if same and max(np.abs(value[:, 1]).max() for value in fast.values()) < 0.05 else 1)
PY

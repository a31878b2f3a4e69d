#!/usr/bin/env bash
# FFmpeg converts gray video as full range, whatever its range tag says.
#
# One would guess: a picture that has luma alone and says that it is of the limited range (16 to 235,
# as AV1 and HEVC without color are from many encoders) becomes RGB as the same luma beside neutral
# chroma does: 16 is black, 235 is white.
# What happens: swscale takes "gray" and "gray10le" for full range. Limited black comes out as 16 and
# white as 235, tag or no tag, and an explicit source range given to the call is ignored too.
# What follows: expand such pictures oneself, or give swscale yuv420p with chroma planes of 128.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import av
import numpy as np


def shown(kind, luma, **how):
    frame = av.VideoFrame(64, 64, kind)
    wide = np.dtype("<u2" if "10" in kind else "u1")
    for plane, value in zip(frame.planes, (luma, 128, 128)):
        plane.update(np.full(plane.buffer_size // wide.itemsize, value, wide).tobytes())
    frame.color_range, frame.colorspace = 1, 1  # limited, BT.709
    return int(frame.reformat(format="rgb24", **how).to_ndarray()[32, 32, 0])


found = {
    "yuv420p": [shown("yuv420p", luma) for luma in (16, 235)],
    "gray": [shown("gray", luma) for luma in (16, 235)],
    "gray, source range given": [
        shown("gray", luma, src_color_range=1, dst_color_range=2) for luma in (16, 235)
    ],
    "gray10le": [shown("gray10le", luma) for luma in (64, 940)],
}
print("PyAV", av.__version__, "libswscale", av.library_versions["libswscale"])
for kind, values in found.items():
    print(f"{kind}: limited black and white are shown as {values}")
assert found["yuv420p"] == [0, 255]
assert found["gray"] == found["gray, source range given"] == [16, 235]
assert all(abs(a - b) <= 1 for a, b in zip(found["gray10le"], (16, 235)))
PY

#!/usr/bin/env bash
# White of a 10-bit video, converted to RGB by FFmpeg's swscale.
#
# One would guess: limited-range white (940 of 10 bits) is 255 in rgb24, and 65535 in rgb48; and the
# order of the bytes (rgb24, bgr24) changes nothing but the order.
# What happens: rgb24 holds 253, bgr24 and gbrp hold 255, rgb48 and gbrp16 hold 65283, which is
# 254.02 of 255; mid gray is 2 levels low in rgb24 as well. 8-bit video is right in rgb24, and 253 in
# rgb48. The flag full_chroma_int repairs rgb24, not the deep ones; accurate_rnd repairs none.
# What follows: to_ndarray("rgb24") of 10-bit clips (phones, ProRes) is darker than the same clip in 8
# bits. Ask for gbrp, or for FULL_CHR_H_INT; for more than 8 bits apply the matrix oneself.
# On x86-64, where swscale has paths of its own for each pair of formats.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import av
import numpy as np
from av.video.reformatter import Interpolation

CODES = {"yuv420p": (235, 128, 128), "yuv420p10le": (940, 512, 512), "yuv422p10le": (940, 512, 512)}


def white(kind, out, how=Interpolation.BICUBIC):
    frame = av.VideoFrame(64, 64, kind)
    wide = np.dtype("<u2" if "10" in kind else "u1")
    for plane, value in zip(frame.planes, CODES[kind]):
        plane.update(np.full(plane.buffer_size // wide.itemsize, value, wide).tobytes())
    frame.color_range, frame.colorspace = 1, 1  # limited, BT.709
    made = frame.reformat(format=out, interpolation=how)
    deep = "<u2" if ("48" in out or "16" in out) else "u1"
    return int(np.frombuffer(bytes(made.planes[0]), deep)[0])


print("PyAV", av.__version__, "libswscale", av.library_versions["libswscale"])
found = {
    (kind, out): white(kind, out)
    for kind in CODES
    for out in ("rgb24", "bgr24", "gbrp", "rgb48le", "gbrp16le")
}
for (kind, out), value in found.items():
    print(f"{kind} to {out}: white is {value}")
exact = white("yuv420p10le", "rgb24", Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT)
deep = white("yuv420p10le", "rgb48le", Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT)
print(f"with full_chroma_int: yuv420p10le to rgb24 {exact}, to rgb48le {deep}")
for kind in ("yuv420p10le", "yuv422p10le"):
    assert found[kind, "rgb24"] == 253
    assert found[kind, "bgr24"] == found[kind, "gbrp"] == 255
    assert found[kind, "rgb48le"] == found[kind, "gbrp16le"] == 65283
assert found["yuv420p", "rgb24"] == 255
assert exact == 255
assert deep < 65500
PY

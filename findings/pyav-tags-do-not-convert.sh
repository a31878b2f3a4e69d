#!/usr/bin/env bash
# RGB pictures written by PyAV as H.264 with the encoder's tags set to BT.709, and the color that comes back.
#
# One would guess: an encoder that is told colorspace BT.709 and gets RGB frames makes BT.709's YUV of them.
# What happens: PyAV converts each frame to the encoder's pixel format by swscale with swscale's default, BT.601, whatever the
# encoder's tags are; only a tag on the frame itself is followed. So the file says BT.709 and has BT.601: a green of (40, 180,
# 60) is shown as (28, 158, 56) by every reader that follows the tag. Without any tag codes and readers of FFmpeg agree
# again, while players that take untagged HD for BT.709 do not. A frame tagged BT.709 in a file without tags errs the
# other way.
# What follows: strong colors are off by up to 23 of 255 and skin by 4 to 6, keys and paint by color do not fit their original,
# and the header looks right. Set frame.colorspace (and color_range) on every frame before it is encoded, beside the
# encoder's. Ours converts by itself, with the matrix that it tags.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import av
import numpy as np

COLORS = {"green": (40, 180, 60), "skin": (224, 172, 140), "red": (200, 30, 40)}
WEIGHTS = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722)}
BT709 = 1


def yuv(rgb, matrix):
    red, green, blue = rgb
    kr, kb = WEIGHTS[matrix]
    y = kr * red + (1 - kr - kb) * green + kb * blue
    return np.array([16 + y * 219 / 255, 128 + (blue - y) / (2 - 2 * kb) * 224 / 255, 128 + (red - y) / (2 - 2 * kr) * 224 / 255])


def copied(rgb, on_encoder, on_frame):
    """Codes Y, Cb, Cr in the file, and the RGB that PyAV shows of them."""
    with av.open("clip.mp4", "w") as out:
        stream = out.add_stream("libx264", rate=25, width=64, height=64, pix_fmt="yuv420p", options={"qp": "0"})
        if on_encoder:
            codec = stream.codec_context
            codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range = BT709, BT709, BT709, 1
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), rgb, np.uint8), "rgb24")
        if on_frame:
            frame.colorspace = BT709
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open("clip.mp4") as file:
        picture = next(file.decode(video=0))
        codes = [int(np.frombuffer(plane, np.uint8)[0]) for plane in picture.planes]
        return np.array(codes), picture.to_ndarray(format="rgb24")[32, 32].astype(int), int(picture.colorspace)


print("PyAV", av.__version__)
ok = True
for name, rgb in COLORS.items():
    for on_encoder, on_frame in ((False, False), (True, False), (True, True), (False, True)):
        codes, shown, tag = copied(rgb, on_encoder, on_frame)
        matrix = min(WEIGHTS, key=lambda one: np.abs(codes - yuv(rgb, one)).max())
        where = " and ".join(word for word, there in (("encoder", on_encoder), ("frame", on_frame)) if there) or "nothing"
        off = int(np.abs(shown - rgb).max())
        print(f"{name} {rgb}, tagged: {where}: file says {'BT.709' if tag == BT709 else 'nothing'}, "
              f"codes {codes} are {matrix}'s, shown as {shown}, {off} off")
        ok = ok and matrix == ("BT.709" if on_frame else "BT.601") and (tag == BT709) == on_encoder
        ok = ok and (off <= 2 if on_encoder == on_frame else off >= 4)
sys.exit(0 if ok else 1)
PY

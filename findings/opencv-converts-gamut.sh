#!/usr/bin/env bash
# One color of an iPhone's P3 clip, of a BT.2020 and of an HLG clip, by four readers that all have FFmpeg inside.
#
# One would guess: the same 8-bit numbers, YUV taken through the clip's matrix, but for rounding; what is wide or HDR
# stays wide, as nobody asked for a conversion.
# What happens: so it is with PyAV, decord and imageio. OpenCV (4.14, 5.0 and 5.1) converts primaries and transfer
# to sRGB's, since it hands tagged frames to FFmpeg's new scaler: a skin-like red of 190, 72, 58 is 219, 74, 47 there,
# in BT.2020 229, 14, 55 instead of 184, 66, 58, and HLG is tone-mapped, so that gray 128 is 144. BT.709 and BT.601
# agree everywhere. Clips without these tags do, too.
# What follows: thresholds on skin, color losses and networks tuned on frames of one reader meet other colors from
# phones in another, and no test on BT.709 shows it. Which is better depends on the use: for showing, converted.
# The first picture of such a clip takes OpenCV some hundred times as long (20 s on two busy cores): it builds a table.
# Ours are converted to BT.709, and it is said.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "opencv-python-headless==5.0.0.93" "decord2==3.4.0" "imageio==2.38.1" \
    "imageio-ffmpeg==0.8.1" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2> /dev/null <<'PY'
import sys
import time

import av
import cv2
import decord
import imageio.v3 as iio
import numpy as np


def write(path, matrix, primaries, transfer, color):
    """Three pictures of one color (Y, Cb, Cr), limited range, tagged with the numbers of H.273."""
    with av.open(path, "w") as clip:
        stream = clip.add_stream("libx264", rate=25, options={"qp": "1"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        coder = stream.codec_context
        coder.colorspace, coder.color_primaries, coder.color_trc, coder.color_range = matrix, primaries, transfer, 1
        for _ in range(3):
            frame = av.VideoFrame(320, 240, "yuv420p")
            for plane, value in zip(frame.planes, color):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = matrix, primaries, transfer, 1
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode(None))


readers = {
    "PyAV": lambda path: next(av.open(path).decode(video=0)).to_ndarray(format="rgb24"),
    "decord2": lambda path: decord.VideoReader(path)[0].asnumpy(),
    "imageio, FFMPEG": lambda path: iio.imread(path, plugin="FFMPEG", index=0),
    "OpenCV": lambda path: cv2.VideoCapture(path, cv2.CAP_FFMPEG).read()[1][..., ::-1],
}
red, gray = (100, 110, 180), (126, 128, 128)
clips = {
    "BT.709": (1, 1, 1, red),
    "BT.601": (6, 6, 6, red),
    "P3": (1, 12, 1, red),
    "BT.2020": (9, 9, 14, red),
    "HLG": (9, 9, 18, red),
    "HLG, gray": (9, 9, 18, gray),
}
print("av", av.__version__, "OpenCV", cv2.__version__, "decord2 3.4.0 imageio-ffmpeg 0.8.1")
apart = {}
for name, told in clips.items():
    write("clip.mp4", *told)
    seen, took = {}, {}
    for reader, read in readers.items():
        begin = time.perf_counter()
        seen[reader] = np.asarray(read("clip.mp4"))[120, 160].astype(int)
        took[reader] = time.perf_counter() - begin
    apart[name] = [int(np.abs(color - seen["PyAV"]).max()) for color in seen.values()]
    print(f"{name}:", "; ".join(f"{reader} {color.tolist()} in {took[reader]:.1f} s" for reader, color in seen.items()))
agree = all(max(values[:3]) <= 1 for values in apart.values())
same = max(apart["BT.709"][3], apart["BT.601"][3]) <= 1
other = apart["P3"][3] > 20 and apart["BT.2020"][3] > 30 and apart["HLG"][3] > 30 and apart["HLG, gray"][3] > 8
sys.exit(0 if agree and same and other else 1)
PY

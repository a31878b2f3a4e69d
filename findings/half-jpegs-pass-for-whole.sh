#!/usr/bin/env bash
# Motion JPEG of which some pictures came in half (a camera's USB or network lost data), read by PyAV 18.1.0 (FFmpeg 8.1),
# OpenCV 5.0's VideoCapture and, picture by picture, Pillow 13.0.
#
# One would guess: a decoder that marks incomplete pictures as corrupt (AVFrame.flags, as for H.264 and MPEG-2) marks these.
# What happens: both give them like whole ones, no error, is_corrupt False. What is missing is green where the buffer is new,
# and the lower half of an *earlier* picture where it was used before, which of both depends on whether pictures are kept.
# Pillow refuses them. The option err_detect=explode does, too, but also those that lack their last bytes alone.
# What follows: decode strictly, decode what is refused again with a decoder of its own, whose missing rows are Y = U = V = 0.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93 pillow==13.0.0
cd "$here"
"$here/venv/bin/python" - 2>/dev/null <<'PY'
import io
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import PIL.Image

rng = np.random.default_rng(0)
jpegs = []
for number in range(24):
    noise = rng.integers(8 * number, 8 * number + 60, (240, 320, 3), np.uint8)  # each lighter than the one before
    file = io.BytesIO()
    PIL.Image.fromarray(noise).save(file, "JPEG", quality=90)
    jpegs.append(file.getvalue())
jpegs[20] = jpegs[20][: len(jpegs[20]) // 2]
jpegs[22] = jpegs[22][:-400]  # lacks two or three blocks of 300

with av.open("clip.avi", "w") as clip:
    stream = clip.add_stream("mjpeg", rate=25)
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
    for number, jpeg in enumerate(jpegs):
        packet = av.Packet(jpeg)
        packet.stream, packet.time_base = stream, Fraction(1, 25)
        packet.pts = packet.dts = number
        packet.is_keyframe = True
        clip.mux(packet)


def kind(row):  # (320, 3)
    red, green, blue = row.mean(0)
    return "green" if green > 100 and red < 20 and blue < 20 else f"as in picture {(row.mean() - 30) / 8:.0f}"


def by_pyav(keep, **options):
    kept, found = [], []
    with av.open("clip.avi") as clip:
        stream = clip.streams.video[0]
        stream.codec_context.options = options
        stream.codec_context.thread_count = 1
        for packet in clip.demux(stream):
            try:
                pictures = stream.decode(packet)
            except av.error.InvalidDataError:
                found.append((None, None))
                continue
            for picture in pictures:
                found.append((picture.is_corrupt, kind(picture.to_ndarray(format="rgb24")[-1])))
                kept += [picture] * keep
    return found


gone, held = by_pyav(False)[20], by_pyav(True)[20]
strict = [number for number, one in enumerate(by_pyav(False, err_detect="explode")) if one[0] is None]
capture, rows = cv2.VideoCapture("clip.avi"), []
while (read := capture.read())[0]:
    rows.append(kind(read[1][-1, :, ::-1]))
try:
    PIL.Image.open(io.BytesIO(jpegs[20])).load()
    pillow = "no word"
except OSError as error:
    pillow = str(error)[:22]
print(f"PyAV {av.__version__}, last row of half of picture 20: corrupt {gone[0]}, {gone[1]}; where pictures are kept: corrupt {held[0]}, {held[1]}")
print(f"PyAV, err_detect=explode, refused: {strict}")
print(f"OpenCV {cv2.__version__}, {len(rows)} pictures, last row of half of picture 20: {rows[20]}")
print(f"Pillow {PIL.__version__}: {pillow}")
whole = "as in picture 20"
same = gone[0] is False and held[0] is False and gone[1] not in (whole, "green") and held[1] == "green" and strict == [20, 22]
sys.exit(0 if same and len(rows) == 24 and rows[20] not in (whole, "green") and pillow.startswith("image file is trun") else 1)
PY

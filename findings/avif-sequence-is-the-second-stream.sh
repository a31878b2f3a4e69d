#!/usr/bin/env bash
# An animated AVIF of five pictures, written by Pillow 13 (libavif, as avifenc does), read as video by four packages.
#
# One would guess: a file of one animation has one video stream, and stream 0 is it; who reads all frames gets five.
# What happens: libavif writes the first picture as a still as well, for readers that know nothing of sequences, and FFmpeg
# lists it first. PyAV's decode(video=0), which nearly every example says, imageio's pyav and OpenCV's VideoCapture
# give one picture and end, as if it were a still; OpenCV says that there is one. Pillow, OpenCV's imreadanimation
# and PyAV's streams.best("video") give five, with their times.
# What follows: an effect on an animation is a still picture, and no count tells. Ask for streams.best("video").
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pillow==13.0.0" "av==18.1.0" "opencv-contrib-python==5.1.0.95" "imageio==2.38.1" \
    "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2> /dev/null <<'PY'
import sys

import av
import cv2
import imageio.v3 as iio
import numpy as np
from PIL import Image

grays, durations = [20, 60, 100, 140, 180], [100, 250, 40, 700, 80]  # ms
pictures = [Image.fromarray(np.full((32, 32, 3), gray, np.uint8)) for gray in grays]
pictures[0].save("clip.avif", save_all=True, append_images=pictures[1:], duration=durations)


def frames(chosen):
    """Gray and time in ms of each picture of a stream."""
    with av.open("clip.avif") as clip:
        stream = clip.streams.best("video") if chosen == "best" else clip.streams.video[chosen]
        return [(round(float(frame.to_ndarray(format="rgb24").mean())), round(1000 * frame.time))
                for frame in clip.decode(stream)]


capture, read = cv2.VideoCapture("clip.avif"), 0
while capture.read()[0]:
    read += 1
counts = {
    "PyAV, video=0": len(frames(0)),
    "imageio, pyav": len(iio.imread("clip.avif", plugin="pyav")),
    "OpenCV, VideoCapture": read,
    "OpenCV, CAP_PROP_FRAME_COUNT": int(cv2.VideoCapture("clip.avif").get(cv2.CAP_PROP_FRAME_COUNT)),
    "Pillow": Image.open("clip.avif").n_frames,
    "OpenCV, imreadanimation": len(cv2.imreadanimation("clip.avif")[1].frames),
    'PyAV, streams.best("video")': len(frames("best")),
}
for reader, count in counts.items():
    print(f"{reader}: {count}")
print("the best stream's grays and times:", frames("best"))
times = [time for _, time in frames("best")]
ok = list(counts.values()) == [1, 1, 1, 1, 5, 5, 5] and times == [0, 100, 350, 390, 1090]
sys.exit(0 if ok else 1)
PY

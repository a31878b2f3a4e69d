#!/usr/bin/env bash
# Clips of 200 frames at 24000/1001, 30000/1001, 24 and 25 a second, read and written again by MoviePy 2.2.1, nothing done to them.
#
# One would guess: the same frames, at the same rate or the nearest that a double can say.
# What happens: rates are handed to FFmpeg with two decimals, so that 24000/1001 becomes 23.98 (1199/50): pictures run
# ahead of the sound, and of anything that was joined by time, by 0.1 s in ten minutes, two frames. Lengths are read
# from FFmpeg's banner, which cuts to hundredths of a second, and frames are counted as length times rate, cut again:
# 200 frames at 24 last 8.333 s, read as 8.33, 199 frames. The last one is lost wherever a length does not end on a
# hundredth. Clips at 25 always do, so that tests with them show neither.
# What follows: a clip that went through MoviePy has another clock than the one it came from, and tracks made of the one do
# not lie on the other. Take its frames (get_frame is right) and write them by PyAV, whose rates are fractions.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "moviepy==2.2.1" "av==18.1.0" "numpy==2.4.6" "imageio-ffmpeg==0.8.1" "pillow==11.3.0"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np
from moviepy import VideoFileClip


def told(name):
    with av.open(name) as clip:
        times = [frame.time for frame in clip.decode(video=0)]
        return len(times), str(clip.streams.video[0].average_rate), times[-1]


found = []
for rate in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(24), Fraction(25)):
    with av.open("in.mp4", "w") as clip:
        stream = clip.add_stream("mpeg4", rate=rate)
        stream.width = stream.height = 64
        for _ in range(200):
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), format="rgb24")))
        clip.mux(stream.encode())
    with VideoFileClip("in.mp4") as clip:
        clip.write_videofile("out.mp4", codec="mpeg4", logger=None)
    before, after = told("in.mp4"), told("out.mp4")
    late = 600 * (1 - float(Fraction(before[1]) / Fraction(after[1])))
    found.append((*after[:2], before[0]))
    print(f"{before[0]} frames at {before[1]} are {after[0]} frames at {after[1]}: {late:+.3f} s in ten minutes")
expected = [(199, "1199/50", 200), (199, "2997/100", 200), (199, "24", 200), (200, "25", 200)]
sys.exit(0 if found == expected else 1)
PY

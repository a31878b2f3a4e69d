#!/usr/bin/env bash
# Frame 20 of a clip whose frames last 33, 67 or 100 ms, as phones write them in poor light, by six readers.
#
# One would guess: index 20 is the 21st picture of the file, and who reads all frames gets each of them once.
# What happens: so it is with PyAV, decord2, ffmpegcv and imageio's "pyav". imageio's "FFMPEG" and MoviePy make
# a clip of constant rate first: imageio at the rate that the file was made at, so that 60 pictures become 101 and
# index 20 is picture 12; MoviePy at the mean rate, so that 27 pictures are gone and 26 come more than once.
# One library, two plugins, two pictures under one number, and nothing is said. Of 60 frames of steady 29.97 a
# second MoviePy gives 59.
# What follows: points, labels or masks kept by frame number do not belong to the pictures of another reader. Join
# by time. Ours are numbered as the file's pictures are, and have the time beside the number.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "imageio==2.38.1" "imageio-ffmpeg==0.8.1" "moviepy==2.2.1" \
    "ffmpegcv==0.3.20" "decord2==3.4.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from fractions import Fraction
from importlib.metadata import version

import av
import decord
import ffmpegcv
import imageio.v3 as iio
import numpy as np
from moviepy import VideoFileClip


def write(path, times, rate):
    """A clip whose pictures tell their number as gray; times in 1/30000 s."""
    with av.open(path, "w") as clip:
        stream = clip.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options, stream.codec_context.time_base = {"qp": "4"}, Fraction(1, 30000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 10 + 3 * number, np.uint8), "rgb24")
            frame.pts, frame.time_base = int(time), Fraction(1, 30000)
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode(None))


def numbers(frames):
    return [round((float(np.asarray(frame)[..., 0].mean()) - 10) / 3) for frame in frames]


def pyav(path):
    with av.open(path) as clip:
        return numbers(frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0))


def by_decord(path):
    clip = decord.VideoReader(path)
    return numbers(clip[i].asnumpy() for i in range(len(clip)))


readers = {
    "av": pyav,
    "decord2": by_decord,
    "ffmpegcv": lambda path: numbers(ffmpegcv.VideoCapture(path)),
    "imageio, pyav": lambda path: numbers(iio.imiter(path, plugin="pyav")),
    "imageio, FFMPEG": lambda path: numbers(iio.imiter(path, plugin="FFMPEG")),
    "moviepy": lambda path: numbers(VideoFileClip(path).iter_frames()),
}
lasts = np.random.default_rng(0).choice([1000, 1000, 1000, 2000, 3000], 59)
write("phone.mp4", np.cumsum([0, *lasts]), 30)
write("steady.mp4", 1001 * np.arange(60), Fraction(30000, 1001))
every, found = list(range(60)), {}
for name, read in readers.items():
    got, steady = read("phone.mp4"), read("steady.mp4")
    found[name] = (got == every, steady == every)
    lost, twice = 60 - len(set(got)), len(got) - len(set(got))
    print(f"{name} ({version(name.split(',')[0])}): {len(got)} frames, {lost} lost, {twice} more than once; "
          f"index 20 is picture {got[20]}; steady: {len(steady)} frames")  # fmt: skip
index = numbers([iio.imread("phone.mp4", plugin=plugin, index=20) for plugin in ("pyav", "FFMPEG")])
print("imageio.imread(index=20) by its two plugins:", index)
right = [*[(True, True)] * 4, (False, True), (False, False)]
sys.exit(0 if list(found.values()) == right and index[0] == 20 != index[1] else 1)
PY

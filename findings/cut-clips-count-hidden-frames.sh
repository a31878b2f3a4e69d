#!/usr/bin/env bash
# A clip cut without encoding it anew (ffmpeg -ss 0.4 -t 0.8 -c copy; phones' trimming does the same), by five readers.
#
# One would guess: the file has the frames that it shows, so a reader's count is the number of pictures that it gives,
# and a picture's index and its time belong together.
# What happens: the file begins at the keyframe before the cut, and an edit list says what to hide. All readers hide the
# first 12 pictures. But OpenCV's CAP_PROP_FRAME_COUNT counts them: 38, and 26 come. decord counts them
# as well, and gives the last picture 13 times to make 38 of it (it warns of "corrupted" frames);
# get_frame_timestamp(0) is -0.4 s, the time of the first hidden one, while index 0 is the picture at 0 s. The FFmpeg
# program, and imageio's "FFMPEG" with it, give 28: a gap before the last picture is filled.
# What follows: a track of OpenCV's count has an empty end; annotations by decord's times are 12 frames late, and a face
# "stands still" at the end. Count what is decoded, and take each picture's own time (PyAV: frame.time). Ours do.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "opencv-contrib-python==5.1.0.95" "eva-decord==0.6.1" \
  "imageio==2.38.1" "imageio-ffmpeg==0.8.1" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2>/dev/null <<'PY'
import subprocess
import sys
from importlib.metadata import version

import av
import cv2
import decord
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
with av.open("whole.mp4", "w") as whole:
    stream = whole.add_stream("libx264", rate=30)
    stream.width = stream.height = 128
    stream.pix_fmt, stream.gop_size, stream.options = "yuv420p", 30, {"bf": "2", "crf": "10"}
    for number in range(60):  # each picture's gray tells its number
        frame = av.VideoFrame.from_ndarray(np.full((128, 128, 3), 20 + 3 * number, np.uint8), format="rgb24")
        frame.pts = number
        whole.mux(stream.encode(frame))
    whole.mux(stream.encode())
subprocess.run([ffmpeg, "-v", "error", "-ss", "0.4", "-i", "whole.mp4", "-t", "0.8", "-c", "copy", "cut.mp4"])


def number(picture):
    """The number of a picture in the whole clip."""
    return round((float(np.asarray(picture)[20:100, 20:100].mean()) - 20) / 3)


def by_av():
    """Numbers and times by PyAV."""
    with av.open("cut.mp4") as clip:
        return [(number(frame.to_ndarray(format="rgb24")), frame.time) for frame in clip.decode(video=0)]


def by_opencv():
    """The count that OpenCV tells, and the numbers of what it reads."""
    clip, found = cv2.VideoCapture("cut.mp4"), []
    count = int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
    while True:
        there, picture = clip.read()
        if not there:
            return count, found
        found.append(number(picture))


packages = ("av", "opencv-contrib-python", "eva-decord", "imageio", "imageio-ffmpeg")
print(*(f"{name} {version(name)}" for name in packages))
pyav = by_av()
print("PyAV:", len(pyav), "pictures, from", pyav[0], "to", pyav[-1])
count, opencv = by_opencv()
print("OpenCV: counts", count, "- reads", len(opencv), "from", opencv[0], "to", opencv[-1])
clip = decord.VideoReader("cut.mp4")
pictures = [number(clip[index].asnumpy()) for index in range(len(clip))]
first = float(clip.get_frame_timestamp(0)[0])
late = float(clip.get_frame_timestamp(20)[0])
print("decord: counts", len(clip), "- from", pictures[0], "to", pictures[-1], "which comes", pictures.count(pictures[-1]),
      f"times; index 0 at {first:.2f} s, index 20, picture {pictures[20]}, at {late:.3f} s")
print("       (PyAV has picture", pictures[20], f"at {dict(pyav)[pictures[20]]:.3f} s)")
program = [number(picture) for picture in iio.imiter("cut.mp4", plugin="FFMPEG")]
print("imageio FFMPEG:", len(program), "from", program[0], "to", program[-3:])
ok = len(pyav) == len(opencv) == 26 and count == len(clip) == 38 and {pyav[0][0], opencv[0], pictures[0]} == {12}
ok = ok and pyav[0][1] == 0 and abs(first + 0.4) < 1e-3 and pictures[-13:] == [pictures[-1]] * 13
ok = ok and abs(dict(pyav)[pictures[20]] - late - 0.4) < 1e-3 and len(program) == 28
sys.exit(0 if ok else 1)
PY

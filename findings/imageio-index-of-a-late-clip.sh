#!/usr/bin/env bash
# Picture 20 of 40 that come evenly, 25 a second, by imageio's imread(index=20, plugin="pyav"), from five kinds of files.
#
# One would guess: of a clip of constant rate the index names the picture that imiter() gives at that place.
# What happens: the plugin seeks to index / rate of the file's own clock and counts on from there by timestamps that it takes to
# begin at 0. Where the first picture comes later (sound that begins first in MP4, a clip cut out of a longer one in MKV)
# picture 0 comes for 5, 12 and 20, and 3 for 33. Of MPEG-TS other pictures come, or StopIteration; of AVI the one
# before at times. imiter() gives all of them in order.
# What follows: frames picked for labels, contact sheets or templates are not those whose number stands beside them, though the
# clip is as even as can be. Iterate and count, or seek by time with PyAV. Ours are numbered as they come.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "imageio==2.38.1" "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - 2> /dev/null <<'PY'
import sys
from fractions import Fraction

import av
import imageio
import imageio.v3 as iio
import numpy as np

WANTED = (0, 5, 12, 20, 33, 39)


def write(path, late):
    """40 pictures of growing brightness, the first one at frame `late` of the clock, beside sound from 0 on."""
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=25, width=64, height=64, pix_fmt="yuv420p", options={"qp": "0", "g": "10"})
        stream.codec_context.time_base = Fraction(1, 25)
        sound = out.add_stream("aac", rate=48_000, layout="mono") if late and path.endswith("mp4") else None
        for place in range(0, 96_000 if sound else 0, 1024):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = 48_000, place
            out.mux(sound.encode(samples))
        if sound:
            out.mux(sound.encode(None))
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 + 5 * number, np.uint8), "rgb24")
            frame.pts, frame.time_base = number + late, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def number(picture):
    return round((float(picture.mean()) - 20) / 5)


def indexed(path, index):
    try:
        return number(iio.imread(path, index=index, plugin="pyav"))
    except Exception as error:
        return type(error).__name__


print("imageio", imageio.__version__, "with PyAV", av.__version__)
print(f"pictures for index {', '.join(map(str, WANTED))}:")
found = {}
for path, late in (("plain.mp4", 0), ("late.mp4", 30), ("plain.mkv", 0), ("late.mkv", 30), ("plain.ts", 0), ("plain.avi", 0)):
    write(path, late)
    iterated = [number(picture) for picture in iio.imiter(path, plugin="pyav")]
    found[path] = [indexed(path, index) for index in WANTED]
    print(f"{path}: {found[path]}; imiter() gives {'all in order' if iterated == list(range(40)) else iterated}")
    assert iterated == list(range(40))
ok = found["plain.mp4"] == found["plain.mkv"] == list(WANTED)
ok = ok and all(found[path][1:] != list(WANTED[1:]) for path in ("late.mp4", "late.mkv", "plain.ts", "plain.avi"))
ok = ok and found["late.mp4"][3] == found["late.mkv"][3] == 0
sys.exit(0 if ok else 1)
PY

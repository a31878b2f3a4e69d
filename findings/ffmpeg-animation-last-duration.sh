#!/usr/bin/env bash
# FFmpeg's animated WebP and APNG lose how long the last picture is shown.
#
# One would guess: frames with durations of 100, 250, 40 and 700 ms come back with these.
# What happens: the first three do. The last picture of a WebP gets the mean of those before, that of
# an APNG the duration of the one before; frame.duration is not looked at.
# What follows: a program that keeps times writes such files with a library that takes durations
# (Pillow's save_all), or repeats the last picture.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6 pillow==13.0.0
cd "$place"
"$place/venv/bin/python" - <<'P'
from fractions import Fraction

import av
import numpy as np
from av.codec.context import Flags
from PIL import Image

print("PyAV", av.__version__)
wanted, told = [100, 250, 40, 700], {}
for name, codec, pixels in (("webp", "libwebp_anim", "bgra"), ("apng", "apng", "rgba")):
    with av.open(f"o.{name}", "w", format=name) as container:
        stream = container.add_stream(
            codec, rate=25, width=64, height=48, pix_fmt=pixels, time_base=Fraction(1, 1000)
        )
        stream.codec_context.flags |= Flags.frame_duration
        time = 0
        for number, lasts in enumerate(wanted):
            image = np.full((48, 64, 4), 50 * number + 50, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pixels)
            frame.pts, frame.time_base, frame.duration = time, Fraction(1, 1000), lasts
            time += lasts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with Image.open(f"o.{name}") as picture:
        told[name] = []
        for number in range(picture.n_frames):
            picture.seek(number)
            picture.load()
            told[name].append(round(picture.info["duration"]))
    print(name, told[name], "for", wanted)
assert told == {"webp": [100, 250, 40, 130], "apng": [100, 250, 40, 40]}
P

#!/usr/bin/env bash
# A 3D LUT (.cube) whose table does not begin at 0 or end at 1 (DOMAIN_MIN, DOMAIN_MAX), by four readers.
#
# One would guess: all place the table where the file says, or refuse. Adobe's format has had both lines since 2013, and
# LUTs for scene-linear and log footage need them.
# What happens: OpenColorIO 2.6 and colour-science 0.4.7 do so. FFmpeg 8.1 (lut3d, here by PyAV) divides by the width of
# the domain and leaves its beginning out: right where that is 0, else everything is looked up elsewhere. A LUT
# from -0.5 to 1.5 that changes nothing makes 0.25, 0.5, 0.75 to 0, 0, 0.25. pillow-lut 1.1 passes over both lines.
# Resolve's own LUT_3D_INPUT_RANGE is understood by the first two, refused by FFmpeg, passed over by pillow-lut.
# What follows: a grade seen in Nuke or Resolve is another one in FFmpeg, without a word. Resample such a LUT to 0 to 1, or
# apply it by OpenColorIO.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencolorio==2.6.0" "colour-science==0.4.7" "av==18.1.0" "pillow-lut==1.1.0" \
    "pillow==12.3.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY' 2> /dev/null
import sys
from fractions import Fraction

import av
import colour
import numpy as np
import pillow_lut
import PyOpenColorIO as ocio
from PIL import Image

value, size = [0.25, 0.5, 0.75], 17


def write(name, low, high, curve, resolve=False):
    places = [curve(low + (high - low) * i / (size - 1)) for i in range(size)]
    domain = [f"LUT_3D_INPUT_RANGE {low} {high}"] if resolve else [
        f"DOMAIN_MIN {low} {low} {low}", f"DOMAIN_MAX {high} {high} {high}"]
    rows = [f"{r:.6f} {g:.6f} {b:.6f}" for b in places for g in places for r in places]
    with open(name, "w") as file:
        file.write("\n".join([f"LUT_3D_SIZE {size}", *domain, *rows]) + "\n")


def by_opencolorio(name):
    transform = ocio.FileTransform(name, interpolation=ocio.INTERP_LINEAR)
    return ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(value)


def by_colour(name):
    return colour.read_LUT(name).apply(np.array(value))


def by_ffmpeg(name):
    graph = av.filter.Graph()
    begin = graph.add_buffer(width=16, height=16, format=av.VideoFormat("gbrpf32le"), time_base=Fraction(1, 25))
    lut, end = graph.add("lut3d", f"file={name}"), graph.add("buffersink")
    begin.link_to(lut)
    lut.link_to(end)
    graph.configure()
    frame = av.VideoFrame.from_ndarray(np.tile(np.float32(value), (16, 16, 1)), format="gbrpf32le")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    begin.push(frame)
    return end.pull().to_ndarray(format="gbrpf32le")[8, 8]


def by_pillow_lut(name):
    picture = Image.new("RGB", (4, 4), tuple(round(255 * v) for v in value))
    return [v / 255 for v in picture.filter(pillow_lut.load_cube_file(name)).getpixel((0, 0))]


def same(x):
    return min(max(x, 0), 1)


def half(x):
    return x / 2


files = {
    "same.cube, 0 to 1": ("same.cube", 0, 1, same, False),
    "half.cube, 0 to 2": ("half.cube", 0, 2, half, False),
    "wide.cube, -0.5 to 1.5, changes nothing": ("wide.cube", -0.5, 1.5, same, False),
    "range.cube, 0 to 2 by LUT_3D_INPUT_RANGE": ("range.cube", 0, 2, half, True),
}
readers = {"OpenColorIO": by_opencolorio, "colour": by_colour, "FFmpeg": by_ffmpeg, "pillow-lut": by_pillow_lut}
found = {}
for what, (name, low, high, curve, resolve) in files.items():
    write(name, low, high, curve, resolve)
    meant = [curve(v) for v in value]
    print(f"{what}: {value} should be {meant}")
    for reader, read in readers.items():
        try:
            got = np.asarray(read(name), float).round(3)
            found[name, reader] = bool(np.abs(got - meant).max() < 0.004)
            print(f"    {reader:12}", got.tolist())
        except Exception as error:
            found[name, reader] = None
            print(f"    {reader:12} refuses ({type(error).__name__})")
wrong = {key for key, right in found.items() if right is False}
expected = {("half.cube", "pillow-lut"), ("wide.cube", "pillow-lut"), ("wide.cube", "FFmpeg"),
            ("range.cube", "pillow-lut")}
refused = {key for key, right in found.items() if right is None}
sys.exit(0 if wrong == expected and refused == {("range.cube", "FFmpeg")} else 1)
PY

#!/usr/bin/env bash
# A picture of a video that brings EXIF, read by PyAV 18.1.0 (FFmpeg 8.1), tells none of what comes with it.
#
# One would guess: `frame.side_data.get("DISPLAYMATRIX")` gives the matrix, or None, whatever else comes with the picture;
# a kind of data that PyAV does not know is passed over.
# What happens: FFmpeg 8.1 hands on the EXIF of Motion JPEG and TIFF as data of kind 31, for which PyAV has no name, and
# every question for side data ends in `ValueError: 31 is not a valid Type`. By FFmpeg's header the views of MV-HEVC (29)
# are such a kind too; that was not tried. `frame.rotation` works, but a picture that is only mirrored (orientation 2) is
# told as one that stands on its head, and a transposed one (5) as a turned one (6).
# What follows: name the kinds before asking (Type is an Enum, whose `_missing_` may be set), or ask within try and expect
# that a camera's AVI has no matrix, no mastering display and no stereo.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 pillow==13.0.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import io
from fractions import Fraction

import av
import numpy as np
import PIL.Image

pixels = np.zeros((48, 64, 3), np.uint8)
pixels[:24, :32] = 255  # white at the upper left


def clip(name, tag):
    exif = PIL.Image.Exif()
    exif[271] = "a camera"
    if tag:
        exif[274] = tag
    jpeg = io.BytesIO()
    PIL.Image.fromarray(pixels).save(jpeg, "JPEG", exif=exif.tobytes() if tag is not None else b"")
    with av.open(name, "w") as container:
        stream = container.add_stream("mjpeg", rate=25, pix_fmt="yuvj420p")
        stream.width, stream.height = 64, 48
        packet = av.Packet(jpeg.getvalue())
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream = Fraction(1, 25), stream
        container.mux(packet)
    with av.open(name) as container:
        return next(container.decode(video=0))


def matrix(frame):
    try:
        return "none" if frame.side_data.get("DISPLAYMATRIX") is None else "a matrix"
    except ValueError as error:
        return f"ValueError: {error}"


print("PyAV", av.__version__, "libavcodec", av.library_versions["libavcodec"])
found = {}
for what, tag in (("no EXIF", None), ("EXIF of a camera", 0), *((f"EXIF, orientation {n}", n) for n in (1, 2, 5, 6))):
    frame = clip("a.avi", tag)
    found[what] = matrix(frame), frame.rotation
    print(f"{what}: {found[what][0]}; rotation {frame.rotation}")
assert found["no EXIF"][0] == "none"
assert all(told == "ValueError: 31 is not a valid Type" for what, (told, _) in found.items() if what != "no EXIF")
assert found["EXIF, orientation 2"][1] in (180, -180)
assert found["EXIF, orientation 5"][1] == found["EXIF, orientation 6"][1] == -90
PY

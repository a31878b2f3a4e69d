#!/usr/bin/env bash
# Pixel formats that FFmpeg's libx265 says it takes, in the wheels of PyAV 18.1.0 (FFmpeg 8.1).
#
# One would guess: an encoder can be opened with every format of its list (Codec.video_formats), so that a program may
# choose one that has alpha where the list has it: HEVC with alpha, which phones and editors play.
# What happens: yuva420p and yuva420p10le are listed, as FFmpeg can do them, and opening fails with "Operation not
# supported", as the x265 inside was built without alpha. All the other formats of the list open.
# What follows: open the encoder once before the work, and fall back to ProRes 4444 or VP9; a list is of FFmpeg, not of
# the library that was built in.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0"
"$work/venv/bin/python" - <<'PY' 2>/dev/null
import sys
from fractions import Fraction

import av

print("PyAV", av.__version__, "libavcodec", av.library_versions["libavcodec"])
listed = [pixel_format.name for pixel_format in av.codec.Codec("libx265", "w").video_formats]
refused = {}
for name in listed:
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width = encoder.height = 256
    encoder.pix_fmt, encoder.time_base, encoder.framerate = name, Fraction(1, 25), Fraction(25)
    try:
        encoder.open()
    except OSError as error:
        refused[name] = error.strerror
print(f"{len(listed)} listed, refused: {refused}")
sys.exit(0 if refused == dict.fromkeys(("yuva420p", "yuva420p10le"), "Operation not supported") else 1)
PY

#!/usr/bin/env bash
# What PyAV 19 gives as a stream's rate and time base.
#
# One would guess: a fractions.Fraction, as every release before it does.
# What happens: an AVRational. It equals a Fraction, has its hash and turns into one in arithmetic, so
# that most programs go on; but isinstance(rate, Fraction) is false, and round(rate),
# rate.limit_denominator(n) and f"{rate:.2f}" raise. av.open has also lost metadata_errors.
# What follows: code that tells "a rate is known" by isinstance takes every clip for one without a
# rate, without a word. Turn what a stream says into Fraction(rate) at the one place where it is read.
# Needs Python 3.12 or later, which PyAV 19 asks for: PYTHON=python3.12 bash pyav19-rates.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==19.0.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np

wanted = Fraction(30_000, 1001)
with av.open("clip.mp4", "w") as clip:
    stream = clip.add_stream("mpeg4", rate=wanted)
    stream.width = stream.height = 64
    for gray in range(0, 200, 20):
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), gray, np.uint8), format="rgb24")
        clip.mux(stream.encode(picture))
    clip.mux(stream.encode())


def outcome(call):
    try:
        return str(call())
    except Exception as error:
        return type(error).__name__


with av.open("clip.mp4") as clip:
    rate = clip.streams.video[0].average_rate
    found = {
        "type": type(rate).__name__,
        "equals the Fraction": str(rate == wanted and hash(rate) == hash(wanted)),
        "is a Fraction": str(isinstance(rate, Fraction)),
        "2 * rate": type(2 * rate).__name__,
        "round(rate)": outcome(lambda: round(rate)),
        "rate.limit_denominator(100)": outcome(lambda: rate.limit_denominator(100)),
        'f"{rate:.2f}"': outcome(lambda: f"{rate:.2f}"),
        "Fraction(rate)": outcome(lambda: Fraction(rate)),
    }
print("PyAV", av.__version__)
for what, value in found.items():
    print(f"{what:30} {value}")
expected = ["AVRational", "True", "False", "Fraction", "TypeError", "AttributeError", "TypeError",
            "30000/1001"]
try:
    av.open("clip.mp4", metadata_errors="ignore")
    sys.exit("changed: av.open takes metadata_errors again")
except TypeError as error:
    print("av.open(..., metadata_errors=...)", type(error).__name__)
sys.exit(0 if list(found.values()) == expected else 1)
PY

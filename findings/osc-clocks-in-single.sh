#!/usr/bin/env bash
# A clock's seconds sent by Open Sound Control from Python, by python-osc, OSCPy and osc4py3.
#
# One would guess: a Python float has 64 bits, OSC has the type "d" for such, and a library that picks the type for
# its argument picks one that holds it; so python-osc does for whole numbers, of which those beyond 32 bits become "h".
# What happens: all three make "f" of every float, 32 bits, without a word. Seconds since 1970 arrive in steps of 128, a minute
# off; those of a session in steps of 2 ms after five hours, of 1/64 s after 36 hours and of 1/16 s after a week, so that
# two and more frames of 60 a second have one time. Python-osc and osc4py3 send all of it
# if the type "d" is named; OSCPy has no way to name one.
# What follows: tracks of faces and sound that are joined by such times slip by frames, later in the day more than in the
# rehearsal. Say "d" where the receiver knows it (TouchDesigner, SuperCollider; OSC 1.0 does not ask for it), or send seconds
# and their fraction as two numbers, or a count of frames. Ours sends the count beside the seconds of its session.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "python-osc==1.10.2" "oscpy==0.6.0" "osc4py3==1.0.8"
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

from osc4py3 import oscbuildparse
from oscpy.parser import format_message, read_message
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder


def by_python_osc(seconds, kind=None):
    builder = OscMessageBuilder("/t")
    builder.add_arg(seconds, kind)
    data = builder.build().dgram
    return OscMessage(data).params[0], data


def by_oscpy(seconds):
    data = format_message(b"/t", [seconds])
    data = data[0] if isinstance(data, tuple) else data
    return read_message(data)[2][0], data


def by_osc4py3(seconds, kind=None):
    data = bytes(oscbuildparse.encode_packet(oscbuildparse.OSCMessage("/t", kind and "," + kind, [seconds])))
    return oscbuildparse.decode_packet(data).arguments[0], data


CLOCKS = {"since 1970": 1_796_061_498.3, "of a session of 5 hours": 18_000.017, "of 36 hours": 131_080.05, "of a week": 604_800.03}
ways = {"python-osc": by_python_osc, "oscpy": by_oscpy, "osc4py3": by_osc4py3}
print(", ".join(f"{name} {version(name)}" for name in ways))
ok = True
for name, way in ways.items():
    for clock, seconds in CLOCKS.items():
        got, data = way(seconds)
        times = {way(seconds + frame / 60)[0] for frame in range(60)}
        print(f"{name}, seconds {clock}: {seconds} arrives as {got}, type {chr(data[5])!r}; 60 frames in a second have {len(times)} times")
        ok = ok and data[5:6] == b"f"
    off = abs(way(CLOCKS["since 1970"])[0] - CLOCKS["since 1970"])
    ok = ok and off > 30 and len({way(CLOCKS["of a week"] + frame / 60)[0] for frame in range(60)}) < 20
for name in ("python-osc", "osc4py3"):
    exact = [ways[name](seconds, "d")[0] == seconds for seconds in CLOCKS.values()]
    print(f"{name} with the type 'd' named: {'exact' if all(exact) else 'not exact'}")
    ok = ok and all(exact)
whole = by_python_osc(2**40)
print("python-osc, the whole number 2**40: type", repr(chr(whole[1][5])))
ok = ok and whole[0] == 2**40 and whole[1][5:6] == b"h"
sys.exit(0 if ok else 1)
PY

#!/usr/bin/env bash
# A stream copy (FFmpeg 7.0.2, -c copy) of an MP4 with several edits brings back what the edits cut out.
#
# One would guess: a copy shows what the clip shows. FFmpeg follows edit lists when it plays: of 8 s that two edits make 3,
# it decodes 3 s.
# What happens: packets that an edit cuts out, but that decoding may need, are marked "discard". The copy has them all, and
# has no edits in their middle: pictures cut out are shown, the clip lasts longer, its times run back and forth, and seconds
# of sound are squeezed into a few samples. To Matroska it is the same. Nothing is said but that times do not rise.
# What follows: what was cut out of a clip (a name, a face) is in its copy, seen and heard. Encode anew, or leave packets
# with the flag out (PyAV: packet.is_discard), as facewarp does with sound.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 imageio-ffmpeg==0.6.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import struct
import subprocess

import av
import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
EDITS = ((1.5, 0.7), (1.5, 4.3))  # seconds shown, and where they begin


def run(*words):
    return subprocess.run([FFMPEG, "-y", "-hide_banner", *words], capture_output=True, text=True, check=True).stderr


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at : at + size]
        at += size


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def cut(name):
    """Give each track of a file these two edits (ISO/IEC 14496-12, 8.6.6)."""
    parts = dict(boxes(open(name, "rb").read()))
    movie = list(boxes(parts[b"moov"][8:]))
    ticks = struct.unpack_from(">I", dict(movie)[b"mvhd"], 20)[0]
    changed = []
    for kind, part in movie:
        if kind == b"trak":
            track = dict(boxes(part[8:]))
            own = struct.unpack_from(">I", dict(boxes(track[b"mdia"][8:]))[b"mdhd"], 20)[0]
            first = struct.unpack_from(">i", track[b"edts"], 28)[0]
            told = [struct.pack(">IiHH", round(s * ticks), first + round(at * own), 1, 0) for s, at in EDITS]
            track[b"edts"] = box(b"edts", box(b"elst", struct.pack(">II", 0, len(EDITS)), *told))
            part = box(b"trak", *track.values())
        changed.append(part)
    with open(name, "wb") as file:
        file.write(b"".join(v for k, v in parts.items() if k != b"moov") + box(b"moov", *changed))


def shown(name):
    """Pictures, how many of them have what was cut out (red), how often times run back; seconds that beep."""
    with av.open(name) as container:
        pictures = [(f.pts * f.time_base, f.to_ndarray(format="rgb24")[48, 80]) for f in container.decode(video=0)]
    red = sum(int(color[0]) > 150 and int(color[1]) < 100 for _, color in pictures)
    back = sum(b[0] <= a[0] for a, b in zip(pictures, pictures[1:]))
    with av.open(name) as container:
        packets = [p.pts * p.time_base for p in container.demux(audio=0) if p.pts is not None]
    close = sum(b - a < 0.001 for a, b in zip(packets, packets[1:]))
    return len(pictures), red, back, close


secret = "drawbox=color=red:t=fill:enable='between(t,2.3,4.2)'"  # between the two edits
run("-f", "lavfi", "-i", "color=gray:s=160x96:r=30:d=8", "-f", "lavfi", "-i", "sine=440:d=8", "-vf", secret,
    "-c:v", "libx264", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac", "whole.mp4")
cut("whole.mp4")
print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.split(" Copyright")[0])
found = {}
for name in ("whole.mp4", "copy.mp4", "copy.mkv"):
    if name != "whole.mp4":
        run("-i", "whole.mp4", "-c", "copy", name)
    found[name] = shown(name)
    print("{}: {} pictures, {} of them cut out, {} times run back; {} packets of sound within 1 ms".format(name, *found[name]))
run("-i", "whole.mp4", "again.mp4")
print("encoded anew: {} pictures, {} of them cut out".format(*shown("again.mp4")))
assert found["whole.mp4"][:3] == (90, 0, 0), "edits are followed"
assert shown("again.mp4")[:2] == (90, 0)
for name in ("copy.mp4", "copy.mkv"):
    assert found[name][0] > 120 and found[name][1] > 20 and found[name][3] > 10
PY

#!/usr/bin/env bash
# The colors of HLG video in ProRes, written by PyAV with the tags set on the encoder, as for any other codec.
#
# One would guess: color_primaries, color_trc and colorspace of a codec context are what the file says, and what its reader
# finds; so it is with H.264, HEVC and VP9.
# What happens: ProRes has tags in every picture, and FFmpeg's encoder (prores_ks) takes them from the frame that it is
# given. Frames made of arrays have none. The index of the .mov says BT.2020 and HLG, as set, and the pictures say "unknown";
# a reader by FFmpeg (PyAV, ffplay, OpenCV) believes the pictures once the first is decoded, so that the same file is HDR
# before and SDR after. Players of Apple's go by the index. Tags on every frame make both agree.
# What follows: HDR masters written from Python look flat and pale in half of all programs, and whoever checks the file's
# header sees nothing. Set the three tags on each VideoFrame. Ours does.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import av
import numpy as np

BT2020, HLG, NCL = 9, 18, 9
rng = np.random.default_rng(1)


def write(path, encoder, pix_fmt, each):
    with av.open(path, "w") as out:
        stream = out.add_stream(encoder, rate=25, width=128, height=128, pix_fmt=pix_fmt)
        codec = stream.codec_context
        codec.color_primaries, codec.color_trc, codec.colorspace, codec.color_range = BT2020, HLG, NCL, 1
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 65_536, (128, 128, 3), dtype=np.uint16), "rgb48le")
            frame = frame.reformat(format=pix_fmt)
            if each:
                frame.color_primaries, frame.color_trc, frame.colorspace = BT2020, HLG, NCL
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def read(path):
    """Primaries, curve and matrix: in the index of the file (its colr box), by FFmpeg before a picture, of the picture."""
    data = open(path, "rb").read()
    place = data.find(b"colrnclc") if b"colrnclc" in data else data.find(b"colrnclx")
    index = tuple(int.from_bytes(data[place + 8 + 2 * k : place + 10 + 2 * k]) for k in range(3))
    with av.open(path) as file:
        codec = file.streams.video[0].codec_context
        before = int(codec.color_primaries), int(codec.color_trc), int(codec.colorspace)
        picture = next(file.decode(video=0))
        return index, before, (int(picture.color_primaries), int(picture.color_trc), int(picture.colorspace))


told, untold = (BT2020, HLG, NCL), 2
found = {}
print("PyAV", av.__version__, "- primaries, curve, matrix; 9, 18, 9 is BT.2020 with HLG, 2 is unknown")
for name, encoder, pix_fmt in (("HEVC", "libx265", "yuv420p10le"), ("ProRes 422", "prores_ks", "yuv422p10le"),
                               ("ProRes 4444", "prores_ks", "yuv444p10le")):
    for each in (False, True):
        write("clip.mov", encoder, pix_fmt, each)
        found[name, each] = seen = read("clip.mov")
        print(f"{name}, tags on {'encoder and frames' if each else 'the encoder'}: index {seen[0]}, "
              f"before decoding {seen[1]}, picture {seen[2]}")
ok = all(found[name, True] == (told, told, told) for name in ("HEVC", "ProRes 422", "ProRes 4444"))
ok = ok and found["HEVC", False] == (told, told, told)
for name in ("ProRes 422", "ProRes 4444"):
    index, _, picture = found[name, False]
    ok = ok and index == told and picture[:2] == (untold, untold)
sys.exit(0 if ok else 1)
PY

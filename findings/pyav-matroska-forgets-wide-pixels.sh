#!/usr/bin/env bash
# Video whose pixels are not square, written by PyAV as VP9, FFV1 and ProRes in Matroska and WebM, and remuxed into them.
#
# One would guess: codec_context.sample_aspect_ratio = 3/2 is what players stretch by, as in MP4, or a container that can't
# hold it refuses; Matroska has had fields for it from the beginning.
# What happens: the muxer takes the shape of pixels from the stream, PyAV sets that of the codec alone, and the stream's has no
# setter (assigning to stream.sample_aspect_ratio passes without an error and does nothing). So WebM says square pixels and
# Matroska nothing; only H.264 and HEVC tell it, in their own pictures. Remuxing MP4 to WebM by add_stream_from_template
# loses it as well.
# What follows: anamorphic film, DV and DVDs become narrow, faces with them, and a network that wants faces as they look gets
# them squeezed. Scale to square pixels, write MP4 or MOV, or put DisplayWidth into the file afterwards, as ours does.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys
from fractions import Fraction

import av

WIDE = Fraction(3, 2)


def write(path, encoder, pix_fmt, on_stream):
    with av.open(path, "w") as out:
        stream = out.add_stream(encoder, rate=25, width=128, height=128, pix_fmt=pix_fmt)
        stream.codec_context.sample_aspect_ratio = WIDE
        if on_stream:
            stream.sample_aspect_ratio = WIDE
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame(128, 128, pix_fmt)))
        out.mux(stream.encode(None))


def remux(source, path):
    with av.open(source) as given, av.open(path, "w") as out:
        old = given.streams.video[0]
        new = out.add_stream_from_template(old)
        for packet in given.demux(old):
            if packet.dts is not None:
                packet.stream = new
                out.mux(packet)


def told(path):
    with av.open(path) as file:
        return file.streams.video[0].sample_aspect_ratio


print("PyAV", av.__version__, "- set: a pixel is 3/2 as wide as high")
found = {}
for path, encoder, pix_fmt in (("vp9.mp4", "libvpx-vp9", "yuv420p"), ("vp9.webm", "libvpx-vp9", "yuv420p"), ("vp9.mkv", "libvpx-vp9", "yuv420p"),
                               ("ffv1.mkv", "ffv1", "yuv420p"), ("prores.mov", "prores_ks", "yuv422p10le"),
                               ("prores.mkv", "prores_ks", "yuv422p10le"), ("h264.mkv", "libx264", "yuv420p")):
    for on_stream in (False, True):
        write(path, encoder, pix_fmt, on_stream)
        found[path, on_stream] = told(path)
        print(f"{path}, set on {'codec and stream' if on_stream else 'the codec'}: {found[path, on_stream]}")
write("vp9.mp4", "libvpx-vp9", "yuv420p", False)
remux("vp9.mp4", "remuxed.webm")
print("vp9.mp4 remuxed to WebM:", told("remuxed.webm"))
kept = ("vp9.mp4", "prores.mov", "h264.mkv")
ok = all((found[path, on_stream] == WIDE) == (path in kept) for path, on_stream in found)
ok = ok and told("remuxed.webm") != WIDE
sys.exit(0 if ok else 1)
PY

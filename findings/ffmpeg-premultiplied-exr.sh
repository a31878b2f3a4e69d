#!/usr/bin/env bash
# An OpenEXR picture (premultiplied alpha, as the format has it) laid over a plate, and converted, by FFmpeg 9.
#
# One would guess: since FFmpeg knows of each frame whether its alpha is premultiplied (release 8.1 on) and overlay has
# alpha=auto, color 0.25 with alpha 0.5 over black is 0.25 (64 of 255) in any format, and over white 0.75 (191).
# What happens: overlay's own format (yuv420) gives 53 and 180, format=gbrp multiplies by alpha once more: 32 and 159.
# format=rgb is right, and so is alpha=straight, which one would think to be the wrong one: it makes FFmpeg divide first.
# A PNG made of the file is straight, as PNG has to be; ProRes 4444 gets the premultiplied numbers, which editors
# take for straight, and shows them at half their brightness.
# What follows: an effect's soft edges become dark, with no warning, by 11 to 32 levels at half alpha. Say
# overlay=format=rgb, and "unpremultiply=inplace=1" before ProRes; look once over white. Ours, --alpha, writes
# straight alpha in all but EXR. Colors of the file stay linear light in all of this.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "imageio-ffmpeg==0.8.1" "OpenEXR==3.5.3" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import OpenEXR

channels = {name: np.full((32, 48), 0.25, np.float16) for name in "RGB"} | {"A": np.full((32, 48), 0.5, np.float16)}
header = {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.scanlineimage}
with OpenEXR.File(header, channels) as file:
    file.write("effect.exr")


def ffmpeg(*words):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *words]
    return subprocess.run(command, check=True, capture_output=True).stdout


def over(plate, options, before="null"):
    """The green of the effect over a plate of one color."""
    graph = f"[1]{before}[e];[0][e]overlay{options}"
    plate = ["-f", "lavfi", "-i", f"color={plate}:s=48x32,format=gbrp", "-i", "effect.exr"]
    out = ["-filter_complex", graph, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return int(np.frombuffer(ffmpeg(*plate, *out), np.uint8)[1])


def converted(name, *how):
    """Green and alpha of the file converted, read as they are stored, 0 to 1."""
    ffmpeg("-i", "effect.exr", *how, name)
    stored = ffmpeg("-i", name, "-vf", "format=rgba64le", "-f", "rawvideo", "-")
    return np.frombuffer(stored, "<u2")[[1, 3]] / 65535


print("FFmpeg", imageio_ffmpeg.get_ffmpeg_version())
ways = ("", "=alpha=premultiplied", "=format=gbrp", "=format=rgb", "=alpha=straight")
found = {way: (over("black", way), over("white", way)) for way in ways}
for way, (black, white) in found.items():
    print(f"overlay{way}: over black {black}, over white {white}; right: 64, 191")
prores = ("-c:v", "prores_ks", "-profile:v", "4444")
png, mov = converted("effect.png"), converted("effect.mov", *prores)
divided = converted("divided.mov", "-vf", "unpremultiply=inplace=1", *prores)
print("stored color and alpha: PNG", png.round(2), "ProRes", mov.round(2), "ProRes after unpremultiply", divided.round(2))
close = {way: max(abs(black - 64), abs(white - 191)) for way, (black, white) in found.items()}
dark = close[""] > 5 and close["=alpha=premultiplied"] > 5 and close["=format=gbrp"] > 25
right = close["=format=rgb"] <= 1 and close["=alpha=straight"] <= 1
kept = np.allclose(png, 0.5, atol=0.01) and np.allclose(mov, (0.25, 0.5), atol=0.01)
sys.exit(0 if dark and right and kept and np.allclose(divided, 0.5, atol=0.01) else 1)
PY

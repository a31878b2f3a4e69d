#!/usr/bin/env bash
# Frames of a clip as DPX by FFmpeg 7.0.2 (and 8.0): "linear light", and the picture's own bytes for a timecode.
#
# One would guess: `ffmpeg -i clip.mp4 f_%04d.dpx` tells in each header what the codes are (BT.709, or nothing), and readers
# of the header show what the clip shows.
# What happens: transfer and colorimetric are always 2, linear. OpenImageIO 3.2.2 believes it, so that middle gray of a clip
# (code 118) is light of 0.46 and is shown as 180. FFmpeg believes it too: a clip made of these frames is tagged linear.
# Pixels begin at byte 1664, where film's part of the header would: OpenImageIO reads it all the same, and finds a key code, a
# timecode and frames a second made of pixels. EXR by FFmpeg holds the clip's codes, not light, unless a filter makes it.
# From FFmpeg 8.1 on (PyAV 18) transfer follows the tags of the picture; the pixels lie where they did.
# What follows: write PNG or TIFF, or -vf zscale=t=linear and EXR; set the DPX's color space by hand ("sRGB", "Rec.709"), and
# give the timecode by another way. A copy by OpenImageIO has room for the false timecode and makes it a true one.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q av==18.1.0 imageio-ffmpeg==0.6.0 OpenImageIO==3.2.2.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import OpenImageIO as oiio

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def run(*words):
    subprocess.run([FFMPEG, "-v", "error", "-y", *words], check=True)


gray = "color=c=0x767676:s=640x360:r=25:d=0.2,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709"
run("-f", "lavfi", "-i", gray, "-c:v", "libx264", "clip.mp4")
run("-i", "clip.mp4", "f_%04d.dpx")
run("-i", "clip.mp4", "f_%04d.exr")
run("-i", "f_%04d.dpx", "-c:v", "prores_ks", "again.mov")

head = open("f_0001.dpx", "rb").read(810)
dpx = oiio.ImageBuf("f_0001.dpx")
spec = dpx.spec()
codes = dpx.get_pixels(oiio.FLOAT)[100, 100]
shown = oiio.ImageBufAlgo.colorconvert(dpx, spec.get_string_attribute("oiio:ColorSpace"), "srgb_rec709_scene")
told = {name: spec.getattribute(name) for name in ("dpx:Transfer", "dpx:FrameRate", "dpx:TimeCode", "smpte:KeyCode")}
light = oiio.ImageBuf("f_0001.exr").get_pixels(oiio.FLOAT)[100, 100]
with av.open("again.mov") as container:
    transfer = int(next(container.decode(video=0)).color_trc)

new = av.CodecContext.create("dpx", "w")
new.width, new.height, new.pix_fmt, new.time_base = 64, 48, "gbrp10le", Fraction(1, 25)
picture = av.VideoFrame(64, 48, "gbrp10le")
picture.color_trc = new.color_trc = 1
later = b"".join(map(bytes, [*new.encode(picture), *new.encode(None)]))

print(subprocess.run([FFMPEG, "-version"], capture_output=True, text=True).stdout.split(" Copyright")[0])
print("OpenImageIO", oiio.VERSION_STRING, "libavcodec of PyAV", av.library_versions["libavcodec"])
print("code of the clip's gray: 118; in DPX", round(255 * float(codes[0])), "transfer", head[801], told)
print("shown as sRGB by OpenImageIO:", round(255 * float(shown.get_pixels(oiio.FLOAT)[100, 100][0])))
print("EXR of the same:", round(float(light[0]), 3), "where its light is 0.181")
print("a clip of these frames has the transfer", transfer, "(8 is linear)")
print("FFmpeg 8.1: transfer", later[801], "(6 is BT.709)")
start = int.from_bytes(head[4:8], "big" if head[:4] == b"SDPX" else "little")
assert (head[801], head[802], start) == (2, 2, 1664)
assert abs(255 * codes[0] - 118) < 2
assert 175 < 255 * shown.get_pixels(oiio.FLOAT)[100, 100][0] < 187
assert told["dpx:TimeCode"] is not None and told["smpte:KeyCode"] is not None
assert abs(light[0] - 118 / 255) < 0.02
assert transfer == 8
assert later[801] == 6 and int.from_bytes(later[4:8], "big" if later[:4] == b"SDPX" else "little") == 1664
PY

#!/usr/bin/env bash
# An H.264 clip sent by aiortc 1.16.0 as it is (MediaPlayer(decode=False)) and received by aiortc, with and without B-frames.
#
# One would guess: frames come with the clip's times, 0.04 s apart, or not at all, since browsers don't send B-frames; the
# frames' pts is there for recording and for sound and picture to stay together.
# What happens: without B-frames so. With them (x264's default, and most cameras' and editors' files) packets come in the
# order of decoding, and each time stamp that is lower than the one before is taken for a clock of 32 bits that has
# gone round: 2^32 / 90000 s = 47,721.86 s, 13 hours, are added. Frames come at 0, 47721.9, 0.08, 47722.0, 95443.9, ... s, after
# a second and a half at 6 days. Pictures are right, nothing is said.
# What follows: recorders write clips of days or stop at a pts that falls, and delays that are measured by pts are hours. Encode with
# bf=0 (-tune zerolatency), decode and encode anew (decode=True, right), or take the time of arrival where a peer may send
# anything.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "aiortc==1.16.0" "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY' 2> /dev/null
import asyncio
import sys
from importlib.metadata import version

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.contrib.media import MediaPlayer

WRAP_S = 2**32 / 90000


def make(path, b_frames):
    with av.open(path, "w") as clip:
        stream = clip.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        stream.codec_context.options = {"bf": str(b_frames), "b-adapt": "0", "g": "25"}
        for index in range(100):
            picture = np.full((128, 160, 3), 20 + 2 * index, np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        clip.mux(stream.encode())


async def received(path, decode):
    """Times and mean brightness of the first 40 frames."""
    sender, receiver = (RTCPeerConnection(RTCConfiguration([])) for _ in range(2))
    player = MediaPlayer(path, decode=decode)
    sender.addTrack(player.video)
    h264 = [codec for codec in RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == "video/H264"]
    sender.getTransceivers()[0].setCodecPreferences(h264)
    frames, tracks = [], asyncio.Queue()
    receiver.on("track", tracks.put_nowait)
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)
    track = await tracks.get()
    while len(frames) < 40:
        frame = await asyncio.wait_for(track.recv(), 60)
        frames.append((frame.time, float(frame.to_ndarray(format="gray").mean())))
    await sender.close()
    await receiver.close()
    return np.array(frames)


print("aiortc", version("aiortc"))
ok = True
for b_frames in (0, 2):
    make("clip.ts", b_frames)
    for decode in (False, True):
        times, brightness = asyncio.run(received("clip.ts", decode)).T
        print(f"{b_frames} B-frames, decode={decode}: times", times[:8].round(2).tolist(), "... last", round(times[-1], 2))
        jumps = np.diff(times)
        even = bool(np.abs(jumps - 0.04).max() < 0.001)
        ok &= even == (b_frames == 0 or decode) and bool((np.diff(brightness) > 0).all())
        if not even:
            ok &= abs(jumps.max() - WRAP_S) < 0.2 and times.max() > 5 * WRAP_S and jumps.min() < -1000
sys.exit(0 if ok else 1)
PY

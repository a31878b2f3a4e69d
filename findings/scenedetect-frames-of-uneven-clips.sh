#!/usr/bin/env bash
# The one cut of a clip whose frames last 33 ms, later 100 ms (as phones write them in poor light), by PySceneDetect 0.7.2.
#
# One would guess: the cut is at 3.99 s and at frame 60, where it is; release 0.7 reads such clips by their time stamps.
# What happens: seconds are right by both backends. frame_num, which the tables, keyframe and QP files of the command line hold
# too, is seconds times a rate, by its docstring "an approximation based on the average framerate": frame 53 by OpenCV,
# which tells the mean rate, frame 120 by PyAV, which tells the nominal one, of a clip of 90 frames. PyAV's duration of the
# clip is 3.0 s, where its last frame begins at 6.9.
# What follows: tracks, passes and effects that are cut by these numbers change shots a second early, or never, and
# differ by which backend was installed. Take seconds and look up the frame by its time (our tracks have time_s
# beside frame), or make the rate constant first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-deps "scenedetect==0.7.2" "opencv-python-headless==5.0.0.93" "av==18.1.0" "numpy==2.4.6"
"$work/venv/bin/pip" install -q click platformdirs tqdm
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import scenedetect

DURATIONS, CUT = [33] * 30 + [100] * 60, 60
random = np.random.default_rng(0)
shots = [cv2.resize(random.integers(0, 255, (8, 8, 3), np.uint8), (128, 128)) for _ in range(2)]
with av.open("clip.mp4", "w") as clip:
    stream = clip.add_stream("libx264", rate=30)
    stream.width = stream.height = 128
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    for index in range(len(DURATIONS)):
        frame = av.VideoFrame.from_ndarray(shots[index >= CUT], "rgb24")
        frame.pts, frame.time_base = sum(DURATIONS[:index]), Fraction(1, 1000)
        clip.mux(stream.encode(frame))
    clip.mux(stream.encode())
with av.open("clip.mp4") as clip:
    times = [frame.time for frame in clip.decode(video=0)]
print("PySceneDetect", scenedetect.__version__, f"- a clip of {len(times)} frames, frame {CUT} at {times[CUT]:.2f} s")
found = {}
for backend in ("opencv", "pyav"):
    video = scenedetect.open_video("clip.mp4", backend=backend)
    manager = scenedetect.SceneManager()
    manager.add_detector(scenedetect.ContentDetector())
    manager.detect_scenes(video)
    cuts = [scene[0] for scene in manager.get_scene_list()[1:]]
    found[backend] = [(round(cut.seconds, 2), cut.frame_num) for cut in cuts]
    length = video.duration.seconds
    print(f"{backend}: cut at {found[backend]}, duration {length:.1f} s")
ok = abs(times[CUT] - 3.99) < 1e-3 and len(times) == 90
ok &= found == {"opencv": [(3.99, 53)], "pyav": [(3.99, 120)]} and abs(length - 3) < 0.05
sys.exit(0 if ok else 1)
PY

#!/usr/bin/env bash
# MediaPipe's face detector, on a machine whose pictures must not leave it.
#
# One would guess: "on-device machine learning" computes and no more, or an environment variable, an option or a
# certificate file that is missing stops what it reports; and that a look at a process's first seconds shows it.
# What happens: 0.10.33 has no client. 0.10.35 and 1.2.3 look up their makers' server (play.googleapis.com) when
# a task is closed; while it is used, once a minute. Neither the import nor the first frames show anything. No
# environment variable is read and there is no option. In 1.2.3 neither a host environment told as unknown nor a
# certificate file that does not exist stops it. Detections of 0.10.32, 0.10.33 and 1.2.3 are the same.
# What follows: allow mediapipe<0.10.35, or run it where there is no network; a proxy that leads nowhere
# (https_proxy) only moves the call. A package that asks for mediapipe without a bound brings 1.x. facewarp does
# not need MediaPipe, and refuses these releases.
# Runs without a network (unshare -n), so that nothing leaves; needs Linux, root or user namespaces, strace.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
isolated=(unshare -n); "${isolated[@]}" true 2> /dev/null || isolated=(unshare -r -n)
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q mediapipe==1.2.3 numpy==2.4.6
for old in 0.10.33 0.10.35; do
    "$work/venv/bin/pip" install -q --no-deps --target "$work/$old" "mediapipe==$old"
done
# A model is needed: 0.10.21 is the last wheel that holds some.
"$work/venv/bin/pip" download -q --no-deps --dest "$work" mediapipe==0.10.21
"$work/venv/bin/python" -m zipfile -e "$work"/mediapipe-0.10.21-*.whl "$work/models"
model=$work/models/mediapipe/modules/face_detection/face_detection_short_range.tflite

cat > "$work/use.py" <<'PY'
import os
import sys
import time

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.core import base_options
from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions

model, told, seconds, end = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
as_it_is = base_options.BaseOptions.to_ctypes


def to_ctypes(self):
    options = as_it_is(self)
    if told == "unknown-host":
        options.host_environment = options.host_system = 0
    if told == "no-certificates":
        options.ca_bundle_path = b"/nowhere"
    return options


base_options.BaseOptions.to_ctypes = to_ctypes
options = FaceDetectorOptions(base_options=BaseOptions(model_asset_buffer=open(model, "rb").read()))
detector = FaceDetector.create_from_options(options)
image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.zeros((256, 256, 3), np.uint8))
start = time.monotonic()
while time.monotonic() < start + seconds:
    detector.detect(image)
    time.sleep(0.05)
if end == "leave":
    os._exit(0)
detector.close()
time.sleep(1)
PY

try() {  # NAME RELEASE TOLD SECONDS END EXPECTED: whether names are looked up
    local lookups
    env -u CI HOME="$work/home" PYTHONPATH="$work/$2" "${isolated[@]}" \
        strace -f -qq -e trace=connect,openat -o "$work/calls" \
        "$work/venv/bin/python" "$work/use.py" "$model" "$3" "$4" "$5" > /dev/null 2>&1
    lookups=$(grep -cE 'htons\(53\)|"/etc/resolv.conf"' "$work/calls" || true)
    echo "$1: $([[ $lookups -gt 0 ]] && echo asks || echo silent)"
    [[ $([[ $lookups -gt 0 ]] && echo asks || echo silent) == "$6" ]] || { echo changed; exit 1; }
}
try "0.10.33, closed" 0.10.33 - 1 close silent
try "0.10.35, closed" 0.10.35 - 1 close asks
try "1.2.3, first second" 1.2.3 - 1 leave silent
try "1.2.3, closed" 1.2.3 - 1 close asks
try "1.2.3, 70 s of frames" 1.2.3 - 70 leave asks
try "1.2.3, host unknown, closed" 1.2.3 unknown-host 1 close asks
try "1.2.3, no certificates, closed" 1.2.3 no-certificates 1 close asks

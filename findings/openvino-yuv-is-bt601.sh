#!/usr/bin/env bash
# NV12 and I420 pictures of a camera given to OpenVINO's preprocessing (PrePostProcessor, convert_color).
#
# One would guess: the conversion to RGB that is built into the network can be told which YUV it is, as HD cameras have BT.709
# and webcams of Motion JPEG full range, or it can be had as an option.
# What happens: there is one conversion, BT.601 with limited range, and no way to say otherwise. BT.709, which everything of 720
# rows and more means, comes back with greens 24 and reds 19 off; full range is stretched, skin 18 off, and near black and
# near white all is one. OpenCV's COLOR_YUV2RGB_NV12 does the same; PyAV follows the picture's tags.
# What follows: a network is shown faces of other color than it was trained on with nothing in the model that tells, and one that
# was measured on RGB pictures is not the one that runs behind the camera. Convert outside, by the tags, and give RGB.
# Ours does.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "openvino==2026.4.1" "opencv-python-headless==5.0.0.93" "av==18.1.0" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import av
import cv2
import numpy as np
import openvino as ov
from openvino import opset13 as op
from openvino.preprocess import ColorFormat, PrePostProcessor

COLORS = {"green": (40, 180, 60), "skin": (224, 172, 140), "red": (200, 30, 40), "near white": (250, 250, 250), "near black": (6, 6, 6)}
KINDS = {"BT.601, limited": (6, 0.299, 0.114, False), "BT.709, limited": (1, 0.2126, 0.0722, False), "BT.601, full": (6, 0.299, 0.114, True)}
SIDE = 64


def codes(rgb, kr, kb, full):
    red, green, blue = (float(value) for value in rgb)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    scaled = (y, cb + 128, cr + 128) if full else (16 + y * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255)
    return [round(value) for value in scaled]


def compiled(color_format):
    given = op.parameter([1, 3, -1, -1], np.float32)
    steps = PrePostProcessor(ov.Model([op.result(op.multiply(given, op.constant(np.float32(1))))], [given]))
    steps.input().tensor().set_element_type(ov.Type.u8).set_color_format(color_format).set_layout(ov.Layout("NHWC"))
    steps.input().preprocess().convert_color(ColorFormat.RGB).convert_element_type(ov.Type.f32)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return ov.Core().compile_model(steps.build(), "CPU")


models = {"NV12": compiled(ColorFormat.NV12_SINGLE_PLANE), "I420": compiled(ColorFormat.I420_SINGLE_PLANE)}


def by_openvino(name, y, cb, cr):
    chroma = [cb, cr] * (SIDE * SIDE // 4) if name == "NV12" else [cb] * (SIDE * SIDE // 4) + [cr] * (SIDE * SIDE // 4)
    stored = np.array([y] * (SIDE * SIDE) + chroma, np.uint8).reshape(1, SIDE * 3 // 2, SIDE, 1)
    return models[name](stored)[0][0, :, 20, 20].astype(int)


def by_opencv(y, cb, cr):
    stored = np.array([y] * (SIDE * SIDE) + [cb, cr] * (SIDE * SIDE // 4), np.uint8).reshape(SIDE * 3 // 2, SIDE)
    return cv2.cvtColor(stored, cv2.COLOR_YUV2RGB_NV12)[20, 20].astype(int)


def by_pyav(y, cb, cr, tag, full):
    picture = av.VideoFrame(SIDE, SIDE, "nv12")
    for plane, values in zip(picture.planes, ([y], [cb, cr])):
        plane.update(np.resize(np.array(values, np.uint8), plane.buffer_size).tobytes())
    picture.colorspace, picture.color_range = tag, 2 if full else 1
    return picture.to_ndarray(format="rgb24")[20, 20].astype(int)


print("OpenVINO", ov.__version__.split("-")[0], "OpenCV", cv2.__version__)
off = {}
for kind, (tag, kr, kb, full) in KINDS.items():
    for name, rgb in COLORS.items():
        yuv = codes(rgb, kr, kb, full)
        shown = {"NV12": by_openvino("NV12", *yuv), "I420": by_openvino("I420", *yuv), "OpenCV": by_opencv(*yuv), "PyAV": by_pyav(*yuv, tag, full)}
        off[kind, name] = errors = {reader: int(np.abs(seen - rgb).max()) for reader, seen in shown.items()}
        print(f"{kind}: {name} {rgb} as {shown['NV12'].tolist()}; off: " + ", ".join(f"{reader} {error}" for reader, error in errors.items()))
plain, hd, full = KINDS
ok = all(errors["PyAV"] <= 3 for errors in off.values())
ok = ok and all(max(off[plain, name].values()) <= 3 for name in COLORS)
for reader in ("NV12", "I420", "OpenCV"):
    ok = ok and off[hd, "green"][reader] >= 10 and off[hd, "red"][reader] >= 10
    ok = ok and min(off[full, name][reader] for name in ("green", "skin", "near white", "near black")) >= 5
sys.exit(0 if ok else 1)
PY

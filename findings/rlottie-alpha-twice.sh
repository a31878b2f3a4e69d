#!/usr/bin/env bash
# An orange square of half opacity in a Lottie animation (stickers, face effects), drawn by rlottie-python 1.3.8.
#
# One would guess: render_pillow_frame gives a picture of mode RGBA, whose colors Pillow has straight: 255, 127, 0 with
# alpha 128; laid over white that is a light orange.
# What happens: rlottie multiplies colors by alpha, and the package hands its bytes to Pillow as if they were straight:
# 125, 62, 0 with alpha 125. Pillow, and whoever reads the file, multiplies once more: over white the red of 255
# is 191 and the green 160 where they should be 255 and 192, and every soft edge has a dark fringe.
# save_frame and save_animation write the same into PNG, APNG and WebP. Opaque parts are right, so that most tests pass.
# What follows: Image.frombytes("RGBa", size, image.tobytes()).convert("RGBA") is the picture that was meant.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "rlottie-python==1.3.8" "pillow==12.3.0"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import json
import sys

from PIL import Image
from rlottie_python import LottieAnimation

still = {"p": {"k": [0, 0]}, "a": {"k": [0, 0]}, "s": {"k": [100, 100]}, "r": {"k": 0}, "o": {"k": 100}}


def square(opacity):
    shapes = [
        {"ty": "rc", "d": 1, "s": {"k": [20, 20]}, "p": {"k": [20, 15]}, "r": {"k": 0}},
        {"ty": "fl", "c": {"k": [1, 0.5, 0, 1]}, "o": {"k": 100}},
        {"ty": "tr", **still},
    ]
    layer = {"ty": 4, "ind": 1, "sr": 1, "ip": 0, "op": 10, "st": 0, "bm": 0,
             "ks": {**still, "o": {"k": opacity}}, "shapes": [{"ty": "gr", "it": shapes}]}
    head = {"v": "5.7.0", "fr": 30, "ip": 0, "op": 10, "w": 40, "h": 30, "assets": []}
    return LottieAnimation.from_data(json.dumps(head | {"layers": [layer]}))


same = True
for opacity in (100, 50, 25):
    picture = square(opacity).render_pillow_frame(0)
    middle = picture.getpixel((20, 15))
    over = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).getpixel((20, 15))
    meant = Image.frombytes("RGBa", picture.size, picture.tobytes()).convert("RGBA").getpixel((20, 15))
    print(f"opacity {opacity}: {picture.mode} {middle}, over white {over[:3]}; taken as premultiplied {meant}")
    alpha = middle[3]
    same &= picture.mode == "RGBA" and abs(alpha - 2.55 * opacity) < 4  # rlottie's own steps
    same &= middle[0] == alpha and abs(middle[1] - alpha / 2) < 1.5 and abs(meant[0] - 255) < 2
sys.exit(0 if same and abs(over[0] - (255 - alpha + alpha * alpha / 255)) < 2 else 1)
PY

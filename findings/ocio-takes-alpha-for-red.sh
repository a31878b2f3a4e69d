#!/usr/bin/env bash
# A picture with alpha given to OpenColorIO's CPUProcessor.applyRGB, and one without to applyRGBA.
#
# One would guess: an array (height, width, 4) in applyRGB is refused, or its color is converted and its alpha left.
# It is careful elsewhere: views that are not contiguous, integers and doubles are refused by what they are.
# What happens: only the number of values is looked at, not the array's shape. Where height x width x 4 is a multiple of 3,
# and 720, 1080 and 2160 rows are, RGBARGBA... is read as RGB RGB ...: alpha becomes a red, green or blue, and every pixel
# is mixed with its neighbor, in place and without a word. Sizes that are none are refused, so that a script fails on one
# plate and not on the next. applyRGBA does the same to pictures without alpha whose values are a multiple of 4.
# What follows: a grade or linearization of RGBA plates shows colored stripes, and an alpha that is none. Look at
# array.shape[-1], and give four channels to applyRGBA.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencolorio==2.6.0" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import PyOpenColorIO as ocio

config = ocio.Config.CreateFromBuiltinConfig("cg-config-v2.1.0_aces-v1.3_ocio-v2.3")
to_acescg = config.getProcessor("sRGB - Texture", "ACEScg").getDefaultCPUProcessor()
print("OpenColorIO", ocio.__version__)


def tried(call, picture):
    """Apply in place; return the error's first words, or None."""
    try:
        call(picture)
    except Exception as error:
        return str(error).split("\n")[0][:60]
    return None


def picture(height, width):
    pixels = np.empty((height, width, 4), np.float32)
    pixels[:] = (0.8, 0.4, 0.2, 0.5)
    return pixels


right = picture(2, 6)
to_acescg.applyRGBA(right)
print("one pixel, converted as it should be", right[0, 0].round(3))
results = {}
for height, width in ((1080, 1920), (858, 2048), (1080, 2048), (2160, 4096), (1556, 2048), (480, 640)):
    pixels = picture(height, width)
    error = tried(to_acescg.applyRGB, pixels)
    off = np.abs(pixels - right[0, 0]).max(axis=(0, 1))
    results[width, height] = error, off
    told = f"refused: {error}" if error else f"no error; R, G, B, A off by up to {off.round(3)}, alpha {np.unique(pixels[..., 3].round(2))}"
    print(f"applyRGB of {width} x {height} with alpha: {told}")
plain = np.ascontiguousarray(picture(1080, 1920)[..., :3])
other = tried(to_acescg.applyRGBA, plain)
print("applyRGBA of 1920 x 1080 without alpha:", other or f"no error; off by up to {np.abs(plain - right[0, 0, :3]).max():.3f}")
view = picture(4, 6)[..., :3]
refused = tried(to_acescg.applyRGB, view), tried(to_acescg.applyRGB, picture(4, 6).astype(np.float64))
print("a view without the alpha, doubles:", refused)

mixed = [size for size, (error, _) in results.items() if error is None]
ok = all((width * height * 4 % 3 == 0) == (size in mixed) for size in results for width, height in [size])
ok = ok and (1920, 1080) in mixed and len(mixed) < len(results) and all(results[size][1].min() > 0.05 for size in mixed)
ok = ok and other is None and None not in refused
sys.exit(0 if ok else 1)
PY

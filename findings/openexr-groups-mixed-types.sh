#!/usr/bin/env bash
# A layer whose R, G, B are float and whose A is half (EXR), read by OpenEXR 3.4.4 in Python; 3.3.5 is the same.
#
# One would guess: a file that mixes pixel types, as renders do (half colors, float or integer ids), is read channel by
# channel, each in its type, or widened.
# What happens: channels called R, G, B, A become one array in the type of one of them, and the bytes of the others are
# taken for that type: a constant 0.123 comes back as 1.496, -109.9 and 4.8e13, without a word. With
# separate_channels=True every channel is right. 3.5.3 refuses to read such a file unless told so.
# What follows: separate_channels=True, always, with 3.3 and 3.4. Names other than R, G, B, A are never grouped.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "OpenEXR==3.4.4" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import OpenEXR

print("OpenEXR", OpenEXR.__version__)
value = np.full((4, 5), 0.1234567, np.float32)
layers = {
    "float with half A": {"st.R": value, "st.G": value, "st.B": value, "st.A": value.astype(np.float16)},
    "half with float A": {"c.R": value.astype(np.float16), "c.G": value.astype(np.float16),
                          "c.B": value.astype(np.float16), "c.A": value},
}  # fmt: skip
ok = True
for name, channels in layers.items():
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, channels) as file:
        file.write("mixed.exr")
    with OpenEXR.File("mixed.exr") as file:
        ((group, channel),) = file.channels().items()
        grouped = channel.pixels
    with OpenEXR.File("mixed.exr", separate_channels=True) as file:
        apart = {key: channel.pixels for key, channel in file.channels().items()}
    wrong = (np.abs(grouped.astype(float) - 0.1234567) > 1e-3).any(axis=(0, 1))
    print(f"{name}: {group} {grouped.dtype} {grouped.shape}, first pixel {grouped[0, 0]}, wrong channels {wrong.tolist()}")
    print("  apart:", {key: (str(pixels.dtype), float(pixels[0, 0])) for key, pixels in apart.items()})
    ok = ok and wrong.any() and len(apart) == 4
    ok = ok and all(np.abs(pixels.astype(float) - 0.1234567).max() < 1e-3 for pixels in apart.values())
sys.exit(0 if ok else 1)
PY

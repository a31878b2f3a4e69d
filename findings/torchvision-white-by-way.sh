#!/usr/bin/env bash
# A picture's numbers through the conversions of torchvision 0.28.0: bytes to 16 bits, floats to bytes.
#
# One would guess: to_dtype(scale=True) scales a type's whole range to the other's, so that white stays white (255 to 65,535),
# and floats from 0 to 1 become the nearest byte whichever function does it; a byte that went to floats comes back.
# What happens: between integers bits are shifted. White of 8 bits is 65,280 of uint16 and 32,640 of int16, which as floats
# is 0.9961. to_pil_image of floats cuts (0.9999 is 254): half a level darker on the mean, and of 256 bytes that went to
# float64 24 come back one lower. to_dtype, of float32 and float64, and save_image do not.
# What follows: 16-bit PNGs made so have no white, and mattes no full opacity, so that what lies under them shines through; clips
# whose frames go through to_pil_image after each step get darker by half a level a step. Go to 16 bits by way of
# float (to_dtype to float32, times 65,535, rounded), and to Pillow from uint8.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "torchvision==0.28.0" "numpy==2.4.6" "pillow==13.0.0"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import torch

# No compiled operation is needed here: torchvision is imported beside a torch for which its own were not built, too.
torch.library.register_fake = lambda *_, **__: lambda function: function
import torchvision  # noqa: E402
from torchvision.transforms.v2 import functional as F

steps = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
print("torchvision", torchvision.__version__.split("+")[0])
white = {}
for kind in (torch.float32, torch.uint16, torch.int16):
    became = F.to_dtype(steps, kind, scale=True)
    white[kind] = float(became.max().item() if kind != torch.uint16 else became.numpy().max())
    print(f"white of uint8 as {kind}: {white[kind]:g}")
as_float = F.to_dtype(F.to_dtype(steps, torch.uint16, scale=True), torch.float32, scale=True).max().item()
print(f"and from uint16 as float: {as_float:.4f}")
ramp = torch.linspace(0, 1, 100001).view(1, 1, -1)
bias = {
    "to_dtype": F.to_dtype(ramp, torch.uint8, scale=True).float().mean().item() - 127.5,
    "to_pil_image": np.asarray(F.to_pil_image(ramp)).mean() - 127.5,
}
print("an even ramp from 0 to 1 becomes brighter by", {name: round(float(value), 2) for name, value in bias.items()}, "of 255")
lower = {}
for kind in (torch.float32, torch.float64):
    floats = F.to_dtype(steps, kind, scale=True)
    for name, way in (("to_pil_image", F.to_pil_image), ("to_dtype", lambda f: F.to_dtype(f, torch.uint8, scale=True)[0])):
        back = np.asarray(way(floats)).astype(int).ravel() - np.arange(256)
        lower[name, kind] = int((back == -1).sum())
        print(f"bytes to {kind} and back by {name}: {lower[name, kind]} of 256 one lower, {int((back > 0).sum())} higher")
ok = list(white.values()) == [1.0, 65280.0, 32640.0] and abs(as_float - 65280 / 65535) < 1e-6
ok = ok and abs(bias["to_dtype"]) < 0.01 and abs(bias["to_pil_image"] + 0.5) < 0.01
sys.exit(0 if ok and list(lower.values()) == [0, 0, 24, 0] else 1)
PY

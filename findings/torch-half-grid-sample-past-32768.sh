#!/usr/bin/env bash
# grid_sample of a picture in float16 or bfloat16 on a processor (PyTorch 2.13.0), by the picture's size.
#
# One would guess: coarse, as 11 or 8 bits are, and that alike in every picture.
# What happens: up to 32,768 pixels (181 x 181) it is so. In a larger picture all that lies past pixel 32,767, counted
# row by row, is taken from 65,536 pixels before, as a 16-bit number overflows: from the channel before, the sample before
# in the batch, or from whatever lies in memory before the tensor, which may be any number or NaN. The lower half of
# 256 x 256, all but 2 % of a frame in HD; bilinear and nearest, any padding. Nothing is said, and results differ from
# run to run. Volumes (5-D) are right, and so is torch.autocast, which samples in float32.
# What follows: model.bfloat16() or .half() of a network with a warp in it is right on 64 x 64 in a test, and torn on
# photographs. Keep grids and what they sample in float32, or use autocast; a test needs pictures past 181 x 181.
# The script lays its own numbers before the picture, so that what is read wrongly is known.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import torch
from torch.nn.functional import affine_grid, grid_sample

print("torch", torch.__version__, torch.backends.cpu.get_cpu_capability())
unmoved = torch.eye(2, 3)[None]


def shares(height, width, dtype, mode):
    """How much of a picture is not its own, sampled where its pixels are: shares of -1, and of all that is wrong."""
    before = torch.full((1, 1, height, width), -1.0)
    rows = (torch.arange(float(height)) / height)[:, None].expand(1, 1, height, width)
    memory = torch.cat([before, before, torch.ones_like(before), rows], 1).to(dtype)
    picture = memory[:, 2:]  # 1 everywhere, and rows from 0 to 1; -1 lies before it in memory
    grid = affine_grid(unmoved, [1, 1, height, width], align_corners=False).to(dtype)
    options = {"mode": mode, "padding_mode": "border", "align_corners": False}
    found = grid_sample(picture, grid, **options).float()
    exact = grid_sample(picture.float(), grid.float(), **options)
    return float((found[0, 0] < 0).float().mean()), float(((found - exact).abs() > 0.05)[0].any(0).float().mean())


wrong = {}
for size in ((64, 64), (181, 181), (182, 182), (256, 256), (320, 260)):
    for dtype in (torch.float16, torch.bfloat16):
        for mode in ("bilinear", "nearest"):
            foreign, wrong[size, dtype, mode] = shares(*size, dtype, mode)
            print(f"{size[0]} x {size[1]} = {size[0] * size[1]:6,} px, {str(dtype)[6:]:8} {mode:8}:"
                  f" {100 * wrong[size, dtype, mode]:5.1f} % wrong, {100 * foreign:5.1f} % from another place in memory")
torch.manual_seed(1)
with torch.autocast("cpu", torch.bfloat16):
    picture = torch.rand(1, 1, 320, 260)
    grid = affine_grid(unmoved, [1, 1, 320, 260], align_corners=False)
    kept = float((grid_sample(picture.bfloat16(), grid.bfloat16(), align_corners=False).float()
                  - grid_sample(picture.bfloat16().float(), grid.bfloat16().float(), align_corners=False)).abs().max())
volume = torch.rand(1, 1, 40, 40, 40)
places = affine_grid(torch.eye(3, 4)[None], list(volume.shape), align_corners=False)
deep = float((grid_sample(volume.half(), places.half(), align_corners=False).float() - volume).abs().max())
print(f"autocast: off by {kept:.4f}; a volume of {volume.numel():,} voxels in float16: off by {deep:.3f}")
expected = {(64, 64): 0, (181, 181): 0, (182, 182): 0.01, (256, 256): 0.5, (320, 260): 0.6}
same = all(abs(share - expected[size]) < 0.03 and (share > 0) == (expected[size] > 0)
           for (size, *_), share in wrong.items())
sys.exit(0 if same and kept < 0.005 and deep < 0.1 else 1)
PY

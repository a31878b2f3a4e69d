#!/usr/bin/env bash
# A frame of 1920 columns warped by displacements (grid_sample), converted for Core ML by coremltools 9.0.
#
# One would guess: the converter's default of half precision (float16) rounds brightness to 1 in 2048 or so, and leaves
# a picture where it was; as PyTorch's autocast does, which runs grid_sample in float32.
# What happens: the converted program adds displacements to pixel numbers and scales them in float16 as well, and hands
# "resample" float16 coordinates. Places past column 1024 are rounded to whole pixels and then scaled by a rounded
# 1/1920, so that they end up to 1.8 px beside where they belong: of displacements from 0 to 0.9 px in a row, some are
# 1 px there and some -0.8. On the left it is 0.3 px. Nothing is said.
# (Read off the converted program, its arithmetic done again by NumPy in float16: running it takes a Mac.)
# What follows: warps, tracking and registration converted by default are torn and jump in steps, most in the right and
# lower parts of large pictures, and look right on small ones. compute_precision=ct.precision.FLOAT32, or
# FP16ComputePrecision with an op_selector that leaves out all that makes places; or hand out the displacements.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "coremltools==9.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import logging
import sys

logging.disable(logging.CRITICAL)
import coremltools as ct
import numpy as np
import torch
from torch.nn.functional import grid_sample

height, width = 16, 1920


class Warp(torch.nn.Module):
    """A picture (1, 1, H, W), sampled where displacements (1, 2, H, W) in pixels say."""

    def __init__(self):
        super().__init__()
        y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
        self.register_buffer("at", torch.stack([x, y], -1)[None])
        self.register_buffer("size", torch.tensor([float(width), float(height)]))

    def forward(self, picture, displacements):
        places = self.at + displacements.permute(0, 2, 3, 1)
        grid = (2 * places + 1) / self.size - 1
        return grid_sample(picture, grid, padding_mode="border", align_corners=False)


warp = Warp().eval()
columns = torch.arange(float(width)).expand(1, 1, height, width).contiguous()  # pixels say their column
by = torch.zeros(1, 2, height, width)
by[:, 0] = (torch.arange(float(width)) % 10) / 10  # 0 to 0.9 px to the right
true = (np.arange(width) + by[0, 0, 0].numpy())[:-1]
kinds = {"fp16": np.float16, "fp32": np.float32, "int32": np.int32}
work = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.divide}
name_of = ct.converters.mil.mil.types.builtin_to_string


def sampled(program):
    """Return the operations of a converted program and the columns at which its first row is sampled."""
    main, names = program.functions["main"], []
    values = {var.name: value.numpy().astype(kinds[name_of(var.dtype)])
              for var, value in zip(main.inputs.values(), (columns, by), strict=True)}
    for operation in main.operations:
        if operation.op_type == "const":
            continue
        result = operation.outputs[0]
        kind = name_of(result.dtype)
        names.append(f"{operation.op_type}:{kind}")
        of = {key: values[var.name] if var.val is None else np.asarray(var.val)
              for key, var in operation.inputs.items() if hasattr(var, "val")}
        if operation.op_type == "resample":
            assert str(of["coordinates_mode"]) == "normalized_minus_one_to_one" and not of["align_corners"]
            grid = of["coordinates"]
            return names, grid.dtype, ((grid[0, 0, :, 0].astype(np.float64) + 1) * width - 1) / 2
        if operation.op_type == "transpose":
            value = np.transpose(of["x"], of["perm"])
        elif operation.op_type == "cast":
            value = of["x"]
        else:
            value = work[operation.op_type](of["x"], of["y"])
        values[result.name] = value.astype(kinds[kind])


print("coremltools", ct.__version__, "torch", torch.__version__)
traced = torch.jit.trace(warp, (columns, by))
inputs = [ct.TensorType("picture", columns.shape), ct.TensorType("displacements", by.shape)]
off = {}
for name, options in {"default": {}, "FLOAT32": {"compute_precision": ct.precision.FLOAT32}}.items():
    options |= {"minimum_deployment_target": ct.target.iOS18, "skip_model_load": True}
    model = ct.convert(traced, inputs=inputs, **options)
    names, dtype, places = sampled(model._mil_program)
    error = np.abs(places[:-1] - true)
    off[name] = dtype, float(error[:128].max()), float(error[1024:].max())
    moved = (places[1200:1210] - np.arange(1200, 1210)).round(2).tolist()
    print(f"{name}: {' '.join(names)}; coordinates {dtype}")
    print(f"  up to {off[name][1]:.3f} px beside the right place on the left, {off[name][2]:.3f} px past column 1024;"
          f" from column 1200 on moved by {moved}, asked for {[step / 10 for step in range(10)]}")
with torch.autocast("cpu", torch.float16):
    autocast = float(np.abs(warp(columns, by).float().numpy()[0, 0, 0, :-1] - true).max())
print(f"PyTorch's autocast to float16: {autocast:.3f} px")
same = off["default"][0] == np.float16 and 0.1 < off["default"][1] < 0.5 and 1.2 < off["default"][2] < 2.5
sys.exit(0 if same and off["FLOAT32"][2] < 0.001 and autocast < 0.001 else 1)
PY

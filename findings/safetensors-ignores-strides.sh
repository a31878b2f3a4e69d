#!/usr/bin/env bash
# A transposed or flipped NumPy array, saved by safetensors.numpy.
#
# One would guess: the array comes back as it was, or is refused as safetensors.torch refuses tensors that are
# not contiguous.
# What happens: the shape is kept and the memory is written as it lies, so that a transpose, a flip, a Fortran
# array (of LAPACK, of MATLAB files, of NIfTI voxels) and every second row come back with other values in their
# places. Nothing is said.
# What follows: weights, principal components or volumes saved this way are scrambled, and their shape and type
# look right. Give it numpy.ascontiguousarray(array), always; ours are.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "safetensors==0.8.0" "numpy==2.4.6" "torch==2.13.0"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import safetensors
import torch
from safetensors.numpy import load, save
from safetensors.torch import save as save_torch

block = np.arange(36, dtype=np.float32).reshape(9, 4)
plain = block[3:6]
views = {
    "plain": plain,
    "transposed": plain.T,
    "flipped": plain[:, ::-1],
    "Fortran order": np.asfortranarray(plain),
    "every second row": plain[::2],
}
print("safetensors", safetensors.__version__)
same = []
for name, array in views.items():
    again = load(save({"a": array}))["a"]
    assert again.shape == array.shape and again.dtype == array.dtype
    same.append(np.array_equal(again, array))
    print(f"{name}: {'as it was' if same[-1] else 'other values'}")
print("flipped:", views["flipped"][0].tolist(), "became", load(save({"a": views["flipped"]}))["a"][0].tolist())
try:
    save_torch({"a": torch.from_numpy(plain).T})
    refused = False
except ValueError as error:
    refused = True
    print("the same by safetensors.torch:", str(error).split(".")[0])
sys.exit(0 if same == [True] + [False] * 4 and refused else 1)
PY

#!/usr/bin/env bash
# A network that looks at two pictures by the same layers, and is reached under two names, traced by PyTorch 2.13 (TorchScript) and
# converted by pnnx 20261020 for ncnn 1.0.20261020.
#
# One would guess: shared weights are what registration and recognition are made of; pnnx converts the layers, or fails.
# What happens: exit code 0, both files are written, and ncnn's network has layers called nn.Conv2d, which ncnn does not have:
# it says so when the file is loaded on the phone. In between stand many lines "ignore nn.Conv2d ...". The same network
# under one name, called twice, is converted whole and right. torch.movedim is left as "aten::movedim" too, permute not.
# What follows: a pipeline that looks at exit codes ships a model that does not load. Trace with each module registered once (or
# torch.jit.freeze it), write permute, and look for names with a dot or colons in the .param file. facewarp export does so.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "pnnx==20261020" "ncnn==1.0.20261020" "numpy==2.4.6"
cd "$work"
PATH="$work/venv/bin:$PATH" "$work/venv/bin/python" -W ignore - <<'PY'
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import ncnn
import numpy as np
import torch
from torch import nn


class Part(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, picture):
        return self.net(picture)


class Pair(nn.Module):
    """Differences of two pictures' features; `twice` registers the layers under two names."""

    def __init__(self, net, twice, move):
        super().__init__()
        self.fixed = Part(net)
        self.moving = Part(net) if twice else self.fixed
        self.move = move

    def forward(self, fixed, moving):
        apart = self.fixed(fixed) - self.moving(moving)
        return torch.movedim(apart, 1, -1) if self.move else apart.permute(0, 2, 3, 1)


torch.manual_seed(0)
pictures = torch.rand(1, 1, 12, 16), torch.rand(1, 1, 12, 16)
print("pnnx", version("pnnx"), "ncnn", version("ncnn"), "torch", torch.__version__)
found = {}
for name, twice, move in (("one name", False, False), ("two names", True, False), ("movedim", False, True)):
    module = Pair(nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)), twice, move).eval()
    with torch.no_grad():
        torch.jit.trace(module, pictures, check_trace=False).save("pair.pt")
        right = module(*pictures)[0].numpy()
    told = subprocess.run(["pnnx", "pair.pt", "inputshape=[1,1,12,16],[1,1,12,16]", "fp16=0"], capture_output=True, text=True)
    kinds = {line.split()[0] for line in Path("pair.ncnn.param").read_text().splitlines()[2:]}
    strange = sorted(kind for kind in kinds if "." in kind or ":" in kind)
    net = ncnn.Net()
    loaded = not strange and net.load_param("pair.ncnn.param") == 0 and net.load_model("pair.ncnn.bin") == 0
    apart = None
    if loaded:
        run = net.create_extractor()
        held = [ncnn.Mat(picture[0].numpy()).clone() for picture in pictures]
        for place, picture in enumerate(held):
            run.input(f"in{place}", picture)
        apart = float(np.abs(np.array(run.extract("out0")[1]) - right).max())
    found[name] = (told.returncode, strange)
    print(f"{name}: exit code {told.returncode}, layers that ncnn does not have: {strange}"
          + (f", result differs by {apart:.6f}" if loaded else ""))
    if name == "one name" and not (loaded and apart < 1e-4):
        sys.exit(1)
    assert all(code == 0 for code, _ in found.values())
ok = found["one name"][1] == [] and "nn.Conv2d" in found["two names"][1] and "aten::movedim" in found["movedim"][1]
sys.exit(0 if ok else 1)
PY

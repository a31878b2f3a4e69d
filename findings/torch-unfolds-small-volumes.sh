#!/usr/bin/env bash
# Whether two volumes take longer than one through a 3D convolution on a processor.
#
# One would guess: yes, twice as long.
# What happens: of a single float32 volume whose channels x slices x rows are 20,480 or fewer (the
# row's width does not count), PyTorch does not ask oneDNN but unfolds a copy for each tap of the
# kernel and multiplies. 24 channels of 12 x 48 x 48 take longer than two such volumes at once,
# which go to oneDNN, and three to five times as long as when oneDNN is asked by name.
# What follows: whoever segments or registers volumes one at a time, as one does, pays that in all
# deeper layers of a U-Net. Two at once, or torch.mkldnn_convolution, give the same numbers sooner.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" numpy
"$work/venv/bin/python" - <<'PY'
import sys
import time

import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

torch.set_num_threads(1)
torch.manual_seed(0)
taps, bias = torch.randn(24, 24, 1, 3, 3) / 15, torch.randn(24)
two = torch.randn(2, 24, 12, 48, 48)
one = two[:1].contiguous()


def by_name(x):
    return torch.mkldnn_convolution(x, taps, bias, (0, 1, 1), (1, 1, 1), (1, 1, 1), 1)


ways = {
    "one volume": lambda: F.conv3d(one, taps, bias, padding=(0, 1, 1)),
    "two volumes": lambda: F.conv3d(two, taps, bias, padding=(0, 1, 1)),
    "one, by name": lambda: by_name(one),
}
kernels, took = {}, {name: [] for name in ways}
with torch.inference_mode():
    for name, way in ways.items():
        with profile(activities=[ProfilerActivity.CPU]) as ran:
            way()
        keys = {event.key for event in ran.key_averages()}
        kernels[name] = "unfolded" if "aten::slow_conv3d_forward" in keys else "oneDNN"
    for _ in range(20):
        for name, way in ways.items():
            start = time.thread_time()
            way()
            took[name].append(1000 * (time.thread_time() - start))
    apart = float((ways["one volume"]() - by_name(one)).abs().max())
least = {name: min(times) for name, times in took.items()}
print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, one thread")
for name in ways:
    print(f"{name:12} {kernels[name]:8} {least[name]:6.1f} ms")
print(f"one volume, unfolded and by oneDNN, differ by at most {apart:.1e}")
as_told = kernels == {
    "one volume": "unfolded", "two volumes": "oneDNN", "one, by name": "oneDNN"
} and least["one volume"] > 2 * least["one, by name"] and apart < 1e-4
sys.exit(0 if as_told else 1)
PY

"""Engine of PyTorch, which every install has: eager on CPU or Apple's GPU, CUDA graphs on CUDA."""

import copy
import threading
from contextlib import nullcontext
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from facewarp.core.config import ModelConfig
from facewarp.core.engines.base import Floats, GraphEngine, Images
from facewarp.core.engines.graphs import GRAPHS
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.networks.layers import copied, fold_batch_norms
from facewarp.errors import FacewarpError

_WARM_UP = 3  # runs before a CUDA graph is recorded: cuDNN has chosen its kernels by then


class TorchEngine(GraphEngine):
    """PyTorch on any device.

    On CUDA convolutions run in fp16 (splines, warps and everything in px stay fp32), and each
    graph is recorded once per batch size with buffers of its own and then replayed: a network of
    many small layers spends more time in launching kernels than in running them. Networks of
    volumes run in fp32 without recording.

    Args:
        net: the network; a copy with folded batch norms runs.
        device: where.
    """

    def __init__(self, net: GuidedRegistration, device: str | torch.device) -> None:
        device = torch.device(device)
        lean = fold_batch_norms(net)
        lean.requires_grad_(False)
        precision = "fp32"
        if net.config.ndim == 2:  # what CPU and GPU convolutions are quickest on
            lean.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            if device.type == "cuda":
                lean, precision = in_half(lean), "fp16"
        elif device.type == "cpu" and _has_onednn():
            _convolve_directly(lean)
        lean.to(device)
        where = f"{torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
        super().__init__("torch", f"torch {torch.__version__}, {precision}, {where}")
        self._device, self._lean = device, lean
        if device.type == "cpu" and (net.config.ndim == 3 or not net.config.steps):
            self._lock = nullcontext()  # nothing is shared, and hearts are seen side by side
        self._graphs = {name: graph(lean) for name, graph in GRAPHS.items()}
        self._recorded: dict[tuple[str, tuple[torch.Size, ...]], _Recorded] = {}

    def with_config(self, config: ModelConfig) -> "TorchEngine":
        """Return an engine of the same layers, not copied, under another configuration."""
        engine = copy.copy(self)
        engine._recorded = {}
        if not isinstance(engine._lock, nullcontext):
            engine._lock = threading.Lock()
        engine._lean = self._lean.with_config(config)
        engine._graphs = {name: graph(engine._lean) for name, graph in GRAPHS.items()}
        return engine

    def in_bfloat16(self) -> "TorchEngine":
        """Return an engine whose networks run in bf16: quicker, and coarse.

        Splines, warps and everything in px stay fp32.
        """
        engine, lean = self.with_config(self._lean.config), copied(self._lean)
        engine._lean._modules = dict(engine._lean._modules)
        engine._lean.parts = cast(nn.Module, _Bfloat16(lean.parts))  # type: ignore[assignment]
        engine._lean.steps = nn.ModuleList(map(_Bfloat16, lean.steps))
        engine._graphs = {name: graph(engine._lean) for name, graph in GRAPHS.items()}
        engine.summary = self.summary.replace("fp32", "bf16")
        return engine

    def use_threads(self, count: int) -> None:
        """See `Engine`; they are the whole process's."""
        torch.set_num_threads(count)

    @torch.inference_mode()
    def run(self, graph: str, *inputs: Images) -> list[Floats]:
        """See `GraphEngine`."""
        tensors = [torch.from_numpy(np.require(value, np.float32, ["C", "W"])) for value in inputs]
        return [found.numpy() for found in self._run(graph, *tensors)]

    def _run(self, graph: str, *inputs: Tensor) -> list[Tensor]:
        module = self._graphs[graph]
        if self._device.type == "cuda" and inputs[0].ndim == 4:
            key = graph, tuple(value.shape for value in inputs)
            if key not in self._recorded:
                self._recorded[key] = _Recorded(module, inputs, self._device)
            return self._recorded[key](inputs)
        found = module(*(value.to(self._device) for value in inputs))
        results = found if isinstance(found, tuple) else (found,)
        return [result.cpu().contiguous() for result in results]


class _DirectConv3d(nn.Conv3d):
    """A convolution of volumes in fp32 by oneDNN, channels last, however small they are.

    Of a single volume whose channels, slices and rows are 20,480 or fewer torch unfolds a copy for
    each tap of the kernel, which takes two to eight times as long.
    """

    def __init__(self, layer: nn.Conv3d) -> None:
        kernel, stride, pads = cast(Any, (layer.kernel_size, layer.stride, layer.padding))
        super().__init__(layer.in_channels, layer.out_channels, kernel, stride, pads, device="meta")
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            return super().forward(x)
        last, pads = x.contiguous(memory_format=torch.channels_last_3d), self.padding
        assert not isinstance(pads, str)
        taps = self.weight, self.bias
        found: Tensor = torch.mkldnn_convolution(last, *taps, pads, self.stride, self.dilation, 1)
        return found


def _has_onednn() -> bool:
    """Whether torch has oneDNN on an x86 processor; its kernels on others were not measured."""
    has: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has and torch.backends.cpu.get_cpu_capability().startswith("AVX")


def _convolve_directly(net: nn.Module) -> None:
    """Put a `_DirectConv3d` of the same weights in place of each convolution of volumes."""
    for module in list(net.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Conv3d):
                setattr(module, name, _DirectConv3d(layer))
    net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def in_half(net: GuidedRegistration) -> GuidedRegistration:
    """Copy a network with convolutions in fp16; everything in px stays fp32."""
    half = copy.deepcopy(net)
    half.parts = cast(nn.Module, _Half(half.parts))  # type: ignore[assignment]
    half.steps = nn.ModuleList(_Half(step) for step in half.steps)
    return half


class _Half(nn.Module):
    """A module in fp16 with fp32 inputs and outputs."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.half()

    def forward(self, *inputs: Tensor) -> Tensor:
        result: Tensor = self.inner(*(value.half() for value in inputs))
        return result.float()


class _Bfloat16(nn.Module):
    """A module in bf16, channels last, with fp32 inputs and outputs."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.to(torch.bfloat16)
        kernels = (value for value in inner.parameters() if value.ndim > 3)
        self._layout = _channels_last(next(kernels).ndim)
        self.inner.to(memory_format=self._layout)  # type: ignore[call-overload]

    def forward(self, *inputs: Tensor) -> Tensor:
        layout = self._layout
        given = (value.to(torch.bfloat16).contiguous(memory_format=layout) for value in inputs)
        result: Tensor = self.inner(*given)
        return result.float().contiguous()


def _channels_last(ndim: int) -> torch.memory_format:
    """Return the layout of images or volumes, with batch and channels, that convolves quickest."""
    return torch.channels_last if ndim == 4 else torch.channels_last_3d


class _Recorded:
    """A CUDA graph with its own input and output buffers."""

    def __init__(self, module: nn.Module, inputs: tuple[Tensor, ...], device: torch.device) -> None:
        self._inputs = [value.to(device, copy=True) for value in inputs]
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                module(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.cuda.graph(self._graph):
            found = module(*self._inputs)
        self._outputs = found if isinstance(found, tuple) else (found,)

    def __call__(self, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        for buffer, value in zip(self._inputs, inputs, strict=True):
            buffer.copy_(value, non_blocking=True)
        self._graph.replay()
        return [output.cpu().contiguous() for output in self._outputs]


def present_device(device: str | torch.device) -> torch.device:
    """Return a device of torch, checked by putting a number on it and reading it back.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        FacewarpError: this machine, or this build of torch, has none of that name.
    """
    try:
        number = torch.zeros(1, device=device)
        number.item()  # "meta" holds none
        return number.device
    # Torch has these ways to say that it has no such device.
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise FacewarpError(
            f"there is no device '{device}' here", fix="Use cpu; facewarp doctor lists devices."
        ) from error

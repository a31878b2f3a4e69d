"""Make an engine by name, or the fastest on this machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from facewarp.core.engines.autotune import choose
from facewarp.core.engines.base import AUTO, ENGINES, PACKAGES, Engine, is_installed
from facewarp.core.weights import Network, StoredNetwork, network_of
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command
from facewarp.system.machine import has_bfloat16

if TYPE_CHECKING:
    import torch

_EXTRAS: Final = {"onnx": "onnx", "openvino": "openvino", "openvino-int8": "openvino"}

_COARSE: Final = ("heart-slices",)
"""Kinds of networks that bf16 costs no accuracy, and makes quicker: many channels, labels out."""

_Maker = Callable[[Network, str, str, Path | None], Engine]


def make_engine(
    name: str,
    net: Network,
    *,
    device: "str | torch.device" = "cpu",
    key: str = "",
    int8: Path | None = None,
) -> Engine:
    """Make an engine by name.

    Args:
        name: one of `ENGINES`, or ``"auto"``: torch on every device but the CPU, there the
            quickest that is installed, which is known, or measured once and remembered. Where
            ``FACEWARP_ENGINE`` is set, ``"auto"`` stands for what it names.
        net: the network, which is copied, or its weights file.
        device: where torch runs it; other engines choose for themselves.
        key: what the network's weights are known by (their sha256), so that what is converted
            and measured can be kept for the next time; empty for weights of no file.
        int8: the network's 8-bit weights, where it has any.

    Raises:
        FacewarpError: no such engine, or not installed, or it can't run this network.
    """
    device = str(device)
    if name == AUTO:
        name = os.environ.get("FACEWARP_ENGINE") or AUTO
    if name == AUTO:
        return choose(net, device, key, int8, make_engine)
    if name not in ENGINES:
        raise FacewarpError(
            f"there is no engine {name!r}", fix=f"Engines: {', '.join((AUTO, *ENGINES))}."
        )
    if not is_installed(name):
        raise FacewarpError(
            f"the engine {name} needs {PACKAGES[name]}, which is not installed",
            fix=f"Install it: {install_command(_EXTRAS[name])}",
        )
    if name != "torch" and net.config.ndim != 2:
        raise FacewarpError(
            f"the engine {name} runs networks of images, not of volumes", fix="Use --engine torch."
        )
    if name != "torch" and device != "cpu":
        raise FacewarpError(
            f"the engine {name} can't be sent to {device}", fix="Leave --device out, or use torch."
        )
    return _MAKERS[name](net, device, key, int8)


def _torch(net: Network, device: str, key: str, int8: Path | None) -> Engine:
    from facewarp.core.engines.torch_engine import TorchEngine

    engine = TorchEngine(network_of(net), device)
    if isinstance(net, StoredNetwork):
        net.forget()  # the engine has a copy
    coarse = device == "cpu" and net.config.kind in _COARSE and has_bfloat16()
    return engine.in_bfloat16() if coarse else engine


def _onnx(net: Network, device: str, key: str, int8: Path | None) -> Engine:
    from facewarp.core.engines.onnx_engine import OnnxEngine

    return OnnxEngine(lambda: network_of(net), key)


def _openvino(net: Network, device: str, key: str, int8: Path | None) -> Engine:
    from facewarp.core.engines.openvino_engine import OpenVinoEngine
    from facewarp.core.engines.openvino_models import draws

    exact = net.config.kind not in _COARSE
    if isinstance(net, StoredNetwork) and draws(net.config):
        return OpenVinoEngine.of_parts(net, key, is_exact=exact)
    return OpenVinoEngine.of_network(lambda: network_of(net), key, is_exact=exact)


def _int8(net: Network, device: str, key: str, int8: Path | None) -> Engine:
    from facewarp.core.engines.openvino_engine import OpenVinoEngine

    if int8 is None:
        raise FacewarpError(
            "this model has no 8-bit weights",
            fix="Use --engine openvino, or make some: facewarp export --int8.",
        )
    return OpenVinoEngine.of_int8(int8)


_MAKERS: Final[dict[str, _Maker]] = {
    "torch": _torch,
    "onnx": _onnx,
    "openvino": _openvino,
    "openvino-int8": _int8,
}

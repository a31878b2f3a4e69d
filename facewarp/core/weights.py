"""Weights files: safetensors with the whole configuration inside. No pickle is ever read."""

import hashlib
import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facewarp.core.config import ModelConfig
from facewarp.core.config_checks import estimate_parameters
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written

_MOST_EXPECTED = 6  # times the parameters stored: the estimate is up to 4 times too high
_SMALL = 100_000
WEIGHTS = "model.safetensors"  # in the folder of a training run


def save_weights(net: GuidedRegistration, path: Path, about: Mapping[str, str]) -> str:
    """Write a network to ``path`` (atomically) and return the file's sha256.

    Kernels are stored as fp16, vectors (biases, batch-norm statistics) as fp32.

    Args:
        net: the network.
        path: a ``.safetensors`` file.
        about: further metadata: preset, training data, licence and the like.
    """
    tensors = {}
    for name, value in net.state_dict().items():
        kernel = value.is_floating_point() and value.ndim > 1
        tensors[name] = value.detach().cpu().to(torch.float16 if kernel else value.dtype)
        tensors[name] = tensors[name].contiguous(memory_format=torch.contiguous_format)
    metadata = {"format": "facewarp-1", "config": net.config.to_json(), **about}
    with written(path) as temporary:
        save_file(tensors, temporary, metadata)
    return file_sha256(path)


def load_weights(path: Path) -> tuple[GuidedRegistration, dict[str, str]]:
    """Read a network, in evaluation mode, and its metadata.

    Raises:
        FacewarpError: no such file, not a facewarp weights file, or damaged.
    """
    if not path.is_file():
        raise FacewarpError("there is no such weights file", path, "check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            if "config" not in metadata:
                raise FacewarpError(
                    "the weights carry no facewarp configuration",
                    path,
                    "train or export it with facewarp",
                )
            net = _network_for(file, metadata["config"])
            wanted = net.state_dict()
            names = [name for name in file.keys() if name in wanted]  # noqa: SIM118
            tensors = {name: file.get_tensor(name).to(wanted[name].dtype) for name in names}
            net.load_state_dict(tensors)
    except (SafetensorError, OSError) as error:
        raise FacewarpError(
            "the file is not readable as safetensors weights", path, f"{error}"
        ) from error
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise FacewarpError(
            "the weights do not fit their own configuration",
            path,
            "the file is damaged or from another version of facewarp",
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            what = f"the weights hold values that are not finite: {name}"
            raise FacewarpError(what, path, "Take an earlier checkpoint, or copy the file again.")
    return net.eval(), metadata


def _network_for(file: Any, config: str) -> GuidedRegistration:
    """The network of a configuration, built only if the file is large enough to hold it.

    Raises:
        ValueError: it is not, or the configuration is none of ours; so KeyError and TypeError.
    """
    parsed = ModelConfig.from_json(config)
    names = file.keys()
    stored = sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    expected = estimate_parameters(parsed)
    if expected > _MOST_EXPECTED * stored + _SMALL:
        raise ValueError(f"about {expected} parameters are configured, {stored} are stored")
    return GuidedRegistration(parsed)


def shipped_weights(name: str) -> Path:
    """Path of the weights that ship under ``name``, checked against their recorded hash."""
    folder, known = _weights_folder(), _shipped()
    if name not in known:
        shipped = ", ".join(sorted(known)) or "none"
        raise FacewarpError(
            f"no model is called {name!r}",
            fix=f"use one of {shipped}, or a path to a .safetensors file",
        )
    path = folder / known[name]["file"]
    if not path.is_file():
        raise FacewarpError("shipped weights are missing", path, "reinstall facewarp")
    if file_sha256(path) != known[name]["sha256"]:
        raise FacewarpError(
            "shipped weights do not match their recorded hash", path, "reinstall facewarp"
        )
    return path


def _weights_folder() -> Path:
    return Path(str(resources.files("facewarp.assets"))) / "weights"


def _shipped() -> dict[str, dict[str, str]]:
    """File and hash of the weights that ship, by name."""
    index = _weights_folder() / "index.json"
    known: dict[str, dict[str, str]] = {}
    if index.is_file():
        known = json.loads(index.read_text("utf-8"))
    return known


def find_weights(model: str | Path) -> Path:
    """Return the weights file of a shipped model's name, a run's folder or a path.

    A shipped name means the shipped weights, whatever lies under that name in the working folder:
    ``./face`` means what lies there.
    """
    path = Path(model)
    if isinstance(model, str) and model in _shipped():
        return shipped_weights(model)
    if path.suffix == ".safetensors" or path.exists():
        return path / WEIGHTS if path.is_dir() else path
    return shipped_weights(str(model))


def int8_weights(path: Path, sha256: str) -> Path | None:
    """The folder of 8-bit weights that were made from a weights file, beside it; None without.

    Args:
        path: the weights file.
        sha256: its hash: 8-bit weights made from any other version are left alone.

    Raises:
        FacewarpError: they are damaged.
    """
    folder = path.with_name("int8")
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(about, dict) or about.get("weights_sha256") != sha256:
        return None
    files = about.get("files")
    if not isinstance(files, dict) or not files:
        return None
    for name, recorded in files.items():
        file = folder / Path(str(name)).name
        if not file.is_file() or file_sha256(file) != recorded:
            what = "the 8-bit weights do not match their recorded hash"
            raise FacewarpError(what, file, "reinstall facewarp, or use --engine openvino")
    return folder


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

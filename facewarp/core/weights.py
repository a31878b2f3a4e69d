"""Weights files: safetensors with the whole configuration inside. No pickle is ever read."""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from facewarp.core.config import ModelConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written

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
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FacewarpError(
            "the file is not readable as safetensors weights", path, f"{error}"
        ) from error
    if "config" not in metadata:
        raise FacewarpError(
            "the weights carry no facewarp configuration", path, "train or export it with facewarp"
        )
    try:
        net = GuidedRegistration(ModelConfig.from_json(metadata["config"]))
        wanted = net.state_dict()
        net.load_state_dict({n: t.to(wanted[n].dtype) for n, t in tensors.items() if n in wanted})
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise FacewarpError(
            "the weights do not fit their own configuration",
            path,
            "the file is damaged or from another version of facewarp",
        ) from error
    return net.eval(), metadata


def shipped_weights(name: str) -> Path:
    """Path of the weights that ship under ``name``, checked against their recorded hash."""
    folder = Path(str(resources.files("facewarp.assets"))) / "weights"
    index = folder / "index.json"
    known: dict[str, dict[str, str]] = {}
    if index.is_file():
        known = json.loads(index.read_text("utf-8"))
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


def find_weights(model: str | Path) -> Path:
    """Return the weights file of a shipped model's name, a run's folder or a path."""
    path = Path(model)
    if path.suffix == ".safetensors" or path.exists():
        return path / WEIGHTS if path.is_dir() else path
    return shipped_weights(str(model))


def int8_weights(path: Path, sha256: str) -> Path | None:
    """The folder of 8-bit weights that were made from a weights file, beside it; None without.

    Args:
        path: the weights file.
        sha256: its hash: 8-bit weights made from any other version are left alone.
    """
    folder = path.with_name("int8")
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return folder if about.get("weights_sha256") == sha256 else None


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Weights files: safetensors with the whole configuration inside; no pickle is ever read."""

import copy
import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from safetensors import SafetensorError, safe_open

from facewarp.core.config import ModelConfig
from facewarp.core.config_checks import estimate_parameters
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_error, written

if TYPE_CHECKING:  # torch is imported where a network is built or written, and only there
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from facewarp.core.networks.guided_registration import GuidedRegistration

_MOST_EXPECTED = 6  # times the parameters stored: the estimate is up to 4 times too high
_SMALL = 100_000
WEIGHTS = "model.safetensors"  # in the folder of a training run
SLICES = "slices.safetensors"  # beside it: the part network of a heart's slices
DETAILS = "details.safetensors"  # or of a face's eyes and mouth
INT8 = "int8"  # folder beside a model's weights: the same in 8 bits
INT8_DETAILS = "details-int8"  # and beside those of its eyes and mouth


def save_weights(net: "GuidedRegistration", path: Path, about: Mapping[str, str]) -> str:
    """Write a network to ``path`` (atomically) and return the file's sha256.

    Kernels are stored as fp16, vectors (biases, batch-norm statistics) as fp32.

    Args:
        net: the network.
        path: a ``.safetensors`` file.
        about: further metadata: preset, training data, licence and the like.

    Raises:
        FacewarpError: the file can't be written.
    """
    write_tensors(_stored_tensors(net), path, _stored_metadata(net, about))
    return file_sha256(path)


def holds_weights(path: Path, net: "GuidedRegistration", about: Mapping[str, str]) -> bool:
    """Return whether a file holds what `save_weights` would write to it, in whatever order."""
    import torch

    if not path.is_file():
        return False
    tensors = _stored_tensors(net)
    with _readable(path), safe_open(path, framework="pt") as file:
        if set(file.keys()) != set(tensors) or file.metadata() != _stored_metadata(net, about):
            return False
        return all(torch.equal(file.get_tensor(name), value) for name, value in tensors.items())


def write_tensors(tensors: Mapping[str, "Tensor"], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors as safetensors, whole or not at all; the same ones give the same bytes.

    Args:
        tensors: contiguous, by name.
        path: the file.
        metadata: texts by name.

    Raises:
        FacewarpError: the file can't be written.
    """
    from safetensors.torch import save_file

    with written(path) as temporary:
        try:
            save_file(dict(tensors), temporary, dict(metadata))
        except SafetensorError as error:  # also what it makes of a full disk
            raise write_error(error, path) from error
        _sort_metadata(temporary)


def _sort_metadata(path: Path) -> None:
    """Bring a file's metadata, which safetensors writes in any order, into that of their names."""
    with path.open("rb+") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        file.seek(8)
        file.write(text.ljust(size))


def _stored_tensors(net: "GuidedRegistration") -> dict[str, "Tensor"]:
    import torch

    tensors = {}
    for name, value in net.state_dict().items():
        kernel = value.is_floating_point() and value.ndim > 1
        tensors[name] = value.detach().cpu().to(torch.float16 if kernel else value.dtype)
        tensors[name] = tensors[name].contiguous(memory_format=torch.contiguous_format)
    return tensors


def _stored_metadata(net: "GuidedRegistration", about: Mapping[str, str]) -> dict[str, str]:
    return {"format": "facewarp-1", "config": net.config.to_json(), **about}


class StoredNetwork:
    """A weights file whose network is built when it is first asked for.

    An engine that runs converted graphs never asks, and so never imports torch.

    Args:
        path: the weights file.

    Attributes:
        path: likewise.
        config: the network's configuration.
        metadata: what the file says of itself.

    Raises:
        FacewarpError: no such file, or not one of facewarp's.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FacewarpError("there is no such weights file", path, "Check the path.")
        with _readable(path), safe_open(path, framework="np") as file:
            self.metadata = dict(file.metadata() or {})
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        if "config" not in self.metadata:
            raise FacewarpError(
                "the weights carry no facewarp configuration",
                path,
                "train or export it with facewarp",
            )
        with _fitting(path):
            self.config = ModelConfig.from_json(self.metadata["config"])
            _check_parameters(self.config, sum(map(math.prod, shapes)))
        self.path = path

    def arrays(self) -> "dict[str, npt.NDArray[np.float32]]":
        """Return the weights by name, without building the network.

        Raises:
            FacewarpError: the file is damaged.
        """
        with _readable(self.path), safe_open(self.path, framework="np") as file:
            return {name: file.get_tensor(name).astype("float32") for name in file.keys()}  # noqa: SIM118

    def with_config(self, config: ModelConfig) -> "StoredNetwork":
        """Return the same file under another configuration, such as another grid."""
        other = copy.copy(self)
        other.forget()
        other.config = config
        return other

    def forget(self) -> None:
        """Let the network go that was built; what asks for it again has it built again."""
        self.__dict__.pop("net", None)

    @cached_property
    def net(self) -> "GuidedRegistration":
        """The network, in evaluation mode.

        Raises:
            FacewarpError: the file is damaged.
        """
        import torch

        from facewarp.core.networks.guided_registration import GuidedRegistration

        with _readable(self.path), safe_open(self.path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        with _fitting(self.path):
            net = GuidedRegistration(self.config)
            wanted = net.state_dict()
            net.load_state_dict(
                {n: t.to(wanted[n].dtype) for n, t in tensors.items() if n in wanted}
            )
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                what = f"the weights hold values that are not finite: {name}"
                fix = "Take an earlier checkpoint, or copy the file again."
                raise FacewarpError(what, self.path, fix)
        return net.eval()


Network: TypeAlias = "GuidedRegistration | StoredNetwork"
"""A network, or the weights file that it is built from when something needs it."""


def network_of(net: Network) -> "GuidedRegistration":
    """Return the network itself, built from its file if need be."""
    return net.net if isinstance(net, StoredNetwork) else net


def load_weights(path: Path) -> tuple["GuidedRegistration", dict[str, str]]:
    """Read a network, in evaluation mode, and its metadata.

    Raises:
        FacewarpError: no such file, not a facewarp weights file, or damaged.
    """
    stored = StoredNetwork(path)
    return stored.net, stored.metadata


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise FacewarpError(
            "the file is not readable as safetensors weights", path, f"{error}"
        ) from error


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise FacewarpError(
            "the weights do not fit their own configuration",
            path,
            "the file is damaged or from another version of facewarp",
        ) from error


def _check_parameters(config: ModelConfig, stored: int) -> None:
    """Raise `ValueError` if a file is too small for its network, before that is built."""
    expected = estimate_parameters(config)
    if expected > _MOST_EXPECTED * stored + _SMALL:
        raise ValueError(f"about {expected} parameters are configured, {stored} are stored")


def shipped_weights(name: str) -> Path:
    """Return the path of the shipped weights `name`, checked against their recorded hash."""
    folder, known = _weights_folder(), _shipped()
    if name not in known:
        shipped = ", ".join(sorted(known)) or "none"
        raise FacewarpError(
            f"no model is called {name!r}",
            fix=f"Use one of {shipped}, or a path to a .safetensors file.",
        )
    path = folder / known[name]["file"]
    if not path.is_file():
        raise FacewarpError("shipped weights are missing", path, "Reinstall facewarp.")
    if file_sha256(path) != known[name]["sha256"]:
        raise FacewarpError(
            "shipped weights do not match their recorded hash", path, "Reinstall facewarp."
        )
    return path


def _weights_folder() -> Path:
    return Path(str(resources.files("facewarp.assets"))) / "weights"


def _shipped() -> dict[str, dict[str, str]]:
    """Return file and hash of the weights that ship, by name."""
    index = _weights_folder() / "index.json"
    known: dict[str, dict[str, str]] = {}
    if index.is_file():
        known = json.loads(index.read_text("utf-8"))
    return known


def find_weights(model: str | Path) -> Path:
    """Return the weights file of a shipped model's name, a run's folder or a path.

    A shipped name means the shipped weights, whatever lies under that name in the working folder:
    ``./face`` means what lies there.

    Raises:
        FacewarpError: there is none.
    """
    path = Path(model)
    if isinstance(model, str) and model in _shipped():
        return shipped_weights(model)
    if path.suffix != ".safetensors" and not path.exists():
        return shipped_weights(str(model))
    file = path / WEIGHTS if path.is_dir() else path
    if not file.exists():
        raise FacewarpError("there is no such weights file", file, "Check the path.")
    return file


def absolute_model(model: str) -> str:
    """Return a model so that it means the same in every folder: a shipped name, or a full path.

    See `find_weights`; a path at which nothing lies is returned as it is.
    """
    path = Path(model)
    return str(path.resolve()) if model not in _shipped() and path.exists() else model


def ships(name: str) -> bool:
    """Whether weights of this name ship."""
    return name in _shipped()


def weights_beside(path: Path, name: str) -> Path | None:
    """Return a part network beside a model's weights; None where there is none.

    Args:
        path: the model's weights.
        name: `SLICES` or `DETAILS`.

    Raises:
        FacewarpError: it ships, and is missing or not what its recorded hash says.
    """
    file = path.with_name(name)
    for name, known in _shipped().items():
        if (_weights_folder() / known["file"]).resolve() == file.resolve():
            return shipped_weights(name)
    return file if file.is_file() else None


def int8_weights(path: Path, sha256: str) -> Path | None:
    """Return the folder of 8-bit weights beside a weights file; None where there are none.

    It is called `INT8`, that of a face's `DETAILS` `INT8_DETAILS`.

    Args:
        path: the weights file.
        sha256: its hash: 8-bit weights made from any other version are left alone.

    Raises:
        FacewarpError: they are damaged.
    """
    folder = path.with_name(INT8_DETAILS if path.name == DETAILS else INT8)
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
            raise FacewarpError(what, file, "Reinstall facewarp, or use --engine openvino.")
    return folder


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

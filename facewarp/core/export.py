"""Export models to ONNX, OpenVINO, TorchScript and torch.export."""

import io
import json
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from facewarp.core.engines.base import is_installed
from facewarp.core.engines.graphs import GRAPHS, example_inputs, exported_program, lean
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import check_target, write_error, written
from facewarp.system.installation import install_command

if TYPE_CHECKING:
    from onnx import ModelProto

SUFFIXES: Final = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt", "pt2": ".pt2"}
"""Every format, and how its files end."""


def export_model(model: Model, path: Path, format: str, graph: str = "pair") -> Path:
    """Write a graph of a model for another program, with its configuration and its hash inside.

    Args:
        model: what to export.
        path: the file to write; the format's suffix is added if it has another.
        format: one of `SUFFIXES`. ``pt2`` is what ``torch.export`` saves, which ExecuTorch
            starts from.
        graph: one of `GRAPHS`.

    Returns:
        The file; OpenVINO's weights are beside it, with the suffix ``.bin``.

    Raises:
        FacewarpError: no such format or graph, a package is missing, the format can't hold
            the network, a part network alone has no such graph, or nothing can be written
            there.
    """
    for what, name, known in (("format", format, SUFFIXES), ("graph", graph, GRAPHS)):
        if name not in known:
            raise FacewarpError(f"there is no {what} {name!r}", fix=f"Known: {', '.join(known)}.")
    if format in ("onnx", "openvino") and model.config.ndim != 2:
        raise FacewarpError(
            f"{format} holds networks of images, not of volumes", fix="Use torchscript or pt2."
        )
    if not model.config.steps and graph != "parts":
        what = f"a part network registers nothing and has no graph {graph!r}"
        raise FacewarpError(what, model.path, "Use --graph parts.")
    target = path if path.suffix == SUFFIXES[format] else Path(f"{path}{SUFFIXES[format]}")
    check_target(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, target) from error
    _WRITERS[format](lean(model.net), graph, target, metadata_of(model, graph))
    return target


def metadata_of(model: Model, graph: str) -> dict[str, str]:
    """Return the metadata of an exported file: configuration, classes, weights, licence."""
    known = {"config": model.config.to_json(), "graph": graph, "weights_sha256": model.sha256}
    known["classes"] = ", ".join(model.config.classes)
    known |= {name: model.metadata[name] for name in ("licence",) if name in model.metadata}
    return {name: text for name, text in known.items() if text}


def _onnx(net: GuidedRegistration, graph: str, target: Path, about: dict[str, str]) -> None:
    from facewarp.core.engines.onnx_engine import to_onnx

    model = to_onnx(net, graph)
    import onnx

    proto = onnx.load_from_string(model)
    _name_batch(proto)
    onnx.helper.set_model_props(proto, about)
    with written(target) as file:
        file.write_bytes(proto.SerializeToString())


def _name_batch(proto: "ModelProto") -> None:
    """Call the open batch size ``batch``, by which tools ask for it; PyTorch numbers its name."""
    graph = proto.graph
    numbered = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = re.sub(rf"\b{re.escape(numbered)}\b", "batch", size.dim_param)


def _openvino(net: GuidedRegistration, graph: str, target: Path, about: dict[str, str]) -> None:
    if not is_installed("openvino"):
        raise FacewarpError(
            "writing OpenVINO's format needs openvino, which is not installed",
            fix=f"Install it: {install_command('openvino')}",
        )
    from facewarp.core.engines.openvino_engine import convert, save

    save(convert(net, graph), target, about)


def _torchscript(net: GuidedRegistration, graph: str, target: Path, about: dict[str, str]) -> None:
    if sys.version_info >= (3, 14):
        raise FacewarpError(
            "PyTorch can't write TorchScript on Python 3.14 and later",
            fix="Use --format pt2, or an older Python.",
        )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # shapes are meant as constants
        traced = torch.jit.trace(GRAPHS[graph](net), example_inputs(net, graph), check_trace=False)  # type: ignore[no-untyped-call]
        text = {"facewarp.json": json.dumps(about)}
        whole = io.BytesIO()  # torch ends the process where a disk is full
        torch.jit.save(traced, whole, _extra_files=text)
        with written(target) as file:
            file.write_bytes(whole.getbuffer())


def _pt2(net: GuidedRegistration, graph: str, target: Path, about: dict[str, str]) -> None:
    program = exported_program(net, graph, any_batch=False)
    text = {"facewarp.json": json.dumps(about)}
    whole = io.BytesIO()  # torch ends the process where a disk is full
    torch.export.save(program, whole, extra_files=text)
    with written(target) as file:
        file.write_bytes(whole.getbuffer())


_WRITERS: Final = {"onnx": _onnx, "openvino": _openvino, "torchscript": _torchscript, "pt2": _pt2}

"""Quantization to 8 bits for OpenVINO: convolutions in int8, everything in px in float."""

import json
import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facewarp.core.engines.graphs import FieldsGraph, PartsGraph, lean
from facewarp.core.engines.openvino_engine import convert, save
from facewarp.core.engines.openvino_models import openvino
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import file_sha256, int8_weights
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_json, write_text
from facewarp.system.installation import install_command

FEWEST: Final = 8
"""Fewest images of a calibration."""

_FLOAT_OUTPUTS: Final = 16  # convolutions of fewer channels are the networks' last: they stay float


def quantize(
    net: GuidedRegistration,
    images: Tensor,
    template: Tensor | None,
    folder: Path,
    about: Mapping[str, str],
) -> Path:
    """Write a network's 8-bit weights, with ranges calibrated on images.

    Args:
        net: the network.
        images: for the calibration, ``(N, n, *grid_shape)`` in [0, 1], of many kinds.
        template: the soft labels ``(1, K, *feature_shape)`` that they will be registered with; None
            for a part network alone, of which only ``parts`` is written.
        folder: where ``parts``, ``fields`` (``.xml`` and ``.bin``) and ``about.json`` are written.
        about: metadata; ``weights_sha256`` binds them to the float weights.

    Raises:
        FacewarpError: NNCF or OpenVINO is missing, the network is one of volumes, or there are
            fewer than `FEWEST` images.
    """
    need_nncf()
    if net.config.ndim != 2:
        raise FacewarpError("8-bit weights are for networks of images, not of volumes")
    if len(images) < FEWEST:
        raise FacewarpError(
            f"{len(images)} faces are too few to learn ranges from",
            fix=f"Give {FEWEST} or more; 100 to 300 are good.",
        )
    folded = lean(net)
    samples = {"parts": [_arrays(image[None]) for image in images]}
    if template is not None:
        samples["fields"] = _pairs(folded, images, template)
    folder.mkdir(parents=True, exist_ok=True)
    for graph, inputs in samples.items():
        model = _quantized(convert(folded, graph), inputs)
        take_bytes_as_they_are(model)
        save(model, folder / f"{graph}.xml", about)
    files = {file.name: file_sha256(file) for file in sorted(folder.glob("*.[xb]*"))}
    text = json.dumps({**about, "files": files}, indent=1) + "\n"
    (folder / "about.json").write_text(text, "utf-8")
    return folder


def rebind(path: Path, before: str, after: str) -> Path | None:
    """Bind 8-bit weights to a weights file of the same tensors and other metadata.

    Graphs depend on tensors and configuration alone: of them only the recorded hash changes.

    Args:
        path: the weights file, beside which they are.
        before: hash of the file that they were made from.
        after: hash of the file that they are bound to.

    Returns:
        Their folder; None where there are none of that file.

    Raises:
        FacewarpError: they are damaged.
    """
    folder = int8_weights(path, before)
    if folder is None:
        return None
    about = json.loads((folder / "about.json").read_text("utf-8"))
    for graph in sorted(folder.glob("*.xml")):
        text = graph.read_text("utf-8")
        if text.count(before) != 1:
            raise FacewarpError("the graph does not name the weights it was made from", graph)
        write_text(graph, text.replace(before, after))
        about["files"][graph.name] = file_sha256(graph)
    write_json(folder / "about.json", {**about, "weights_sha256": after})
    return folder


def _pairs(
    folded: GuidedRegistration, images: Tensor, template: Tensor
) -> list[list[npt.NDArray[np.float32]]]:
    """Parts of images with the template's, both ways, and with one another's."""
    with torch.inference_mode():
        parts = torch.cat([PartsGraph(folded)(image[None]) for image in images])
        FieldsGraph(folded)(parts[:1], template)
    pairs = [pair for part in parts for pair in _both(part[None], template)]
    return pairs + [_arrays(parts[i : i + 1], parts[i - 1 : i]) for i in range(len(parts))][1:]


def need_nncf() -> None:
    """Refuse to go on where what makes 8-bit weights is missing.

    Raises:
        FacewarpError: NNCF or OpenVINO is not installed.
    """
    if find_spec("nncf") is None or find_spec("openvino") is None:
        raise FacewarpError(
            "8-bit weights are made with OpenVINO and NNCF, which are not both installed",
            fix=f"Install them: {install_command('openvino', packages=['nncf'])}",
        )


def _quantized(model: Any, inputs: list[list[npt.NDArray[np.float32]]]) -> Any:
    """Return a converted graph with 8-bit convolutions."""
    openvino()  # first, so that NNCF finds no telemetry either
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    nodes = model.get_ops()
    kinds = {node.get_type_name() for node in nodes} - {"Convolution"}
    last = [
        node.get_friendly_name()
        for node in nodes
        if node.get_type_name() == "Convolution"
        and node.get_output_partial_shape(0)[1].get_length() < _FLOAT_OUTPUTS
        and node.get_input_partial_shape(0)[1].get_length() > 1
    ]
    return nncf.quantize(
        model,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        fast_bias_correction=False,
        ignored_scope=nncf.IgnoredScope(types=sorted(kinds), names=last, validate=False),
    )


def take_bytes_as_they_are(model: Any) -> None:
    """Let a graph take images of bytes, scaled to 0..1, as the 8 bits that they are.

    A calibration leaves the brightest px of its pictures out as if they were noise: 0.92 became
    white.

    Args:
        model: quantized; of a graph without ``images`` nothing changes.
    """
    from openvino import opset13 as ops

    for port in model.inputs:
        if "images" not in port.get_names():
            continue
        for taken in port.get_target_inputs():
            node = taken.get_node()
            if node.get_type_name() != "FakeQuantize":
                continue
            for index, value in zip(range(1, 5), (0, 1, 0, 1), strict=True):
                shape = list(node.input_value(index).get_shape())
                limit = ops.constant(np.full(shape, value, np.float32))
                node.input(index).replace_source_output(limit.output(0))


def _both(parts: Tensor, template: Tensor) -> list[list[npt.NDArray[np.float32]]]:
    return [_arrays(parts, template), _arrays(template, parts)]


def _arrays(*tensors: Tensor) -> list[npt.NDArray[np.float32]]:
    return [np.ascontiguousarray(tensor.numpy(), np.float32) for tensor in tensors]

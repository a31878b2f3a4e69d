"""The networks of the page as ONNX files: registration and matte in 8 bits, the face detector."""

from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from facewarp.core.engines.openvino_graphs import join
from facewarp.core.engines.openvino_models import core
from facewarp.core.export import metadata_of
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.blazeface import MODEL, SIZE
from facewarp.page.onnx_graph import to_onnx
from facewarp.system.installation import install_command

_NEEDED: Final = ("onnx", "openvino")


def check_packages() -> None:
    """Check that what writes the networks is installed.

    Raises:
        FacewarpError: it is not; says how to install it.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise FacewarpError(
            f"writing the page's networks needs {' and '.join(missing)}, which is not installed",
            fix=f"Install {'it' if len(missing) == 1 else 'them'}: {install_command(*missing)}",
        )


def registration_network(model: Model) -> bytes:
    """Write the network of one crop: its parts, and the field of one direction or of both.

    Made of the model's 8-bit weights, with the ranges that they were calibrated with on faces.

    Args:
        model: a face model with 8-bit weights beside it.

    Returns:
        ONNX: ``images`` (1, 1, 320, 260), ``template`` (1, 8, h, w) and ``ways`` (n), 0 for the
        crop fixed and 1 for the template fixed, to ``parts`` (1, 8, h, w) and ``fields``
        (n, 2, h, w).

    Raises:
        FacewarpError: a package is missing, or the model has no 8-bit weights.
    """
    check_packages()
    parts, fields = _eight_bit_graphs(model, ("parts", "fields"))
    joined = join(parts, fields, "chosen")
    joined.reshape({port: [1, *list(port.get_partial_shape())[1:]] for port in joined.inputs})
    free = {"ways": "ways", "fields": "ways"}
    return to_onnx(joined, "registration", metadata_of(model, "registration"), free)


def matte_network(model: Model) -> bytes:
    """Write the network of what hides a face, see `facewarp.face.occlusion`.

    Args:
        model: with 8-bit weights beside it.

    Returns:
        ONNX: ``images`` (1, 3, 160, 132) RGB in 0..1 to ``parts`` (1, 2, 160, 132), how much of
        each px is hidden and how much is face.

    Raises:
        FacewarpError: a package is missing, or the model has no 8-bit weights.
    """
    check_packages()
    (parts,) = _eight_bit_graphs(model, ("parts",))
    parts.reshape([1, *list(parts.input(0).get_partial_shape())[1:]])
    return to_onnx(parts, "matte", metadata_of(model, "parts"))


def _eight_bit_graphs(model: Model, names: Sequence[str]) -> list[Any]:
    """Read graphs of a model's 8-bit weights."""
    if model.int8 is None:
        raise FacewarpError(
            "the page runs on 8-bit weights, and this model has none",
            model.path,
            "Make some: facewarp export --int8.",
        )
    try:
        return [core().read_model(model.int8 / f"{name}.xml") for name in names]
    except RuntimeError as error:
        raise FacewarpError(
            "the 8-bit weights can't be read", model.int8, "Make them anew: facewarp export --int8."
        ) from error


def detector_network() -> bytes:
    """Write the face detector: 128 x 128 px of RGB in -1..1 to boxes about 896 anchors and scores.

    Raises:
        FacewarpError: a package is missing.
    """
    check_packages()
    model = core().read_model(str(Path(str(files("facewarp.assets"))) / MODEL))
    model.reshape([1, SIZE, SIZE, 3])
    return to_onnx(model, "blazeface", {"source": MODEL, "licence": "Apache-2.0"})

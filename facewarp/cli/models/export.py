"""`facewarp export`: write a model for other programs, or 8-bit weights."""

from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.model_options import known_model
from facewarp.cli.option_groups import existing
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    import torch

    from facewarp.core.model import Model

MOST_FACES = 300
MARGINS = (1.7, 2.0, 2.3)


class Format(StrEnum):
    """Formats of exported models."""

    onnx = "onnx"
    openvino = "openvino"
    torchscript = "torchscript"
    pt2 = "pt2"


class GraphName(StrEnum):
    """Parts of the method that a file can hold."""

    pair = "pair"
    both_ways = "both_ways"
    parts = "parts"
    fields = "fields"


def export(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A shipped name or a weights file.", callback=known_model)
    ] = "face",
    format: Annotated[
        Format, typer.Option(metavar="NAME", help="onnx, openvino, torchscript or pt2.")
    ] = Format.onnx,
    graph: Annotated[
        GraphName,
        typer.Option(
            metavar="NAME",
            help="pair: two images to a field; both_ways: an image and a template to two fields; "
            "parts: an image to its parts; fields: parts of two to a field.",
        ),
    ] = GraphName.pair,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", show_default="MODEL-GRAPH", help="To write."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="A folder of 8-bit weights for OpenVINO instead.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            callback=existing,
            help="Photographs whose faces the 8-bit ranges are learnt from.",
            show_default="the demo clip",
        ),
    ] = None,
) -> None:
    """Write a model for other programs, with its configuration and the weights' hash inside.

    pt2 is what torch.export saves; ExecuTorch starts from it. --int8 writes a folder named int8:
    put it beside the weights file, and --engine openvino-int8 runs it.

    Examples:
      facewarp export face --format onnx --out face.onnx
      facewarp export face --format openvino --graph both_ways
      facewarp export mine.safetensors --int8 --calibrate photos/ --out int8
    """
    if calibrate is not None and not int8:
        raise typer.BadParameter("only --int8 is calibrated.", param_hint="--calibrate")
    output = output_of(ctx)

    from facewarp.core.export import export_model
    from facewarp.core.model import load

    loaded = load(model)
    if int8:
        target = _quantize(output, loaded, calibrate, out or Path("int8"))
    else:
        name = Path(model).stem if loaded.path is None else Path(model).name.split(".")[0]
        output.say(f"Converting {cell(name)} ({graph}) to {format}; this may take a minute ...")
        target = export_model(loaded, out or Path(f"{name}-{graph}"), format.value, graph.value)
    result = {"output": target, "format": "int8" if int8 else format, "graph": graph}
    output.emit_json({**result, "weights_sha256": loaded.sha256})
    output.say(f"Written: {cell(target)}")


def _quantize(output: Output, model: "Model", photographs: Path | None, folder: Path) -> Path:
    import torch

    from facewarp.core.engines.quantization import need_nncf, quantize
    from facewarp.core.export import metadata_of
    from facewarp.core.model import template_guidance
    from facewarp.face.template.template import Template

    if model.config.kind != "face":
        what = "8-bit weights are made of face models"
        raise FacewarpError(what, model.path, "Give a face model, or leave --int8 out.")
    need_nncf()  # before the faces are looked for, which takes its time
    images, origin = _calibration_faces(photographs)
    guidance = template_guidance(model, Template.load("average").probabilities)
    template = torch.from_numpy(guidance)
    about = {**metadata_of(model, "parts, fields"), "calibration": f"{len(images)} {origin}"}
    output.say(f"Learning ranges from {len(images)} crops; this takes some minutes ...")
    return quantize(model.net, images, template, folder, about)


def _calibration_faces(photographs: Path | None) -> "tuple[torch.Tensor, str]":
    """Return crops (N, 1, 320, 260) of the faces in a folder's images, or of the demo clip's."""
    import numpy as np
    import torch

    from facewarp.face.crop import Crop
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.sources import open_source

    path = photographs or Path(str(resources.files("facewarp.assets"))) / "demo" / "astronaut.mp4"
    crops: list[Any] = []
    with FaceTracker(engine="torch") as tracker, open_source(path) as source:
        every = 1 if photographs else 8
        for frame in source:
            if frame.index % every or len(crops) >= MOST_FACES:
                continue
            tracker.reset()
            for face in tracker(frame.image):
                margin = MARGINS[len(crops) % len(MARGINS)]
                crop = Crop.around_points(face.landmarks, margin=margin)
                crops.append(crop.extract_gray(frame.image))
    if not crops:
        raise FacewarpError("no face was found to learn ranges from", path, "Give photographs.")
    name = f"faces of {path.resolve().name}"
    return torch.from_numpy(np.stack(crops)).float()[:, None] / 255, name

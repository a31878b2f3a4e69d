"""Options of commands that run a model on faces: by what, where and how thoroughly."""

from typing import Annotated

import typer

Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="What runs the model: auto, torch, onnx, openvino, openvino-int8."
    ),
]
Device = Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, mps.")]
Thorough = Annotated[
    bool,
    typer.Option(
        "--thorough",
        help="Look at every face four times, mirrored and from nearer: more exact, slower.",
    ),
]

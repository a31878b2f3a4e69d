"""Options of ``facewarp train``, which its commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Preset = Annotated[
    str | None,
    typer.Option(
        help="face; paper, paper-unguided, paper-shared, paper-single, paper-pretrained or "
        "paper-diffeomorphic.",
        show_default="face",
    ),
]
HeartPreset = Annotated[
    str | None,
    typer.Option(help="acdc, acdc-paper or acdc-paper-unguided.", show_default="acdc"),
]
HeartOut = Annotated[
    Path | None, typer.Option(help="The run's folder.", show_default="runs/PRESET")
]
Out = Annotated[
    Path | None, typer.Option(help="The run's folder.", show_default="runs/DATA-PRESET")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a setting, e.g. lr=1e-3; may be repeated."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Start = Annotated[
    str | None,
    typer.Option(
        "--start-from",
        metavar="MODEL",
        help="Begin with a trained model's weights: a shipped name or a .safetensors file.",
        show_default="random weights",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Optimisation steps; fewer take the same course of the learning rate, only faster.",
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        help="Rounds through the data, in place of --steps; of the paper's presets the learning "
        "rate falls by 3 % in each.",
        show_default="300 in the paper's",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="full|half|quarter",
        help="Work on a coarser picture, for a smaller machine; the paper's presets.",
        show_default="full",
    ),
]
Device = Annotated[str, typer.Option(help="Where to train: cpu or cuda.")]
Extra = Annotated[
    list[Path] | None,
    typer.Option(help="Further NAME.jpg with NAME.pts to train on; may be repeated."),
]
Workers = Annotated[int, typer.Option(min=1, help="Threads that make batches.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of torch.", show_default="torch's own")
]
Validation = Annotated[
    bool, typer.Option("--validate/--no-validate", help="Keep every 24th photograph to check with.")
]
Choosing = Annotated[
    bool,
    typer.Option(
        "--validate/--no-validate", help="Choose the weights with patients 15 to 17 of every 20."
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Of weights, pairs and augmentation.")]


@dataclass(frozen=True)
class Choices:
    """What the options of a command say of a run."""

    folder: Path
    preset: str | None
    settings: list[str]
    epochs: float | None
    size: str | None
    resume: bool
    start_from: str | None = None

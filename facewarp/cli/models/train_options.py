"""Options of `facewarp train`, in groups that its commands share."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facewarp.cli.model_options import Threads, known_model
from facewarp.cli.option_groups import existing, number_within
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.run import Kind, RunOptions

Extra = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        callback=existing,
        help="Further NAME.jpg with NAME.pts to train on; may be repeated.",
    ),
]


def parse_held_out(text: str | range) -> range:
    """Parse numbers of patients among 20, "18-20"."""
    if isinstance(text, range):
        return text
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    first, last = (int(n or found[1]) for n in found.groups()) if found else (0, 0)
    if not 1 <= first <= last <= 20 or last - first > 18:
        raise typer.BadParameter(f"{text!r} is not a part of 1-20, such as 18-20")
    return range(first, last + 1)


@dataclass(frozen=True)
class RunChoice:
    """Options of a training run: preset, folder, start and end."""

    preset: Annotated[
        str | None,
        typer.Option(
            help="face; face-details for the part network of eyes and mouth; paper, "
            "paper-unguided, paper-shared, paper-single, paper-pretrained or paper-diffeomorphic.",
            show_default="face",
        ),
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="The run's folder.", show_default="runs/DATA-PRESET")
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting, e.g. lr=1e-3; may be repeated."
        ),
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out.")] = False
    start: Annotated[
        str | None,
        typer.Option(
            "--start-from",
            metavar="MODEL",
            callback=known_model,
            help="Start with a trained model's weights: a shipped name or a .safetensors file.",
            show_default="random weights",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Optimisation steps; fewer follow the same learning-rate schedule, only faster.",
        ),
    ] = None
    epochs: Annotated[
        float | None,
        typer.Option(
            parser=number_within(0.001, math.inf),
            metavar="N",
            help="Epochs, in place of --steps; of the paper's presets the "
            "learning rate falls by 3 % in each.",
            show_default="300 in the paper's",
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Train on coarser images, for a smaller machine: full, half, quarter; the paper's "
            "presets.",
            show_default="full",
        ),
    ] = None

    def options(self, kind: "Kind", data: str, process: "ProcessChoice") -> "RunOptions":
        """Return the options of a run.

        Args:
            kind: of the model.
            data: name of the dataset, for the folder of a run that has none.
            process: how the run is computed.

        Raises:
            FacewarpError: a setting is not of the form KEY=VALUE.
        """
        from facewarp.training.config.overrides import parse_settings
        from facewarp.training.run import RunOptions

        named = {"steps": self.steps, "seed": process.seed}
        given = [f"{key}={value}" for key, value in named.items() if value is not None]
        return RunOptions(
            folder=self.out or self.folder(data),
            kind=kind,
            preset=self.preset,
            settings=parse_settings([*(self.settings or []), *given]),
            epochs=self.epochs,
            size=self.size,
            resume=self.resume,
            start_from=self.start,
            workers=process.workers,
            device=process.device,
        )

    def check(self, data: str) -> None:
        """Refuse to go on with a run of which there is no folder, before torch is imported.

        Raises:
            FacewarpError: there is none.
        """
        folder = self.out or self.folder(data)
        if self.resume and not folder.is_dir():
            raise FacewarpError("there is no run to resume", folder, "Train without --resume.")

    def folder(self, data: str) -> Path:
        """Return the folder of a run for which none is given."""
        return Path("runs") / f"{data}-{self.preset or 'face'}"


@dataclass(frozen=True)
class OcclusionRunChoice(RunChoice):
    """Options of the training run of an occlusion network."""

    preset: Annotated[
        str | None, typer.Option(help="face-occlusion.", show_default="face-occlusion")
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="The run's folder.", show_default="runs/PRESET")
    ] = None

    def folder(self, data: str) -> Path:
        """Return the folder of a run for which none is given."""
        return Path("runs") / (self.preset or "face-occlusion")


@dataclass(frozen=True)
class HeartRunChoice(RunChoice):
    """Options of the training run of a heart model."""

    preset: Annotated[
        str | None,
        typer.Option(
            help="acdc, acdc-slices, acdc-paper or acdc-paper-unguided.", show_default="acdc"
        ),
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="The run's folder.", show_default="runs/PRESET")
    ] = None

    def folder(self, data: str) -> Path:
        """See `RunChoice`."""
        return Path("runs") / (self.preset or data)


@dataclass(frozen=True)
class ProcessChoice:
    """Options of how the run is computed, and of its validation."""

    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Threads that make batches.")] = 1
    threads: Threads = None
    validate: Annotated[
        bool,
        typer.Option("--validate/--no-validate", help="Keep every 24th photograph for validation."),
    ] = True
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Seed of weights, pairs and augmentation."),
    ] = None
    device: Annotated[str, typer.Option(help="Where to train: cpu or cuda.")] = "cpu"


@dataclass(frozen=True)
class HeartProcessChoice(ProcessChoice):
    """Options of how the run of a heart model is computed, and of its validation."""

    validate: Annotated[
        bool,
        typer.Option(
            "--validate/--no-validate",
            help="Choose the weights with patients 15 to 17 of every 20.",
        ),
    ] = True

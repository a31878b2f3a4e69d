"""`facewarp train baseline`: train a baseline of the paper's tables."""

import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from facewarp.cli.console import Output, output_of
from facewarp.cli.models.train_baseline_network import train_network
from facewarp.cli.option_groups import existing
from facewarp.errors import FacewarpError


class Baseline(StrEnum):
    """Baselines that are trained."""

    ESR = "esr"
    SPLINE_FLOWNET = "spline-flownet"
    FLOWNETS = "flownets"
    FLOWNETC = "flownetc"
    VOXELMORPH = "voxelmorph"
    KREBS = "krebs"


FACES = (Baseline.SPLINE_FLOWNET, Baseline.FLOWNETS, Baseline.FLOWNETC)


def baseline(
    ctx: typer.Context,
    name: Annotated[Baseline, typer.Argument(help="Which baseline.")],
    data: Annotated[
        Path,
        typer.Option(
            callback=existing,
            help="As for train helen: NAME.jpg with NAME.pts, or trainset/; of voxelmorph and "
            "krebs as for train acdc: patients' folders.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The run's folder.", show_default="runs/baseline-NAME")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Optimisation steps of networks.", show_default="4000; on hearts 5000"
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Pairs a step.", show_default="8; on hearts 1")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            min=2, help="Channels of a FlowNet's first layer; theirs had 64.", show_default="16"
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(min=0.0, help="First learning rate.", show_default="0.001; on hearts 0.006"),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(help="muon, adamw or adam.", show_default="adamw; on hearts muon"),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="bfloat16: quicker on processors with units for it.", show_default="float32"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that make batches.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights, views and ferns.", show_default="0")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the network in --out.")
    ] = False,
) -> None:
    """Train a baseline that `facewarp eval helen|acdc --methods` then finds.

    esr: explicit shape regression of the 68 points, minutes. spline-flownet: FlowNet's
    correlation with spline control points, by labels. flownets, flownetc: optical flow on
    randomly warped images, without labels. Photographs are those of train helen.
    voxelmorph, krebs: registration of hearts, without labels, on the patients of train acdc.

    Example: facewarp train baseline voxelmorph --data acdc --steps 5000
    """
    output = output_of(ctx)
    folder = out or Path("runs") / f"baseline-{name.value}"
    if resume and not folder.is_dir():
        raise FacewarpError("there is no run to resume", folder, "Train without --resume.")

    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    began = time.perf_counter()
    chosen = {"steps": steps, "batch": batch, "lr": lr, "optimizer": optimizer}
    chosen |= {"precision": precision, "seed": seed, "width": width}
    given = {key: value for key, value in chosen.items() if value is not None}
    if name is Baseline.ESR:
        path = _train_esr(output, data, folder, given, resume)
    else:
        of_faces = name in FACES
        path = train_network(output, name.value, of_faces, data, folder, given, resume, workers)
    seconds = time.perf_counter() - began
    output.emit_json({"baseline": name, "weights": path, "seconds": seconds})
    output.say(f"Trained in {seconds / 60:.1f} min.\nWeights: {escape(str(path))}")


def _train_esr(
    output: Output, data: Path, folder: Path, given: Mapping[str, Any], resume: bool
) -> Path:
    from facewarp.core.weights import WEIGHTS
    from facewarp.training.baselines.faces.shape_regression import (
        FernSettings,
        train_shape_regression,
    )
    from facewarp.training.dataloading.face_data import helen_training_data

    unknown = sorted(given.keys() - {"seed"})
    if resume or unknown:
        word = "--resume" if resume else f"--{unknown[0]}"
        raise FacewarpError(f"esr takes no {word}", word, "It begins anew, in minutes: leave out.")
    output.say("Reading photographs ...")
    found = helen_training_data(data, hold_out=False)
    photos = [photo for some in found.sets for photo in some]
    output.say(f"Training [bold]esr[/] on {escape(found.description)}, into {escape(str(folder))}")
    folder.mkdir(parents=True, exist_ok=True)
    settings = FernSettings(**given)
    with output.progress("training", total=settings.stages, unit="stages") as advance:
        trained = train_shape_regression(photos, settings, lambda said: advance(description=said))
    path = folder / WEIGHTS
    trained.save(path, {"training_data": found.description})
    return path

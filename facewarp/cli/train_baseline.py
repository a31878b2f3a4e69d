"""``facewarp train baseline``: train a rival of the paper's table."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from facewarp.cli.console import Output, output_of
from facewarp.cli.train_heart_baseline import train_heart_rival
from facewarp.errors import FacewarpError


class Baseline(StrEnum):
    """Rivals that learn."""

    ESR = "esr"
    SPLINE_FLOWNET = "spline-flownet"
    FLOWNETS = "flownets"
    FLOWNETC = "flownetc"
    VOXELMORPH = "voxelmorph"
    KREBS = "krebs"


HEARTS = (Baseline.VOXELMORPH, Baseline.KREBS)
FACE_STEPS, FACE_BATCH, FACE_LR = 4000, 8, 1e-3


def baseline(
    ctx: typer.Context,
    name: Annotated[Baseline, typer.Argument(help="Which rival.")],
    data: Annotated[
        Path,
        typer.Option(
            help="As for train helen: NAME.jpg with NAME.pts, or trainset/; of voxelmorph and "
            "krebs as for train acdc: patients' folders."
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
        int, typer.Option(min=2, help="Channels of a FlowNet's first layer; theirs had 64.")
    ] = 16,
    lr: Annotated[
        float | None,
        typer.Option(min=0.0, help="First learning rate.", show_default="0.001; on hearts 0.006"),
    ] = None,
    optimizer: Annotated[
        str, typer.Option(help="On hearts: muon, adamw or adam; others learn by Adam.")
    ] = "muon",
    workers: Annotated[int, typer.Option(min=1, help="Threads that make batches.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, views and ferns.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, on hearts.")
    ] = False,
) -> None:
    """Train a rival that `facewarp eval helen|acdc --methods` then finds.

    esr: explicit shape regression of the 68 points, minutes. spline-flownet: FlowNet's
    correlation with spline control points, by labels. flownets, flownetc: optical flow on
    pictures that are bent at random, without labels. Photographs are those of train helen.
    voxelmorph, krebs: registration of hearts, without labels, on the patients of train acdc.

    Example: facewarp train baseline voxelmorph --data acdc --steps 5000
    """
    import torch

    from facewarp.training.face_data import helen_training_data
    from facewarp.training.files import write_json

    output = output_of(ctx)
    folder = out or Path("runs") / f"baseline-{name.value}"
    if threads is not None:
        torch.set_num_threads(threads)
    if name in HEARTS:
        chosen = {"steps": steps, "batch": batch, "lr": lr, "optimizer": optimizer, "seed": seed}
        train_heart_rival(output, name.value, data, folder, chosen, resume, workers)
        return
    if resume:
        fix = f"--resume is of {' and '.join(HEARTS)}; the others begin anew."
        raise FacewarpError(f"{name.value} can't be resumed", "--resume", fix)
    output.say("Reading photographs ...")
    found = helen_training_data(data, hold_out=False)
    photos = [photo for some in found.sets for photo in some]
    about = {"training_data": found.description}
    output.say(f"Training [bold]{name.value}[/] on {found.description}, into {folder}")
    began = time.perf_counter()
    path = folder / "model.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    if name is Baseline.ESR:
        _train_esr(output, photos, path, about, seed)
    else:
        settings: dict[str, Any] = {
            "steps": steps or FACE_STEPS,
            "batch": batch or FACE_BATCH,
            "width": width,
            "lr": FACE_LR if lr is None else lr,
            "seed": seed,
        }
        write_json(folder / "config.json", {"baseline": name.value, **settings, "about": about})
        _train_network(output, name.value, photos, path, about, workers, settings)
    seconds = time.perf_counter() - began
    output.emit_json({"baseline": name, "weights": path, "seconds": seconds})
    output.say(f"Trained in {seconds / 60:.1f} min.\nWeights: {escape(str(path))}")


def _train_esr(
    output: Output, photos: list[Any], path: Path, about: dict[str, str], seed: int
) -> None:
    from facewarp.training.baselines.shape_regression import FernSettings, train_shape_regression

    settings = FernSettings(seed=seed)
    with output.progress("training", total=settings.stages, unit="stages") as advance:
        trained = train_shape_regression(photos, settings, lambda said: advance(description=said))
    trained.save(path, about)


def _train_network(
    output: Output,
    name: str,
    photos: list[Any],
    path: Path,
    about: dict[str, str],
    workers: int,
    settings: dict[str, Any],
) -> None:
    import torch

    from facewarp.training.augment import AugmentConfig
    from facewarp.training.baselines import network_training as rivals
    from facewarp.training.baselines.objectives import objective_of
    from facewarp.training.batches import FaceBatches

    torch.manual_seed(settings["seed"])
    built = rivals.settings_of(name, settings["width"])
    net = rivals.build(name, built)
    views = AugmentConfig.as_tested(1)
    batches = FaceBatches(
        [photos], settings["batch"], views, seed=settings["seed"], workers=workers
    )
    loss = objective_of(net, batches, settings["seed"])
    steps = settings["steps"]
    with output.progress("training", total=steps * settings["batch"], unit="pairs") as advance:

        def watch(step: int, value: float) -> None:
            advance(settings["batch"], description=f"step {step}, loss {value:.3f}")

        rivals.train_network(
            net, loss, batches, path.parent, steps=steps, lr=settings["lr"], advance=watch
        )
    rivals.save_network(net, name, built, path, {**about, "steps": str(steps)})

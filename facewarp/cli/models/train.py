"""``facewarp train``: train a face or heart model, watch it, interrupt it and go on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.models.train_baseline import baseline
from facewarp.cli.models.train_options import (
    Choices,
    Choosing,
    Device,
    Epochs,
    Extra,
    HeartOut,
    HeartPreset,
    Out,
    Preset,
    Resume,
    Seed,
    Settings,
    Size,
    Start,
    Steps,
    Threads,
    Validation,
    Workers,
)
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.core.networks.guided_registration import GuidedRegistration
    from facewarp.training.config.train_config import TrainConfig
    from facewarp.training.dataloading.face_data import FaceData
    from facewarp.training.dataloading.heart_data import HeartData
    from facewarp.training.distributed import ProcessGroup
    from facewarp.training.run import RunResult
    from facewarp.training.trainer import StepReport, Trainer, Validate

    Read = Callable[[TrainConfig], FaceData | HeartData]

train = typer.Typer(help="Train a model on annotated photographs or scans.", no_args_is_help=True)
train.command()(baseline)


@train.command()
def helen(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            help="NAME.jpg with NAME.pts, Smith's layout, or a folder with trainset/ and afw/."
        ),
    ],
    preset: Preset = None,
    out: Out = None,
    settings: Settings = None,
    resume: Resume = False,
    start: Start = None,
    steps: Steps = None,
    epochs: Epochs = None,
    size: Size = None,
    extra: Extra = None,
    celebamask: Annotated[
        Path | None, typer.Option(help="Train on CelebAMask-HQ's images/ and masks/ too.")
    ] = None,
    celebamask_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the views from --celebamask.")
    ] = 0.3,
    workers: Workers = 1,
    threads: Threads = None,
    validate: Validation = True,
    seed: Seed = None,
    device: Device = "cpu",
) -> None:
    """Train on photographs with 68 points, or with Smith's part labels of Helen.

    Of a folder with trainset/ and afw/ in it both are trained on, and nothing else. Every 24th
    photograph of the training set is kept for validation; a test set is never read.
    """

    def photographs(_: "TrainConfig") -> "FaceData":
        from facewarp.training.dataloading.face_data import helen_training_data

        return helen_training_data(
            data,
            extra=extra or (),
            celebamask=celebamask,
            celebamask_share=celebamask_share,
            hold_out=validate,
        )

    folder = out or Path("runs") / f"helen-{preset or 'face'}"
    choices = Choices(folder, preset, _options(settings, steps, seed), epochs, size, resume, start)
    _train(output_of(ctx), choices, photographs, workers, threads, device)


@train.command("celebamask")
def celebamask_(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="A folder with images/ and masks/, or with such a train/ in it.")
    ],
    preset: Preset = None,
    out: Out = None,
    settings: Settings = None,
    resume: Resume = False,
    start: Start = None,
    steps: Steps = None,
    epochs: Epochs = None,
    size: Size = None,
    extra: Extra = None,
    workers: Workers = 1,
    threads: Threads = None,
    validate: Validation = True,
    seed: Seed = None,
    device: Device = "cpu",
) -> None:
    """Train on photographs of CelebAMask-HQ, with their masks made by hand.

    Every 24th photograph is kept for validation; val/ is never read.
    """

    def photographs(_: "TrainConfig") -> "FaceData":
        from facewarp.training.dataloading.face_data import celebamask_training_data

        return celebamask_training_data(data, extra=extra or (), hold_out=validate)

    folder = out or Path("runs") / f"celebamask-{preset or 'face'}"
    choices = Choices(folder, preset, _options(settings, steps, seed), epochs, size, resume, start)
    _train(output_of(ctx), choices, photographs, workers, threads, device)


@train.command()
def acdc(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="The challenge's patients: folders with Info.cfg, at any depth.")
    ],
    preset: HeartPreset = None,
    out: HeartOut = None,
    settings: Settings = None,
    resume: Resume = False,
    start: Start = None,
    steps: Steps = None,
    epochs: Epochs = None,
    size: Size = None,
    workers: Workers = 1,
    threads: Threads = None,
    validate: Choosing = True,
    seed: Seed = None,
    device: Device = "cpu",
) -> None:
    """Train on cine MRI of ACDC: end-diastole and end-systole, with their labels.

    Of every 20 patients 1 to 14 are trained on and 15 to 17 choose the weights. 18 to 20 and the
    challenge's own test patients, 101 to 150, are never read.
    """

    def patients(config: "TrainConfig") -> "HeartData":
        from facewarp.training.dataloading.heart_data import heart_training_data

        return heart_training_data(data, config.model, hold_out=validate)

    folder = out or Path("runs") / (preset or "acdc")
    choices = Choices(folder, preset, _options(settings, steps, seed), epochs, size, resume, start)
    _train(output_of(ctx), choices, patients, workers, threads, device, "heart")


def _options(settings: list[str] | None, steps: int | None, seed: int | None) -> list[str]:
    named = {"steps": steps, "seed": seed}
    return [*(settings or []), *(f"{k}={v}" for k, v in named.items() if v is not None)]


def _train(
    output: Output,
    choices: Choices,
    read: "Read",
    workers: int,
    threads: int | None,
    device: str,
    kind: str = "face",
) -> None:
    """What all commands do: read, train, tell; in each process of a team."""
    import torch

    from facewarp.system.memory import keep_freed_memory
    from facewarp.training.distributed import ProcessGroup

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    team = ProcessGroup.join(device)
    if not team.leads:
        output = Output(quiet=True)
    try:
        _train_in(team, output, choices, read, workers, device, kind)
    finally:
        team.leave()


def _train_in(
    team: "ProcessGroup",
    output: Output,
    choices: Choices,
    read: "Read",
    workers: int,
    device: str,
    kind: str,
) -> None:
    from facewarp.core.engines.device import present_device
    from facewarp.core.weights import find_weights, load_weights
    from facewarp.training.config.overrides import parse_settings
    from facewarp.training.optimizer import learning_rate
    from facewarp.training.run import (
        for_epochs,
        prepare,
        result_of,
        run_config,
        trained_on,
        wastes_matrix_units,
    )

    present_device(device)  # what is not there is said before all that is to be read
    folder, resume = choices.folder, choices.resume
    settings = parse_settings(choices.settings)
    if choices.epochs is not None and "steps" in settings:
        what = "steps and epochs both say how long to train"
        raise FacewarpError(what, "--epochs", "Give one of them.")
    if resume and choices.start_from is not None:
        what = "a run that is resumed has weights of its own"
        raise FacewarpError(what, "--start-from", "Give one of the two.")
    config = run_config(
        folder,
        choices.preset,
        settings,
        resume=resume,
        kind=kind,
        default="face" if kind == "face" else "acdc",
        size=choices.size,
    )
    if choices.start_from is not None:
        load_weights(find_weights(choices.start_from))
    what = "photographs" if kind == "face" else "patients"
    output.say(f"Reading {what} ...")
    data = read(config)
    before = trained_on(folder) if resume else None
    if before not in (None, data.description):
        output.warn(f"the run was begun with {before}; now it is {data.description}")
    if choices.epochs is not None:
        config = for_epochs(config, choices.epochs, data.size, team.size)
    trainer = prepare(
        config,
        data,
        folder,
        resume=resume,
        workers=workers,
        team=team,
        device=device,
        start_from=choices.start_from,
    )
    together = f" in each of {team.size} processes" if team.size > 1 else ""
    output.say(
        f"Training preset [bold]{config.preset}[/] on {data.description}: {config.steps} steps of "
        f"{config.batch} pairs{together}"
        f"{f', from step {trainer.step} on' if resume else ''}, into {cell(folder)}"
    )
    rounds = config.steps * config.batch * team.size / data.size
    first, last = (learning_rate(config, step) for step in (config.warmup, config.steps - 1))
    output.say(
        f"That is {rounds:.3g} rounds through them; the learning rate is {first:.2g} at first and "
        f"{last:.2g} at last."
    )
    if wastes_matrix_units(config, device):
        output.say("This processor trains about 1.5 times as fast with --set precision=bfloat16.")
    if data.held_out:
        output.say(
            f"Validating on {len(data.held_out)} {what} of the training set that are kept out of "
            "training; the test set is not touched."
        )
    began = time.perf_counter()
    _run(output, trainer, data)
    if team.leads:
        result = result_of(trainer, time.perf_counter() - began)
        output.emit_json(result)
        output.say(_ending(result))


def _validator(data: "FaceData | HeartData", config: "TrainConfig", folder: Path) -> "Validate":
    from facewarp.training.dataloading.face_data import FaceData

    if isinstance(data, FaceData):
        from facewarp.training.validation.faces import Validator

        return Validator(data.held_out, folder)
    from facewarp.training.validation.hearts import HeartValidator

    return HeartValidator(data.held_out, folder, whole=not config.view_shape)


def _run(output: Output, trainer: "Trainer", data: "FaceData | HeartData") -> None:
    config = trainer.config
    checks = data.held_out and trainer.team.leads
    validator = _validator(data, config, trainer.folder) if checks else None

    def validate(net: "GuidedRegistration", step: int) -> dict[str, float]:
        assert validator is not None
        scores = validator(net, step)
        best = "" if scores["dice_mean"] < trainer.best else ", the best so far"
        px, mm = scores.get("contour_px"), scores.get("hd95_mm")
        own = f", own parts {scores['parts_dice']:.1f}" if config.model.guided else ""
        away = f"contour {px:.2f} px" if px is not None else f"HD95 {mm:.1f} mm"
        _tell(
            output,
            f"step {step}: validation Dice {scores['dice_mean']:.1f} (unregistered "
            f"{scores['dice_initial']:.1f}{own}), {away}, "
            f"folds {scores['folds_percent']:.2f} %{best}",
        )
        return scores

    total = config.batch * (config.steps - trainer.step)
    with output.progress("training", total=max(total, 0), unit="pairs") as advance:
        times: list[float] = []

        def watch(report: "StepReport") -> None:
            loss = report.terms["loss"]
            advance(config.batch, description=f"step {report.step}, loss {loss:.3f}")
            times.append(report.seconds)
            if report.step % config.checkpoint_every == 0:
                if not output.stderr.is_terminal:  # no bar is drawn there
                    speed = config.batch * len(times) / sum(times)
                    _tell(output, f"step {report.step}: loss {loss:.3f}, {speed:.1f} pairs/s")
                times.clear()

        trainer.run(validate if validator else None, watch)


def _tell(output: Output, text: str) -> None:
    """Say something while the bar is drawn: on its console, which moves it out of the way."""
    if not output.quiet:
        output.stderr.print(text, soft_wrap=True)


def _ending(result: "RunResult") -> str:
    best = result.best_validation_dice
    dice = f", best validation Dice {best:.2f}" if best == best else ""
    minutes = (
        f"{result.seconds / 60:.0f} min" if result.seconds >= 90 else f"{result.seconds:.0f} s"
    )
    return (
        f"Trained {result.steps} steps in {minutes}{dice}.\n"
        f"Weights: {result.weights} (sha256 {result.weights_sha256[:12]})"
    )

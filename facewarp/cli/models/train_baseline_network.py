"""``facewarp train baseline`` of the rivals that are networks, on faces and hearts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.markup import escape

from facewarp.cli.console import Output


def train_network(
    output: Output,
    name: str,
    of_faces: bool,
    data: Path,
    folder: Path,
    given: Mapping[str, Any],
    resume: bool,
    workers: int,
) -> Path:
    """Train, or go on training, and tell.

    Args:
        output: what is told, where.
        name: the rival.
        of_faces: it is of faces; of hearts otherwise.
        data: photographs or patients.
        folder: of the run.
        given: settings that are not to be the rival's own; with ``resume`` only steps count.
        resume: go on with the run in ``folder``.
        workers: threads that make batches.

    Returns:
        The weights file.
    """
    from facewarp.training.baselines.faces import networks as face_networks
    from facewarp.training.baselines.hearts import networks as heart_networks
    from facewarp.training.baselines.network_training import begun_with

    kind: ModuleType = face_networks if of_faces else heart_networks
    if resume:
        settings, built_with = begun_with(folder, name, given.get("steps"))
        net = kind.build(name, built_with)
    else:
        own = {key: value for key, value in given.items() if key != "width"}
        settings = replace(kind.DEFAULTS, **own)
        net = kind.new_network(name, settings, given.get("width"))
    output.say("Reading photographs ..." if of_faces else "Reading patients ...")
    found = kind.read_data(data)
    output.say(
        f"Training [bold]{name}[/] on {escape(found.description)}, into {escape(str(folder))}"
    )
    with output.progress("training", total=settings.steps, unit="steps") as advance:
        path: Path = kind.train(
            net,
            name,
            found,
            folder,
            settings,
            resume=resume,
            workers=workers,
            advance=lambda step, loss: advance(description=f"step {step}, loss {loss:.3f}"),
        )
    return path

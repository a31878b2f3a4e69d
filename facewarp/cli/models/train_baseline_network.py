"""`facewarp train baseline` of the baselines that are networks, on faces and hearts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from facewarp.cli.console import Output

if TYPE_CHECKING:
    from facewarp.training.baselines.network_family import NetworkFamily


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
    """Train a network, or resume its training, and print what is done.

    Args:
        output: where to print.
        name: of the baseline.
        of_faces: it registers faces; hearts otherwise.
        data: photographs or patients.
        folder: of the run.
        given: settings to change; with `resume` only steps count.
        resume: go on with the run in `folder`.
        workers: threads that make batches.

    Returns:
        The weights file.
    """
    from facewarp.training.baselines.faces.networks import FACE_NETWORKS
    from facewarp.training.baselines.hearts.networks import HEART_NETWORKS
    from facewarp.training.baselines.network_training import begun_with

    family: NetworkFamily[Any, Any] = FACE_NETWORKS if of_faces else HEART_NETWORKS
    if resume:
        settings, built_with = begun_with(folder, name, given.get("steps"))
        net = family.build(name, built_with)
    else:
        own = {key: value for key, value in given.items() if key != "width"}
        settings = replace(family.defaults, **own)
        net = family.new_network(name, settings, given.get("width"))
    output.say("Reading photographs ..." if of_faces else "Reading patients ...")
    found = family.read_data(data)
    output.say(
        f"Training [bold]{name}[/] on {escape(found.description)}, into {escape(str(folder))}"
    )
    with output.progress("training", total=settings.steps, unit="steps") as advance:
        path = family.train(
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

"""``facewarp train baseline voxelmorph|krebs``: train a rival of the paper's table of hearts."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from facewarp.cli.console import Output
from facewarp.errors import FacewarpError


def train_heart_rival(
    output: Output,
    name: str,
    data: Path,
    folder: Path,
    chosen: Mapping[str, Any],
    resume: bool,
    workers: int,
) -> None:
    """Train, or go on training, and tell; what isn't chosen (None) is the rival's own setting."""
    from facewarp.training.baselines import heart_networks as rivals
    from facewarp.training.heart_data import heart_training_data
    from facewarp.training.presets import PRESETS

    given = {key: value for key, value in chosen.items() if value is not None}
    settings = rivals.RivalSettings(**(_begun_with(folder, name, given) if resume else given))
    net = rivals.new_network(name, settings)
    output.say("Reading patients ...")
    found = heart_training_data(data, PRESETS["acdc"].model, hold_out=False)
    output.say(f"Training [bold]{name}[/] on {escape(found.description)}, into {folder}")
    began = time.perf_counter()
    with output.progress("training", total=settings.steps, unit="steps") as advance:
        path = rivals.train(
            net,
            name,
            found,
            folder,
            settings,
            resume=resume,
            workers=workers,
            advance=lambda step, loss: advance(description=f"step {step}, loss {loss:.3f}"),
        )
    seconds = time.perf_counter() - began
    output.emit_json({"baseline": name, "weights": path, "seconds": seconds})
    output.say(f"Trained in {seconds / 60:.1f} min.\nWeights: {escape(str(path))}")


def _begun_with(folder: Path, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings a run was begun with; only its steps may change."""
    from facewarp.training.baselines.heart_networks import CONFIG

    try:
        said = json.loads((folder / CONFIG).read_text("utf-8"))
        kept = {key: said[key] for key in ("steps", "batch", "lr", "optimizer", "seed")}
        if said["baseline"] != name:
            raise FacewarpError(f"the run is of {said['baseline']}", folder, "Name that rival.")
    except (OSError, ValueError, KeyError) as error:
        fix = "Train without --resume."
        raise FacewarpError("there is no run to resume", folder, fix) from error
    return {**kept, "steps": given.get("steps", kept["steps"])}

"""Release the network of what hides a face: 8-bit weights and model card.

``python -m facewarp.training.release.ship weights RUN face-occlusion --data celebamask helen afw``
copies the weights; ``python -m facewarp.training.release.occlusion int8 --data celebamask`` writes
the 8-bit weights beside them, with ranges from composites; ``... card SCORES.json`` their card,
from what ``facewarp.training.occlusion.evaluate`` printed of these weights.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facewarp.core.engines.quantization import quantize
from facewarp.core.model import load
from facewarp.core.weights import file_sha256, load_weights, shipped_weights
from facewarp.errors import FacewarpError
from facewarp.face.occlusion.network import OCCLUSION
from facewarp.system.atomic_files import write_text
from facewarp.training.occlusion.matte_data import matte_training_data, random_composite
from facewarp.training.release.model_card import SOURCES

_CALIBRATED_ON = 240


def write_int8(data: Path) -> Path:
    """Write the 8-bit weights of the shipped network.

    Args:
        data: CelebAMask-HQ, as for training.

    Returns:
        Their folder.

    Raises:
        FacewarpError: NNCF or OpenVINO is missing, or the data can't be read.
    """
    path = shipped_weights(OCCLUSION)
    photos = matte_training_data(data, hold_out=False).photos
    pictures = [
        random_composite(photos, np.random.default_rng([9, i])).image for i in range(_CALIBRATED_ON)
    ]
    images = torch.from_numpy(np.stack(pictures)).movedim(3, 1).float() / 255
    about = {"weights_sha256": file_sha256(path), "licence": load(path).metadata["licence"]}
    return quantize(load(path).net, images, None, path.with_name("int8"), about)


def write_card(scores: Path) -> Path:
    """Write the card of the shipped network.

    Args:
        scores: what the evaluation printed.

    Raises:
        FacewarpError: it can't be read, or is of other weights.
    """
    path = shipped_weights(OCCLUSION)
    net, metadata = load_weights(path)
    sha256 = file_sha256(path)
    try:
        found: dict[str, Any] = json.loads(scores.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FacewarpError("the evaluation can't be read", scores, f"{error}") from error
    if found.get("sha256") != sha256:
        raise FacewarpError("the evaluation is of other weights", scores, "Evaluate these.")
    count = sum(p.numel() for p in net.parameters())
    height, width = net.config.grid_shape
    facts = [
        ("file", "`model.safetensors`, fp16 kernels; `int8/` for OpenVINO"),
        ("sha256", f"`{sha256}`"),
        ("parameters", f"{count:,}"),
        ("input", f"{height}x{width} RGB: the face crop at half its size"),
        ("output", f"{height}x{width}: how much of each px is the face itself"),
        ("preset", f"`{metadata['preset']}`"),
        ("steps of training", metadata["step"]),
    ]
    learnt = [
        f"- **{SOURCES[key].title}.** {SOURCES[key].citation}. Terms: {SOURCES[key].terms}."
        for key in metadata["training_data"].split(", ")
    ]
    sections = [
        f"# {OCCLUSION}",
        "A U-Net that tells, on a tracker's crop of a face, which pixels show the face and which "
        "show hair, a hand, glasses, a microphone or another thing before it, so that what is "
        "drawn on the face stays behind them.",
        _table(facts),
        "## Learnt from",
        "\n".join(learnt),
        "Before these faces the project's own code drew hands, hair, glasses, microphones, cups, "
        "phones, cables, captions, masks and brims of known alpha "
        "(`facewarp.training.occlusion`); hair of other photographs was laid over them too.",
        f"## Licence\n\n{metadata['licence'].capitalize()}.",
        "## Limits\n\n"
        "- It has seen hands and things as drawings, and real ones only as far as photographs of "
        "the data sets show them. Rims of thin glasses, single hairs and cables are found in "
        "part.\n"
        "- Through clear lenses the face counts as seen; reflections and tints hide it in part.\n"
        "- It tells nobody apart, and is not made to.\n"
        "- The data sets don't say whom they show: whether it errs more for some than for others "
        "was not measured.",
        "## Measured\n\n"
        "Objects of other seeds before photographs that were not trained on; printed by "
        "`python -m facewarp.training.occlusion.evaluate`. Px within 4 px of the crop of a "
        "face's or its hair's outline are left out. In percent.",
        *(_scores(name, one) for name, one in found["sets"].items()),
    ]
    card = path.with_name("README.md")
    write_text(card, "\n\n".join(sections) + "\n")
    return card


def _scores(name: str, found: dict[str, Any]) -> str:
    rows = [
        ("**IoU of what is hidden**", f"**{found['iou']:.1f}**"),
        *((f"IoU, {kind}", f"{value:.1f}") for kind, value in found["iou_by_kind"].items()),
        ("false alarms, share of a free face", f"{found['false_alarms']:.2f}"),
        ("the same in made shadows and make-up", f"{found['false_alarms_in_light']:.2f}"),
        ("mean absolute error of the matte", f"{found['error']:.2f}"),
    ]
    heading = f"### {name}: {found['composites']} composites of {found['photographs']} photographs"
    return f"{heading}\n\n{_table(rows)}"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    int8 = commands.add_parser("int8", help="write the 8-bit weights")
    int8.add_argument("--data", type=Path, required=True, help="CelebAMask-HQ")
    card = commands.add_parser("card", help="write the model card")
    card.add_argument("scores", type=Path, help="what the evaluation printed")
    given = parser.parse_args(words)
    try:
        written = write_int8(given.data) if given.command == "int8" else write_card(given.scores)
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main()

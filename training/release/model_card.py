"""Model cards: training data, intended use and limits of a weights file."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from facewarp.core.config import ModelConfig
from facewarp.errors import FacewarpError

SAME_TENSORS: Final = "same_tensors_as"
"""What the hash of a weights file's first version is called in later ones, whose confidence curve
alone is another."""


@dataclass(frozen=True)
class DataSource:
    """A training dataset.

    Attributes:
        title: its name.
        citation: to give.
        terms: of its licence.
        kind: of the models it is for, ``"face"`` or ``"heart"``.
    """

    title: str
    citation: str
    terms: str
    kind: str = "face"


SOURCES = {
    "helen": DataSource(
        "Training photographs of Helen with the 68 points of iBUG",
        "V. Le, J. Brandt, Z. Lin, L. Bourdev, T. S. Huang: Interactive Facial Feature "
        "Localization, ECCV 2012; points: C. Sagonas et al.: 300 Faces In-The-Wild Challenge, "
        "Image and Vision Computing 47, 2016",
        "non-commercial research",
    ),
    "afw": DataSource(
        "AFW with the 68 points of iBUG",
        "X. Zhu, D. Ramanan: Face Detection, Pose Estimation, and Landmark Localization in the "
        "Wild, CVPR 2012; points: as for Helen",
        "non-commercial research",
    ),
    "celebamask": DataSource(
        "Training photographs of CelebAMask-HQ with masks made by hand",
        "C.-H. Lee, Z. Liu, L. Wu, P. Luo: MaskGAN: Towards Diverse and Interactive Facial Image "
        "Manipulation, CVPR 2020",
        "non-commercial research and education",
    ),
    "acdc": DataSource(
        "Training patients of the Automated Cardiac Diagnosis Challenge (ACDC)",
        "O. Bernard, A. Lalande, C. Zotti, F. Cervenansky et al.: Deep Learning Techniques for "
        "Automatic MRI Cardiac Multi-structures Segmentation and Diagnosis: Is the Problem "
        "Solved?, IEEE Transactions on Medical Imaging 37(11), 2018, doi 10.1109/TMI.2018.2837502",
        "CC BY-NC-SA 4.0",
        "heart",
    ),
}


@dataclass(frozen=True)
class CardText:
    """Text of the card of all models of a kind.

    Attributes:
        licence: of weights.
        about: description of such a model.
        seen: of the input, before its size.
        use: intended use.
        misuse: uses that are out of scope.
        limits: known weaknesses.
        measuring: evaluation protocol.
        rows: the rows of the table of an evaluation.
        command: the command that printed an evaluation of the model of a name.
        title: the title of an evaluation.
    """

    licence: str
    about: str
    seen: str
    use: str
    misuse: str
    limits: str
    measuring: str
    rows: Callable[[Mapping[str, Any]], dict[str, str]]
    command: Callable[[Mapping[str, Any], str], str]
    title: Callable[[Mapping[str, Any]], str]


def card_of_new_curve(card: str, before: str, after: str, first: str) -> str:
    """Return the card of weights whose confidence curve was fitted anew, and nothing else.

    Args:
        card: of the weights with the curve before.
        before: hash of that file.
        after: hash of the file with the new curve.
        first: hash of the file that the card's numbers were measured with.
    """
    row, is_told = f"| sha256 | `{before}` |\n", f"| tensors | {_tensors(first)} |\n"
    now = f"| sha256 | `{after}` |\n"
    return card.replace(row, now if is_told in card else now + is_told)


def card_of_new_section(card: str, before: str, section: str) -> str:
    """Return a card in which the section on a part network is another.

    Args:
        card: of the model that it belongs to.
        before: hash of the part network's file that the card tells of; any other card stays.
        section: the new one, from its heading on.
    """
    parts = re.split(r"\n\n(?=## )", card.rstrip("\n"))
    heading = section.partition("\n")[0]
    new = [section if one.startswith(heading + "\n") and before in one else one for one in parts]
    return "\n\n".join(new) + "\n"


def _tensors(first: str) -> str:
    """Tell of weights that differ from earlier ones by their confidence curve alone."""
    return (
        f"those of sha256 `{first[:8]}`, with which the numbers below were measured; the curve of "
        "the confidence alone is another, and no number below depends on it"
    )


def model_card(
    name: str,
    config: ModelConfig,
    metadata: Mapping[str, str],
    n_parameters: int,
    sha256: str,
    evaluations: Sequence[Mapping[str, Any]],
    text: CardText,
    more: str = "",
) -> str:
    """Write the Markdown card of shipped weights.

    Args:
        name: of the shipped weights.
        config: the network.
        metadata: of the weights file: preset, step, training_data (keys of `SOURCES`), licence.
        n_parameters: of the network.
        sha256: of the weights file.
        evaluations: objects printed by ``facewarp eval ... --json`` for this very file.
        text: of models of this kind.
        more: a section on what belongs to the weights besides.

    Raises:
        FacewarpError: an evaluation is of other weights, or there is none.
    """
    if not evaluations:
        raise FacewarpError("a model card needs an evaluation", fix="Give what eval --json prints.")
    for found in evaluations:
        if found.get("weights_sha256") != sha256:
            raise FacewarpError(
                f"an evaluation is of other weights ({found.get('weights_sha256')})",
                found.get("dataset"),
                f"Run facewarp eval again with --model {name}.",
            )
    grid, seen = ("x".join(map(str, s)) for s in (config.grid_shape, config.input_shape))
    spacing = " x ".join(f"{size:g}" for size in config.spacing_mm)
    facts = {
        "file": "`model.safetensors`, fp16 kernels",
        "sha256": f"`{sha256}`",
        **({"tensors": _tensors(metadata[SAME_TENSORS])} if SAME_TENSORS in metadata else {}),
        "parameters": f"{n_parameters:,}",
        "input": f"{text.seen} {grid}{f' of {spacing} mm' if spacing else ''}, seen at {seen}",
        "classes": ", ".join(config.classes),
        "steps of registration": str(len(config.steps)),
        "preset": f"`{metadata.get('preset', '')}`",
        "steps of training": metadata.get("step", ""),
    }
    if "started_from" in metadata:
        facts["started from"] = f"earlier weights, sha256 `{metadata['started_from'][:12]}`"
    sources = [f"- {_source(key)}" for key in metadata["training_data"].split(", ")]
    if "trained_on" in metadata:
        sources.append(f"- Of these: {metadata['trained_on']}.")
    sections = [
        f"# {name}",
        f"{text.about} (after J. Y. Ha, M. Wilms, M. P. Heinrich, Sensors 20(5):1392, 2020).",
        table(facts),
        *([more] if more else []),
        "## Learnt from",
        "\n".join(sources),
        "## Licence",
        f"{_sentence(metadata['licence'])} Facewarp's code is under the Apache License 2.0.",
        "## What it is for",
        text.use,
        "## Who should not use it",
        text.misuse,
        "## Limits",
        text.limits,
        "## Measured",
        text.measuring,
        *(_measured(name, found, text) for found in evaluations),
    ]
    return "\n\n".join(sections) + "\n"


def _source(key: str) -> str:
    source = SOURCES[key]
    return f"**{source.title}.** {source.citation}. Terms: {source.terms}."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _measured(name: str, found: Mapping[str, Any], text: CardText) -> str:
    printed = f"Printed by `{text.command(found, name)}` on {found['machine']}."
    return "\n\n".join([f"### {text.title(found)}", table(text.rows(found)), printed])


def table(rows: Mapping[str, str]) -> str:
    """Return a Markdown table of two columns without a head."""
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {rows[key]} |" for key in rows)])

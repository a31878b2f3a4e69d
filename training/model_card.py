"""Model cards: what a weights file was learnt from, what it is for, and what it does badly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facewarp.core.config import ModelConfig
from facewarp.errors import FacewarpError

LICENCE = (
    "research use: learnt from photographs released for non-commercial research; the weights are "
    "passed on for the same"
)


@dataclass(frozen=True)
class DataSource:
    """Photographs that weights are learnt from.

    Attributes:
        title: What they are.
        citation: Whom to cite.
        terms: What their publishers allow.
    """

    title: str
    citation: str
    terms: str


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
}

_USE = """\
Registering upright grey crops of faces, as `facewarp.face.crop` cuts them, to one another or to \
a template: to carry part labels, landmarks, textures or drawings along, in research, teaching \
and art with pictures one may use."""

_MISUSE = """\
- Anyone who wants to tell **who** somebody is, or what they feel, think, suffer from or where \
they come from. The model was neither made nor tested for it.
- Anyone who decides about people, watches them without their consent, or makes pictures that \
pass for real ones of them.
- Anyone who measures faces for medicine or law: outlines are those of a drawing through 68 \
points, and errors of several pixels are common.
- Commercial products: see the licence."""

_LIMITS = """\
- It was taught with crops 1.6 to 2.4 times as high as the single, mostly frontal face in them, \
rolled by up to 40 degrees. Profiles, faces cut off by the picture and very small or blurred ones \
come out worse.
- Hands, masks, microphones, hair and sunglasses in front of a face were taught only as drawn \
patches. Where a part can't be seen the model guesses.
- "Face" ends a little above the brows, since that is as far as 68 points tell. Against masks \
that reach the hair its overlap is limited by that.
- The data sets don't say whom they show. Whether errors differ with skin, age or sex was not \
measured; expect that they do.
- Fields may fold where faces differ a lot; the share is stated below."""


def model_card(
    name: str,
    config: ModelConfig,
    metadata: Mapping[str, str],
    n_parameters: int,
    sha256: str,
    evaluations: Sequence[Mapping[str, Any]],
) -> str:
    """Write the Markdown card of shipped face weights.

    Args:
        name: what the weights ship under.
        config: the network.
        metadata: of the weights file: preset, step, training_data (keys of `SOURCES`), licence.
        n_parameters: of the network.
        sha256: of the weights file.
        evaluations: objects printed by ``facewarp eval ... --json`` for this very file.

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
    facts = {
        "file": "`model.safetensors`, fp16 kernels",
        "sha256": f"`{sha256}`",
        "parameters": f"{n_parameters:,}",
        "input": f"grey crops of {grid}, seen at {seen}",
        "classes": ", ".join(config.classes),
        "steps of registration": str(len(config.steps)),
        "preset": f"`{metadata.get('preset', '')}`",
        "steps of training": metadata.get("step", ""),
    }
    sections = [
        f"# {name}",
        "A semantically guided registration network for faces: a small U-Net finds the parts of "
        "two faces, and registration networks predict from them, step by step, the displacement "
        "field between the two (after J. Y. Ha, M. Wilms, M. P. Heinrich, Sensors 20(5):1392, "
        "2020).",
        _table(facts),
        "## Learnt from",
        "\n".join(f"- {_source(key)}" for key in metadata["training_data"].split(", ")),
        "## Licence",
        f"{_sentence(metadata['licence'])} Facewarp's code is under the Apache License 2.0.",
        "## What it is for",
        _USE,
        "## Who should not use it",
        _MISUSE,
        "## Limits",
        _LIMITS,
        "## Measured",
        "Pairs of photographs that were not trained on, cut at random (seeded) and registered at "
        "320x260. Dice in percent: of the moving face's true parts, carried onto the fixed face, "
        "with the fixed face's; the mean over the parts present in a pair, then over pairs. "
        "Distances in px of the crop.",
        *(_measured(name, found) for found in evaluations),
    ]
    return "\n\n".join(sections) + "\n"


def _source(key: str) -> str:
    source = SOURCES[key]
    return f"**{source.title}.** {source.citation}. Terms: {source.terms}."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _measured(name: str, found: Mapping[str, Any]) -> str:
    parts: Mapping[str, float] = found["dice_per_part"]
    landmarks = {}
    if found["landmark_px"] is not None:
        landmarks["landmark distance"] = f"{_number(found['landmark_px'], 2)} px"
    rows = {
        "Dice, unregistered": _number(found["dice_initial"], 1),
        "**Dice**": f"**{_number(found['dice_mean'], 1)}**",
        **{f"Dice, {n.replace('_', ' ')}": _number(v, 1) for n, v in parts.items()},
        "Dice of the network's own parts": _number(found["parts_dice"], 1),
        "contour distance": f"{_number(found['contour_px'], 2)} px",
        **landmarks,
        "standard deviation of the Jacobian": _number(found["jacobian_std"], 3),
        "folds": f"{_number(found['folds_percent'], 3)} % of the pixels",
        "time of a pair (median)": f"{_number(1000 * found['seconds_per_pair'], 1)} ms",
    }
    command = f"facewarp eval {found['dataset']} --data .../{found['split']} --model {name}"
    return "\n\n".join(
        [
            f"### {found['dataset']}, {found['split']}: {found['n_pairs']} pairs",
            _table(rows),
            f"Printed by `{command} --seed {found['seed']}` on {found['machine']}.",
        ]
    )


def _table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {rows[key]} |" for key in rows)])


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"

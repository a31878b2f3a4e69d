"""Text of the model card of face models."""

from collections.abc import Mapping
from typing import Any

from facewarp.core.config import ModelConfig
from facewarp.training.evaluation.evaluation_json import number
from facewarp.training.release.model_card import CardText, table

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
- It was taught with crops 1.6 to 2.4 times as high as the single, mostly frontal face in them \
(a few 1.25 to 3.3 times), rolled by up to 45 degrees. Profiles and faces cut off by the picture \
come out worse.
- Hands, masks, microphones, hair and sunglasses in front of a face were taught only as drawn \
patches. Where a part can't be seen the model guesses.
- "Face" ends a little above the brows, since that is as far as 68 points tell. Against masks \
that reach the hair its overlap is limited by that.
- It sees a face in nearly anything, if less surely: docs/decisions/0006-confidence.md says what \
its confidence is worth.
- The data sets don't say whom they show. In the groups that can be told apart, eyes that are \
shut, glasses, skin that looks dark, dim light and heads on one side come out worse: \
docs/face-groups.md has the numbers. Whether errors differ with age or sex, for beards, babies or \
profiles was not measured; expect that they do.
- Fields may fold where faces differ a lot; the share is stated below."""


def details_section(
    config: ModelConfig, metadata: Mapping[str, str], n_parameters: int, sha256: str
) -> str:
    """Return the section on the part network of eyes and mouth beside a face model's weights.

    Args:
        config: the part network.
        metadata: of its weights file.
        n_parameters: of the network.
        sha256: of its weights file.
    """
    rows, columns = config.grid_shape
    facts = {
        "file": "`details.safetensors`, fp16 kernels; `details-int8/` for OpenVINO",
        "sha256": f"`{sha256}`",
        "parameters": f"{n_parameters:,}",
        "input": f"gray patches of {rows} x {columns} px: the mouth; both eyes, one mirrored",
        "classes": ", ".join(f"`{name}`" for name in config.classes),
        "preset": f"`{metadata.get('preset', '')}`",
        "steps of training": metadata.get("step", ""),
        "learnt from": metadata.get("training_data", ""),
    }
    told = (
        "Where videos and pictures are tracked, a small U-Net looks closely at mouth and eyes, and "
        "lips and lids of the map are moved to where it sees them. Openings and blinks were mostly "
        "made, by warping photographs; what hides a mouth or an eye was drawn. What comes of it: "
        "docs/tracking.md. `facewarp eval` registers without it."
    )
    return "\n\n".join(["## The part network of eyes and mouth", told, table(facts)])


def _rows(found: Mapping[str, Any]) -> dict[str, str]:
    parts: Mapping[str, float] = found["dice_per_part"]
    landmarks = {}
    if found["landmark_px"] is not None:
        landmarks["landmark distance"] = f"{number(found['landmark_px'], 2)} px"
    return {
        "Dice, unregistered": number(found["dice_initial"], 1),
        "**Dice**": f"**{number(found['dice_mean'], 1)}**",
        **{f"Dice, {n.replace('_', ' ')}": number(v, 1) for n, v in parts.items()},
        "Dice of the network's own parts": number(found["parts_dice"], 1),
        "contour distance": f"{number(found['contour_px'], 2)} px",
        **landmarks,
        "standard deviation of the Jacobian": number(found["jacobian_std"], 3),
        "folds": f"{number(found['folds_percent'], 3)} % of the pixels",
        "time of a pair (median)": f"{number(1000 * found['seconds_per_pair'], 1)} ms",
    }


def _command(found: Mapping[str, Any], name: str) -> str:
    data = f"{found['dataset']} --data .../{found['split']}"
    return f"facewarp eval {data} --model {name} --seed {found['seed']}"


def _title(found: Mapping[str, Any]) -> str:
    return f"{found['dataset']}, {found['split']}: {found['n_pairs']} pairs"


FACE_CARD = CardText(
    licence="research use: learnt from photographs released for non-commercial research; the "
    "weights are passed on for the same",
    about="A semantically guided registration network for faces: a small U-Net finds the parts of "
    "two faces, and registration networks predict from them, step by step, the displacement field "
    "between the two",
    seen="grey crops of",
    use=_USE,
    misuse=_MISUSE,
    limits=_LIMITS,
    measuring="Pairs of photographs that were not trained on, cut at random (seeded) and "
    "registered at 320x260. Dice in percent: of the moving face's true parts, carried onto the "
    "fixed face, with the fixed face's; the mean over the parts present in a pair, then over "
    "pairs. Distances in px of the crop.",
    rows=_rows,
    command=_command,
    title=_title,
)

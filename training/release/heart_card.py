"""Text of the model card of heart models."""

from collections.abc import Mapping
from typing import Any

from facewarp.cardiac.motion.confidence import KEY, HeartCalibration
from facewarp.cardiac.motion.slice_parts import EDGES, EdgeOffsets
from facewarp.core.config import ModelConfig
from facewarp.training.evaluation.evaluation_json import number
from facewarp.training.release.model_card import CardText, table

_USE = """\
Following the heart through short-axis cine MRI, in research and teaching: part labels, volumes, \
ejection fraction, motion and strain, as `facewarp cine` draws them from it."""

_MISUSE = """\
- Anyone who decides about a patient. It is **no medical device**, was checked by no authority, \
and its numbers can be wrong without looking wrong.
- Commercial products: see the licence."""

_LIMITS = """\
- It learnt from one hospital's adults on two scanners (1.5 T and 3 T), steady-state free \
precession, slices of 5 to 10 mm across both ventricles: healthy, or with dilated or hypertrophic \
cardiomyopathy, an infarct, or an abnormal right ventricle. Other views, sequences, contrast \
agents, children, congenital defects and devices are unknown to it.
- It learnt from end-diastole and end-systole alone. The phases between are like them, but were \
never checked against labels.
- The motion through slices of 10 mm is a guess that goes with the outlines; the base, where the \
ventricles end between two slices, is where volumes are lost, the right one's above all.
- Tissue that looks alike has no visible motion: the field inside the wall interpolates that of \
its borders, which strain inherits.
- On the challenge's 50 official test patients (101-150), which nobody here has seen, the \
maintainers measured Dice 87.2, HD95 4.60 mm and an EF error of 3.7 points with a bias of -2.7 \
with the model alone, before it had a part network of slices: less than on the 15 patients below. \
With it they were not measured.
- Under made shifts of the scans of those 15 (noise, blur, bias field, contrast and others at \
middle strength) Dice of its parts falls by 1.1 points at most, with slices 1.5 times as thick by \
5.0, which the confidence tells by their distance alone. Slices missing at the base can't be told \
from a stack that begins in the ventricle.
- The data say little of who the patients are. Whether errors differ with age, sex or build was \
not measured."""


def _rows(found: Mapping[str, Any]) -> dict[str, str]:
    def error(name: str, unit: str, prefix: str = "") -> str:
        mae, bias = (f"{prefix}{name}_{kind}{unit}" for kind in ("mae", "bias"))
        sign = "" if found[bias] is None else f", bias {found[bias]:+.1f}"
        return f"{number(found[mae], 1)}{' ml' if unit else ' points'}{sign}"

    return {
        "Dice, unregistered": number(found["dice_initial"], 1),
        "**Dice**": f"**{number(found['dice_mean'], 1)}**",
        "Dice, RV": number(found["dice_rv"], 1),
        "Dice, myocardium": number(found["dice_myo"], 1),
        "Dice, LV": number(found["dice_lv"], 1),
        "Dice of the network's own parts": number(found["parts_dice"], 1),
        "HD95, unregistered": f"{number(found['hd95_initial_mm'], 2)} mm",
        "HD95": f"{number(found['hd95_mm'], 2)} mm",
        "standard deviation of the Jacobian": number(found["jacobian_std"], 3),
        "SDlogJ of J + 3": number(found["sdlogj"], 3),
        "SDlogJ of J itself": number(found["sdlogj_strict"], 3),
        "folds": f"{number(found['folds_percent'], 3)} % of the voxels",
        "LV EDV, mean absolute error": error("edv", "_ml"),
        "LV ESV": error("esv", "_ml"),
        "LV EF": f"{error('ef', '')}, r = {number(found['ef_correlation'], 3)}",
        "RV EDV": error("edv", "_ml", "rv_"),
        "RV ESV": error("esv", "_ml", "rv_"),
        "RV EF": f"{error('ef', '', 'rv_')}, r = {number(found['rv_ef_correlation'], 3)}",
        "LV mass": f"{number(found['mass_mae_g'], 1)} g, bias {found['mass_bias_g']:+.1f}",
        "time of a patient (median)": f"{number(found['seconds_per_pair'], 2)} s",
    }


def slices_section(
    config: ModelConfig, metadata: Mapping[str, str], n_parameters: int, sha256: str
) -> str:
    """Return the section on the part network of slices beside a heart model's weights.

    Args:
        config: the part network.
        metadata: of its weights file.
        n_parameters: of the network.
        sha256: of its weights file.
    """
    grid, px = ("x".join(map(str, config.grid_shape)), config.spacing_mm[0])
    beside = config.features.inputs // 2
    facts = {
        "file": "`slices.safetensors`, fp16 kernels",
        "sha256": f"`{sha256}`",
        "parameters": f"{n_parameters:,}",
        "input": f"a slice of {grid} pixels of {px:g} mm, with {beside} on either side",
        "preset": f"`{metadata.get('preset', '')}`",
        "steps of training": metadata.get("step", ""),
        "learnt from": metadata.get("trained_on", ""),
    }
    if "started_from" in metadata:
        facts["started from"] = f"earlier weights, sha256 `{metadata['started_from'][:12]}`"
    if KEY in metadata:
        calibration = HeartCalibration.from_text(metadata[KEY])
        facts["confidence"] = f"calibrated on {calibration.fitted_on}"
    if EDGES in metadata:
        edges = EdgeOffsets.from_text(metadata[EDGES])
        facts["outlines moved for volumes"] = (
            f"left ventricle {edges.lv_mm:+.2f} mm, right {edges.rv_mm:+.2f} mm, fitted on "
            f"{edges.fitted_on}"
        )
    told = (
        "A 2.5D U-Net tells the parts on the scan's own slices: labels and volumes are its, and "
        "the registration is guided by its probabilities."
    )
    return "\n\n".join(["## The part network of slices", told, table(facts)])


def _command(found: Mapping[str, Any], name: str) -> str:
    way = " --no-refine" if found.get("refined") is False else ""
    return f"facewarp eval acdc --data ... --protocol {found['protocol']} --model {name}{way}"


def _title(found: Mapping[str, Any]) -> str:
    return f"Protocol {found['protocol']}: {found['n_pairs']} patients"


HEART_CARD = CardText(
    licence="CC BY-NC-SA 4.0, research use: learnt from the patients of ACDC, which are passed on "
    "under that licence, and so are the weights",
    about="A semantically guided registration network for hearts: a small U-Net finds the "
    "ventricles and the wall in two phases of a short-axis stack, and registration networks "
    "predict from them, step by step, the displacement field between the two",
    seen="short-axis stacks on a grid of",
    use=_USE,
    misuse=_MISUSE,
    limits=_LIMITS,
    measuring="Patients that were not trained on, end-diastole against end-systole. `paper`: ES to "
    "ED on cubes of 1.56 mm, the last 6 of each 20 patients (of whom 3 each chose the weights). "
    "`memwarp`: both directions on 1.8 x 1.8 x 10 mm, the last 3 of each 20, who had no part in "
    "making the model's weights; of its part network of slices they chose the weights. Dice in "
    "percent, of the true labels carried by the field with those of the other phase: the mean over "
    "parts, then over patients. Volumes are those of `facewarp cine`, without labels, against "
    "those of the true labels. docs/hearts.md defines every number.",
    rows=_rows,
    command=_command,
    title=_title,
)

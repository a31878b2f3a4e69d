"""Validation of face models during training: scores on held-out pairs, and a contact sheet."""

from collections.abc import Sequence
from pathlib import Path

from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.drawing.png import write_png
from facewarp.training.datasets.crops import FaceCrop, load_test_crops
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.evaluation.faces import PairScore, evaluate_faces, register_crops
from facewarp.training.validation.face_sheets import PairPicture, sheet

SHOWN = (
    "dice_mean",
    "dice_initial",
    "contour_px",
    "landmark_px",
    "jacobian_std",
    "folds_percent",
    "parts_dice",
)


class Validator:
    """Score a network on the same pairs each time, as `Trainer.run` calls it.

    Args:
        photos: photographs that are held out of training, two at least.
        folder: where ``validation_STEP.png`` goes: the best, the median and the worst pair.
        seed: of the crops.
    """

    def __init__(self, photos: Sequence[FacePhoto], folder: Path, seed: int = 0) -> None:
        self.crops = load_test_crops(photos, seed)
        self.folder = folder
        self.seed = seed

    def __call__(self, net: GuidedRegistration, step: int) -> dict[str, float]:
        """Return the scores `SHOWN` at a step; Dice in percent."""
        model = Model(net)
        summary, scores = evaluate_faces(model, self.crops, "held out", self.seed)
        picture = sheet(example_pictures(model, self.crops, scores))
        write_png(self.folder / f"validation_{step}.png", picture)
        return {name: float(getattr(summary, name)) for name in SHOWN}


def example_pictures(
    model: Model, crops: Sequence[FaceCrop], scores: Sequence[PairScore]
) -> list[PairPicture]:
    """Register the pairs with the best, the median and the worst Dice for the contact sheet.

    Args:
        model: the model that was scored.
        crops: the crops it was scored on.
        scores: the scores, one a crop, in the crops' order.
    """
    ranked = sorted(range(len(scores)), key=lambda i: scores[i].dice_mean, reverse=True)
    chosen = {ranked[0]: "best", ranked[len(ranked) // 2]: "median", ranked[-1]: "worst"}
    rows = []
    for index, rank in chosen.items():
        fixed, moving = crops[index], crops[(index + 1) % len(crops)]
        score = scores[index]
        caption = (
            f"{rank}: Dice {100 * score.dice_mean:.1f} (unregistered "
            f"{100 * score.dice_initial:.1f}), folds {score.folds_percent:.2f} %, "
            f"{fixed.name} <- {moving.name}"
        )
        rows.append(PairPicture(caption, fixed, moving, register_crops(model, fixed, moving)))
    return rows

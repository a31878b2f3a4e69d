"""Measured against cases whose numbers are known beforehand."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.face.parts import PART_COLORS, FacePart
from facewarp.system.machine import machine
from facewarp.training.config.presets import FACE_CLASSES
from facewarp.training.datasets.crops import FaceCrop, load_test_crops
from facewarp.training.evaluation.faces import (
    PARTS,
    PairScore,
    evaluate_faces,
    register_crops,
    score_pair,
    summarise,
    write_pairs_csv,
)
from facewarp.training.synthetic.drawn_face import synthetic_faces
from facewarp.training.validation.face_sheets import colored, sheet
from facewarp.training.validation.faces import SHOWN, Validator, example_pictures

SHAPE = (320, 260)
TINY = ModelConfig(
    classes=FACE_CLASSES,
    input_shape=(40, 33),
    field_shape=(40, 33),
    features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=()),
    steps=(StepConfig(channels=(8, 8), strides=(2,), control_level=1, box=3),),
)


class Told(Model):
    """A model that says what it is told to: one field, and the true labels as parts."""

    def __init__(self, field: Tensor, labels: Sequence[np.ndarray] = ()) -> None:
        super().__init__(GuidedRegistration(TINY))
        self.field = field
        self.labels = labels

    def probabilities(self, images: Tensor) -> Tensor:
        if not self.labels:
            return torch.full((len(images), 8, 40, 33), 1 / 8)
        ids = torch.from_numpy(np.stack(self.labels)).long()
        return torch.movedim(F.one_hot(ids, 8), -1, 1).float()

    def fields(self, fixed: Tensor, moving: Tensor) -> Tensor:
        return self.field


def shift(x: float, y: float, shape: tuple[int, int] = SHAPE) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, *shape).float()


def square_crop(
    name: str, x: int, y: int, parts: Sequence[FacePart] = (FacePart.NOSE, FacePart.MOUTH)
) -> FaceCrop:
    """A crop with a 20 px square per part, side by side from (x, y) on, and points in it."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for index, part in enumerate(parts):
        labels[y : y + 20, x + 30 * index : x + 30 * index + 20] = part
    points = np.tile(np.array([[x + 5.0, y + 5.0]]), (68, 1))
    return FaceCrop(name, labels * 30, labels, points, np.eye(2, 3))


def part_values(values: dict[FacePart, float]) -> np.ndarray:
    return np.array([values.get(part, np.nan) for part in FacePart if part])


def pair_score(dice: dict[FacePart, float], **values: float) -> PairScore:
    rest = dict.fromkeys(
        ("dice_initial", "contour_initial_px", "landmark_px", "jacobian_std"), 0.5
    ) | {"folds_percent": 1.0, "parts_dice": 0.5, "seconds": 0.1}
    contour = {part: 10 * (1 - value) for part, value in dice.items()}
    return PairScore(
        fixed="a",
        moving="b",
        dice=part_values(dice),
        contour_px=part_values(contour),
        **{**rest, **values},
    )


def test_identical_crops_and_a_resting_field_are_perfect() -> None:
    crops = [square_crop(name, 100, 100) for name in "ab"]
    model = Told(shift(0, 0), [crop.labels for crop in crops])
    found, scores = evaluate_faces(model, crops, "drawn", split="both")
    assert (found.dataset, found.split, found.n_pairs, found.seed) == ("drawn", "both", 2, 0)
    assert found.dice_initial == found.dice_mean == found.parts_dice == 100
    assert found.dice_std == found.contour_px == found.landmark_px == 0
    assert found.jacobian_std == found.folds_percent == found.contour_initial_px == 0
    assert found.dice_per_part["nose"] == found.dice_per_part["mouth"] == 100
    assert math.isnan(found.dice_per_part["face"])
    assert [(score.fixed, score.moving) for score in scores] == [("a", "b"), ("b", "a")]


def test_a_known_shift_by_hand() -> None:
    fixed, moving = square_crop("fixed", 100, 100), square_crop("moving", 108, 95)
    right = score_pair(fixed, moving, register_crops(Told(shift(8, -5)), fixed, moving))
    assert right.dice_mean == 1
    assert right.landmark_px == 0
    overlap = (20 - 8) * (20 - 5) / 400
    assert right.dice_initial == pytest.approx(overlap)
    assert right.contour_initial_px > 3
    still = score_pair(fixed, moving, register_crops(Told(shift(0, 0)), fixed, moving))
    np.testing.assert_allclose(still.dice[[5, 6]], overlap)
    assert still.landmark_px == pytest.approx(math.hypot(8, 5))
    wrong = score_pair(fixed, moving, register_crops(Told(shift(-8, 5)), fixed, moving))
    assert wrong.dice_mean < still.dice_mean


def test_fields_of_another_grid_are_resized_with_their_values() -> None:
    fixed, moving = square_crop("fixed", 100, 100), square_crop("moving", 108, 96)
    small = Told(shift(4, -2, (160, 130)))
    assert score_pair(fixed, moving, register_crops(small, fixed, moving)).dice_mean == 1


def test_folds_are_counted() -> None:
    x = torch.arange(SHAPE[1]).float().expand(SHAPE)
    field = torch.stack([-1.5 * x, torch.zeros(SHAPE)])[None]  # determinant -0.5 everywhere
    crop = square_crop("a", 100, 100)
    score = score_pair(crop, crop, register_crops(Told(field), crop, crop))
    assert score.folds_percent == 100
    assert score.jacobian_std == pytest.approx(0, abs=1e-4)


def test_absent_parts_are_left_out_and_lost_ones_count_zero() -> None:
    whole = square_crop("whole", 100, 100)
    less = square_crop("less", 100, 100, [FacePart.NOSE])
    score = score_pair(whole, less, register_crops(Told(shift(0, 0)), whole, less))
    assert score.dice[FacePart.NOSE - 1] == 1
    assert score.dice[FacePart.MOUTH - 1] == 0
    assert np.isnan(score.dice[FacePart.FACE - 1])
    assert score.dice_mean == 0.5
    assert np.isnan(score.contour_px[FacePart.MOUTH - 1])


def test_means_are_over_the_parts_of_a_pair_then_over_pairs() -> None:
    scores = [
        pair_score({FacePart.NOSE: 0.9, FacePart.MOUTH: 0.5}, dice_initial=0.1, seconds=0.1),
        pair_score({FacePart.NOSE: 0.6}, dice_initial=0.4, landmark_px=math.nan, seconds=0.2),
        pair_score({FacePart.NOSE: 0.3}, dice_initial=0.4, landmark_px=1.5, seconds=9.0),
    ]
    found = summarise(Told(shift(0, 0)), scores, "drawn", seed=3, split="hand")
    assert found.dice_mean == pytest.approx(100 * (0.7 + 0.6 + 0.3) / 3)
    assert found.dice_std == pytest.approx(100 * float(np.std([0.7, 0.6, 0.3])))
    assert found.dice_initial == pytest.approx(30)
    assert found.dice_per_part["nose"] == pytest.approx(60)
    assert found.dice_per_part["mouth"] == pytest.approx(50)
    assert math.isnan(found.dice_per_part["eye_left"])
    assert found.contour_px == pytest.approx((3 + 4 + 7) / 3)
    assert found.contour_per_part_px["nose"] == pytest.approx((1 + 4 + 7) / 3)
    assert found.landmark_px == pytest.approx(1.0)
    assert found.seconds_per_pair == 0.2
    assert (found.n_pairs, found.seed, found.weights_sha256) == (3, 3, "")


def test_photographs_without_landmarks_have_no_landmark_error() -> None:
    crop = square_crop("a", 100, 100)
    blind = FaceCrop("blind", crop.image, crop.labels, None, crop.matrix)
    score = score_pair(crop, blind, register_crops(Told(shift(0, 0)), crop, blind))
    assert math.isnan(score.landmark_px)


@pytest.mark.parametrize("n", [0, 1])
def test_one_photograph_makes_no_pair(n: int) -> None:
    crops = [square_crop("a", 100, 100)] * n
    with pytest.raises(FacewarpError, match=f"at least 2 photographs, and there are {n}"):
        evaluate_faces(Told(shift(0, 0)), crops, "drawn")


def test_a_model_of_something_else_is_refused() -> None:
    other = Model(GuidedRegistration(ModelConfig(kind="heart", classes=("background", "rv"))))
    with pytest.raises(FacewarpError, match="no face model: 'heart' with 2 classes"):
        evaluate_faces(other, [square_crop("a", 100, 100)] * 2, "drawn")


def test_a_row_per_pair_is_written(tmp_path: Path) -> None:
    crops = [square_crop("a, b", 100, 100), square_crop("c", 104, 100)]
    _, scores = evaluate_faces(Told(shift(0, 0)), crops, "drawn")
    write_pairs_csv(tmp_path / "new" / "pairs.csv", scores)
    with open(tmp_path / "new" / "pairs.csv", newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["fixed"], first["moving"]) == ("a, b", "c")
    assert (second["fixed"], second["moving"]) == ("c", "a, b")
    assert float(first["dice_mean"]) == float(first["dice_nose"]) == 80
    assert first["dice_face"] == first["contour_face_px"] == ""
    assert {f"dice_{part}" for part in PARTS} < set(first)


def test_the_machine_is_named() -> None:
    assert f"torch {torch.__version__}" in machine()
    assert "1 threads" in machine()
    assert not machine().startswith(",")


def test_parts_are_colored_over_the_image() -> None:
    gray = np.full((4, 4), 100, dtype=np.uint8)
    labels = np.zeros((4, 4), dtype=np.uint8)
    labels[1, 2] = FacePart.NOSE
    shown = colored(gray, labels)
    np.testing.assert_array_equal(shown[0, 0], [100, 100, 100])
    np.testing.assert_allclose(shown[1, 2], 50 + PART_COLORS[FacePart.NOSE] / 2, atol=1)


def test_examples_are_the_best_the_median_and_the_worst_pair() -> None:
    crops = [square_crop(str(x), x, 100) for x in (100, 101, 107, 117)]
    model = Told(shift(0, 0))
    _, scores = evaluate_faces(model, crops, "drawn")
    rows = example_pictures(model, crops, scores)
    assert [row.caption.split(":")[0] for row in rows] == ["best", "median", "worst"]
    assert [(row.fixed.name, row.moving.name) for row in rows] == [
        ("100", "101"),
        ("107", "117"),
        ("117", "100"),
    ]
    picture = sheet(rows)
    assert picture.dtype == np.uint8
    assert picture.shape == (22 + 3 * (22 + 320), 6 * 260, 3)


def test_validation_scores_the_same_pairs_and_writes_a_sheet(tmp_path: Path) -> None:
    photos = synthetic_faces(np.random.default_rng(0), 3)
    net = GuidedRegistration(TINY).eval()
    validate = Validator(photos, tmp_path / "run")
    first, second = validate(net, 10), validate(net, 20)
    assert first == pytest.approx(second, rel=1e-9)  # sums may be split among threads
    assert tuple(first) == SHOWN
    assert 0 < first["dice_initial"] < 60
    written = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert written == ["validation_10.png", "validation_20.png"]
    picture = cv2.imread(str(tmp_path / "run" / "validation_10.png"))
    assert picture.shape == (22 + 3 * (22 + 320), 6 * 260, 3)


def test_a_random_network_predicts_no_displacement() -> None:
    crops = load_test_crops(synthetic_faces(np.random.default_rng(1), 3), seed=5)
    found, _ = evaluate_faces(Model(GuidedRegistration(TINY)), crops, "drawn", 5)
    assert found.dice_mean == pytest.approx(found.dice_initial, abs=1)
    assert found.folds_percent == 0
    assert found.parameters == sum(p.numel() for p in GuidedRegistration(TINY).parameters())

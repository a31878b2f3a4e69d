"""Measuring hearts: every number against one found by hand or by an independent program."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import PART_NAMES, HeartPart
from facewarp.cardiac.quantification.indices import Indices, Ventricle
from facewarp.core.config import ModelConfig
from facewarp.core.metrics import dice_per_part
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.training.config.presets import preset
from facewarp.training.config.train_config import WHOLE_GRID
from facewarp.training.datasets.acdc import HeartPatient, load_acdc_patient
from facewarp.training.evaluation.heart_methods import GuidedMethod, RegisteredPair
from facewarp.training.evaluation.heart_protocols import PROTOCOLS, carry_field
from facewarp.training.evaluation.heart_volumes import HeartVolumes
from facewarp.training.evaluation.hearts import (
    HeartEvaluation,
    PatientScore,
    evaluate_hearts,
    hd95_mm,
    means_by_group,
    score_means,
    score_patient,
    write_patients_csv,
)
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

MEMWARP, PAPER = PROTOCOLS["memwarp"], PROTOCOLS["paper"]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> HeartPatient:
    """A drawn patient whose ES is its ED, moved three voxels to the right."""
    place = tmp_path_factory.mktemp("acdc")
    folder = write_drawn_patient(place, 18, shape=(9, 110, 116), spacing_mm=(1.8, 1.8, 10.0))
    read = load_acdc_patient(folder)

    def moved(volume):
        return replace(volume, data=np.roll(volume.data, 3, axis=2))

    return replace(
        read,
        images=(read.images[0], moved(read.images[0])),
        labels=(read.labels[0], moved(read.labels[0])),
    )


class Says:
    """A method that knows the motion: so many voxels of a grid of 1.8 mm along x, y, z."""

    name = "says"

    def __init__(self, *shift: float, parts: bool = False) -> None:
        self.shift, self.parts = np.array(shift, np.float32), parts

    def register(self, patient: HeartPatient, grid: ModelGrid, both: bool) -> RegisteredPair:
        scale = np.array([1.8, 1.8, 10.0]) / grid.spacing_mm
        there = (self.shift * scale)[:, None, None, None] * np.ones(grid.shape)
        fields = [there.astype(np.float32), -there.astype(np.float32)]
        parts = np.zeros((2, *grid.shape), np.uint8) if self.parts else None
        return RegisteredPair(tuple(fields[: 1 + both]), parts, 0.25)


@pytest.mark.parametrize("protocol", [MEMWARP, PAPER])
def test_no_motion_scores_as_unregistered(patient: HeartPatient, protocol) -> None:
    score = score_patient(patient, Says(0, 0, 0, parts=True), protocol)
    assert score.dice_mean == pytest.approx(score.dice_initial)
    assert score.hd95_mm == score.hd95_initial_mm > 0
    assert (score.jacobian_std, score.folds_percent) == (0, 0)
    assert score.sdlogj == pytest.approx(0, abs=1e-9)
    assert (score.parts_dice, score.seconds, score.group) == (0, 0.25, "DCM")
    assert 0.3 < score.dice_initial < 0.95


@pytest.mark.parametrize("protocol", [MEMWARP, PAPER])
def test_the_true_motion_scores_full_marks(patient: HeartPatient, protocol) -> None:
    score = score_patient(patient, Says(3, 0, 0), protocol)
    assert score.dice_mean > 0.95  # cubes of 1.56 mm cut voxels of 1.8
    assert score.hd95_mm <= 1.6
    assert np.isnan(score.parts_dice)
    if protocol is MEMWARP:
        assert score.dice_mean == 1
        assert score.hd95_mm == 0
    wrong = score_patient(patient, Says(-3, 0, 0), protocol)
    assert wrong.dice_mean < score.dice_initial  # the direction matters


def test_directions_are_averaged(patient: HeartPatient) -> None:
    class OneWay(Says):
        def register(self, patient: HeartPatient, grid: ModelGrid, both: bool) -> RegisteredPair:
            pair = super().register(patient, grid, both)
            return replace(pair, fields=(pair.fields[0], 0 * pair.fields[1]))

    score = score_patient(patient, OneWay(3, 0, 0), MEMWARP)
    assert score.dice_mean == pytest.approx((1 + score.dice_initial) / 2)
    assert score.hd95_mm == pytest.approx(score.hd95_initial_mm / 2)


def test_jacobian_numbers_are_those_of_memwarps_code(patient: HeartPatient) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.35, (3, *MEMWARP.shape)).astype(np.float32)

    class Noise(Says):
        def register(self, patient: HeartPatient, grid: ModelGrid, both: bool) -> RegisteredPair:
            return RegisteredPair((noise, noise), None, 1.0)

    score = score_patient(patient, Noise(0, 0, 0), MEMWARP)
    x, y, z = noise.astype(np.float64)
    rows = [np.gradient(u, axis=(2, 1, 0)) for u in (x, y, z)]
    matrix = np.moveaxis(np.array(rows), (0, 1), (-2, -1)) + np.eye(3)
    jacobian = np.linalg.det(matrix)
    inner = jacobian[2:-2, 2:-2, 2:-2]
    assert score.sdlogj == pytest.approx(np.std(np.log(np.abs((inner + 3).clip(1e-8, 1e8)))), 1e-4)
    assert score.sdlogj_strict == pytest.approx(np.std(np.log(jacobian.clip(1e-9))), 1e-4)
    assert score.jacobian_std == pytest.approx(jacobian.std(), 1e-4)
    assert score.folds_percent == pytest.approx(100 * (jacobian <= 0).mean(), rel=1e-3)
    assert score.folds_percent > 0.1


def test_a_part_that_got_lost_counts_as_not_moved() -> None:
    fixed = np.zeros((12, 40, 44), np.uint8)
    fixed[4:8, 10:20, 10:20] = HeartPart.LV
    moving = np.roll(fixed, 5, axis=2)
    lost = np.zeros_like(fixed)
    assert hd95_mm(lost, fixed, moving, MEMWARP) == pytest.approx(9)
    assert hd95_mm(fixed, fixed, moving, MEMWARP) == 0
    moving[0, 0, 0] = HeartPart.RV  # in one phase only: counts in neither
    assert hd95_mm(fixed, fixed, moving, MEMWARP) == 0
    assert np.isnan(hd95_mm(lost, lost, lost, MEMWARP))


def test_labels_are_carried_as_the_protocols_say() -> None:
    labels = np.zeros((4, 9, 9), np.uint8)
    labels[:, :, 4:] = HeartPart.LV
    for shift, nearest in ((0.4, 5), (0.6, 6)):
        field = np.zeros((3, 4, 9, 9), np.float32)
        field[0] = shift
        assert (MEMWARP.carry(labels, field)[0, 0] > 0).sum() == nearest
        assert (PAPER.carry(labels, field)[0, 0] > 0).sum() == nearest
    field[0] = np.linspace(0, 0.9, 9)[:, None]
    field[1] = 0.3
    assert MEMWARP.carry(labels, field).dtype == np.uint8


def test_fields_are_carried_between_grids_in_millimetres(patient: HeartPatient) -> None:
    own, other = MEMWARP.grid(patient.images[0]), PAPER.grid(patient.images[0])
    z, y, x = np.indices(own.shape)
    field = np.stack([0.02 * (x - 60), -0.03 * (y - 50), 0.1 * (z - 8)]).astype(np.float32)
    assert carry_field(field, own, own) is field
    there = carry_field(field, own, other)
    assert there.shape == (3, *other.shape)
    points = np.array([[70, 50, 30], [40, 80, 36], [64, 64, 31]])  # x, y, z of the other grid
    to_own = own.from_volume @ other.to_volume
    for point in points:
        at = (to_own @ np.append(point, 1.0))[:3]
        wanted = (0.02 * (at[0] - 60), -0.03 * (at[1] - 50), 0.1 * (at[2] - 8))
        found = there[:, point[2], point[1], point[0]]
        assert found * 1.56 == pytest.approx(np.array(wanted) * (1.8, 1.8, 10), abs=0.02)


def score(name: str, **changes: object) -> PatientScore:
    plain = PatientScore(
        name, "RV", 0.5, np.array([0.9, 0.8, 0.7]), 4.0, 9.0, 0.2, 0.0, 0.1, 0.2, 0.6,
        np.array([0.5, 0.6, 0.7]), 1.0,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_means_leave_out_what_is_not_there(tmp_path: Path) -> None:
    scores = [score("a"), score("b", dice=np.array([np.nan, 0.6, 0.9]), hd95_mm=float("nan"))]
    means = score_means(scores)
    assert means["dice_rv"] == pytest.approx(90)
    assert means["dice_myo"] == pytest.approx(70)
    assert means["dice_mean"] == pytest.approx((80 + 75) / 2)
    assert means["hd95_mm"] == 4
    assert means["parts_dice_myo"] == pytest.approx(60)
    ventricle = Ventricle(100.0, 40.0, 60.0, 60.0, None)
    known = Indices(ventricle, ventricle, 90.0, None)
    people = [HeartVolumes("a", "RV", known, known), HeartVolumes("b", "RV", known, None)]
    write_patients_csv(tmp_path / "rows.csv", scores, people)
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["patient"] for row in rows] == ["a", "b"]
    assert (rows[0]["lv_mass_g"], rows[1]["lv_mass_g"]) == ("90", "")
    assert rows[1]["lv_mass_g_true"] == "90"
    assert (rows[1]["dice_rv"], rows[1]["hd95_mm"]) == ("", "")
    assert (float(rows[0]["lv_edv_ml_true"]), rows[1]["lv_edv_ml"]) == (100, "")


def test_each_diagnosis_has_means_of_its_own() -> None:
    scores = [score("a"), score("b", group="DCM", hd95_mm=6.0), score("c", hd95_mm=5.0)]
    lv, small = Ventricle(100.0, 40.0, 60.0, 60.0, None), Ventricle(90.0, 45.0, 45.0, 50.0, None)
    true, found = Indices(lv, lv, 90.0, None), Indices(small, lv, 93.0, None)
    people = [
        HeartVolumes("a", "RV", true, found),
        HeartVolumes("b", "DCM", true, true),
        HeartVolumes("c", "RV", true, None),
    ]
    groups = means_by_group(scores, people)
    assert list(groups) == ["DCM", "RV"]
    assert (groups["RV"]["n_pairs"], groups["RV"]["n_volumes"]) == (2, 1)
    assert groups["RV"]["hd95_mm"] == 4.5
    assert (groups["RV"]["edv_bias_ml"], groups["RV"]["ef_bias"]) == (-10, -10)
    assert (groups["RV"]["mass_bias_g"], groups["DCM"]["mass_mae_g"]) == (3, 0)


@pytest.fixture(scope="module")
def tiny() -> Model:
    """A network that has learnt nothing."""
    torch.manual_seed(0)
    flat = (1, 2, 2)
    plain = preset("acdc").model
    config = replace(
        plain,
        features=replace(plain.features, channels=(2, 4, 4), strides=(flat, flat), decoder=(4,)),
        steps=(replace(plain.steps[0], channels=(4, 4), strides=(flat,), control_level=1, box=3),),
    )
    return Model(GuidedRegistration(config))


def test_a_model_is_measured_on_its_own_grid_and_the_protocols(
    tiny: Model, patient: HeartPatient
) -> None:
    method = GuidedMethod(tiny)
    for protocol in (MEMWARP, PAPER):
        grid = protocol.grid(patient.images[0])
        pair = method.register(patient, grid, protocol.both_directions)
        assert [u.shape for u in pair.fields] == [(3, *protocol.shape)] * len(pair.fields)
        assert len(pair.fields) == 1 + protocol.both_directions
        assert pair.parts is not None
        assert pair.parts.shape == (2, *protocol.shape)
        assert pair.seconds > 0


@pytest.mark.parametrize(
    ("said", "whole", "expected"),
    [
        ({}, None, False),
        ({"view_shape": "12,96,96"}, None, False),
        ({"view_shape": WHOLE_GRID}, None, True),
        ({}, True, True),
        ({"view_shape": WHOLE_GRID}, False, False),
    ],
)
def test_networks_get_the_grid_they_were_trained_on(
    said: dict[str, str], whole: bool | None, expected: bool, tiny: Model, patient: HeartPatient
) -> None:
    class Sure(Model):
        def probabilities(self, images: torch.Tensor) -> torch.Tensor:
            shares = torch.zeros(len(images), 4, *images.shape[2:])
            middle = [slice(n // 2 - 4, n // 2 + 4) for n in images.shape[2:]]
            shares[:, 0] = 1
            shares[:, 0][:, *middle] = 0
            shares[:, 3][:, *middle] = 1
            return shares

    model = Sure(tiny.net, metadata=said)
    method = GuidedMethod(model, whole=whole)
    assert (method._window(patient).shape == tiny.config.grid_shape) is expected


def test_a_network_that_sees_no_parts_has_the_whole_grid(tiny: Model) -> None:
    blind = Model(GuidedRegistration(replace(tiny.config, guided=False)))
    assert GuidedMethod(blind, whole=False).whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["memwarp", "paper"])
def test_an_evaluation_holds_every_number(name: str, tiny: Model, tmp_path: Path) -> None:
    folders = [
        write_drawn_patient(tmp_path, n, shape=(8, 60, 60), spacing_mm=(3, 3, 10)) for n in (18, 19)
    ]
    ticks: list[int] = []
    found, scores, people = evaluate_hearts(
        tiny, folders, PROTOCOLS[name], split="drawn", advance=lambda: ticks.append(1)
    )
    assert isinstance(found, HeartEvaluation)
    assert (len(ticks), len(scores), len(people), found.n_pairs) == (2, 2, 2, 2)
    told = found.to_dict()
    assert "volumes" not in told
    assert {"edv_mae_ml", "esv_mae_ml", "ef_mae", "ef_bias", "weights_sha256"} <= told.keys()
    assert found.directions == (2 if name == "memwarp" else 1)
    truth = [load_acdc_patient(folder).labels for folder in folders]
    native = [np.mean(dice_per_part(ed.data, es.data, 4)) for ed, es in truth]
    assert found.dice_initial == pytest.approx(100 * np.mean(native), abs=3)
    assert "J + 3" in found.sdlogj_definition
    assert found.parameters == sum(p.numel() for p in tiny.net.parameters())


def test_models_that_cannot_be_evaluated_are_refused(tiny: Model) -> None:
    with pytest.raises(FacewarpError, match="no patient to measure on"):
        evaluate_hearts(tiny, [], MEMWARP)
    face = ModelConfig(kind="face", classes=("background", "face"))
    with pytest.raises(FacewarpError, match="no heart model: 'face' with 2 classes"):
        GuidedMethod(Model(GuidedRegistration(face)))


def test_the_classes_of_the_presets_are_the_parts() -> None:
    for name in ("acdc", "acdc-paper"):
        assert preset(name).model.classes == PART_NAMES
    assert preset("acdc").model.spacing_mm == MEMWARP.spacing_mm
    assert preset("acdc").model.grid_shape == MEMWARP.shape
    assert preset("acdc-paper").model.spacing_mm == PAPER.spacing_mm
    assert preset("acdc-paper").model.grid_shape == PAPER.shape

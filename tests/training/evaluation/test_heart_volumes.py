"""Volumes of evaluated hearts: as `facewarp cine` finds them, their errors, and the plots."""

from dataclasses import replace
from math import sqrt
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import Indices, Ventricle
from facewarp.errors import FacewarpError
from facewarp.training.config.presets import preset
from facewarp.training.datasets.acdc import HeartPatient, load_acdc_patient
from facewarp.training.evaluation.heart_volumes import (
    Agreement,
    HeartVolumes,
    VolumeErrors,
    found_result,
    measure_volumes,
    true_indices,
    two_frames,
)
from facewarp.training.synthetic.acdc_folders import write_drawn_patient
from facewarp.training.validation.heart_sheets import HeartPicture, sheet, write_volume_plots


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> HeartPatient:
    place = tmp_path_factory.mktemp("acdc")
    return load_acdc_patient(
        write_drawn_patient(place, 18, shape=(9, 110, 116), spacing_mm=(1.8, 1.8, 10.0))
    )


class GrayModel:
    """Stands in for a network: it tells the ventricle by its grey, and sees no motion."""

    sha256 = "0" * 64

    def __init__(self, shape=(16, 128, 128)) -> None:
        self.config = replace(preset("acdc").model, field_shape=(16, 128, 128)).on_grid(shape)

    def on_grid(self, shape):
        return GrayModel(shape)

    def rough(self):
        return None

    def probabilities(self, images):
        ventricle = (images > 0.5).float()
        nothing = torch.zeros_like(images)
        return torch.cat([1 - ventricle, nothing, nothing, ventricle], dim=1)

    def fields(self, fixed, moving):
        return torch.zeros(len(fixed), 3, *self.config.field_shape)


@pytest.fixture
def gray(patient: HeartPatient) -> HeartPatient:
    """The patient with pictures in which nothing but the left ventricle is bright."""
    rng = np.random.default_rng(2)

    def bright(labels):
        data = (labels.data == HeartPart.LV) + rng.uniform(0, 0.01, labels.data.shape)
        return replace(labels, data=data.astype(np.float32))

    return replace(patient, images=(bright(patient.labels[0]), bright(patient.labels[1])))


def test_volumes_are_those_that_cine_reports(gray: HeartPatient) -> None:
    found = measure_volumes(gray, GrayModel(), refined=False)  # type: ignore[arg-type]
    assert found.found is not None
    assert found.true == true_indices(gray)
    assert found.found.lv.edv_ml == pytest.approx(found.true.lv.edv_ml, rel=0.05)
    assert found.found.lv.ef_percent == pytest.approx(0, abs=1)  # it sees no motion
    assert found.row()["lv_edv_ml"] == found.found.lv.edv_ml
    backwards = replace(gray, info=replace(gray.info, ed=12, es=3))
    cine = two_frames(backwards)
    assert cine.frames == (3, 12)
    assert np.array_equal(cine.volume.data[1], gray.images[0].data)
    again = found_result(backwards, GrayModel(), refined=False)  # type: ignore[arg-type]
    assert again is not None
    assert again.indices.lv.edv_ml == pytest.approx(found.found.lv.edv_ml, rel=0.01)


def test_the_refinement_finds_the_motion_that_the_parts_show(gray: HeartPatient) -> None:
    found = found_result(gray, GrayModel())  # type: ignore[arg-type]
    true = true_indices(gray)
    assert found is not None
    assert 10 < found.indices.lv.ef_percent <= true.lv.ef_percent + 2


def test_a_heart_not_found_is_left_out_of_the_volumes(patient: HeartPatient) -> None:
    dark = replace(patient, images=tuple(replace(v, data=0 * v.data) for v in patient.images))
    unseen = measure_volumes(dark, GrayModel())  # type: ignore[arg-type]
    assert unseen.found is None
    assert np.isnan(unseen.row()["lv_ef_percent"])
    errors = VolumeErrors.of([unseen])
    assert errors.n_volumes == 0
    assert np.isnan([errors.edv_mae_ml, errors.ef_correlation]).all()


def volumes(name: str, true: tuple[float, float], found: tuple[float, float]) -> HeartVolumes:
    def of(edv: float, esv: float) -> Indices:
        one = Ventricle(edv, esv, edv - esv, 100 * (edv - esv) / edv, None)
        return Indices(one, replace(one, edv_ml=2 * edv), 100.0, None)

    return HeartVolumes(name, "NOR", of(*true), of(*found))


PEOPLE = [
    volumes("a", (100, 50), (104, 52)),
    volumes("b", (200, 150), (198, 152)),
    volumes("c", (150, 60), (154, 54)),
]


def test_errors_of_volumes_by_hand() -> None:
    errors = VolumeErrors.of(PEOPLE)
    assert errors.n_volumes == 3
    assert errors.edv_mae_ml == pytest.approx(10 / 3)
    assert errors.edv_bias_ml == pytest.approx(2)
    assert errors.rv_edv_bias_ml == pytest.approx(4)
    assert errors.esv_mae_ml == pytest.approx(10 / 3)
    assert errors.esv_bias_ml == pytest.approx(-2 / 3)
    ef = [100 * (1 - 54 / 154) - 60, 100 * (1 - 152 / 198) - 25, 0]
    assert errors.ef_mae == pytest.approx(np.abs(ef).mean())
    assert errors.ef_bias == pytest.approx(np.mean(ef))
    assert 0.99 < errors.ef_correlation < 1
    edv = Agreement.of(PEOPLE, "lv", "edv_ml")
    assert edv.limits == pytest.approx((2 - 1.96 * sqrt(12), 2 + 1.96 * sqrt(12)))
    assert np.isnan(Agreement.of(PEOPLE[:2], "lv", "edv_ml").correlation)
    assert np.isnan(Agreement.of(PEOPLE[:1], "lv", "edv_ml").limits).all()


def test_a_plot_is_written_for_each_ventricle(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = write_volume_plots(tmp_path / "figures", PEOPLE, "3 patients", "made by a test")
    assert [path.name for path in written] == ["heart-volumes-lv.png", "heart-volumes-rv.png"]
    pictures = [cv2.imread(str(path)) for path in written]
    assert pictures[0].shape[0] > 600
    assert not np.array_equal(*pictures)
    assert len(list((tmp_path / "figures").iterdir())) == 2
    with pytest.raises(FacewarpError, match="at least 2 patients"):
        write_volume_plots(tmp_path / "none", PEOPLE[:1], "1 patient", "made by a test")
    assert not (tmp_path / "none").exists()


def test_a_sheet_shows_six_tiles_a_row() -> None:
    row = HeartPicture(
        "caption", np.zeros((3, 20, 30), np.float32), np.zeros((3, 20, 30), np.uint8)
    )
    lit = replace(row, parts=np.full((3, 20, 30), HeartPart.LV, np.uint8))
    picture = sheet([row, lit])
    assert picture.shape == (20 + 2 * (20 + 40), 6 * 60, 3)
    assert picture[-10, 50].max() == 0 < picture[-10, -10].max()

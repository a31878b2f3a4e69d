"""A cine seen on its own slices: labels and volumes are the part network's, motion follows it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facewarp.cardiac.cine import analyse
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.motion.confidence import KEY, Curve, HeartCalibration
from facewarp.cardiac.motion.orientation import find_orientation
from facewarp.cardiac.motion.slice_parts import REACH, SLICES, SliceParts, slice_parts
from facewarp.cardiac.pair_registration import register_volumes
from facewarp.cardiac.parts import PART_NAMES, HeartPart
from facewarp.cardiac.report.quality_flags import quality_flags
from facewarp.cardiac.report.result_folder import summary
from facewarp.cardiac.seen_heart import see_again
from facewarp.core.config import FeatureConfig, ModelConfig


class SeesCavity:
    """A part network that takes bright for cavity and what lies around it for wall.

    Args:
        loses: share of its certainty that each voxel of the cavity loses.
    """

    sha256 = "5" * 64

    def __init__(self, shape=(128, 128), loses=0.0):
        self.loses = loses
        self.config = ModelConfig(
            kind=SLICES, classes=PART_NAMES, grid_shape=shape, spacing_mm=(1.4, 1.4),
            input_shape=shape, field_shape=shape, features=FeatureConfig(inputs=5), steps=(),
        )  # fmt: skip

    def on_grid(self, shape):
        return SeesCavity(tuple(shape), self.loses)

    def rough(self):
        return None

    def probabilities(self, images):
        gray = (images[:, REACH : REACH + 1] - 0.2) / 0.8
        lv = gray.clamp(0, 1) * (1 - self.loses)
        near = torch.nn.functional.max_pool2d((gray > 0.5).float(), 9, 1, 4)
        wall = (near - lv).clamp(min=0)
        return torch.cat([1 - near, torch.zeros_like(lv), wall, lv], 1)


class Guided:
    """A heart model with a part network of slices beside it."""

    def __init__(self, model, slices):
        self.model, self.slices = model, slices
        self.config, self.sha256 = model.config, model.sha256

    def on_grid(self, shape):
        return self.model.on_grid(shape)

    def rough(self):
        return None

    def probabilities(self, images):
        return self.model.probabilities(images)


@pytest.fixture(scope="module")
def cine(beating, plain, write_nifti, tmp_path_factory):
    affine = plain @ beating.to_heart
    path = tmp_path_factory.mktemp("cine") / "cine.nii.gz"
    return open_cine(write_nifti(path, beating.images[[0, 2, 3]], affine, 0.1))


class SeesSome(SeesCavity):
    """The same however bright, and blind to a strip on one side of the picture's middle.

    Args:
        strip: columns wide.
    """

    def __init__(self, shape=(128, 128), strip=0):
        super().__init__(shape)
        self.strip = strip

    def on_grid(self, shape):
        return SeesSome(tuple(shape), self.strip)

    def probabilities(self, images):
        bright = (images > 0.5).float()
        middle = bright.shape[-1] // 2
        bright[..., middle + 2 : middle + 2 + self.strip] = 0
        return super().probabilities(bright)


def test_a_heart_that_is_seen_otherwise_mirrored_is_looked_at_from_all_sides(
    cine, knowing, beating, monkeypatch
):
    judged, base_of = [], SliceParts.doubtful_base
    monkeypatch.setattr(
        SliceParts, "doubtful_base", lambda parts, es: judged.append(parts) or base_of(parts, es)
    )
    sound, doubted = (analyse(cine, Guided(knowing, SeesSome(strip=n))) for n in (0, 8))
    assert np.abs(sound.looks_apart_percent).max() < 6
    assert np.abs(doubted.looks_apart_percent[:, HeartPart.LV]).max() > 8
    by_itself = slice_parts(SeesSome(strip=8), cine.volume, doubted.motion.grid).volumes_ml()
    true, one, four = (
        volumes[:, HeartPart.LV] for volumes in (sound.volumes_ml, by_itself, doubted.volumes_ml)
    )
    assert (np.abs(four - true) < 0.8 * np.abs(one - true)).all()
    flags = [{f.name: f.verdict for f in quality_flags(one)} for one in (sound, doubted)]
    assert (flags[0]["second look"], flags[1]["second look"] != "ok") == ("ok", True)
    assert "in mirrored slices" in " ".join(doubted.warnings)
    assert "in mirrored slices" not in " ".join(sound.warnings)
    asked = list(dict.fromkeys(judged))  # of every phase
    for result, parts in zip((sound, doubted), asked, strict=True):  # those that are reported
        np.testing.assert_allclose(parts.volumes_ml(), result.volumes_ml, rtol=0.01)


def test_a_base_in_doubt_is_said_in_whichever_phase(cine, knowing, monkeypatch):
    monkeypatch.setattr(SliceParts, "doubtful_base", lambda parts, phase: (1, 30.0))
    shown = []
    monkeypatch.setattr(
        "facewarp.cardiac.cine.about_slices", lambda *asked: shown.append(asked) or ["one is aside"]
    )
    result = analyse(cine, Guided(knowing, SeesCavity()))
    assert "one is aside" in result.warnings
    ((labels, spacing_mm, moments, closes),) = shown
    assert labels is result.labels
    assert (moments, closes) == ((result.ed, result.es), cine.closes)
    assert spacing_mm == cine.volume.spacing_mm
    others = [str(cine.frames[phase]) for phase in range(3) if phase != result.es]
    said = [text for text in result.warnings if "may show the atrium" in text]
    assert f"at end-systole (phase {cine.frames[result.es]})" in said[0]
    assert said[1].startswith(f"in phases {', '.join(others)} the slice nearest to the base")


def test_ed_and_es_are_those_of_the_curve_that_is_reported(cine, knowing, monkeypatch):
    """Looked at again, other phases may be the fullest and the emptiest."""
    again = "facewarp.cardiac.cine.see_again"

    def backwards(*asked):
        seen = see_again(*asked)
        found = seen.found
        found = replace(found, lv=found.lv[::-1], volumes_ml=found.volumes_ml[::-1])
        return replace(seen, found=found)

    monkeypatch.setattr("facewarp.cardiac.cine.in_doubt", lambda apart: True)
    as_seen = analyse(cine, Guided(knowing, SeesCavity()))
    monkeypatch.setattr(again, backwards)
    result = analyse(cine, Guided(knowing, SeesCavity()))
    assert (result.ed, result.es) == (2 - as_seen.ed, 2 - as_seen.es)
    lv = result.volumes_ml[:, HeartPart.LV]
    assert (result.ed, result.es) == (lv.argmax(), lv.argmin())
    assert result.indices.lv.ef_percent == pytest.approx(as_seen.indices.lv.ef_percent)
    told = analyse(cine, Guided(knowing, SeesCavity()), CineOptions(ed=1, es=2))
    assert (told.ed, told.es) == (0, 1)


def test_labels_and_volumes_are_those_of_the_slices(cine, knowing, beating):
    result = analyse(cine, Guided(knowing, SeesCavity()))
    truth = beating.labels[[0, 2, 3]]
    for phase in range(3):
        lv, true = result.labels[phase] == HeartPart.LV, truth[phase] == HeartPart.LV
        assert 2 * (lv & true).sum() / (lv.sum() + true.sum()) > 0.98
    true_ml = (truth == HeartPart.LV).sum((1, 2, 3)) * cine.volume.voxel_ml
    np.testing.assert_allclose(result.volumes_ml[:, HeartPart.LV], true_ml, rtol=0.02)
    assert result.indices.lv.edv_ml == pytest.approx(result.volumes_ml[result.ed, HeartPart.LV])
    assert result.parts_sha256 == SeesCavity.sha256
    assert result.labels_by == "model"


@pytest.fixture(scope="module")
def calibrated():
    """A part network of slices whose weights say what its evidence is worth."""
    dice = Curve((0.25, 0.25, 0.25, 0.25, 0.0), ((0.0, 0.0), (1.0, 0.95)))
    ef_error = Curve((0.2, 0.2, 0.2, 0.1, 1.0), ((0.0, 1.0), (100.0, 60.0)))
    slices = SeesCavity()
    slices.metadata = {KEY: HeartCalibration((dice, dice, dice), ef_error, "drawn").to_text()}
    return slices


@pytest.fixture(scope="module")
def judged(cine, knowing, calibrated):
    """The cine's result, with the confidence of calibrated weights."""
    return analyse(cine, Guided(knowing, calibrated))


class Told:
    """A watcher that notes what it is told, and copies of it."""

    def __init__(self):
        self.names, self.fields = [], {}

    def seen(self, seen):
        self.names.append("seen")
        self.labels, self.volumes_ml = seen.labels.copy(), seen.volumes_ml.copy()
        self.moments = seen.ed, seen.es

    def moved(self, _cine, motion, phase):
        self.names.append("moved")
        self.fields[phase] = motion.from_ed[phase], motion.to_ed[phase]

    def tracked(self, _cine, _motion):
        self.names.append("tracked")


@pytest.mark.slow
def test_what_is_told_beside_the_analysis_is_final_whatever_the_threads(cine, knowing, judged):
    before = torch.get_num_threads()
    torch.set_num_threads(3 if before < 3 else 1)
    try:
        told = Told()
        found = analyse(cine, Guided(knowing, SeesCavity()), watch=told)
    finally:
        torch.set_num_threads(before)
    others = len(cine.frames) - 1
    assert told.names == ["seen", *["moved"] * others, "tracked"]
    np.testing.assert_array_equal(told.labels, found.labels)
    np.testing.assert_array_equal(told.volumes_ml, found.volumes_ml)
    assert told.moments == (found.ed, found.es)
    for phase, (from_ed, to_ed) in told.fields.items():
        np.testing.assert_array_equal(from_ed, found.motion.from_ed[phase])
        np.testing.assert_array_equal(to_ed, found.motion.to_ed[phase])
        np.testing.assert_allclose(from_ed, judged.motion.from_ed[phase], atol=1e-4)
    np.testing.assert_array_equal(found.labels, judged.labels)


def test_confidence_comes_with_its_evidence(judged):
    result = judged
    evidence, told = result.evidence, result.confidence
    assert evidence.changed[2] > 0.95  # mirrored, the slices show the same cavity
    assert evidence.expected[2] > 0.9
    assert evidence.second[2] > 0.8  # the heart model sees it too, coarsely
    assert max(evidence.ef_second, evidence.ef_changed, evidence.ef_carried) < 5
    assert told.dice[2] > told.dice[0]  # no right ventricle is seen in the slices
    assert 1 <= told.ef_error < 10
    record = summary(result)["confidence"]
    assert record["expected_ef_error"] == pytest.approx(told.ef_error, abs=1e-4)
    assert record["evidence"]["second"][2] == pytest.approx(evidence.second[2], abs=1e-4)
    assert "ejection fraction" in {flag.name for flag in quality_flags(result)}


def test_a_known_orientation_changes_nothing(judged, cine, knowing, calibrated, monkeypatch):
    found = judged
    lies = find_orientation(Guided(knowing, calibrated), cine.volume, 0)
    monkeypatch.setattr("facewarp.cardiac.seen_heart.find_orientation", None)  # it is not asked
    again = analyse(
        cine, Guided(knowing, calibrated), CineOptions(ed=found.ed + 1), orientation=lies
    )
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.confidence == found.confidence


def test_volumes_are_sums_of_probabilities_not_of_voxels(cine, knowing):
    sure = analyse(cine, Guided(knowing, SeesCavity()))
    less = analyse(cine, Guided(knowing, SeesCavity(loses=0.2)))
    ratio = less.volumes_ml[:, HeartPart.LV] / sure.volumes_ml[:, HeartPart.LV]
    np.testing.assert_allclose(ratio, 0.8, atol=1e-3)
    lv = [(one.labels == HeartPart.LV).sum() for one in (sure, less)]
    assert lv[1] > 0.9 * lv[0]


def test_a_readers_labels_are_carried_and_counted(
    cine, knowing, calibrated, beating, write_nifti, tmp_path
):
    labels = beating.labels[0].copy()
    path = write_nifti(tmp_path / "ed_gt.nii.gz", labels, cine.volume.affine, dtype=np.uint8)
    result = analyse(cine, Guided(knowing, calibrated), CineOptions(labels=str(path), ed=1))
    assert result.confidence is None  # it would be of the model's own labels
    assert summary(result)["confidence"] is None
    np.testing.assert_array_equal(result.labels[0], labels)
    counted = (result.labels == HeartPart.RV).sum((1, 2, 3)) * cine.volume.voxel_ml
    np.testing.assert_allclose(result.volumes_ml[:, HeartPart.RV], counted)
    assert counted.min() > 0  # the slices see none


def test_a_pair_has_the_labels_of_its_slices(cine, knowing, beating):
    fixed, moving = (replace(cine.volume, data=cine.volume.data[phase]) for phase in (0, 2))
    pair = register_volumes(Guided(knowing, SeesCavity()), fixed, moving)
    assert not (pair.labels_fixed == HeartPart.RV).any()
    true = beating.labels[0] == HeartPart.LV
    warped = pair.labels_warped == HeartPart.LV
    assert 2 * (warped & true).sum() / (warped.sum() + true.sum()) > 0.95

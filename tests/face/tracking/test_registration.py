"""Fitting crops, and how far a fit can be trusted."""

from types import SimpleNamespace

import numpy as np
import pytest

import facewarp
from facewarp.face.crop import Crop
from facewarp.face.crop_fields import inverted, sample_field
from facewarp.face.parts import FacePart
from facewarp.face.tracking import registration
from facewarp.face.tracking.registration import FaceRegistrar, crop_around, folds_percent


def parts(ids, sureness=1.0):
    """Part ids (h, w) as probabilities (8, h, w), more or less sure."""
    onehot = np.moveaxis(np.eye(len(FacePart), dtype=np.float32)[ids], -1, 0)
    return sureness * onehot + (1 - sureness) / len(FacePart)


@pytest.fixture
def ids():
    ids = np.zeros((8, 10), np.int64)
    ids[1:7, 1:9] = FacePart.FACE
    ids[2, 2:4], ids[2, 6:8] = FacePart.EYE_LEFT, FacePart.EYE_RIGHT
    ids[5, 3:7] = FacePart.MOUTH
    return ids


def test_folds_are_counted_on_the_face_alone(ids):
    still = np.zeros((2, *ids.shape), np.float32)
    assert folds_percent(still, parts(ids)) == 0
    mirrored = still.copy()
    mirrored[0] = (ids.shape[1] - 1) - 2 * np.arange(ids.shape[1])
    assert folds_percent(mirrored, parts(ids)) == 100
    assert folds_percent(mirrored, parts(np.zeros_like(ids))) == 0


def test_a_batch_is_what_each_crop_is_alone(fitter, portrait):
    gray = portrait.frame()[..., 1].copy()
    crops = [Crop.around(at, 80.0, roll=roll) for at, roll in [((160, 118), 0), ((150, 125), 0.2)]]
    assert fitter.register(gray, []) == []
    for face, crop in zip(fitter.register(gray, crops), crops, strict=True):
        (alone,) = fitter.register(gray, [crop])
        np.testing.assert_allclose(face.landmarks, alone.landmarks, atol=0.01)
        np.testing.assert_allclose(face.field, alone.field, atol=0.01)
        assert face.crop is crop
        assert face.field.shape == face.field_from_template.shape == (2, 320, 260)
        assert face.field.dtype == np.float32


def test_both_fields_are_one_map(fitter, portrait):
    gray = portrait.frame()[..., 1].copy()
    (face,) = fitter.register(gray, [Crop.around((160, 118), 77.0)])
    points = fitter.template.landmarks
    there = points + sample_field(face.grid_field_from_template, points)
    back = there + sample_field(face.grid_field, there)
    assert np.median(np.linalg.norm(back - points, axis=1)) < 0.1


def test_who_asks_for_landmarks_does_not_wait_for_the_inverse(fitter, portrait, monkeypatch):
    inverses = []

    def counted(field):
        inverses.append(inverted(field))
        return inverses[-1]

    monkeypatch.setattr(registration, "inverted", counted)
    gray = portrait.frame()[..., 1].copy()
    (face,) = fitter.register(gray, [Crop.around((160, 118), 77.0)])
    assert np.isfinite(face.landmarks).all()
    assert not inverses
    for one in (face, face.changed(id=5), face):
        assert one.grid_field is inverses[0]
    assert len(inverses) == 1


@pytest.mark.parametrize(
    "crop",
    [
        Crop.around((160 + 30, 118 - 20), 80.0),
        Crop.around((160, 118), 125.0),
        Crop.around((160, 118), 52.0),
        Crop.around((160, 118), 80.0, roll=0.7),
    ],
    ids=["aside", "far", "near", "turned"],
)
def test_a_face_askew_in_its_crop_is_registered_on_a_better_one(fitter, portrait, crop):
    gray = portrait.frame()[..., 1].copy()
    (straight,) = fitter.register_refined(gray, [Crop.around((160, 118), 77.0)])
    (once,), (face,) = fitter.register(gray, [crop]), fitter.register_refined(gray, [crop])
    assert face.crop is not crop
    assert face.confidence > max(once.confidence, straight.confidence) - 0.02
    assert abs(face.crop.scale / crop_around(straight.landmarks).scale - 1) < 0.15
    np.testing.assert_allclose(face.landmarks, straight.landmarks, atol=4)


def test_a_face_that_sits_well_is_registered_once(fitter, portrait):
    gray = portrait.frame()[..., 1].copy()
    (face,) = fitter.register_refined(gray, [Crop.around((160, 118), 77.0)])
    best = crop_around(face.landmarks)
    assert fitter.register_refined(gray, [best])[0].crop is best


def test_a_face_can_not_be_sure_where_the_crop_ends_before_it(fitter, portrait):
    gray = portrait.frame()[..., 1].copy()
    (whole,) = fitter.register(gray, [Crop.around((160, 118), 77.0)])
    (half,) = fitter.register(gray, [Crop.around((160, 118 + 110), 77.0)])
    assert half.confidence < 0.7 < whole.confidence


def test_a_tracker_runs_one_direction_by_one_graph(portrait):
    pytest.importorskip("openvino")
    model = facewarp.load("face", engine="openvino-int8")
    with facewarp.FaceTracker(model=model, faces=1, smooth=True) as tracker:
        for time in (0.0, 0.04):
            (face,) = tracker(portrait.frame(), time)
    assert face.state == "tracking"
    assert set(model.engine._requests) == {("from_template of gray values", 1)}


def test_in_a_pipeline_every_network_leaves_half_of_the_cores(monkeypatch):
    """Eyes and mouth on all cores waited for the threads that draw and encode."""
    monkeypatch.setattr("facewarp.core.engines.base.cores", lambda: 8)
    asked = {name: [] for name in ("model", "_details", "_occlusion")}
    fitter = object.__new__(FaceRegistrar)
    for name, threads in asked.items():
        engine = SimpleNamespace(name="none", use_threads=threads.append)
        setattr(fitter, name, SimpleNamespace(engine=engine))
    fitter.share_cores()
    assert asked == {name: [4] for name in asked}
    fitter._details = fitter._occlusion = None
    fitter.share_cores()
    assert asked["model"] == [4, 4]

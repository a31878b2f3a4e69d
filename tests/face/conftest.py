"""A template, a frame, and faces whose crop shows the template itself."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.detector import FaceDetector
from facewarp.face.face import Face
from facewarp.face.template.template import Template
from facewarp.face.tracking.registration import Fitter
from facewarp.face.tracking.track import TrackerConfig
from facewarp.face.tracking.tracker import FaceTracker


@pytest.fixture(scope="session")
def template():
    return Template.load("average")


@pytest.fixture
def frame(rng):
    """A smooth coloured picture, 640x480."""
    coarse = rng.integers(40, 220, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def face_at(template):
    """Make faces: where, how large, how rolled; with no field unless one is given."""

    def make(center=(320, 240), side=150.0, roll=0.0, field=None, back=None, **changes):
        crop = Crop.around(center, side, roll=roll)
        zero = np.zeros((2, *CROP_SHAPE), np.float32)
        landmarks = crop.to_frame(template.landmarks)
        face = Face(
            id=3,
            state="tracking",
            confidence=0.9,
            box=(*landmarks.min(axis=0), *landmarks.max(axis=0)),
            landmarks=landmarks,
            crop=crop,
            grid_field=zero if field is None else field,
            grid_field_from_template=zero if back is None else back,
            probabilities=np.zeros((8, 80, 65), np.float32),
            folds_percent=0.0,
        )
        return replace(face, **changes)

    return make


@pytest.fixture(scope="session")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="session")
def fitter():
    return Fitter("average", "face", "cpu", TrackerConfig().sure)


@pytest.fixture
def make_tracker(detector, fitter):
    def make(**options):
        options.setdefault("detector", detector)
        return FaceTracker(fitter.template, fitter.model, **options)

    return make


@pytest.fixture
def tracker(make_tracker):
    return make_tracker()

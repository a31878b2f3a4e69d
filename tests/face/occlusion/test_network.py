"""The shipped occlusion network on the shipped portrait, with a bar drawn over it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from facewarp.core.engines.base import ENGINES, is_installed
from facewarp.core.model import load
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.effects.factory import make_effect
from facewarp.face.occlusion.network import (
    MATTE_SHAPE,
    OCCLUSION,
    WINDOW_SHAPE,
    OcclusionNetwork,
    wide_crop,
)
from facewarp.face.rendering.occlusion import free_of

BAR = (40, 70, 200)


@pytest.fixture(scope="module")
def network():
    return OcclusionNetwork(load(OCCLUSION))


@pytest.fixture(scope="module")
def picture(portrait):
    return portrait.image


@pytest.fixture(scope="module")
def face(fitter, portrait):
    """The portrait's face, registered without anything before it."""
    crop = Crop.around(portrait.MIDDLE, portrait.SIDE)
    return fitter.register_refined(portrait.image, [crop])[0]


@pytest.fixture(scope="module")
def barred(picture, face):
    """The portrait with a bar across nose and cheeks, and where it lies in the crop."""
    crossed = picture.copy()
    _, y0, _, y1 = face.box
    rows = slice(int(y0 + 0.5 * (y1 - y0)), int(y0 + 0.68 * (y1 - y0)))
    crossed[rows] = BAR
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[rows] = 255
    return crossed, face.crop.extract(mask) > 127


def test_the_window_is_the_crop_with_a_margin(face):
    wide = wide_crop(face.crop)
    assert wide.shape == WINDOW_SHAPE
    assert np.allclose(wide.to_frame((1.0, 0.0)), face.crop.to_frame((0.5, 0.5)))


def test_a_bar_over_a_face_is_not_the_face(network, face, barred, picture):
    crossed, hidden = barred
    free, over = (free_of(network(frame, [face])[0]) for frame in (picture, crossed))
    inside = np.zeros(CROP_SHAPE, bool)
    inside[100:200, 80:180] = True
    assert free[inside].mean() > 245
    assert over[inside & hidden].mean() < 20
    around = cv2.dilate(hidden.astype(np.uint8), np.ones((13, 13))) > 0
    assert over[inside & ~around].mean() > 240


def test_every_effect_ends_behind_the_bar(network, face, barred, template):
    picture, _ = barred
    seen = network(picture, [face])[0]
    bar = (picture == BAR).all(-1)
    for name, options in (("texture", {"texture": "tiger"}), ("labels", {}), ("mesh", {}),
                          ("style", {"style": "bronze"})):  # fmt: skip
        effect = make_effect(name, annotate=False, **options)
        changed = [
            np.abs(effect(picture, [one], template)[bar].astype(int) - BAR).mean()
            for one in (seen, replace(seen, matte=None))
        ]
        assert changed[0] < 0.25 * changed[1], name


def test_gray_frames_and_deep_ones_are_seen_as_well(network, face, barred):
    picture, _ = barred
    gray = np.asarray(Image.fromarray(picture).convert("L"))
    deep = picture.astype(np.uint16) * 257
    of = [network(frame, [face])[0].matte for frame in (picture, deep, gray)]
    assert np.array_equal(of[0], of[1])
    assert of[2].shape == MATTE_SHAPE
    assert (of[2] > 127).any()


@pytest.mark.parametrize("name", [name for name in ENGINES if is_installed(name)])
def test_every_engine_sees_the_same(name, network, face, barred):
    model = load("face", engine=name)
    found = OcclusionNetwork.beside(model)
    assert found.engine.name == name
    mattes = [one(barred[0], [face] * 3) for one in (network, found)]
    apart = np.abs(mattes[0][0].matte.astype(int) - mattes[1][2].matte)
    assert apart.mean() < (4 if name == "openvino-int8" else 0.2)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", [name for name in ENGINES if is_installed(name)])
def test_pictures_of_bytes_are_seen_as_images_of_shares_are(name, count, barred):
    engine = OcclusionNetwork.beside(load("face", engine=name)).engine
    small = cv2.resize(barred[0], WINDOW_SHAPE[::-1], interpolation=cv2.INTER_AREA)
    pictures = np.stack([np.roll(small, 9 * i, axis=1) for i in range(count)])
    images = np.stack([picture.transpose(2, 0, 1) for picture in pictures]) / np.float32(255)
    expected = 255 * engine.parts(np.ascontiguousarray(images))[:, 1]
    np.testing.assert_allclose(engine.mattes(pictures), expected, atol=0.51)
    swapped = engine.mattes(pictures[..., ::-1])  # another order of colors
    assert np.abs(swapped - expected).max() > 3


def test_a_tracker_paints_no_bar_that_goes_by(make_tracker, picture, template):
    """A bar that wipes over the face is never painted, and the face is tracked on."""
    tracker = make_tracker(faces=1, smooth=True, photometric=True, occlusion=True)
    effect = make_effect("texture", texture="tiger", annotate=False)
    painted, states = [], []
    for i in range(10):
        frame = picture.copy()
        left = 90 + 24 * i
        frame[60:190, left : left + 30] = BAR
        faces = tracker(frame, i / 25)
        states += [one.state for one in faces]
        bar = (frame == BAR).all(-1)
        painted.append((effect(frame, faces, template) != frame).any(-1)[bar].mean())
    assert "lost" not in states
    assert max(painted) < 0.12


def test_a_single_registration_has_a_matte_where_that_is_asked_for(make_tracker, picture, face):
    found = {
        wanted: make_tracker(occlusion=wanted).register(picture, face.crop).matte
        for wanted in (True, False)
    }
    assert found[False] is None
    assert found[True].mean() > 60

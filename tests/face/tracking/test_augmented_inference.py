"""Four views of a crop: what their mean keeps, and what it makes better."""

import numpy as np
import pytest
import torch

import facewarp
from facewarp.core.engines.base import Engine, Floats
from facewarp.core.geometry import resize_image
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import MIRROR_PARTS
from facewarp.face.template.template import Template
from facewarp.face.tracking.augmented_inference import AugmentedEngine, with_augmentation


class Painted:
    """An engine that reads parts off grey values: what it sees moves as the picture does."""

    name, summary = "painted", "painted"
    seen = 0

    def parts(self, images: Floats) -> Floats:
        self.seen += len(images)
        small = resized(images, (80, 65))
        return np.concatenate([1 - small, small, *[np.zeros_like(small)] * 6], 1)

    def fields(self, fixed: Floats, moving: Floats) -> Floats:
        return moving[:, :2] - fixed[:, :2]

    def both_ways(self, images: Floats, template: Floats) -> tuple[Floats, Floats]:
        raise AssertionError("parts and fields are asked for one after the other")

    def use_threads(self, count: int) -> None:
        self.threads = count


def resized(images: Floats, shape: tuple[int, int]) -> Floats:
    return resize_image(torch.from_numpy(images), shape).numpy()


@pytest.fixture
def crop() -> Floats:
    image = Template.load("average").image
    return np.asarray(image, np.float32)[None, None] / np.float32(255)


def test_what_moves_with_the_picture_is_seen_where_it_is(crop: Floats) -> None:
    engine: Engine = Painted()
    smooth = resized(resized(crop, (40, 26)), CROP_SHAPE)
    once, four_times = engine.parts(smooth), AugmentedEngine(engine).parts(smooth)
    assert four_times.shape == once.shape
    assert np.abs(four_times - once).max() < 0.02
    np.testing.assert_allclose(four_times.sum(1), 1, atol=1e-5)


def test_every_picture_is_looked_at_four_times() -> None:
    engine = Painted()
    AugmentedEngine(engine).parts(np.zeros((3, 1, *CROP_SHAPE), np.float32))
    assert engine.seen == 12


def test_both_ways_are_those_of_parts_and_fields() -> None:
    views = AugmentedEngine(Painted())
    rng = np.random.default_rng(0)
    images = rng.random((2, 1, *CROP_SHAPE), np.float32)
    template = rng.random((1, 8, 80, 65), np.float32)
    parts, found = views.both_ways(images, template)
    np.testing.assert_allclose(parts, views.parts(images), rtol=1e-6)
    templates = template.repeat(2, axis=0)
    np.testing.assert_allclose(found[:2], views.fields(parts, templates), rtol=1e-6)
    np.testing.assert_allclose(found[2:], views.fields(templates, parts), rtol=1e-6)
    alone = views.from_template(images, template)
    np.testing.assert_allclose(alone[0], parts, rtol=1e-6)
    np.testing.assert_allclose(alone[1], found[2:], rtol=1e-6)


def test_a_mirrored_face_has_mirrored_parts(crop: Floats) -> None:
    engine = with_augmentation(facewarp.load("face")).engine
    crop = crop.copy()
    crop[..., :100] *= 0.6  # light from one side
    ahead = engine.parts(crop)
    back = engine.parts(crop[..., ::-1])[..., ::-1][:, MIRROR_PARTS]
    np.testing.assert_allclose(back, ahead, atol=2e-3)
    once = facewarp.load("face").engine
    one = once.parts(crop[..., ::-1])[..., ::-1][:, MIRROR_PARTS]
    assert np.abs(one - once.parts(crop)).max() > 0.05


def test_the_model_itself_stays_as_it_was(crop: Floats) -> None:
    model = facewarp.load("face")
    before = model.engine.parts(crop)
    thorough = with_augmentation(model)
    assert "four views" in thorough.engine.summary
    assert not np.array_equal(thorough.engine.parts(crop), before)
    np.testing.assert_array_equal(model.engine.parts(crop), before)
    with facewarp.FaceTracker(model=model, thorough=True) as tracker:
        assert "four views" in tracker.model.engine.summary
    assert "four views" not in model.engine.summary

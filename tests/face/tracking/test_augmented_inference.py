"""Four views of a crop: what their mean keeps, and what it makes better."""

import numpy as np
import pytest
import torch
from torch import Tensor

import facewarp
from facewarp.core.engines.base import Engine
from facewarp.core.geometry import resize_image
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import MIRROR_PARTS
from facewarp.face.template.template import Template
from facewarp.face.tracking.augmented_inference import AugmentedEngine, with_augmentation


class Painted:
    """An engine that reads parts off grey values: what it sees moves as the picture does."""

    name, summary = "painted", "painted"
    seen = 0

    def parts(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        small = resize_image(images, (80, 65))
        return torch.cat([1 - small, small, *[torch.zeros_like(small)] * 6], 1)

    def fields(self, fixed: Tensor, moving: Tensor) -> Tensor:
        return moving[:, :2] - fixed[:, :2]

    def both_ways(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("parts and fields are asked for one after the other")

    def use_threads(self, count: int) -> None:
        self.threads = count


@pytest.fixture
def crop() -> Tensor:
    image = Template.load("average").image
    return torch.from_numpy(np.asarray(image, np.float32))[None, None] / 255


def test_what_moves_with_the_picture_is_seen_where_it_is(crop: Tensor) -> None:
    engine: Engine = Painted()
    smooth = resize_image(resize_image(crop, (40, 26)), CROP_SHAPE)
    once, four_times = engine.parts(smooth), AugmentedEngine(engine).parts(smooth)
    assert four_times.shape == once.shape
    assert (four_times - once).abs().max() < 0.02
    torch.testing.assert_close(four_times.sum(1), torch.ones(1, 80, 65))


def test_every_picture_is_looked_at_four_times() -> None:
    engine = Painted()
    AugmentedEngine(engine).parts(torch.rand(3, 1, *CROP_SHAPE))
    assert engine.seen == 12


def test_both_ways_are_those_of_parts_and_fields() -> None:
    views = AugmentedEngine(Painted())
    images, template = torch.rand(2, 1, *CROP_SHAPE), torch.rand(1, 8, 80, 65)
    parts, found = views.both_ways(images, template)
    torch.testing.assert_close(parts, views.parts(images))
    templates = template.expand(2, -1, -1, -1)
    torch.testing.assert_close(found[:2], views.fields(parts, templates))
    torch.testing.assert_close(found[2:], views.fields(templates, parts))


def test_a_mirrored_face_has_mirrored_parts(crop: Tensor) -> None:
    model = with_augmentation(facewarp.load("face"))
    crop = crop.clone()
    crop[..., :100] *= 0.6  # light from one side
    ahead = model.probabilities(crop)
    back = model.probabilities(crop.flip(-1)).flip(-1)[:, MIRROR_PARTS.tolist()]
    torch.testing.assert_close(back, ahead, atol=2e-3, rtol=0)
    once = facewarp.load("face")
    one = once.probabilities(crop.flip(-1)).flip(-1)[:, MIRROR_PARTS.tolist()]
    assert (one - once.probabilities(crop)).abs().max() > 0.05


def test_the_model_itself_stays_as_it_was(crop: Tensor) -> None:
    model = facewarp.load("face")
    before = model.probabilities(crop)
    thorough = with_augmentation(model)
    assert "four views" in thorough.engine.summary
    assert not torch.equal(thorough.probabilities(crop), before)
    torch.testing.assert_close(model.probabilities(crop), before)
    with facewarp.FaceTracker(model=model, thorough=True) as tracker:
        assert "four views" in tracker.model.engine.summary
    assert "four views" not in model.engine.summary

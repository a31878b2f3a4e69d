from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
import torch

from facewarp.face.parts import MIRROR_LANDMARKS, MIRROR_PARTS
from facewarp.training.dataloading.face_augmentation import AugmentConfig, augment, occlude, relight
from facewarp.training.dataloading.face_batches import FaceBatches
from facewarp.training.datasets.photo import FacePhoto

GEOMETRY = replace(AugmentConfig(), photometric=0.0, occlude=0.0)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def either(kind: str, photo: FacePhoto, mask_photo: FacePhoto) -> FacePhoto:
    return photo if kind == "points" else mask_photo


@pytest.mark.parametrize("kind", ["points", "masks"])
@pytest.mark.parametrize("elastic", [0.0, 1.0])
def test_labels_move_as_the_image_does(
    kind: str, elastic: float, photo: FacePhoto, mask_photo: FacePhoto, grays: np.ndarray
) -> None:
    config = replace(GEOMETRY, elastic=elastic)
    for seed in range(12):
        view = augment(either(kind, photo, mask_photo), rng(seed), config)
        assert view.image.shape == view.labels.shape == (320, 260)
        assert view.image.dtype == view.labels.dtype == np.uint8
        differs = np.abs(view.image.astype(int) - grays[view.labels]) > 60
        assert differs.mean() < 0.01  # at the parts' edges only


@pytest.mark.parametrize("kind", ["points", "masks"])
def test_a_mirrored_view_mirrors_image_labels_and_landmarks(
    kind: str, photo: FacePhoto, mask_photo: FacePhoto
) -> None:
    source = either(kind, photo, mask_photo)
    plain = replace(GEOMETRY, elastic=0.0)
    for seed in range(5):
        view = augment(source, rng(seed), replace(plain, flip=0.0))
        mirrored = augment(source, rng(seed), replace(plain, flip=1.0))
        np.testing.assert_allclose(mirrored.image.astype(int), view.image[:, ::-1], atol=2)
        assert (mirrored.labels == MIRROR_PARTS[view.labels[:, ::-1]]).mean() > 0.99
        if view.landmarks is not None:
            assert mirrored.landmarks is not None
            expected = np.array([259.0, 0.0]) + view.landmarks * np.array([-1.0, 1.0])
            np.testing.assert_allclose(mirrored.landmarks, expected[MIRROR_LANDMARKS])
        else:
            assert mirrored.landmarks is None


def test_landmarks_follow_a_bend(photo: FacePhoto) -> None:
    """Dots painted at the landmarks are found where the view says they are."""
    assert photo.landmarks is not None
    chosen = [0, 8, 16, 30, 36, 45, 48, 54]
    rows, columns = np.mgrid[:420, :400]
    for seed in range(6):
        config = replace(GEOMETRY, elastic=1.0, flip=0.0)
        for index in chosen:
            x, y = photo.landmarks[index]
            dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)
            view = augment(replace(photo, image=dot.astype(np.uint8)), rng(seed), config)
            assert view.landmarks is not None
            weight = view.image.astype(float)
            if weight.max() < 200 or weight[[0, -1]].any() or weight[:, [0, -1]].any():
                continue  # outside of the view
            seen = [(weight * grid).sum() / weight.sum() for grid in np.mgrid[:320, :260][::-1]]
            np.testing.assert_allclose(view.landmarks[index], seen, atol=0.35)


def test_the_same_seed_gives_the_same_view(photo: FacePhoto) -> None:
    first, again = (augment(photo, rng(7), AugmentConfig()) for _ in range(2))
    other = augment(photo, rng(8), AugmentConfig())
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.image != other.image).any()


def test_strength_zero_is_one_upright_crop(photo: FacePhoto) -> None:
    views = [augment(photo, rng(seed), AugmentConfig.of_strength(0)) for seed in range(4)]
    for view in views[1:]:
        np.testing.assert_array_equal(view.image, views[0].image)
    assert views[0].landmarks is not None
    low, high = views[0].landmarks.min(axis=0), views[0].landmarks.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, [129.5, 159.5], atol=1e-6)
    assert (high - low).max() == pytest.approx(160)
    assert AugmentConfig.of_strength(1) == AugmentConfig()


def test_views_as_tested_are_cut_as_the_test_cuts(photo: FacePhoto) -> None:
    for seed in range(40):
        config = replace(AugmentConfig.as_tested(0), flip=0.0)
        points = augment(photo, rng(seed), config).landmarks
        assert points is not None
        low, high = points.min(axis=0), points.max(axis=0)
        side = (high - low).max()
        assert 320 / 2.3 - 1e-6 <= side <= 320 / 1.7 + 1e-6
        away = np.abs((low + high) / 2 - [129.5, 159.5]) / side
        assert (away <= 0.12 + 1e-6).all()
    gray = replace(photo, image=np.full_like(photo.image, 128))
    for seed in range(20):  # bent, and neither relit nor covered
        assert (augment(gray, rng(seed), AugmentConfig.as_tested(1)).image == 128).all()


def test_light_and_occluders_leave_their_input_alone(photo: FacePhoto) -> None:
    image = np.full((320, 260), 128, dtype=np.uint8)
    always = replace(AugmentConfig(), photometric=1.0)
    for seed in range(20):
        for changed in (
            occlude(image, photo.image, rng(seed)),
            relight(image, rng(seed), always),
        ):
            assert changed.shape == image.shape
            assert changed.dtype == np.uint8
        assert (image == 128).all()
    off = replace(always, strength=0.0)
    np.testing.assert_array_equal(relight(image, rng(0), off), image)


def batches(sets: list[list[FacePhoto]], **options: object) -> FaceBatches:
    return FaceBatches(sets, 2, seed=3, **options)  # type: ignore[arg-type]


def test_a_batch_holds_pairs_in_the_agreed_form(photo: FacePhoto, mask_photo: FacePhoto) -> None:
    batch = FaceBatches([[photo], [mask_photo]], 6).batch(0)
    roles = ("fixed", "moving")
    assert set(batch) == {r + end for r in roles for end in ("", "_labels", "_landmarks")}
    for role in roles:
        assert batch[role].shape == (6, 1, 320, 260)
        assert batch[role].dtype == torch.float32
        assert 0 <= batch[role].min() <= batch[role].max() <= 1
        assert batch[f"{role}_labels"].shape == (6, 320, 260)
        assert batch[f"{role}_labels"].dtype == torch.uint8
        assert batch[f"{role}_landmarks"].shape == (6, 68, 2)
        assert batch[f"{role}_landmarks"].dtype == torch.float32
    known = torch.cat([batch[f"{r}_landmarks"] for r in roles]).isfinite().flatten(1).float()
    assert set(known.mean(1).tolist()) == {0.0, 1.0}  # all points of a face or none


@pytest.mark.parametrize("workers", [1, 3])
def test_training_resumes_exactly(workers: int, photo: FacePhoto) -> None:
    whole = list(islice(batches([[photo]]), 4))
    rest = list(islice(batches([[photo]], start=2, workers=workers), 2))
    for expected, found in zip(whole[2:], rest, strict=True):
        for name in expected:
            torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)
    assert not torch.equal(whole[0]["fixed"], whole[1]["fixed"])


def test_sets_are_sampled_by_weight(photo: FacePhoto, mask_photo: FacePhoto) -> None:
    only_masks = batches([[photo], [mask_photo]], weights=[0, 1]).batch(0)
    assert only_masks["fixed_landmarks"].isnan().all()


def test_leaving_the_loop_restores_opencv(photo: FacePhoto) -> None:
    before = cv2.getNumThreads()
    stream = iter(batches([[photo]]))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert cv2.getNumThreads() == before


def test_an_error_in_the_background_is_not_lost(photo: FacePhoto) -> None:
    broken = replace(photo, landmarks=None)
    with pytest.raises(AssertionError):
        next(iter(batches([[broken]])))


@pytest.mark.parametrize(
    ("sets", "options"),
    [(0, {}), (1, {"weights": [1, 2]}), (1, {"weights": [0]}), (1, {"workers": 0})],
)
def test_batches_refuse_nonsense(sets: int, options: dict[str, object], photo: FacePhoto) -> None:
    with pytest.raises(ValueError, match=r"weight|workers"):
        batches([[photo]] * sets, **options)

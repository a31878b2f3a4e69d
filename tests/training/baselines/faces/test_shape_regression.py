"""Shape regression learns where the points of drawn faces are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.training.baselines.faces.shape_regression import (
    FernSettings,
    ShapeRegressor,
    train_shape_regression,
)
from facewarp.training.datasets.crops import load_test_crops
from facewarp.training.synthetic.drawn_face import synthetic_faces

FEW = FernSettings(stages=6, ferns=20, pixels=80, crops=3, starts=3, tries=5)


@pytest.fixture(scope="module")
def trained() -> ShapeRegressor:
    return train_shape_regression(synthetic_faces(np.random.default_rng(3), 60), FEW)


def off_px(trained: ShapeRegressor) -> tuple[float, float]:
    """How far points of unseen faces are off: found, and the mean shape's."""
    crops = load_test_crops(synthetic_faces(np.random.default_rng(4), 12))
    still = replace(trained, leaves=np.zeros_like(trained.leaves), starts=trained.starts[:1])
    return tuple(
        float(np.mean([np.linalg.norm(m.points(c.image) - c.landmarks, axis=1) for c in crops]))
        for m in (trained, still)
    )


@pytest.mark.slow
def test_points_of_new_faces_are_found(trained: ShapeRegressor) -> None:
    found, mean = off_px(trained)
    assert found < 0.6 * mean


@pytest.mark.slow
def test_what_is_saved_finds_the_same_points(trained: ShapeRegressor, tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    trained.save(path, {"training_data": "drawn"})
    again = ShapeRegressor.load(path)
    crop = load_test_crops(synthetic_faces(np.random.default_rng(5), 2))[0]
    np.testing.assert_array_equal(again.points(crop.image), trained.points(crop.image))
    assert again.parameters == trained.parameters
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.slow
def test_the_same_seed_learns_the_same() -> None:
    photos = synthetic_faces(np.random.default_rng(3), 4)
    tiny = replace(FEW, stages=1, ferns=3)
    one, two = (train_shape_regression(photos, tiny) for _ in range(2))
    np.testing.assert_array_equal(one.leaves, two.leaves)


def test_photographs_without_points_are_refused() -> None:
    photo = synthetic_faces(np.random.default_rng(3), 1)[0]
    with pytest.raises(FacewarpError, match="with 68 points"):
        train_shape_regression([photo, replace(photo, landmarks=None)], FEW)


@pytest.mark.parametrize("content", [None, b"", b"not weights"])
def test_other_files_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FacewarpError, match=r"no trained shape regression.*train baseline esr"):
        ShapeRegressor.load(path)

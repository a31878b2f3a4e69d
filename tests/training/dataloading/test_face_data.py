"""Which photographs are trained on, and which never are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.points import write_pts

from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart
from facewarp.training.dataloading.face_data import (
    celebamask_test_photos,
    celebamask_training_data,
    helen_test_photos,
    helen_training_data,
)
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.synthetic.drawn_face import synthetic_faces

FACE = synthetic_faces(np.random.default_rng(3), 1)[0]
CELEBAMASK_IDS = np.array([0, 1, 6, 7, 4, 5, 2, 12], dtype=np.uint8)


def with_points(folder: Path, names: list[str]) -> Path:
    """The same face under many names."""
    folder.mkdir(parents=True)
    data = cv2.imencode(".jpg", FACE.image)[1].tobytes()
    for name in names:
        (folder / f"{name}.jpg").write_bytes(data)
        write_pts(folder / f"{name}.pts", FACE.landmarks)
    return folder


def with_masks(folder: Path, names: list[str]) -> Path:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), FACE.image)
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), CELEBAMASK_IDS[FACE.labels])
    return folder


def with_smiths_labels(folder: Path, names: list[str]) -> Path:
    (folder / "images").mkdir(parents=True)
    ids = np.array([0, 1, 2, 3, 4, 5, 6, 8])[FACE.labels]
    for name in names:
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), FACE.image)
        (folder / "labels" / name).mkdir(parents=True)
        for index in range(11):
            layer = np.where(ids == index, 255, 0).astype(np.uint8)
            cv2.imwrite(str(folder / "labels" / name / f"{name}_lbl{index:02d}.png"), layer)
    return folder


def names_of(photos: list[FacePhoto]) -> list[str]:
    return [photo.name for photo in photos]


def numbered(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{i:03d}" for i in range(n)]


def test_every_24th_photograph_is_held_out(tmp_path: Path) -> None:
    train = numbered("a", 49)
    with_points(tmp_path / "helen" / "trainset", train)
    with_points(tmp_path / "helen" / "afw", numbered("b", 3))
    with_points(tmp_path / "helen" / "testset", numbered("t", 3))
    with_points(tmp_path / "more", numbered("c", 2))
    data = helen_training_data(tmp_path / "helen", extra=[tmp_path / "more"])
    assert names_of(data.held_out) == ["a000", "a024", "a048"]
    expected = [n for i, n in enumerate(train) if i % 24] + numbered("b", 3) + numbered("c", 2)
    assert [names_of(photos) for photos in data.sets] == [expected]
    assert data.shares is None
    assert data.description == "trainset (46), afw (3), more (2)"


def test_nothing_is_held_out_on_request(tmp_path: Path) -> None:
    folder = with_points(tmp_path / "mine", numbered("a", 5))
    data = helen_training_data(folder, hold_out=False)
    assert names_of(data.sets[0]) == numbered("a", 5)
    assert data.held_out == []
    assert data.description == "mine (5)"


@pytest.mark.parametrize(("n", "held"), [(4, [0, 2]), (5, [0, 2, 4]), (30, [0, 15])])
def test_few_photographs_give_a_pair_to_validate_with(
    tmp_path: Path, n: int, held: list[int]
) -> None:
    folder = with_points(tmp_path / "few", numbered("a", n))
    data = helen_training_data(folder)
    assert names_of(data.held_out) == [f"a{i:03d}" for i in held]
    assert len(data.sets[0]) == n - len(held)


def test_too_few_are_refused(tmp_path: Path) -> None:
    folder = with_points(tmp_path / "few", numbered("a", 3))
    with pytest.raises(FacewarpError, match=r"3 photographs are too few.*few\). Give 4 or more"):
        helen_training_data(folder)


def test_masks_are_a_set_of_their_own_with_their_share(tmp_path: Path) -> None:
    with_points(tmp_path / "helen", numbered("a", 4))
    with_masks(tmp_path / "celeba" / "train", numbered("m", 2))
    data = helen_training_data(
        tmp_path / "helen", celebamask=tmp_path / "celeba", celebamask_share=0.25
    )
    assert [names_of(photos) for photos in data.sets] == [["a001", "a003"], ["m000", "m001"]]
    assert data.shares == [0.75, 0.25]
    assert data.description == "helen (2), train (2)"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_all_or_nothing_is_refused(tmp_path: Path, share: float) -> None:
    with_points(tmp_path / "helen", numbered("a", 4))
    masks = with_masks(tmp_path / "celeba", numbered("m", 1))
    with pytest.raises(FacewarpError, match="--celebamask-share"):
        helen_training_data(tmp_path / "helen", celebamask=masks, celebamask_share=share)


def test_foreheads_are_trimmed_only_beside_points(tmp_path: Path) -> None:
    raised = FACE.labels.copy()
    rows = np.nonzero(raised)[0]
    columns = np.nonzero(raised[rows.min() + 5])[0]
    raised[rows.min() - 40 : rows.min() + 5, columns.min() : columns.max()] = FacePart.FACE
    folder = with_masks(tmp_path / "celeba" / "train", numbered("m", 4))
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), CELEBAMASK_IDS[raised])
    alone = celebamask_training_data(tmp_path / "celeba")
    assert names_of(alone.held_out) == ["m000", "m002"]
    extra = with_points(tmp_path / "more", numbered("c", 1))
    mixed = celebamask_training_data(tmp_path / "celeba", extra=[extra])
    assert names_of(mixed.sets[0]) == ["m001", "m003", "c000"]
    assert mixed.sets[0][0].labels.astype(bool).sum() < alone.sets[0][0].labels.astype(bool).sum()


def test_smiths_lists_tell_training_from_testing(tmp_path: Path) -> None:
    folder = with_smiths_labels(tmp_path / "smith", numbered("s", 7))
    (folder / "exemplars.txt").write_text("1 , s000\n2 , s001\n3 , s002\n4 , s003\n")
    (folder / "testing.txt").write_text("1 , s005\n2 , s006\n")
    data = helen_training_data(folder)
    assert names_of(data.held_out) + names_of(data.sets[0]) == ["s000", "s002", "s001", "s003"]
    split, photos = helen_test_photos(folder)
    assert (split, names_of(photos)) == ("testing", ["s005", "s006"])


def test_smiths_layout_without_lists_is_taken_whole(tmp_path: Path) -> None:
    folder = with_smiths_labels(tmp_path / "smith", numbered("s", 4))
    split, photos = helen_test_photos(folder)
    assert (split, len(photos)) == ("smith", 4)


def test_test_photographs_are_the_folders_or_its_testset(tmp_path: Path) -> None:
    with_points(tmp_path / "helen" / "trainset", numbered("a", 2))
    with_points(tmp_path / "helen" / "testset", numbered("t", 2))
    split, photos = helen_test_photos(tmp_path / "helen")
    assert (split, names_of(photos)) == ("testset", ["t000", "t001"])
    own = with_points(tmp_path / "own", numbered("o", 2))
    with_points(own / "testset", numbered("t", 2))
    split, photos = helen_test_photos(own)
    assert (split, names_of(photos)) == ("own", ["o000", "o001"])


def test_masks_to_measure_on_are_the_folders_own_or_its_val(tmp_path: Path) -> None:
    folder = with_masks(tmp_path / "celeba" / "val", numbered("v", 2))
    for given in (tmp_path / "celeba", folder):
        split, photos = celebamask_test_photos(given)
        assert (split, names_of(photos)) == ("val", ["v000", "v001"])


@pytest.mark.parametrize("read", [helen_test_photos, helen_training_data])
def test_a_missing_folder_is_an_error(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(FacewarpError, match="no such folder"):
        read(tmp_path / "nope")
    with pytest.raises(FacewarpError, match="no images/ and masks/"):
        celebamask_test_photos(tmp_path / "nope")

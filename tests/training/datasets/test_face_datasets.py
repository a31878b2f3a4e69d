import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.points import write_pts
from PIL import Image

from facewarp.core.metrics import dice_per_part, mean_over_present
from facewarp.errors import FacewarpError
from facewarp.face.parts import MIRROR_LANDMARKS, MIRROR_PARTS, FacePart
from facewarp.training.datasets.celebamask import load_celebamask, parts_of_ids, trim_above_brows
from facewarp.training.datasets.crops import evaluation_pairs, load_test_crops, protocol_crop
from facewarp.training.datasets.helen import load_helen, read_pts
from facewarp.training.datasets.landmark_masks import part_masks
from facewarp.training.datasets.photo import FacePhoto, assign_sides, box_of_masks, box_of_points

POINTS = "version: 1\nn_points:  68\n{\n" + "10.5 20.25\n" * 68 + "}\n"


# --- points -----------------------------------------------------------------------------------


def test_points_are_read_from_one_based_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_text(POINTS)
    np.testing.assert_array_equal(read_pts(path), np.tile([9.5, 19.25], (68, 1)))


def test_points_survive_writing(tmp_path: Path, points: np.ndarray) -> None:
    write_pts(tmp_path / "a.pts", points)
    np.testing.assert_allclose(read_pts(tmp_path / "a.pts"), points, atol=5e-4)


@pytest.mark.parametrize(
    "text",
    [
        POINTS.replace("\n", "\r\n"),
        "\ufeff" + POINTS,
        POINTS.replace("\n", "  \n").replace("10.5 ", "\t10.5\t"),
        POINTS.replace("{", "{\n").replace("10.5 20.25\n}", "10.5 20.25\n\n}\n\n"),
        POINTS.split("\n", 2)[2],  # no header
    ],
)
def test_points_are_read_however_they_are_laid_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.pts"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_pts(path)[0].tolist() == [9.5, 19.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not between"),
        (POINTS.replace("}", ""), "not between"),
        (POINTS.replace("10.5 20.25\n", "", 1), "67 points"),
        (POINTS.replace("10.5 20.25", "nan 20.25", 1), "line 4"),
        (POINTS.replace("10.5 20.25", "10.5 inf", 1), "line 4"),
        (POINTS.replace("10.5 20.25", "10.5", 1), "line 4"),
        (POINTS.replace("10.5 20.25\n}", "ten 20.25\n}"), "line 71"),
    ],
)
def test_bad_points_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.pts"
    path.write_text(text)
    with pytest.raises(FacewarpError, match=message) as caught:
        read_pts(path)
    assert "bad.pts" in str(caught.value)


# --- part masks -------------------------------------------------------------------------------


def test_parts_are_where_the_points_are(points: np.ndarray, labels: np.ndarray) -> None:
    def at(x: float, y: float) -> FacePart:
        return FacePart(int(labels[round(y), round(x)]))

    assert at(*points[36:42].mean(axis=0)) == FacePart.EYE_LEFT
    assert at(*points[42:48].mean(axis=0)) == FacePart.EYE_RIGHT
    assert at(*points[19]) == FacePart.BROW_LEFT
    assert at(*points[24]) == FacePart.BROW_RIGHT
    assert at(*points[30]) == FacePart.NOSE
    assert at(*points[62]) == FacePart.MOUTH
    assert at(points[8, 0], points[8, 1] - 5) == FacePart.FACE
    assert at(points[8, 0], points[8, 1] + 5) == FacePart.BACKGROUND
    lift = 0.35 * (points[8, 1] - points[27, 1])
    assert at(points[19, 0], points[19, 1] - lift + 3) == FacePart.FACE
    assert at(points[19, 0], points[19, 1] - lift - 3) == FacePart.BACKGROUND


def test_brows_have_the_width_of_the_recipe(points: np.ndarray, labels: np.ndarray) -> None:
    width = 0.09 * np.linalg.norm(points[36] - points[45])
    column = labels[:, round(points[19, 0])] == FacePart.BROW_LEFT
    assert abs(column.sum() - width) <= 2


def test_smooth_curves_pass_through_the_points(points: np.ndarray) -> None:
    """The outlines of parts drawn four times larger go through their points."""
    large = part_masks(4 * points, (1680, 1600))
    for part, indices in ((FacePart.EYE_LEFT, range(36, 42)), (FacePart.MOUTH, range(48, 60))):
        distance = cv2.distanceTransform((large == part).astype(np.uint8), cv2.DIST_L2, 5)
        other = cv2.distanceTransform((large != part).astype(np.uint8), cv2.DIST_L2, 5)
        for x, y in np.rint(4 * points[list(indices)]).astype(int):
            assert distance[y, x] + other[y, x] <= 2.5


def test_masks_scale_and_mirror_with_the_points(points: np.ndarray, labels: np.ndarray) -> None:
    mirrored = (np.array([399.0, 0.0]) + points * np.array([-1.0, 1.0]))[MIRROR_LANDMARKS]
    drawn = part_masks(mirrored, (420, 400))
    assert mean_over_present(dice_per_part(drawn, MIRROR_PARTS[labels[:, ::-1]], 8)) > 0.97
    half = part_masks((points + 0.5) / 2 - 0.5, (210, 200))
    assert mean_over_present(dice_per_part(half, labels[::2, ::2], 8)) > 0.9


def test_points_outside_of_the_image_are_clipped(points: np.ndarray) -> None:
    labels = part_masks(points - np.array([205.0, 0.0]), (420, 400))
    assert labels[200, 0] != 0
    assert not part_masks(points + 5000, (420, 400)).any()
    with pytest.raises(ValueError, match="finite"):
        part_masks(np.full((68, 2), np.nan), (10, 10))


# --- boxes and sides --------------------------------------------------------------------------


def test_the_box_of_masks_is_near_that_of_the_points(
    points: np.ndarray, labels: np.ndarray
) -> None:
    center, side = box_of_points(points)
    estimate = box_of_masks(labels)
    assert estimate is not None
    np.testing.assert_allclose(estimate[0], center, atol=0.03 * side)
    assert estimate[1] == pytest.approx(side, rel=0.05)
    for hidden in ((2, 3), (2, 3, 4, 5)):  # by hair, by sunglasses
        estimate = box_of_masks(np.where(np.isin(labels, hidden), 1, labels).astype(np.uint8))
        assert estimate is not None
        assert estimate[1] == pytest.approx(side, rel=0.12)
    assert box_of_masks(np.zeros((5, 5), np.uint8)) is None


def test_sides_go_by_position() -> None:
    left, right = np.zeros((2, 10, 20), bool)
    left[4:6, 3:5] = right[4:6, 14:16] = True
    nothing = np.zeros_like(left)
    for first, second in ((left, right), (right, left), (left | right, nothing)):
        found = assign_sides(first, second, 9.5)
        np.testing.assert_array_equal(found[0], left)
        np.testing.assert_array_equal(found[1], right)
    found = assign_sides(nothing, right, 9.5)
    assert not found[0].any()
    np.testing.assert_array_equal(found[1], right)


# --- Helen ------------------------------------------------------------------------------------


def write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def test_helen_is_read_in_name_order(tmp_path: Path, photo: FacePhoto, points: np.ndarray) -> None:
    for name in ("b.png", "a.PNG", "c.png"):
        write_picture(tmp_path / name, photo.image)
        write_pts((tmp_path / name).with_suffix(".pts"), points)
    loaded = load_helen(tmp_path)
    assert [p.name for p in loaded] == ["a", "b", "c"]
    np.testing.assert_array_equal(loaded[0].image, photo.image)
    np.testing.assert_array_equal(loaded[0].labels, photo.labels)
    assert loaded[0].color().shape == (420, 400, 3)
    assert loaded[0].box_side == pytest.approx(photo.box_side, abs=0.01)


def test_missing_files_of_helen_are_named(
    tmp_path: Path, photo: FacePhoto, points: np.ndarray
) -> None:
    with pytest.raises(FacewarpError, match="no such folder"):
        load_helen(tmp_path / "none")
    with pytest.raises(FacewarpError, match=r"no photographs.*NAME\.pts"):
        load_helen(tmp_path)
    write_picture(tmp_path / "lonely.png", photo.image)
    with pytest.raises(FacewarpError, match=r"lonely\.png"):
        load_helen(tmp_path)
    write_pts(tmp_path / "lonely.pts", points + 2000)
    with pytest.raises(FacewarpError, match="outside"):
        load_helen(tmp_path)
    write_pts(tmp_path / "lonely.pts", points)
    with pytest.raises(FacewarpError, match="split"):
        load_helen(tmp_path, "testing")
    (tmp_path / "lonely.png").write_bytes(b"no picture")
    with pytest.raises(FacewarpError, match="not an image"):
        load_helen(tmp_path)


def write_smith(folder: Path, name: str, photo: FacePhoto) -> None:
    """The drawn face in Smith's layout, soft, its sides swapped, its mouth in three, with hair."""
    parts = photo.labels
    rows = np.arange(parts.shape[0])[:, None]
    mouth = np.nonzero(parts == FacePart.MOUTH)[0]
    third = np.clip((rows - mouth.min()) * 3 // (np.ptp(mouth) + 1), 0, 2)
    ids = np.array([0, 1, 3, 2, 5, 4, 6, 7])[parts]
    ids = np.where(parts == FacePart.MOUTH, 7 + third, ids)
    ids[:40] = 10
    write_picture(folder / "images" / f"{name}.png", photo.image)
    for label in range(11):
        soft = cv2.GaussianBlur(np.where(ids == label, 255.0, 0.0), (0, 0), 0.8)
        path = folder / "labels" / name / f"{name}_lbl{label:02d}.png"
        write_picture(path, np.rint(soft).astype(np.uint8))


def test_smith_layout(tmp_path: Path, photo: FacePhoto) -> None:
    for name in ("one", "two"):
        write_smith(tmp_path, name, photo)
    (tmp_path / "testing.txt").write_text("1 , two\n\n")
    loaded = load_helen(tmp_path)
    assert [p.name for p in loaded] == ["one", "two"]
    assert loaded[0].landmarks is None
    dice = dice_per_part(loaded[0].labels, photo.labels, 8)
    assert (dice > 0.93).all(), dice
    assert not loaded[0].labels[:40].any()
    assert [p.name for p in load_helen(tmp_path, "testing")] == ["two"]
    with pytest.raises(FacewarpError, match="exemplars"):
        load_helen(tmp_path, "exemplars")
    (tmp_path / "labels" / "one" / "one_lbl07.png").unlink()
    with pytest.raises(FacewarpError, match=r"one\.png"):
        load_helen(tmp_path)


def test_large_photographs_are_shrunk_with_their_annotation(photo: FacePhoto) -> None:
    small = photo.limited(photo.box_side / 2)
    assert small.image.shape == (210, 200)
    assert small.landmarks is not None
    assert photo.landmarks is not None
    np.testing.assert_allclose(small.landmarks, (photo.landmarks + 0.5) / 2 - 0.5)
    assert box_of_points(small.landmarks)[1] == pytest.approx(small.box_side)
    assert photo.limited(1000) is photo


# --- CelebAMask -------------------------------------------------------------------------------

IDS = np.array([0, 1, 6, 7, 4, 5, 2, 11], dtype=np.uint8)  # of each part, unmirrored


def test_celeba_ids_become_parts(labels: np.ndarray) -> None:
    ids = IDS[labels]
    np.testing.assert_array_equal(parts_of_ids(ids), labels)
    swapped = IDS[[0, 1, 3, 2, 5, 4, 6, 7]][labels]
    np.testing.assert_array_equal(parts_of_ids(swapped), labels)
    one_sided = np.where(ids == 5, 4, ids)
    np.testing.assert_array_equal(parts_of_ids(one_sided), labels)


def test_celeba_glasses_are_face_and_ears_are_not() -> None:
    ids = np.arange(19, dtype=np.uint8)[None]
    expected = {1: 1, 2: 6, 3: 1, 10: 7, 11: 7, 12: 7}
    parts = parts_of_ids(ids)[0]
    for label in (0, 8, 9, *range(13, 19)):
        assert parts[label] == 0
    for label, part in expected.items():
        assert parts[label] == part


@pytest.mark.parametrize("mode", ["L", "P"])
def test_celeba_folders(tmp_path: Path, mode: str, photo: FacePhoto, labels: np.ndarray) -> None:
    with pytest.raises(FacewarpError, match="images/ and masks/"):
        load_celebamask(tmp_path)
    write_picture(tmp_path / "images" / "a.png", photo.image)
    (tmp_path / "masks").mkdir()
    with pytest.raises(FacewarpError, match=r"a\.png"):
        load_celebamask(tmp_path)
    mask = Image.fromarray(IDS[labels], mode="L")
    if mode == "P":
        mask = Image.frombytes("P", mask.size, mask.tobytes())
        mask.putpalette([i % 256 for i in range(57)])
    mask.save(tmp_path / "masks" / "a.png")
    (loaded,) = load_celebamask(tmp_path)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.box_side == pytest.approx(photo.box_side, rel=0.05)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.full((420, 400), 77, np.uint8), "class ids"),
        (np.zeros((420, 400, 3), np.uint8), "class ids"),
        (np.ones((10, 10), np.uint8), "photograph"),
        (np.zeros((420, 400), np.uint8), "no face"),
    ],
)
def test_celeba_bad_masks(tmp_path: Path, mask: np.ndarray, message: str, photo: FacePhoto) -> None:
    write_picture(tmp_path / "images" / "a.png", photo.image)
    write_picture(tmp_path / "masks" / "a.png", mask)
    with pytest.raises(FacewarpError, match=message):
        load_celebamask(tmp_path)


def test_a_forehead_is_cut_where_points_would_end_it(labels: np.ndarray) -> None:
    tall = labels.copy()
    tall[20:200, 130:280][tall[20:200, 130:280] == 0] = FacePart.FACE
    trimmed = trim_above_brows(tall)
    top = np.nonzero(labels)[0].min()
    assert abs(int(np.nonzero(trimmed)[0].min()) - int(top)) < 12
    assert mean_over_present(dice_per_part(trimmed, labels, 8)) > 0.98
    blind = np.where(labels == FacePart.EYE_LEFT, 1, labels).astype(np.uint8)
    np.testing.assert_array_equal(trim_above_brows(blind), blind)


# --- crops ------------------------------------------------------------------------------------


def test_the_crop_is_the_protocols(photo: FacePhoto, grays: np.ndarray) -> None:
    for seed in range(20):
        crop = protocol_crop(photo, np.random.default_rng(seed))
        margin, x, y = np.random.default_rng(seed).uniform([1.7, -0.12, -0.12], [2.3, 0.12, 0.12])
        assert crop.image.shape == crop.labels.shape == (320, 260)
        assert crop.matrix[0, 0] * 320 == pytest.approx(margin * photo.box_side)
        middle = crop.matrix @ np.array([129.5, 159.5, 1])
        shift = (middle - photo.box_center) / photo.box_side
        np.testing.assert_allclose(shift, [x, y])
        assert crop.landmarks is not None
        back = crop.landmarks @ crop.matrix[:, :2].T + crop.matrix[:, 2]
        assert photo.landmarks is not None
        np.testing.assert_allclose(back, photo.landmarks)
        differs = np.abs(crop.image.astype(int) - grays[crop.labels]) > 60
        assert differs.mean() < 0.01


def test_crops_of_masks_agree_with_crops_of_points(photo: FacePhoto) -> None:
    masked = replace(photo, masks=photo.labels, landmarks=None)
    for seed in range(3):
        a, b = (protocol_crop(p, np.random.default_rng(seed)) for p in (photo, masked))
        assert b.landmarks is None
        assert mean_over_present(dice_per_part(a.labels, b.labels, 8)) > 0.93


def test_a_test_set_is_cut_the_same_each_time(photo: FacePhoto) -> None:
    first, again = load_test_crops([photo] * 3, seed=1), load_test_crops([photo] * 3, seed=1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
    assert (first[0].matrix != first[1].matrix).any()
    assert (load_test_crops([photo], seed=2)[0].matrix != first[0].matrix).any()


def test_pairs_go_round() -> None:
    assert evaluation_pairs(3) == [(0, 1), (1, 2), (2, 0)]
    with pytest.raises(ValueError, match="2"):
        evaluation_pairs(1)


# --- real photographs -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif("FACEWARP_DATA" not in os.environ, reason="FACEWARP_DATA is not set")
@pytest.mark.parametrize(
    ("name", "count", "initial"), [("helen/testset", 230, 19.1), ("celebamask/val", 100, 17.3)]
)
def test_initial_dice_of_the_protocol(name: str, count: int, initial: float) -> None:
    folder = Path(os.environ["FACEWARP_DATA"]) / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not in FACEWARP_DATA")
    load = load_helen if name.startswith("helen") else load_celebamask
    photos = load(folder)
    assert len(photos) == count
    crops = load_test_crops(photos)
    values = [
        mean_over_present(dice_per_part(crops[i].labels, crops[j].labels, 8))
        for i, j in evaluation_pairs(count)
    ]
    assert 100 * np.mean(values) == pytest.approx(initial, abs=0.3)

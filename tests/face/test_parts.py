import numpy as np

from facewarp.face.parts import (
    LANDMARK_COUNT,
    MIRROR_LANDMARKS,
    MIRROR_PARTS,
    PART_COLORS,
    FacePart,
)


def test_ids_are_the_contract() -> None:
    names = [
        "BACKGROUND",
        "FACE",
        "BROW_LEFT",
        "BROW_RIGHT",
        "EYE_LEFT",
        "EYE_RIGHT",
        "NOSE",
        "MOUTH",
    ]
    assert [part.name for part in FacePart] == names
    assert [int(part) for part in FacePart] == list(range(8))


def test_mirroring_twice_changes_nothing() -> None:
    assert (MIRROR_PARTS[MIRROR_PARTS] == np.arange(8)).all()
    assert (MIRROR_LANDMARKS[MIRROR_LANDMARKS] == np.arange(LANDMARK_COUNT)).all()


def test_mirror_swaps_left_and_right_only() -> None:
    for part in FacePart:
        mirrored = FacePart(int(MIRROR_PARTS[part]))
        swapped = part.name.replace("LEFT", "*").replace("RIGHT", "LEFT").replace("*", "RIGHT")
        assert mirrored.name == swapped


def test_mirror_carries_each_contour_of_ibug_onto_its_counterpart() -> None:
    contours = {
        "jaw": range(17),
        "brow left": range(17, 22),
        "brow right": range(22, 27),
        "nose ridge": range(27, 31),
        "nose base": range(31, 36),
        "eye left": range(36, 42),
        "eye right": range(42, 48),
        "lip outer": range(48, 60),
        "lip inner": range(60, 68),
    }
    for name, contour in contours.items():
        swapped = name.replace("left", "*").replace("right", "left").replace("*", "right")
        if name == "nose ridge":
            assert (MIRROR_LANDMARKS[list(contour)] == contour).all()
        assert set(MIRROR_LANDMARKS[list(contour)]) == set(contours[swapped])


def test_colors_differ_and_tables_are_read_only() -> None:
    assert PART_COLORS.shape == (8, 3)
    assert PART_COLORS.dtype == np.uint8
    assert len({tuple(color) for color in PART_COLORS}) == 8
    for table in (PART_COLORS, MIRROR_PARTS, MIRROR_LANDMARKS):
        assert not table.flags.writeable

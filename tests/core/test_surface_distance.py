"""Surface distances: what one reads off, and what an independent program says."""

import numpy as np
import pytest

from facewarp.core.metrics import contour
from facewarp.core.surface_distance import _surface, robust_hausdorff_mm

SPACING = (10.0, 1.8, 1.8)


def box(*spans: tuple[int, int], shape=(12, 40, 44)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(*span) for span in spans)] = True
    return mask


def test_distances_of_boxes_are_what_one_reads_off() -> None:
    a = box((4, 8), (10, 30), (10, 30))
    assert robust_hausdorff_mm(a, a, SPACING) == 0
    along_x = box((4, 8), (10, 30), (14, 34))
    assert robust_hausdorff_mm(a, along_x, SPACING, 100) == pytest.approx(4 * 1.8)
    along_z = box((5, 9), (10, 30), (10, 30))
    assert robust_hausdorff_mm(a, along_z, SPACING, 100) == pytest.approx(10)
    assert robust_hausdorff_mm(a, along_z, SPACING) == pytest.approx(10)  # an end is over 5 %
    spike = a.copy()
    spike[5, 12, 30:36] = True
    assert robust_hausdorff_mm(a, spike, SPACING) == 0  # less than 5 % of the surface
    assert robust_hausdorff_mm(a, spike, SPACING, 100) == pytest.approx(6 * 1.8)
    assert np.isnan(robust_hausdorff_mm(a, 0 * a, SPACING))
    with pytest.raises(ValueError, match="one shape"):
        robust_hausdorff_mm(a, a[1:], SPACING)
    with pytest.raises(ValueError, match="3 positive numbers"):
        robust_hausdorff_mm(a, a, (1, 1, 0))


def test_a_single_slice_has_an_outline_and_no_ends() -> None:
    y, x = np.mgrid[:40, :44]
    one, other = (np.hypot(y - 20, x - column) <= 11 for column in (20, 24))
    deep = robust_hausdorff_mm(np.stack([one] * 60), np.stack([other] * 60), (10.0, 1.5, 1.5))
    assert deep == pytest.approx(4 * 1.5)
    for axis in range(3):  # a long axis is one slice, and which axis it lies along is the file's
        slices = np.expand_dims(one, axis), np.expand_dims(other, axis)
        spacing = np.insert([1.5, 1.5], axis, 10.0)
        assert robust_hausdorff_mm(*slices, spacing) == pytest.approx(deep), axis
    ended = [np.pad(mask[None], ((1, 1), (0, 0), (0, 0))) for mask in (one, other)]
    assert robust_hausdorff_mm(*ended, (10.0, 1.5, 1.5)) < deep  # its ends are seen, and agree


def test_an_end_slice_counts_by_its_area_and_not_by_its_voxels() -> None:
    tall, taller = box((1, 9), (10, 16), (10, 16)), box((1, 10), (10, 16), (10, 16))
    edge = contour(taller)
    assert edge[9].sum() / edge.sum() > 0.15  # by voxels this is 10 mm
    assert robust_hausdorff_mm(tall, taller, SPACING, 90) == 0
    assert robust_hausdorff_mm(tall, taller, SPACING, 98) == 10


def test_surfaces_have_their_area() -> None:
    def area_mm2(mask: np.ndarray) -> float:
        return float(_surface(mask, SPACING).sum())

    z, y, x = SPACING
    one = area_mm2(box((5, 6), (5, 6), (5, 6)))
    corner = 0.5 * np.linalg.norm([y * x / 4, z * x / 4, z * y / 4])
    assert one == pytest.approx(8 * corner)  # eight triangles through the middles of its edges
    a = area_mm2(box((2, 10), (5, 35), (5, 35)))
    flat = 2 * (30 * y * 30 * x) + 4 * (8 * z * 30 * x)
    assert flat * 0.97 < a < flat  # its edges are cut
    touching = box((2, 4), (5, 9), (5, 9)) | box((4, 6), (9, 13), (9, 13))
    alone = area_mm2(box((2, 4), (5, 9), (5, 9)))
    assert area_mm2(touching) == pytest.approx(2 * alone)  # two sheets


def test_distances_agree_with_simpleitk() -> None:
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(5)
    z, y, x = np.indices((12, 40, 44))
    for _ in range(4):
        masks = []
        for _ in range(2):
            middle = np.array([5.5, 20, 22]) + rng.uniform(-1, 1, 3) * (1, 4, 4)
            size = np.array([3.5, 11, 11]) * rng.uniform(0.8, 1.2, 3)
            away = [(i - m) / s for i, m, s in zip((z, y, x), middle, size, strict=True)]
            masks.append(np.sum(np.square(away), axis=0) < 1)
        images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
        for image in images:
            image.SetSpacing(SPACING[::-1])
        judge = sitk.HausdorffDistanceImageFilter()
        judge.Execute(*images)
        found = robust_hausdorff_mm(*masks, SPACING, 100)
        assert found == pytest.approx(judge.GetHausdorffDistance(), abs=2 * 1.8)  # corners, voxels

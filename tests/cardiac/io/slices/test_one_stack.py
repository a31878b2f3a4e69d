"""Slices with pixels or directions of their own: one stack, or refused with the cause."""

import numpy as np
import pytest
from fixtures.dicom_scans import AFFINE, LPS, in_order, numbered, write_series
from scipy import ndimage

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError

ROWS, COLUMNS = (LPS @ AFFINE[:3, axis] for axis in (0, 1))  # mm a pixel
SPACING = [float(np.linalg.norm(axis)) for axis in (COLUMNS, ROWS)]


@pytest.fixture(scope="module")
def cine():
    """Smooth pictures, so that half pixels can be interpolated; slices and phases differ."""
    rng = np.random.default_rng(5)
    smooth = ndimage.gaussian_filter(rng.normal(size=(3, 6, 20, 24)), (0.5, 0.5, 3, 3))
    return np.round(2000 + 1500 * smooth / np.abs(smooth).max()).astype(np.uint16)


def put(data, pixels, axes, place, spacing):
    data.Rows, data.Columns = pixels.shape
    data.PixelData = np.ascontiguousarray(pixels, dtype=np.uint16).tobytes()
    data.ImageOrientationPatient = [float(f"{n:.9g}") for n in np.ravel(axes)]
    data.ImagePositionPatient = [float(f"{n:.9g}") for n in place]
    data.PixelSpacing = [float(f"{n:.9g}") for n in spacing]


def first_pixel(z):
    return LPS @ (AFFINE @ [0, 0, z, 1])[:3]


def turned_180(data, pixels, z):
    place = first_pixel(z) + 23 * ROWS + 19 * COLUMNS
    unit = [-ROWS / SPACING[1], -COLUMNS / SPACING[0]]
    put(data, pixels[::-1, ::-1], unit, place, SPACING)


def turned_90(data, pixels, z):
    unit = [COLUMNS / SPACING[0], -ROWS / SPACING[1]]
    put(data, np.rot90(pixels), unit, first_pixel(z) + 23 * ROWS, SPACING[::-1])


def seen_from_behind(data, pixels, z):
    unit = [-ROWS / SPACING[1], COLUMNS / SPACING[0]]
    put(data, pixels[:, ::-1], unit, first_pixel(z) + 23 * ROWS, SPACING)


def padded(data, pixels, z):
    unit = [ROWS / SPACING[1], COLUMNS / SPACING[0]]
    put(data, np.pad(pixels, ((2, 3), (5, 1))), unit, first_pixel(z) - 5 * ROWS - 2 * COLUMNS,
        SPACING)  # fmt: skip


def finer(data, pixels, z):
    zoomed = ndimage.zoom(pixels.astype(float), 2, order=3, grid_mode=True, mode="nearest")
    unit = [ROWS / SPACING[1], COLUMNS / SPACING[0]]
    half = first_pixel(z) - (ROWS + COLUMNS) / 4
    put(data, np.round(zoomed), unit, half, [size / 2 for size in SPACING])


def tilted(degrees):
    def change(data, pixels, z):
        angle = np.radians(degrees(z))
        row, column = ROWS / SPACING[1], COLUMNS / SPACING[0]
        leaning = np.cos(angle) * row + np.sin(angle) * np.cross(row, column)
        middle = first_pixel(z) + 11.5 * ROWS
        put(data, pixels, [leaning, column], middle - 11.5 * SPACING[1] * leaning, SPACING)

    return change


def scan_of(folder, cine, which, change, **more):
    def tell(data, t, z):
        if z in which:
            change(data, 2 * (cine[t, z] + 10), z)

    write_series(folder, cine, AFFINE, tell=tell, **more)
    return folder


@pytest.mark.parametrize("which", [(0, 5), (0, 2, 4), (4, 5)])
@pytest.mark.parametrize("change", [turned_180, turned_90, seen_from_behind, padded, finer])
def test_slices_with_pixels_of_their_own_lie_where_they_say(tmp_path, cine, which, change):
    plain = write_series(tmp_path / "plain", cine, AFFINE) and read_dicom(tmp_path / "plain")
    found = read_dicom(scan_of(tmp_path / "scan", cine, which, change))
    assert found.data.shape[:2] == plain.data.shape[:2]
    assert any("have pixels of their own" in text for text in found.warnings)
    assert found.sources == ()
    points = np.array([[x, y, z, 1.0] for x in (4, 11, 19) for y in (3, 9, 16) for z in range(6)])
    seen = [values_at(volume, plain.affine @ points.T) for volume in (plain, found)]
    np.testing.assert_allclose(seen[1], seen[0], atol=25)


def values_at(volume, places):
    voxels = np.linalg.inv(volume.affine) @ places
    return np.stack(
        [
            ndimage.map_coordinates(one, voxels[2::-1], order=1, mode="nearest")
            for one in volume.data
        ]
    )


def test_slices_tilted_a_little_are_read_and_said(tmp_path, cine):
    """Positions are those of the middles: corners lie up to half a millimetre nearer."""
    found = read_dicom(scan_of(tmp_path, cine, range(6), tilted(lambda z: 0.1 * (z - 2))))
    assert found.data.shape[1] == 6
    np.testing.assert_allclose(found.spacing_mm[2], 8.0, rtol=1e-3)
    assert any("tilted by 0." in text for text in found.warnings)


@pytest.mark.parametrize("per_slice", [False, True])
def test_slices_planned_anew_one_by_one_are_refused(tmp_path, cine, per_slice):
    scan_of(tmp_path, cine, range(6), tilted(lambda z: 3 * z), per_slice=per_slice)
    with pytest.raises(FacewarpError, match=r"not parallel: up to 15\.0 degrees"):
        read_dicom(tmp_path)


def test_end_slices_that_are_tilted_are_not_left_out(tmp_path, cine):
    scan_of(tmp_path, cine, (4, 5), tilted(lambda _z: 4))
    with pytest.raises(FacewarpError, match=r"2 slices beside the 4 .* tilted by 4\.0 degrees"):
        read_dicom(tmp_path)


def test_a_series_that_is_named_may_leave_others_out(tmp_path, cine):
    def another(data, pixels, z):
        tilted(lambda _z: 4)(data, pixels, z)
        data.SeriesInstanceUID, data.SeriesNumber = "1.2.3.4", 7

    scan_of(tmp_path, cine, (0, 5), another)
    with pytest.raises(FacewarpError, match="volumes would lack them"):
        read_dicom(tmp_path)
    assert read_dicom(tmp_path, ReadOptions(series="1")).data.shape[1] == 4


def test_a_series_that_is_named_loses_no_slice_without_a_word(tmp_path, cine):
    scan_of(tmp_path / "padded", cine, (4, 5), padded)
    found = read_dicom(tmp_path / "padded", ReadOptions(series="1"))
    assert found.data.shape[1] == 6
    scan_of(tmp_path / "tilted", cine, (4, 5), tilted(lambda _z: 4))
    found = read_dicom(tmp_path / "tilted", ReadOptions(series="1"))
    assert found.data.shape[1] == 4
    assert any("left out" in text and "2 slices" in text for text in found.warnings)


def test_a_parallel_cine_of_another_name_is_still_left_out(tmp_path, cine):
    write_series(tmp_path, cine, AFFINE, title="cine_sa")
    beside = AFFINE.copy()
    beside[:3, 3] -= 4.3 * AFFINE[:3, 2]
    write_series(tmp_path, cine[:, :1, :16], beside, title="aortic valve", number=2)
    found = read_dicom(tmp_path)
    assert found.data.shape[1] == 6
    assert "aortic valve" in " ".join(found.warnings)


def test_rounded_positions_do_not_make_slices_thicker(tmp_path):
    """Medians of x, y and z one by one leave the plane: 10.02 mm for 9.82 of one scan."""
    cine = numbered(phases=4)

    def tell(data, _t, z):
        data.ImagePositionPatient = [float(round(2 * n)) / 2 for n in first_pixel(z)]

    write_series(tmp_path, cine, AFFINE, tell=tell)
    found = read_dicom(tmp_path)
    normal = np.cross(found.affine[:3, 0], found.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    ends = [LPS @ np.round(2 * first_pixel(z)) / 2 for z in (0, 5)]
    between = abs((ends[1] - ends[0]) @ normal) / 5
    assert abs(found.affine[:3, 2] @ normal) == pytest.approx(between, rel=1e-6)
    # and no shear that is not there
    across = np.linalg.norm(np.cross(found.affine[:3, 2], normal))
    assert across / between < np.radians(1.0)


def test_cosines_of_few_digits_do_not_tilt_slices(tmp_path):
    """Digits cut off make axes too short, by another amount in each slice: 4 degrees it seemed."""

    def tell(data, _t, z):
        if z % 2:
            cosines = np.array(data.ImageOrientationPatient, float) * 0.9985
            data.ImageOrientationPatient = [float(f"{cosine:.6f}") for cosine in cosines]

    write_series(tmp_path / "scan", numbered(), AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert volume.warnings == ()
    np.testing.assert_allclose(volume.spacing_mm, (1.4, 1.6, 8.0), rtol=1e-5)

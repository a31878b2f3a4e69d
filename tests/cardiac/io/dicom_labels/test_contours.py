"""Structure sets of circles on a cine: areas, holes, phases, planes."""

import numpy as np
import pydicom
import pytest
from fixtures.dicom_labels import MUSCLE, circle, uids_of, write_rtstruct
from fixtures.dicom_scans import AFFINE, write_series
from fixtures.hearts import write_nifti

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.cardiac.io.label_reader import read_labels
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.errors import FacewarpError

ROIS = {1: "LV endo", 2: "LV epi", 3: "RV endo"}
CINE = (4, 8, 64, 72)  # phases, slices, rows, columns
SLICES = range(2, 7)
PIXEL_MM2 = 1.4 * 1.6
ASIDE = np.outer(range(12), (0.29, 0.43)) % 1  # pixels, so that no place among pixels is special


def ellipse(middle, radius_mm, count=120):
    """A circle in the world, of pixels of 1.4 x 1.6 mm."""
    return circle((0, 0), radius_mm, count) / (1.4, 1.6) + middle


def heart(phases=(0,), slices=SLICES, radius=22.0):
    found = []
    for t in phases:
        for z in slices:
            r, aside = radius - 3 * t, ASIDE[z]
            found.append((1, t, z, ellipse(aside + (38.3, 32.7), r)))
            found.append((2, t, z, ellipse(aside + (38.3, 32.7), 31.0)))
            found.append((3, t, z, ellipse(aside + (9.0, 32.0), 9.0)))
    return found


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Volume of a series of noise, and the UIDs of its pictures by (t, z)."""
    folder = tmp_path_factory.mktemp("cine")
    paths = write_series(folder, np.random.default_rng(0).uniform(0, 100, CINE), AFFINE)
    return read_dicom(folder).slices_first(), uids_of(paths)


def test_areas_are_those_of_the_circles_in_their_phases(scan, tmp_path):
    """Inner and outer contour: the wall is what lies between them."""
    volume, uids = scan
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, heart((1, 3)), uids=uids)
    found = read_labels(path, volume)
    assert found.filled == (1, 3)
    assert found.warnings == ()
    for t in (1, 3):
        counts = [(found.of_phase(t) == part).sum() * PIXEL_MM2 / len(SLICES) for part in (3, 2, 1)]
        inner = np.pi * (22 - 3 * t) ** 2
        assert counts[0] == pytest.approx(inner, rel=0.005)
        assert counts[1] == pytest.approx(np.pi * 31**2 - inner, rel=0.01)
        assert counts[2] == pytest.approx(np.pi * 9**2, rel=0.01)
        assert [z for z in range(8) if found.data[t, z].any()] == list(SLICES)


def test_middles_are_where_they_are_drawn(scan, tmp_path):
    """Not half a pixel aside: coordinates are those of pixel centers."""
    volume, uids = scan
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, heart(), uids=uids)
    drawn = read_labels(path, volume).of_phase(0) == 3
    x, y = ASIDE[SLICES].mean(axis=0) + (38.3, 32.7)
    np.testing.assert_allclose(np.argwhere(drawn).mean(axis=0), (4, y, x), atol=0.05)


@pytest.mark.parametrize("kind", ["nested", "xor", "keyhole", "copy"])
def test_holes_in_whatever_form_are_holes_and_copies_are_none(scan, tmp_path, kind):
    volume, uids = scan
    contours = []
    for z in SLICES:
        inner, outer = ellipse((38.3, 32.7), 20.0), ellipse((38.3, 32.7), 31.0)
        contours.append((1, 0, z, inner))
        if kind == "keyhole":
            contours.append((2, 0, z, np.concatenate([outer, outer[:1], inner, inner[:1]])))
        else:
            contours += [(2, 0, z, outer, "CLOSEDPLANAR_XOR" if kind == "xor" else "CLOSED_PLANAR")]
            contours += [(2, 0, z, inner, "CLOSEDPLANAR_XOR" if kind == "xor" else "CLOSED_PLANAR")]
        if kind == "copy":
            contours += [(1, 0, z, inner + 0.01)]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, {1: "LV", 2: "LV wall"}, contours, uids=uids)
    found = read_labels(path, volume).of_phase(0)
    assert (found == 3).sum() * PIXEL_MM2 / 5 == pytest.approx(np.pi * 400, rel=0.01)
    assert (found == 2).sum() * PIXEL_MM2 / 5 == pytest.approx(np.pi * (31**2 - 400), rel=0.01)


def test_several_contours_beside_one_another_are_all_filled(scan, tmp_path):
    """A right ventricle in two pieces near the apex."""
    volume, uids = scan
    contours = [*heart(), *((3, 0, z, ellipse(ASIDE[z] + (9.0, 48.0), 6.0)) for z in SLICES)]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, contours, uids=uids)
    found = (read_labels(path, volume).of_phase(0) == 1).sum() * PIXEL_MM2 / 5
    assert found == pytest.approx(np.pi * (81 + 36), rel=0.01)


def test_contours_that_overlap_in_part_are_refused(scan, tmp_path):
    volume, uids = scan
    contours = [*heart(), (3, 0, 4, ellipse((9.0, 38.0), 7.0))]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, contours, uids=uids)
    with pytest.raises(FacewarpError, match=r"3 'RV endo', slice 5: two contours overlap by \d+%"):
        read_labels(path, volume)


def test_contours_that_trace_pixels_take_them_in(scan, tmp_path):
    """rt-utils' contours run through the outermost pixels: read as edges they lose 9 % here."""
    import cv2

    volume, uids = scan
    y, x = np.mgrid[:64, :72]
    radius = np.hypot((y - 32.7) * 1.6, (x - 38.3) * 1.4)
    contours = []
    for roi, mask in ((1, radius < 20), (2, (radius >= 20) & (radius < 30))):
        lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
        contours += [(roi, 0, z, one[:, 0].astype(float)) for z in SLICES for one in lines]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, {1: "LV", 2: "LV wall"}, contours, uids=uids)
    found = read_labels(path, volume)
    for z in SLICES:
        np.testing.assert_array_equal(found.of_phase(0)[z] == 3, radius < 20)
        np.testing.assert_array_equal(found.of_phase(0)[z] == 2, (radius >= 20) & (radius < 30))
    assert "through the centers of pixels" in found.warnings[0]


def test_phases_of_a_converted_cine_are_open_and_several_are_refused(scan, tmp_path):
    _, uids = scan
    cine = read_volume(
        write_nifti(tmp_path / "c.nii.gz", np.random.default_rng(0).uniform(0, 1, CINE), AFFINE)
    ).slices_first()
    one = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, heart((2,)), uids=uids)
    assert read_labels(one, cine).filled == ()
    two = write_rtstruct(tmp_path / "q.dcm", AFFINE, ROIS, heart((2, 3)), uids=uids)
    with pytest.raises(FacewarpError, match=r"contours of several pictures in slice 3.*DICOM"):
        read_labels(two, cine)


def test_what_the_whole_set_names_tells_the_phase(scan, tmp_path):
    volume, uids = scan
    listed = [uid for (t, _), uid in uids.items() if t == 3]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, heart(), listed=listed)
    assert read_labels(path, volume).filled == (3,)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: [(*one[:3], one[3][:60], "OPEN_PLANAR") for one in c], "a contour is open"),
        (lambda c: [(r, t, z + 0.4, p) for r, t, z, p in c], r"lies up to 3\.2 mm off the nearest"),
        (lambda c: [(r, t, z + 4, p) for r, t, z, p in c], "beyond the cine's 8 slices"),
        (lambda c: [(*one[:3], one[3][:2]) for one in c], "fewer than three points"),
    ],
)
def test_contours_that_are_no_areas_of_slices_are_refused(scan, tmp_path, change, told):
    volume, _ = scan
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, change(heart()))
    with pytest.raises(FacewarpError, match=told):
        read_labels(path, volume)


def test_closed_open_contours_and_points_are_no_reason(scan, tmp_path):
    volume, uids = scan
    closed = [(r, t, z, np.concatenate([p, p[:1]]), "OPEN_PLANAR") for r, t, z, p in heart()]
    marks = [(3, 0, 4, np.array([[3.0, 4.0]]), "POINT")]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, ROIS, [*closed, *marks], uids=uids)
    whole = write_rtstruct(tmp_path / "q.dcm", AFFINE, ROIS, heart(), uids=uids)
    np.testing.assert_array_equal(*(read_labels(p, volume).data for p in (path, whole)))


def test_planning_systems_names_are_known_and_a_whole_ventricle_is_refused(scan, tmp_path):
    """TG-263's Ventricle_L may hold the wall; a code beside the name says what it is."""
    volume, uids = scan
    rois = {1: "Ventricle_L", 3: "Ventricle_R", 4: "Heart", 5: "A_LAD"}
    contours = [one for one in heart() if one[0] != 2]
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, rois, contours, uids=uids)
    with pytest.raises(FacewarpError, match=r"'Ventricle_L' may hold the left ventricle's wall"):
        read_labels(path, volume)
    found = read_labels(path, volume, names="lv=Ventricle_L,rv=Ventricle_R").of_phase(0)
    assert set(np.unique(found)) == {0, 1, 3}
    coded = write_rtstruct(
        tmp_path / "c.dcm",
        AFFINE,
        {1: "Ventricle_L", 2: "mw", 3: "Ventricle_R"},
        heart(),
        uids=uids,
        codes={2: (MUSCLE, "SCT", "Myocardium")},
    )
    whole = write_rtstruct(tmp_path / "q.dcm", AFFINE, ROIS, heart(), uids=uids)
    np.testing.assert_array_equal(*(read_labels(p, volume).data for p in (coded, whole)))


def test_regions_without_a_name_or_without_contours_are_said(scan, tmp_path):
    volume, uids = scan
    rois = {1: "LV endo", 2: "LV epi", 4: "RV endo"}
    path = write_rtstruct(tmp_path / "r.dcm", AFFINE, {**rois, 3: "x"}, heart((1, 3)), uids=uids)
    data = pydicom.dcmread(path)
    data.StructureSetROISequence = [
        one for one in data.StructureSetROISequence if one.ROINumber != 3
    ]
    data.save_as(path)
    found = read_labels(path, volume)
    assert not (found.data == 1).any()
    said = " ".join(found.warnings)
    assert "left out: 3 'not described'" in said
    assert "nothing is drawn of 4 'RV endo'" in said

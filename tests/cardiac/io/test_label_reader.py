"""Labels of a beating heart as other tools write them, read onto the cine's grid."""

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from scipy import ndimage

from facewarp.cardiac.io.label_order import ACDC, MNMS
from facewarp.cardiac.io.label_reader import read_labels
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

SWAPPED = np.array([0, 3, 2, 1], np.uint8)


@pytest.fixture
def affine(beating, plain, oblique):
    return oblique(25.0) @ plain @ beating.to_heart


@pytest.fixture
def cine(beating, affine, nifti_of):
    return read_volume(nifti_of("cine.nii.gz", beating.images, affine)).slices_first()


@pytest.fixture
def save(nifti_of, affine):
    def saved(data, name="labels.nii.gz", place=None, dtype=np.uint8):
        return nifti_of(name, data, affine if place is None else place, dtype=dtype)

    return saved


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_any_type_of_number_holds_ids(beating, cine, save, dtype):
    found = read_labels(save(beating.labels[0], dtype=dtype), cine)
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    assert (found.order, found.order_by, found.warnings) == (ACDC, "anatomy", ())


def test_floats_squeezed_into_integers_are_ids(beating, cine, save):
    """nibabel writes floats under an integer header with a slope: 1 comes back as 0.99999."""
    path = save(beating.labels[0])
    image = nib.Nifti1Image(beating.labels[0].T.astype(np.float64), nib.load(path).affine)
    image.header.set_data_dtype(np.int16)
    nib.save(image, path)
    assert nib.load(path).get_fdata().max() != 3
    np.testing.assert_array_equal(read_labels(path, cine).of_phase(0), beating.labels[0])


def test_probabilities_are_no_ids(beating, cine, save):
    with pytest.raises(FacewarpError, match="whole numbers"):
        read_labels(save(0.4 * beating.labels[0], dtype=np.float32), cine)


def test_a_slice_left_out_between_labelled_ones_is_refused(beating, cine, save):
    """Its part of the volume would be missing: 18 % of a real ventricle of six slices."""
    drawn = beating.labels[0].copy()
    slices = np.flatnonzero((drawn == HeartPart.LV).any(axis=(1, 2)))
    drawn[slices[-1]] = 0  # the apex alone is a reader's choice
    assert (read_labels(save(drawn), cine).of_phase(0) == drawn).all()
    drawn[slices[2]] = 0
    with pytest.raises(FacewarpError, match=rf"not labelled in slice {slices[2] + 1}, but on both"):
        read_labels(save(drawn), cine).of_phase(0)


@pytest.mark.parametrize(
    ("to_ids", "times"),
    [(np.floor, 0.8), (np.floor, 1.25), (np.floor, 2.0), (np.rint, 0.8), (np.rint, 1.25)],
)
def test_ids_interpolated_between_parts_are_refused(beating, cine, save, affine, to_ids, times):
    """Wall beside background gives a ring of 1, the right ventricle's id."""
    drawn = beating.labels[0].astype(np.float32)
    finer = (1.0, times, times)
    place = affine @ np.diag([1 / times, 1 / times, 1.0, 1.0])
    place[:3, 3] += affine[:3, :2] @ np.full(2, (1 / times - 1) / 2)
    blended = ndimage.zoom(drawn, finer, order=1, grid_mode=True, mode="nearest")
    nearest = ndimage.zoom(drawn, finer, order=0, grid_mode=True, mode="nearest")
    with pytest.raises(FacewarpError, match=r"right ventricle adjoins .* seem to have been interp"):
        read_labels(save(to_ids(blended), place=place), cine, "acdc")
    read_labels(save(nearest, place=place), cine, "acdc")


@pytest.mark.parametrize("background", [True, False])
def test_masks_of_the_parts_along_the_fourth_axis_are_ids(beating, cine, save, background):
    """One-hot files, as MONAI saves them, whose order anatomy tells like that of ids."""
    first = 0 if background else 1
    masks = np.stack([SWAPPED[beating.labels[0]] == part for part in range(first, 4)])
    found = read_labels(save(masks, dtype=np.float32), cine)
    np.testing.assert_array_equal(found.of_phase(3), beating.labels[0])
    assert (found.order, found.filled) == (MNMS, ())
    assert f"{4 - first} masks along the fourth axis" in found.warnings[0]


def test_probabilities_of_all_classes_are_the_likeliest_ids(beating, cine, save):
    soft = np.stack([beating.labels[0] == part for part in range(4)]) * 0.8 + 0.05
    found = read_labels(save(soft / soft.sum(axis=0), dtype=np.float32), cine)
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    assert "4 probabilities" in found.warnings[0]


def test_a_scan_and_ids_below_zero_are_told(beating, cine, save):
    with pytest.raises(FacewarpError, match="different values, more than labels have"):
        read_labels(save(np.rint(1e5 * beating.images[0]), dtype=np.int32), cine)
    with pytest.raises(FacewarpError, match="labels below 0, down to -1"):
        read_labels(save(beating.labels[0] - 1.0, dtype=np.int16), cine)


def test_dicom_without_labels_is_told_as_such(cine, tmp_path):
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = MRImageStorage, "1.2.3", "MR"
    path = tmp_path / "labels.dcm"
    data.save_as(path, implicit_vr=False, little_endian=True)
    with pytest.raises(FacewarpError, match="this DICOM is no labels"):
        read_labels(path, cine)


def test_names_are_asked_of_dicom_alone(beating, cine, save):
    with pytest.raises(FacewarpError, match=r"--label-names is of DICOM.*--label-order"):
        read_labels(save(beating.labels[0]), cine, names="lv=LV")


def test_labels_of_a_long_axis_are_told_as_such(beating, cine, save, affine):
    """They ended in a request for the order of their ids, which no order could meet."""
    across = beating.labels[0].swapaxes(0, 1)[[40]]  # columns, slices; one row
    place = affine[:, [0, 2, 1, 3]].copy()
    place[:3, 3] += 40 * place[:3, 2]
    with pytest.raises(FacewarpError, match=r"of one slice and lie at 90 degrees.*long axis"):
        read_labels(save(across, place=place), cine)
    untold = save(across, "p1_la_4ch.nii.gz", np.diag([2.0, 2.0, 8.0, 1.0]))
    image = nib.load(untold)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nib.save(image, untold)
    with pytest.raises(FacewarpError, match="long axis by the file's name"):
        read_labels(untold, cine)


def test_labels_of_one_slice_of_the_stack_are_none_of_a_long_axis(beating, cine, save, affine):
    middle = beating.labels[0].shape[0] // 2
    one = np.zeros_like(beating.labels[0])
    one[middle] = beating.labels[0][middle]
    assert (read_labels(save(one), cine).of_phase(0) == one).all()


def test_another_order_is_turned_and_told(beating, cine, save):
    found = read_labels(save(SWAPPED[beating.labels[0]]), cine)
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    assert (found.order, found.order_by) == (MNMS, "anatomy")
    assert "in the order of M&Ms" in found.warnings[0]


def test_an_order_that_anatomy_contradicts_is_followed_and_told(beating, cine, save):
    found = read_labels(save(beating.labels[0]), cine, "mnms")
    np.testing.assert_array_equal(found.of_phase(0), SWAPPED[beating.labels[0]])
    assert found.order_by == "given"
    (told,) = found.warnings
    assert "1 LV, 2 myocardium, 3 RV" in told
    assert "1 RV, 2 myocardium, 3 LV" in told


def test_a_name_that_anatomy_contradicts_is_not_believed(beating, cine, save):
    found = read_labels(save(beating.labels[0], "A0S9V9_sa_gt.nii.gz"), cine)
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    assert "anatomy is followed" in found.warnings[0]


def test_where_anatomy_is_silent_the_name_or_the_user_speaks(beating, cine, save):
    """A cavity alone: 3 is the left ventricle of ACDC and the right one of M&Ms."""
    cavity = np.where(beating.labels[0] == HeartPart.LV, 3, 0)
    with pytest.raises(FacewarpError, match=r"which of the labels 3 .*--label-order acdc"):
        read_labels(save(cavity), cine)
    found = read_labels(save(cavity, "p_frame01_gt.nii.gz"), cine)
    assert (found.order, found.order_by) == (ACDC, "file name")
    assert "taken to be that of ACDC" in found.warnings[0]
    assert read_labels(save(cavity), cine, "acdc").of_phase(0).any()
    with pytest.raises(FacewarpError, match="no voxel is labelled 1, the left ventricle"):
        read_labels(save(cavity), cine, "mnms").of_phase(0)


def test_phases_that_are_filled_are_known(beating, cine, save):
    some = np.zeros_like(beating.labels)
    some[[1, 3]] = beating.labels[[1, 3]]
    found = read_labels(save(some), cine)
    assert found.filled == (1, 3)
    np.testing.assert_array_equal(found.of_phase(3), beating.labels[3])
    with pytest.raises(FacewarpError, match="nothing is labelled in phase 1, but in 2, 4"):
        found.of_phase(0)


def test_names_tell_frame_and_moment(beating, cine, save):
    assert read_labels(save(beating.labels[0], "p_frame04_gt.nii.gz"), cine).frame == 4
    assert read_labels(save(beating.labels[0], "001_SA_ES_gt.nii.gz"), cine).moment == "ES"
    assert read_labels(save(beating.labels[0], "best.nii.gz"), cine).moment == ""


@pytest.mark.parametrize("order", [((0, 1), (1, 1), (2, 1)), ((2, 1), (0, -1), (1, 1))])
def test_other_axes_of_the_same_voxels_are_exact(beating, cine, save, order, tmp_path):
    """As `as_closest_canonical` and converters write them."""
    image = nib.load(save(beating.labels[0]))
    for other in (image.as_reoriented(order), nib.as_closest_canonical(image)):
        path = tmp_path / "other.nii.gz"
        nib.save(other, path)
        found = read_labels(path, cine)
        np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
        assert found.warnings == ()


def test_a_cut_out_of_the_grid_is_exact(beating, cine, save, affine):
    cut = beating.labels[0][1:, 15:-12, 11:-4]
    place = affine.copy()
    place[:3, 3] += affine[:3, :3] @ (11, 15, 1)
    expected = beating.labels[0].copy()
    expected[0] = 0
    with pytest.raises(FacewarpError, match="nothing is labelled"):
        read_labels(save(cut * 0, place=place), cine)
    found = read_labels(save(cut, place=place), cine).of_phase(0)
    np.testing.assert_array_equal(found[:, 20:-20, 20:-20], expected[:, 20:-20, 20:-20])


@pytest.mark.parametrize("factors", [(1, 2, 2), (1, 0.5, 0.5), (5, 1.2, 1.2)])
def test_another_grid_is_resampled_as_labels(beating, cine, save, affine, factors):
    """Finer or coarser within slices, or nearly isotropic; the volume is kept and told."""
    truth = beating.labels[0]
    other = ndimage.zoom(truth, factors, order=0, grid_mode=True, mode="nearest")
    ratio = (np.array(truth.shape) / other.shape)[::-1]
    place = affine.copy()
    place[:3, :3] = affine[:3, :3] * ratio
    place[:3, 3] = affine[:3, 3] + affine[:3, :3] @ ((ratio - 1) / 2)
    found = read_labels(save(other, place=place), cine)
    laid = found.of_phase(0)
    for part in (HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV):
        one, two = laid == part, truth == part
        assert 2 * (one & two).sum() / (one.sum() + two.sum()) > 0.9, part
    assert (laid == HeartPart.LV).sum() == pytest.approx((truth == HeartPart.LV).sum(), rel=0.03)
    assert "resampled to the cine's grid" in found.warnings[0]


def test_another_spacing_of_the_same_voxels_is_refused(beating, cine, save, affine):
    place = affine.copy()
    place[:3, 2] *= 1.3
    with pytest.raises(FacewarpError, match=r"1.5 x 1.5 x 13 mm, not 1.5 x 1.5 x 10 mm"):
        read_labels(save(beating.labels[0], place=place), cine)


def test_a_ventricle_that_the_cine_does_not_hold_is_refused(beating, cine, save, affine):
    """The labels reach three slices further: both volumes are told."""
    place = affine.copy()
    place[:3, 3] -= 3 * affine[:3, 2]
    longer = np.concatenate([beating.labels[0], np.zeros((1, 120, 130), np.uint8)])
    with pytest.raises(FacewarpError, match=r"has \d+\.\d ml on the labels' grid, \d+\.\d ml here"):
        read_labels(save(longer, place=place), cine)


def test_labels_elsewhere_are_refused(beating, cine, save, affine):
    for shift, cut in ((7.3, slice(None)), (900.0, slice(0, -1))):
        place = affine.copy()
        place[0, 3] += shift
        with pytest.raises(FacewarpError, match="elsewhere in the world"):
            read_labels(save(beating.labels[0][:, :, cut], place=place), cine)


def test_labels_that_the_cine_cuts_are_not_blamed_for_their_order(beating, cine, save, affine):
    heart = np.flatnonzero(beating.labels[0].any(axis=(0, 1)))
    place = affine.copy()  # of the cine's width only the last columns of the heart are within
    place[:3, 3] += affine[:3, 0] * (beating.labels[0].shape[2] - heart[0] - 4)
    longer = np.concatenate([beating.labels[0], np.zeros_like(beating.labels[0][:1])])
    with pytest.raises(FacewarpError, match=r"only \d+% of what is labelled lies within the cine"):
        read_labels(save(longer, place=place), cine)


def test_labels_without_a_place_are_laid_voxel_by_voxel(beating, cine, save):
    path = save(beating.labels[0])
    image = nib.load(path)
    bare = nib.Nifti1Image(np.asarray(image.dataobj), None)
    bare.header.set_zooms(image.header.get_zooms())
    bare.header["sform_code"] = bare.header["qform_code"] = 0
    nib.save(bare, path)
    found = read_labels(path, cine)
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    assert "voxel by voxel: they tell no orientation" in found.warnings[0]


def test_labels_that_follow_the_other_affine_are_laid_on_the_scan(
    beating, cine, affine, save, nifti_of, plain
):
    """ITK writes labels by the scan's qform where the sform's code is not 1."""
    path = nifti_of("cine.nii.gz", beating.images, affine)
    image = nib.load(path)
    image.set_qform(plain @ beating.to_heart, 1)
    image.set_sform(affine, 2)
    nib.save(image, path)
    both = read_volume(path).slices_first()
    found = read_labels(save(beating.labels[0], place=plain @ beating.to_heart), both)
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    assert "where the cine's qform says" in found.warnings[0]


def test_outlines_are_no_areas(beating, cine, save):
    """Contours written as the voxels of their lines, in ids of the data set that the name tells."""
    ids, inside = beating.labels[0], np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)
    lines = np.zeros_like(ids)
    for part, mask in ((2, ids >= 2), (1, ids == 1), (3, ids == 3)):
        lines[mask & ~ndimage.binary_erosion(mask, inside)] = part
    found = read_labels(save(lines, "patient001_frame01_gt.nii.gz"), cine)
    with pytest.raises(FacewarpError, match=r"surround: an outline.*fill the contours"):
        found.of_phase(0)


def test_a_cavity_without_its_papillary_muscles_is_no_outline(beating, cine, save):
    ids = beating.labels[0].copy()
    at = ndimage.center_of_mass(ids == HeartPart.LV)
    y, x = np.ogrid[: ids.shape[1], : ids.shape[2]]
    muscle = np.hypot(y - at[1], x - at[2]) < 7
    ids[(ids == HeartPart.LV) & muscle] = HeartPart.MYOCARDIUM
    np.testing.assert_array_equal(read_labels(save(ids), cine, "acdc").of_phase(0), ids)


def test_masks_that_overlap_are_named(beating, cine, save):
    """Areas within contours: that of the outer one holds that of the inner one."""
    ids = beating.labels[0]
    masks = np.stack([ids == 3, ids >= 2, ids == 1]).astype(np.uint8)
    with pytest.raises(FacewarpError, match="3 masks along the fourth axis, and they overlap"):
        read_labels(save(masks), cine)


def test_layers_of_overlapping_segments_are_named(beating, cine, save):
    """As SimpleITK makes of 3D Slicer's .seg.nrrd: ids of each layer as components of a voxel."""
    ids = beating.labels[0]
    layers = np.stack([ids == 3, 2 * (ids >= 2), ids == 1, ids == 0]).astype(np.uint8)
    path = save(layers)
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj)[..., None, :], image.affine), path)
    assert nib.load(path).shape == (*ids.shape[::-1], 1, 4)
    with pytest.raises(FacewarpError, match=r"4 values for each voxel.*Logical operators, Subtr"):
        read_labels(path, cine)


def test_another_number_of_phases_is_refused(beating, cine, save):
    with pytest.raises(FacewarpError, match="the labels have 2 phases, the cine 6"):
        read_labels(save(beating.labels[:2]), cine)


def _ring(beating, degrees, layers):
    """Voxels of the wall within an angle about the cavity, and as far from it as some layers."""
    labels = beating.labels[0]
    _, rows, columns = np.indices(labels.shape)
    cavity = labels == HeartPart.LV
    angle = np.degrees(np.arctan2(rows - rows[cavity].mean(), columns - columns[cavity].mean()))
    near = ndimage.binary_dilation(cavity, np.ones((1, 3, 3)), iterations=layers)
    return (labels == HeartPart.MYOCARDIUM) & (np.abs(angle) < degrees / 2) & near


def test_scar_and_papillary_muscles_of_ids_of_their_own_leave_no_hole(beating, cine, save):
    """With --label-order, which the message asks for, the wall lost a third without a word."""
    ids = beating.labels[0].copy()
    ids[_ring(beating, 90, 2)] = 4
    ids[(ids == HeartPart.LV) & (np.indices(ids.shape)[1] % 7 == 0)] = 9
    ids[0, :9, :9] = 5  # an atrium, aside
    path = save(ids)
    with pytest.raises(FacewarpError, match="can't be told"):
        read_labels(path, cine)
    found = read_labels(path, cine, "acdc")
    np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
    said = " ".join(found.warnings)
    assert "label 4 lies in the myocardium and is counted to it" in said
    assert "label 9 lies in the LV and is counted to it" in said
    assert "label 5 is none of ACDC (1 RV, 2 myocardium, 3 LV): it is left out" in said


def test_a_large_piece_that_may_be_wall_is_refused(beating, cine, save):
    ids = beating.labels[0].copy()
    ids[_ring(beating, 120, 20)] = 4  # through the whole wall
    with pytest.raises(
        FacewarpError, match=r"label 4 is none of ACDC .* may lack \d+% of the wall"
    ):
        read_labels(save(ids), cine, "acdc")


def test_scars_of_myops_are_wall(beating, cine, save):
    ids = np.array([0, 600, 200, 500])[beating.labels[0]]
    ids[_ring(beating, 60, 20)] = 2221
    ids[_ring(beating, 30, 20)] = 1220
    for order in ("auto", "mscmr"):
        found = read_labels(save(ids, dtype=np.int16), cine, order)
        np.testing.assert_array_equal(found.of_phase(0), beating.labels[0])
        assert found.order.name == "mscmr"


def test_a_scar_amid_the_wall_is_no_right_ventricle(beating, cine, save):
    """EMIDEC's ids, 1 cavity, 2 wall, 3 scar, are M&Ms' but for the third."""
    ids = np.array([0, 0, 2, 1])[beating.labels[0]]
    outside = ndimage.binary_dilation(ids != 2, np.ones((1, 3, 3)))
    ids[_ring(beating, 90, 20) & ~outside] = 3
    with pytest.raises(FacewarpError, match="can't be told"):
        read_labels(save(ids), cine)
    with pytest.raises(
        FacewarpError, match=r"label 3 is the right ventricle in M&Ms.* as of a scar"
    ):
        read_labels(save(ids), cine, "mnms")

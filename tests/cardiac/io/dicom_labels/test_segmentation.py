"""Segmentations of a beating heart in all the forms that programs write, read onto its cine."""

import shutil

import numpy as np
import pydicom
import pytest
from fixtures.dicom_labels import (
    LEFT,
    MUSCLE,
    SEGMENT_OF_PART,
    SEGMENTS,
    TISSUE,
    frames_of,
    uids_of,
    write_seg,
)
from fixtures.dicom_scans import AFFINE, write_enhanced, write_series
from fixtures.hearts import write_nifti

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.cardiac.io.label_reader import BY_NAMES, read_labels
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.errors import FacewarpError


@pytest.fixture(scope="module")
def scan(beating, tmp_path_factory):
    """Volume of a classic series, and the UIDs of its pictures by (t, z)."""
    folder = tmp_path_factory.mktemp("cine")
    paths = write_series(folder, 100 * beating.images, AFFINE)
    return read_dicom(folder).slices_first(), uids_of(paths)


@pytest.fixture
def labels(beating):
    return beating.labels


def test_frames_in_any_order_are_laid_by_place_and_phase(scan, labels, tmp_path):
    """Bits packed across frames, empty slices left out, phases by the pictures named."""
    volume, uids = scan
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (1, 4)), uids=uids)
    found = read_labels(path, volume)
    assert found.filled == (1, 4)
    np.testing.assert_array_equal(found.data[[1, 4]], labels[[1, 4]])
    assert not found.data[[0, 2, 3, 5]].any()
    assert (found.order.name, found.order_by, found.warnings) == ("", BY_NAMES, ())


def test_pixels_of_packed_frames_need_not_fill_bytes(scan, labels, tmp_path):
    """A cut of 37 x 41 pixels: frames begin within bytes."""
    volume, uids = scan
    rows, columns = slice(31, 92), slice(32, 93)
    inside = np.zeros_like(labels)
    inside[:, :, rows, columns] = labels[:, :, rows, columns]
    frames = [(s, t, z, m[rows, columns]) for s, t, z, m in frames_of(inside, (0,))]
    assert frames[0][3].size % 8
    cut = AFFINE.copy()
    cut[:3, 3] += AFFINE[:3, 0] * columns.start + AFFINE[:3, 1] * rows.start
    path = write_seg(tmp_path / "s.dcm", cut, frames, uids=uids)
    np.testing.assert_array_equal(read_labels(path, volume).of_phase(0), inside[0])


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP"])
def test_fractions_and_label_maps_are_the_same_parts(scan, labels, tmp_path, kind):
    volume, uids = scan
    if kind == "FRACTIONAL":
        frames = [(s, t, z, 130 * m + 30) for s, t, z, m in frames_of(labels, (2,), empty=True)]
    else:
        numbers = np.array([0, 3, 2, 1])[labels]
        frames = [(None, 2, z, numbers[2, z]) for z in range(labels.shape[1])]
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids, kind=kind)
    np.testing.assert_array_equal(read_labels(path, volume).of_phase(2), labels[2])


def test_the_largest_share_of_three_is_read(scan, labels, tmp_path):
    """Below a half each: the cavity has 45 %, wall 30 %, nothing 25 %."""
    volume, uids = scan
    frames = []
    for z in np.flatnonzero(labels[0].any(axis=(1, 2))):
        one = labels[0, z]
        for part, segment in SEGMENT_OF_PART.items():
            share = np.where(one == part, 90, 0) + np.where(
                (one > 0) & (one == part % 3 + 1), 60, 0
            )
            frames.append((segment, 0, int(z), share))
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids, kind="FRACTIONAL")
    np.testing.assert_array_equal(read_labels(path, volume).of_phase(0), labels[0])


def test_frames_of_an_enhanced_cine_are_told_by_their_numbers(labels, beating, tmp_path):
    source = write_enhanced(tmp_path / "cine.dcm", 100 * beating.images, AFFINE)
    volume = read_dicom(source).slices_first()
    uid = str(pydicom.dcmread(source).SOPInstanceUID)
    number = {
        (t, z): frame + 1
        for t, row in enumerate(volume.sources)
        for z, (_, frame) in enumerate(row)
    }
    path = write_seg(
        tmp_path / "s.dcm",
        AFFINE,
        frames_of(labels, (3,)),
        uids=dict.fromkeys(number, uid),
        shuffled=False,
    )
    data = pydicom.dcmread(path)
    for (_, t, z, _), one in zip(
        frames_of(labels, (3,)), data.PerFrameFunctionalGroupsSequence, strict=True
    ):
        (item,) = one.DerivationImageSequence[0].SourceImageSequence
        item.ReferencedFrameNumber = number[t, z]
    data.save_as(path)
    assert read_labels(path, volume).filled == (3,)
    for one in data.PerFrameFunctionalGroupsSequence:  # without, the whole file is named
        del one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
    data.save_as(path)
    found = read_labels(path, volume)
    assert found.filled == ()
    np.testing.assert_array_equal(found.of_phase(0), labels[3])


@pytest.mark.parametrize("position", [True, False])
def test_masks_that_name_every_phase_are_told_by_their_position(scan, labels, tmp_path, position):
    """As highdicom names all pictures in one place; without a position the phase is open."""
    volume, uids = scan
    path = write_seg(
        tmp_path / "s.dcm",
        AFFINE,
        frames_of(labels, (4,)),
        uids=uids,
        all_sources=True,
        position=position,
    )
    found = read_labels(path, volume)
    assert found.filled == ((4,) if position else ())
    np.testing.assert_array_equal(found.of_phase(4), labels[4])


def test_two_phases_that_nothing_tells_apart_are_refused(scan, labels, tmp_path):
    volume, uids = scan
    path = write_seg(
        tmp_path / "s.dcm", AFFINE, frames_of(labels, (0, 3)), uids=uids, all_sources=True
    )
    with pytest.raises(FacewarpError, match=r"several masks in one place.*not told.*--ed"):
        read_labels(path, volume)


def test_what_the_whole_file_names_tells_the_phase(scan, labels, tmp_path):
    volume, uids = scan
    listed = [uid for (t, _), uid in uids.items() if t == 2]
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (2,)), listed=listed)
    assert read_labels(path, volume).filled == (2,)


def test_another_series_is_laid_by_place_and_said(scan, labels, tmp_path):
    volume, uids = scan
    others = {at: pydicom.uid.generate_uid() for at in uids}
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (2,)), uids=others)
    found = read_labels(path, volume)
    assert found.filled == ()
    assert "none of the cine's pictures" in found.warnings[0]


def test_a_folder_of_a_file_a_phase_is_all_of_them(scan, labels, tmp_path):
    volume, uids = scan
    folder = tmp_path / "segs"
    folder.mkdir()
    for t in range(6):
        write_seg(folder / f"{9 - t}.dcm", AFFINE, frames_of(labels, (t,)), uids=uids)
    found = read_labels(folder, volume)
    np.testing.assert_array_equal(found.data, labels)
    shutil.copy(folder / "9.dcm", folder / "copy.dcm")
    with pytest.raises(FacewarpError, match=r"both label phase 1"):
        read_labels(folder, volume)


@pytest.mark.parametrize("flip", [False, True])
def test_a_converted_cine_takes_them_by_place(beating, labels, scan, tmp_path, flip):
    """As dcm2niix turns rows round; NIfTI names no pictures, so that the phase is open."""
    _, uids = scan
    affine, images = AFFINE.copy(), beating.images
    if flip:
        affine[:3, 3] += affine[:3, 1] * (images.shape[2] - 1)
        affine[:3, 1] *= -1
        images = images[:, :, ::-1]
    cine = read_volume(write_nifti(tmp_path / "c.nii.gz", images, affine)).slices_first()
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (2,)), uids=uids)
    expected = labels[2][:, ::-1] if flip else labels[2]
    found = read_labels(path, cine)
    assert found.filled == ()
    np.testing.assert_array_equal(found.of_phase(2), expected)


def test_a_cine_without_a_place_takes_none(beating, labels, tmp_path):
    import nibabel as nib

    bare = nib.Nifti1Image(beating.images.T, None)
    bare.header["sform_code"] = bare.header["qform_code"] = 0
    bare.header.set_zooms((1.4, 1.6, 8.0, 1.0))
    nib.save(bare, tmp_path / "c.nii.gz")
    cine = read_volume(tmp_path / "c.nii.gz").slices_first()
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (2,)))
    with pytest.raises(FacewarpError, match="the cine tells no place"):
        read_labels(path, cine)


@pytest.mark.parametrize("finer", [1, 4])
def test_a_finer_stack_of_another_program_is_resampled(scan, beating, labels, tmp_path, finer):
    """Twice as fine in slices, and ``finer`` planes a slice, which lie between the cine's."""
    volume, _ = scan
    masks = np.repeat(np.repeat(np.repeat(labels[:1], 2, axis=2), 2, axis=3), finer, axis=1)
    affine = AFFINE @ np.diag([0.5, 0.5, 1 / finer, 1.0])
    affine[:3, 3] += AFFINE[:3, :3] @ (-0.25, -0.25, (1 / finer - 1) / 2)
    path = write_seg(tmp_path / "s.dcm", affine, frames_of(masks, (0,)))
    found = read_labels(path, volume)
    assert (found.of_phase(0) == labels[0]).mean() > 0.9999
    assert any("resampled" in text for text in found.warnings)


def test_structures_that_nothing_knows_are_named(scan, labels, tmp_path):
    volume, uids = scan
    names = {n: (f"Segment_{n}", TISSUE) for n in (1, 2, 3)}
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (0,)), uids=uids, segments=names)
    with pytest.raises(FacewarpError, match=r"1 'Segment_1' \(Tissue\), 2 .*--label-names"):
        read_labels(path, volume)
    for more in ({"names": "lv=Segment_1, wall=2, rv=segment_3"},):
        found = read_labels(path, volume, **more)
        np.testing.assert_array_equal(found.of_phase(0), labels[0])
        assert found.order_by == "given"
    np.testing.assert_array_equal(read_labels(path, volume, "mnms").of_phase(0), labels[0])
    with pytest.raises(FacewarpError, match=r"asks for 'pool', but there are 1 'Segment_1'"):
        read_labels(path, volume, names="lv=pool")
    with pytest.raises(FacewarpError, match=r"KEY=NAME, of the keys lv, wall, outer, rv"):
        read_labels(path, volume, names="heart=1")


def test_codes_speak_where_names_do_not(scan, labels, tmp_path):
    """SNOMED RT of before 2018 too; other parts are left out, unknown ones are said."""
    volume, uids = scan
    names = {
        1: ("pool", ("T-32600", "SRT", "Left ventricle")),
        2: ("ring", (MUSCLE, "SCT", "Myocardium")),
        3: ("Segment_3", ("21814001", "SCT", "Right cardiac ventricle")),
        4: ("Left atrium", None),
        5: ("something", TISSUE),
    }
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (0,)), uids=uids, segments=names)
    found = read_labels(path, volume)
    np.testing.assert_array_equal(found.of_phase(0), labels[0])
    assert "left out: 5 'something' (Tissue)" in found.warnings[0]


def test_a_scar_that_is_left_out_is_said(scan, labels, tmp_path):
    """Of a wall that is drawn without its scar volume and mass would lack it."""
    volume, uids = scan
    drawn = labels.copy()
    drawn[:, :, : drawn.shape[2] // 2][drawn[:, :, : drawn.shape[2] // 2] == 2] = 4
    frames = frames_of(drawn, (0,), SEGMENT_OF_PART | {4: 4})
    path = write_seg(
        tmp_path / "s.dcm", AFFINE, frames, uids=uids, segments=SEGMENTS | {4: ("Scar", None)}
    )
    (said,) = [one for one in read_labels(path, volume).warnings if "Scar" in one]
    assert said.startswith("left out: 4 'Scar'; where wall or cavity is drawn without them")
    joined = read_labels(
        path, volume, names="lv=LV blood pool,wall=LV myocardium+Scar,rv=Right ventricle"
    )
    np.testing.assert_array_equal(joined.of_phase(0), labels[0])
    assert "Scar" not in " ".join(joined.warnings)


def test_names_and_codes_that_differ_are_refused(scan, labels, tmp_path):
    volume, uids = scan
    names = SEGMENTS | {3: ("RV", (LEFT, "SCT", "Left ventricle"))}
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (0,)), uids=uids, segments=names)
    with pytest.raises(FacewarpError, match=r"3 is named 'RV', but coded as 'Left ventricle'"):
        read_labels(path, volume)


def test_names_that_anatomy_contradicts_are_refused(scan, labels, tmp_path):
    """Left and right exchanged: the left ventricle is what the wall closes around."""
    volume, uids = scan
    swapped = frames_of(labels, (0,), {1: 1, 2: 2, 3: 3})
    path = write_seg(tmp_path / "s.dcm", AFFINE, swapped, uids=uids)
    with pytest.raises(FacewarpError, match=r"by their names the structures lie as if"):
        read_labels(path, volume)


def overlapping(labels, one, other):
    """Frames of the left ventricle's two structures and the right one, by functions of labels."""
    found = []
    for z in range(labels.shape[1]):
        for segment, mask in ((1, one(labels[0, z])), (2, other(labels[0, z]))):
            if mask.any():
                found.append((segment, 0, z, mask))
        if (labels[0, z] == 1).any():
            found.append((3, 0, z, labels[0, z] == 1))
    return found


@pytest.mark.parametrize(
    ("names", "one", "other", "told"),
    [
        (("LV endo", "LV epi"), lambda a: a == 3, lambda a: a >= 2, ""),
        (("LV endo", "LV myocardium"), lambda a: a == 3, lambda a: a >= 2, "drawn with the cavity"),
        (("LV", "LV myocardium"), lambda a: a >= 2, lambda a: a == 2, "drawn with its wall"),
        (("LV", "LV epi"), lambda a: a == 3, lambda a: a >= 2, ""),
        (("LV endo", "LV"), lambda a: a == 3, lambda a: a >= 2, ""),
        (("LV epi", "LV wall"), lambda a: a >= 2, lambda a: a == 2, ""),
    ],
)
def test_structures_that_hold_one_another_are_taken_apart(
    scan, labels, tmp_path, names, one, other, told
):
    volume, uids = scan
    segments = {1: (names[0], None), 2: (names[1], None), 3: ("RV", None)}
    frames = overlapping(labels, one, other)
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids, segments=segments)
    found = read_labels(path, volume)
    np.testing.assert_array_equal(found.of_phase(0), labels[0])
    assert bool(found.warnings) == bool(told)
    assert told in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("names", "one", "other", "told"),
    [
        (("LV", "scar"), lambda a: a >= 2, lambda a: a == 2, "may hold the left ventricle's wall"),
        (("LV epi", "x"), lambda a: a >= 2, lambda a: a == 2, "may hold the left ventricle's wall"),
        (("LV endo", "LV cavity"), lambda a: a == 3, lambda a: a == 3, "are the same part"),
    ],
)
def test_left_ventricles_that_may_be_more_or_less_are_refused(
    scan, labels, tmp_path, names, one, other, told
):
    volume, uids = scan
    segments = {1: (names[0], None), 2: (names[1], None), 3: ("RV", None)}
    frames = overlapping(labels, one, other)
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids, segments=segments)
    with pytest.raises(FacewarpError, match=told):
        read_labels(path, volume)


def test_parts_that_overlap_in_part_are_refused(scan, labels, tmp_path):
    volume, uids = scan
    shifted = [
        (s, t, z, np.roll(m, 6, axis=1) if s == 3 else m) for s, t, z, m in frames_of(labels, (0,))
    ]
    path = write_seg(tmp_path / "s.dcm", AFFINE, shifted, uids=uids)
    with pytest.raises(FacewarpError, match=r"\d+% of the right ventricle lies in the wall"):
        read_labels(path, volume)


def test_a_slice_without_a_frame_between_others_is_refused(scan, labels, tmp_path):
    volume, uids = scan
    drawn = np.flatnonzero((labels[0] == 3).any(axis=(1, 2)))
    frames = [one for one in frames_of(labels, (0,)) if one[2] != drawn[2]]
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids)
    with pytest.raises(FacewarpError, match=rf"not labelled in slice {drawn[2] + 1}, but on both"):
        read_labels(path, volume).of_phase(0)


def test_a_file_cut_short_is_one_line(scan, labels, tmp_path):
    volume, uids = scan
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (0,)), uids=uids)
    data = pydicom.dcmread(path)
    data.PixelData = data.PixelData[:1000]
    data.save_as(path)
    with pytest.raises(FacewarpError, match="pixels are cut short"):
        read_labels(path, volume)
    del data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    data.save_as(path)
    with pytest.raises(FacewarpError, match="the header is damaged"):
        read_labels(path, volume)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_segment_that_is_drawn_and_not_described_is_said(scan, labels, tmp_path, kind):
    volume, uids = scan
    frames = frames_of(labels, (1, 4))
    if kind == "LABELMAP":
        numbers = np.array([0, 3, 2, 1])[labels]
        frames = [(None, t, z, numbers[t, z]) for t in (1, 4) for z in range(labels.shape[1])]
    named = {number: SEGMENTS[number] for number in (1, 2)}
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids, kind=kind, segments=named)
    found = read_labels(path, volume)
    assert not (found.data == 1).any()
    assert "left out: 3 'not described'" in " ".join(found.warnings)
    chosen = read_labels(path, volume, names="lv=1,wall=2,rv=3")
    np.testing.assert_array_equal(chosen.data[[1, 4]], labels[[1, 4]])


def test_a_described_segment_of_which_nothing_is_drawn_is_said(scan, labels, tmp_path):
    volume, uids = scan
    frames = frames_of(labels, (1, 4), {3: 1, 2: 2})
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames, uids=uids)
    assert "nothing is drawn of 3 'Right ventricle'" in " ".join(read_labels(path, volume).warnings)


def test_segments_that_share_a_number_are_refused(scan, labels, tmp_path):
    volume, uids = scan
    path = write_seg(tmp_path / "s.dcm", AFFINE, frames_of(labels, (1, 4)), uids=uids)
    data = pydicom.dcmread(path)
    data.SegmentSequence[2].SegmentNumber = 1
    data.save_as(path)
    with pytest.raises(FacewarpError, match="the same number, 1"):
        read_labels(path, volume)

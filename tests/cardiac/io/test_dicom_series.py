"""DICOM series written from a known cine, in every shape they come in, and broken ones."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fixtures.dicom_scans import NAMES, change, write_enhanced, write_series
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.io.dicom_frames import identity_of
from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.cardiac.report.result_files import ResultFiles
from facewarp.cardiac.report.result_folder import write_result
from facewarp.errors import FacewarpError


@pytest.fixture
def small(rng):
    """Four phases of five slices of 12 x 14."""
    return np.rint(rng.uniform(0, 900, (4, 5, 12, 14))).astype(np.float32)


@pytest.fixture
def affine(oblique):
    return oblique(25.0) @ np.diag([-1.4, -1.6, 8.0, 1.0])


@pytest.mark.parametrize("per_slice", [False, True])
@pytest.mark.parametrize("timed", [True, False])
def test_a_series_is_the_nifti_it_was_written_from(
    small, affine, nifti_of, tmp_path, timed, per_slice
):
    write_series(tmp_path / "scan", small, affine, timed=timed, per_slice=per_slice)
    found = read_dicom(tmp_path / "scan")
    truth = read_volume(nifti_of("truth.nii.gz", small, affine))
    np.testing.assert_allclose(found.affine, truth.affine, atol=1e-5)
    np.testing.assert_allclose(found.data, truth.data, atol=0.3)
    assert found.time_step_s == (pytest.approx(0.15) if timed else None)
    assert ("no picture tells its time" in "".join(found.warnings)) == (not timed)
    cine = open_cine(tmp_path / "scan")
    assert (cine.name, cine.frames) == ("scan", (1, 2, 3, 4))


def test_a_kind_of_file_that_is_mr_tells_what_an_empty_modality_does_not(small, affine, tmp_path):
    """Programs that take names out of files may empty it."""
    for name, tell in (
        ("empty", lambda data, t, z: setattr(data, "Modality", "")),
        ("none", lambda data, t, z: delattr(data, "Modality")),
    ):
        write_series(tmp_path / name, small, affine, tell=tell)
        np.testing.assert_allclose(read_dicom(tmp_path / name).data, small, atol=0.3)

    def other(data, t, z):
        data.Modality, data.SOPClassUID = "", "1.2.840.10008.5.1.4.1.1.2"  # CT

    write_series(tmp_path / "other", small, affine, tell=other)
    with pytest.raises(FacewarpError, match="tells no modality, nor that it is MR"):
        read_dicom(tmp_path / "other")


def test_an_enhanced_file_is_the_same(small, affine, tmp_path):
    (tmp_path / "scan").mkdir()
    path = write_enhanced(tmp_path / "scan" / "all.dcm", small, affine)
    for place in (path, path.parent):
        found = read_dicom(place)
        np.testing.assert_allclose(found.data, small, atol=0.3)
        np.testing.assert_allclose(found.affine, affine, atol=1e-5)
        assert found.time_step_s == pytest.approx(0.15)
    assert open_cine(path).name == "all"


def concatenation(folder, images, affine, number):
    """One untimed enhanced file, slice by slice, cut into three numbered ``number(k)``."""
    folder.mkdir()
    path = write_enhanced(folder / "all.dcm", images, affine)
    data, pixels = pydicom.dcmread(path), pydicom.dcmread(path).pixel_array
    path.unlink()
    shuffled = np.random.default_rng(4).permutation(images.shape[0] * images.shape[1])
    order = np.argsort([index % images.shape[1] * 100 + index for index in shuffled])
    groups = [data.PerFrameFunctionalGroupsSequence[k] for k in order]
    for one in groups:
        del one.CardiacSynchronizationSequence
    for k, frames in enumerate(np.array_split(np.arange(len(order)), 3)):
        data.PerFrameFunctionalGroupsSequence = [groups[frame] for frame in frames]
        data.NumberOfFrames, data.InstanceNumber = len(frames), number(k)
        data.PixelData = pixels[order[frames]].tobytes()
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.ConcatenationUID, data.InConcatenationNumber = "1.2.3.4", k + 1
        data.ConcatenationFrameOffsetNumber = int(frames[0])
        data.save_as(folder / f"{7 - k}.dcm")
    return folder


@pytest.mark.parametrize("number", [lambda _: 1, lambda k: k + 1, lambda k: 9 - k])
def test_the_pieces_of_a_concatenation_are_numbered_through(small, affine, tmp_path, number):
    """Slices are cut in their middle: with numbers of their own files phases were mixed up."""
    found = read_dicom(concatenation(tmp_path / "scan", small, affine, number))
    np.testing.assert_allclose(found.data, small, atol=0.3)


@pytest.mark.parametrize(
    ("lost", "total", "which"),
    [(0, 3, "1 of 3"), (2, 3, "3 of 3"), (0, None, "one of them"), (1, None, "one of them")],
)
def test_a_concatenation_of_which_a_file_is_missing_is_refused(
    small, affine, tmp_path, lost, total, which
):
    """Else slices at an end of the stack would be missing without a word."""
    folder = concatenation(tmp_path / "scan", small, affine, lambda _: 1)
    for k, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        data = pydicom.dcmread(path)
        data.InConcatenationTotalNumber = total
        data.save_as(path)
        if k == lost:
            path.unlink()
    with pytest.raises(FacewarpError, match=f"cut into several files, and file {which} is missing"):
        read_dicom(folder)


@pytest.mark.parametrize("number", [3, 5])
def test_phases_and_pictures_that_are_told_and_not_there_are_said(small, affine, tmp_path, number):
    """A slice lost at an end, or phases lost in all slices, leave no gap."""
    paths = write_series(tmp_path / "scan", small, affine)
    change(paths, CardiacNumberOfImages=4, ImagesInAcquisition=20)
    assert "the header tells" not in "".join(read_dicom(tmp_path / "scan").warnings)
    if number == 3:
        for z in range(5):
            paths[3, z].unlink()
        said = "the header tells 4 phases, there are 3"
    else:
        for t in range(4):
            paths[t, 4].unlink()
        said = "the header tells 20 pictures, there are 16"
    assert said in "".join(read_dicom(tmp_path / "scan").warnings)


def test_slices_the_other_way_round_lie_where_they_lay(small, affine, tmp_path):
    backwards = affine.copy()
    backwards[:3, 3] += affine[:3, 2] * 4
    backwards[:3, 2] *= -1
    write_series(tmp_path / "scan", small[:, ::-1], backwards)
    found = read_dicom(tmp_path / "scan")
    np.testing.assert_allclose(found.data, small, atol=0.3)
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)


def broken(kind, folder, small, affine):
    """A series that cannot be a cine, and what is to be said of it."""
    paths = write_series(folder, small, affine)
    if kind == "picture missing":
        paths[2, 1].unlink()
        return "most slices have 4 phases, but slice 2 has 3"
    if kind == "slice missing":
        for t in range(4):
            paths[t, 2].unlink()
        return "a slice is missing between slices 2 and 3"
    if kind == "twice":
        for t in range(4):
            data = pydicom.dcmread(paths[t, 0])
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            data.save_as(folder / f"again{t}")
        return "slice 1 is there twice at 0 ms"
    if kind == "cut":
        paths[1, 1].write_bytes(paths[1, 1].read_bytes()[:-100])
        return "cut short"
    if kind == "one phase":
        for (t, _), path in paths.items():
            if t:
                path.unlink()
        return "one phase"
    for path in paths.values():
        path.unlink()
    (folder / "notes.txt").write_text("nothing here")
    return "neither NIfTI nor DICOM"


KINDS = ["picture missing", "slice missing", "twice", "cut", "one phase", "nothing"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_named(kind, small, affine, tmp_path):
    said = broken(kind, tmp_path / "scan", small, affine)
    with pytest.raises(FacewarpError) as error:
        open_cine(tmp_path / "scan")
    assert said in error.value.what
    assert error.value.where is not None
    assert "Jane" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MR_small.dcm", "one phase"),
        ("CT_small.dcm", "modality CT"),
        ("examples_ybr_color.dcm", "modality US"),
        ("rtplan.dcm", "no DICOM picture among 1 files"),
        ("MR_truncated.dcm", "cut short"),
    ],
)
def test_files_of_other_kinds(name, said):
    """pydicom's own samples, those that come with it."""
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("this sample does not come with pydicom")
    with pytest.raises(FacewarpError, match=said):
        open_cine(path)


def test_a_real_scanners_picture_lies_where_it_says():
    path = get_testdata_file("MR_small.dcm", download=False)
    found = read_dicom(Path(path))
    assert found.data.shape == (1, 1, 64, 64)
    assert found.affine[:3, 3] == pytest.approx([83.9063, 91.2, 6.6406])
    assert found.spacing_mm[:2] == pytest.approx((0.3125, 0.3125), rel=1e-3)


@pytest.mark.parametrize(
    ("told", "thickness", "said"),
    [
        (8.0, 8.0, None),
        (8.2, 8.0, "8.2 mm apart, their positions 8 mm: positions are used"),
        (2.0, 6.0, "the first is the gap between slices"),
    ],
)
def test_told_distance_of_slices_against_positions(small, affine, tmp_path, told, thickness, said):
    change(
        write_series(tmp_path / "scan", small, affine),
        SpacingBetweenSlices=told,
        SliceThickness=thickness,
    )
    found = read_dicom(tmp_path / "scan")
    assert found.spacing_mm[2] == pytest.approx(8.0)
    assert (said is None and not found.warnings) or said in found.warnings[0]


def test_a_distance_of_slices_that_changes_volumes_is_refused(small, affine, tmp_path):
    change(write_series(tmp_path / "scan", small, affine), SpacingBetweenSlices=10.0)
    with pytest.raises(FacewarpError, match=r"10 mm apart, their positions 8 mm.*--spacing"):
        read_dicom(tmp_path / "scan")
    found = read_dicom(tmp_path / "scan", ReadOptions(spacing_mm=(1.4, 1.6, 10.0)))
    np.testing.assert_allclose(found.spacing_mm, (1.4, 1.6, 10.0))
    assert "--spacing says" in found.warnings[0]


@pytest.mark.parametrize(("told", "thickness"), [(1.0, None), (1.0, 7.0), (2.5, None), (1.0, 1.0)])
def test_a_distance_of_1_mm_is_what_itk_writes_of_single_slices(
    small, affine, tmp_path, told, thickness
):
    """Slices that are 1 mm thick may be 1 mm apart, and so may not be trusted blindly."""
    change(
        write_series(tmp_path / "scan", small, affine),
        SpacingBetweenSlices=told,
        SliceThickness=thickness,
    )
    if told == 1.0 and thickness != 1.0:
        found = read_dicom(tmp_path / "scan")
        assert found.spacing_mm[2] == pytest.approx(8.0)
        assert (
            "positions are used" in found.warnings[0] or "the first is the gap" in found.warnings[0]
        )
    else:
        with pytest.raises(FacewarpError, match=r"mm apart, their positions 8 mm.*--spacing"):
            read_dicom(tmp_path / "scan")


def test_every_second_slice_left_out_is_refused_where_the_header_shows_it(small, affine, tmp_path):
    """Slices of 8 mm that are told to be 8 mm apart and lie at 16: no gap is as wide as they."""
    twice = affine @ np.diag([1.0, 1.0, 2.0, 1.0])
    change(
        write_series(tmp_path / "scan", small, twice),
        SpacingBetweenSlices=8.0,
        SliceThickness=8.0,
    )
    with pytest.raises(FacewarpError, match=r"8 mm apart.*16 mm: every second slice.*--spacing"):
        read_dicom(tmp_path / "scan")
    confirmed = read_dicom(tmp_path / "scan", ReadOptions(spacing_mm=(1.4, 1.6, 16.0)))
    assert confirmed.spacing_mm[2] == pytest.approx(16.0)


@pytest.mark.parametrize(("times", "said"), [(1.0, False), (1.25, False), (2.0, True)])
def test_slices_that_lie_far_apart_for_their_thickness_are_said(
    small, affine, tmp_path, times, said
):
    apart = affine @ np.diag([1.0, 1.0, times, 1.0])
    write_series(tmp_path / "scan", small, apart)  # of 8 mm, and no distance told
    told = read_dicom(tmp_path / "scan").warnings
    assert any("slices of 8 mm lie 16 mm apart" in text for text in told) == said


@pytest.mark.parametrize("aside_mm", [0.5, 4.0])
def test_slices_of_two_patients_under_the_same_uids_make_no_heart(
    small, affine, tmp_path, aside_mm
):
    """A program that gives everybody the same UIDs; the second one's slices lie between."""
    beside = affine.copy()
    beside[:3, 3] += aside_mm * affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    for number, place in enumerate((affine, beside)):
        paths = write_series(tmp_path / f"scan/{number}", small, place)
        change(paths, SeriesInstanceUID="1.2.4", PatientID=f"P{number}")
    with pytest.raises(
        FacewarpError, match=r"of 2 patients by their IDs: 20 and 20 files"
    ) as error:
        read_dicom(tmp_path / "scan")
    assert "P1" not in str(error.value)


@pytest.mark.parametrize("patient", ["", "P1", lambda path: path.name])
def test_a_patients_id_may_be_empty_or_replaced_in_each_file(small, affine, tmp_path, patient):
    change(write_series(tmp_path / "scan", small, affine), PatientID=patient)
    np.testing.assert_allclose(read_dicom(tmp_path / "scan").data, small, atol=0.3)


def test_identity_is_read_when_asked_for(small, affine, tmp_path):
    (tmp_path / "scan").mkdir()
    paths = write_series(tmp_path / "scan", small, affine)
    found = identity_of(paths[0, 0])
    assert (found["PatientName"], found["PatientID"], found["PatientBirthDate"]) == NAMES[:3]
    assert "InstitutionName" not in found
    assert "PatientSex" not in found  # what is not told is not made up


@pytest.mark.slow
def test_a_cine_in_dicom_is_measured_and_nobody_is_named(beating, knowing, plain, tmp_path):
    affine = plain @ beating.to_heart
    write_series(tmp_path / "scan", 100 * beating.images, affine)
    result = analyse_cine(tmp_path / "scan", knowing)
    truth = beating.heart
    assert result.indices.lv.edv_ml == pytest.approx(truth.lv_ml(0.0), rel=0.03)
    assert result.indices.heart_rate_bpm == pytest.approx(60 / 0.9)
    write_result(result, tmp_path / "out", ResultFiles(movie="none"))
    import gzip

    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        for name in NAMES:
            assert name.encode() not in content, path.name
    told = json.loads((tmp_path / "out" / "indices.json").read_text("utf-8"))
    assert told["patient"] == "scan"
    labels = read_volume(tmp_path / "out" / "labels_4d.nii.gz")
    np.testing.assert_allclose(labels.affine, affine, atol=1e-4)

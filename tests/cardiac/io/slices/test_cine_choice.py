"""Several series in one folder: which one is the short-axis cine, and what is said of others."""

import numpy as np
import pydicom
import pytest
from fixtures.dicom_scans import (
    AFFINE,
    group,
    numbered,
    shown,
    write_enhanced,
    write_series,
)

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError

ACROSS = AFFINE[:, [1, 2, 0, 3]]


@pytest.fixture
def cine():
    return numbered()


@pytest.fixture
def scan(tmp_path, cine):
    """A folder with a short-axis cine as its series 3."""
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=70, title="SAX cine", number=3)
    return tmp_path / "scan"


def is_the_cine(volume, phases=12):
    slices, numbers = shown(volume.data)
    assert volume.data.shape[:2] == (phases, 6)
    np.testing.assert_array_equal(slices, np.broadcast_to(np.arange(6), (phases, 6)))
    assert (np.diff(numbers, axis=0) == 1).all()


def test_rest_and_stress_are_two_cines_and_the_user_chooses(scan, cine):
    stress = write_series(scan, cine, AFFINE, step_ms=50, title="SAX stress", number=7)
    with pytest.raises(FacewarpError, match=r"2 cines: SAX cine \(series 3.*SAX stress.*--series"):
        read_dicom(scan)
    for series, step in (("7", 0.05), ("stress", 0.05), ("SAX cine", 0.07), ("3", 0.07)):
        found = read_dicom(scan, ReadOptions(series=series))
        is_the_cine(found)
        assert found.time_step_s == pytest.approx(step)
    with pytest.raises(FacewarpError, match="no series is called perfusion: there are SAX cine"):
        read_dicom(scan, ReadOptions(series="perfusion"))
    assert len(stress) == 72


def test_names_do_not_choose_between_cines_of_the_same_slices(scan, cine):
    write_series(scan, cine, AFFINE, step_ms=50, title="stress", number=7)
    with pytest.raises(FacewarpError, match=r"2 cines: SAX cine .*stress \(series 7"):
        read_dicom(scan)


def test_coils_of_32_channels_are_no_long_axes(scan, cine):
    """A stack named after its coil was left out for the other one, as a picture of 2 chambers."""
    turned = AFFINE[:, [1, 2, 0, 3]]
    write_series(scan, cine, turned, step_ms=50, title="cine 4ch", number=7)
    for path in scan.iterdir():
        data = pydicom.dcmread(path)
        if data.SeriesNumber == 3:
            data.SeriesDescription = "cine 32ch"
            data.save_as(path)
    is_the_cine(read_dicom(scan))


@pytest.mark.parametrize("title", ["SA PERFUSION STRESS", "sax_First-Pass", "SAX MOLLI", "SA_TAG"])
def test_series_over_time_of_another_sequence_are_left_out(scan, cine, title):
    """Perfusion shows slices of the cine over 40 heartbeats: an examination has it beside."""
    write_series(scan, cine[:, 1:4], AFFINE, step_ms=50, title=title, number=11)
    found = read_dicom(scan)
    is_the_cine(found)
    assert f"left out, by their names no cines: {title} (series 11" in " ".join(found.warnings)
    assert read_dicom(scan, ReadOptions(series="11")).shape[0] == 3


@pytest.mark.parametrize("title", ["cine de eje corto", "sax superfine", "vintage sax"])
def test_words_that_only_hold_such_names_are_cines(scan, cine, title):
    write_series(scan, cine, AFFINE, step_ms=50, title=title, number=11)
    with pytest.raises(FacewarpError, match="2 cines"):
        read_dicom(scan)


def test_siemens_contours_drawn_into_the_cine_are_left_out(tmp_path, cine):
    """UK Biobank: a series a slice, and one of all slices with the scanner's own contours in it."""
    write_series(
        tmp_path / "scan", cine, AFFINE, step_ms=70, title="CINE_segmented_SAX_b1", number=3
    )
    drawn = np.where(cine > 300, 900, cine)
    name = "CINE_segmented_SAX_InlineVF"
    write_series(tmp_path / "scan", drawn, AFFINE, step_ms=70, title=name, number=9)
    found = read_dicom(tmp_path / "scan")
    is_the_cine(found)
    assert f"by their names no cines: {name}" in " ".join(found.warnings)


def test_a_lone_series_of_such_a_name_is_read(tmp_path, cine):
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=70, title="SAX cine after perfusion")
    found = read_dicom(tmp_path / "scan")
    is_the_cine(found)
    assert "by its name" not in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("title", "kind"),
    [("FirstPass_perf", "perfusion"), ("PSIR LGE", "late enhancement"), ("cine 4ch", "plane")],
)
def test_what_is_named_after_something_else_is_measured_and_said(tmp_path, cine, title, kind):
    """Given alone by mistake it was measured without a word."""
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=70, title=title)
    (said,) = [one for one in read_dicom(tmp_path / "scan").warnings if "by its name" in one]
    assert kind in said
    assert title in said
    assert read_dicom(tmp_path / "scan", ReadOptions(series=title)).warnings == ()


def test_a_stack_repeated_with_other_times_is_another_cine(scan, cine):
    write_series(scan, cine, AFFINE, step_ms=73.5, title="SAX cine", number=4)
    with pytest.raises(FacewarpError, match="2 cines"):
        read_dicom(scan)
    is_the_cine(read_dicom(scan, ReadOptions(series="4")))


def test_repeats_within_one_series_are_told_apart_by_acquisition(tmp_path, cine):
    twice = np.concatenate([cine, cine])

    def tell(data, t, _z):
        data.AcquisitionNumber, data.TriggerTime = 1 + t // 12, 70 * (t % 12) + 3 * (t // 12)

    write_series(tmp_path / "scan", twice, AFFINE, tell=tell)
    with pytest.raises(FacewarpError, match="2 cines"):
        read_dicom(tmp_path / "scan")


def test_repeats_that_nothing_tells_apart_are_refused(tmp_path, cine):
    def tell(data, t, _z):
        data.TriggerTime = 70 * (t % 12) + 3.5 * (t // 12)

    write_series(tmp_path / "scan", np.concatenate([cine, cine]), AFFINE, tell=tell)
    with pytest.raises(FacewarpError, match="pictures of several acquisitions"):
        read_dicom(tmp_path / "scan")


@pytest.mark.parametrize(
    "kind", [["ORIGINAL", "PRIMARY", "P"], ["DERIVED", "PRIMARY", "PHASE MAP"]]
)
def test_phase_pictures_are_left_out_and_said(scan, cine, kind):
    write_series(
        scan, 4000 - cine, AFFINE, number=4, title="SAX cine",
        tell=lambda data, t, _z: data.update({"ImageType": kind, "TriggerTime": 70 * t + 1}),
    )  # fmt: skip
    found = read_dicom(scan)
    is_the_cine(found)
    assert "left out: phase pictures of SAX cine" in " ".join(found.warnings)


def test_long_axis_cines_localizers_and_stills_are_left_out_with_a_line(scan, cine):
    write_series(scan, cine[:, :1], ACROSS, title="cine_4ch", number=1)
    write_series(scan, cine[:1, :3], ACROSS[:, [2, 0, 1, 3]], title="localizer", number=0)
    write_series(scan, cine[:1], AFFINE, title="LGE", number=9)
    found = read_dicom(scan)
    is_the_cine(found)
    said = " ".join(found.warnings)
    for text in ("cine_4ch (series 1, 1 slices x 12 phases", "localizer", "LGE", "left out"):
        assert text in said


def test_of_two_stacks_the_one_called_short_axis_is_read(scan, cine):
    write_series(scan, cine, ACROSS, title="axial cine", number=5)
    found = read_dicom(scan)
    is_the_cine(found)
    assert "axial cine" in " ".join(found.warnings)


def test_a_folder_of_long_axis_cines_alone_is_named(tmp_path, cine):
    write_series(tmp_path / "scan", cine[:, :1], AFFINE, title="2ch", number=1)
    write_series(tmp_path / "scan", cine[:, :1], ACROSS, title="4ch", number=2)
    with pytest.raises(FacewarpError, match=r"2ch \(series 1.*4ch"):
        read_dicom(tmp_path / "scan")


def test_two_examinations_in_one_folder_are_refused(scan, cine):
    write_series(scan / "b", cine, AFFINE, title="SAX cine", number=3, study="1.2.9")
    with pytest.raises(FacewarpError, match="2 examinations are mixed"):
        read_dicom(scan)


def test_copies_of_files_are_taken_once(scan):
    for path in sorted(scan.iterdir())[:5]:
        path.with_name(f"{path.name}copy").write_bytes(path.read_bytes())
    found = read_dicom(scan)
    is_the_cine(found)
    assert "5 pictures are copies" in " ".join(found.warnings)


def test_series_of_one_slice_each_are_one_stack_beside_others(tmp_path, cine):
    """Siemens: a series a slice; the stress run has its own ones."""
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=70, per_slice=True, title="rest")
    is_the_cine(read_dicom(tmp_path / "scan"))
    write_series(
        tmp_path / "scan", cine, AFFINE, step_ms=50, per_slice=True, title="stress", number=2
    )
    found = read_dicom(tmp_path / "scan", ReadOptions(series="stress"))
    is_the_cine(found)
    assert found.time_step_s == pytest.approx(0.05)


def test_spacings_written_with_other_digits_are_the_same(tmp_path, cine):
    def tell(data, _t, z):
        data.PixelSpacing = [1.6, 1.4] if z % 2 else [1.600004, 1.400004]

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    is_the_cine(read_dicom(tmp_path / "scan"))


@pytest.mark.parametrize("told", ["trigger", "temporal", "nothing"])
def test_a_series_a_phase_is_one_cine_where_times_are_told(tmp_path, cine, told):
    def tell(data, t, _z):
        data.SeriesInstanceUID, data.SeriesNumber = f"1.2.3.{t}", 10 + t
        data.SeriesDescription = f"sax phase {t}"
        if told != "trigger":
            del data.TriggerTime
        if told == "temporal":
            data.TemporalPositionIdentifier = t + 1

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    if told == "nothing":
        with pytest.raises(
            FacewarpError, match=r"12 series of one phase each.*tells its time.*NIfTI"
        ):
            read_dicom(tmp_path / "scan")
    else:
        found = read_dicom(tmp_path / "scan")
        is_the_cine(found)
        assert "every phase is a series of its own: 12 of one name" in found.warnings[0]


def test_uids_replaced_one_by_one_tell_nothing(tmp_path, cine):
    def tell(data, t, z):
        data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.{z}.{t}.1", f"1.2.{z}.{t}.2"

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    is_the_cine(read_dicom(tmp_path / "scan"))


def test_one_uid_for_all_pictures_makes_them_no_copies(tmp_path, cine):
    def tell(data, _t, _z):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    found = read_dicom(tmp_path / "scan")
    is_the_cine(found)
    assert found.warnings == ()


def test_phase_frames_in_an_enhanced_file_are_left_out_by_their_type(tmp_path, cine):
    def tell(frame, t, _z):
        kind = ["M_FFE", "M"] if t < 12 else ["PHASE MAP", "P"]
        frame.MRImageFrameTypeSequence = group(FrameType=["ORIGINAL", "PRIMARY", *kind])
        frame.CardiacSynchronizationSequence = group(NominalCardiacTriggerDelayTime=70.0 * (t % 12))

    both = np.concatenate([cine, 4000 - cine])
    found = read_dicom(write_enhanced(tmp_path / "all.dcm", both, AFFINE, tell=tell))
    is_the_cine(found)
    assert "left out: phase pictures" in found.warnings[0]


def test_mosaics_are_no_slices(scan, cine):
    def tell(data, _t, _z):
        data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]

    write_series(scan, cine, AFFINE, tell=tell, number=8)
    found = read_dicom(scan)
    is_the_cine(found)
    assert "a mosaic of slices, 72 times" in found.warnings[0]


def test_series_of_every_second_slice_are_one_stack_and_said(tmp_path, cine):
    wide = AFFINE @ np.diag([1, 1, 2, 1.0])
    write_series(tmp_path / "scan", cine[:, ::2], wide, title="sax", number=1)
    wide = wide.copy()
    wide[:3, 3] += AFFINE[:3, 2]
    write_series(tmp_path / "scan", cine[:, 1::2], wide, title="sax", number=2)
    found = read_dicom(tmp_path / "scan")
    is_the_cine(found)
    assert "sax (series 2, 3 slices x 12 phases" in found.warnings[0]
    assert "taken as one stack" in found.warnings[0]
    assert read_dicom(tmp_path / "scan", ReadOptions(series="1")).data.shape[1] == 3


def test_a_slice_acquired_again_is_named_and_the_first_one_used(tmp_path, cine):
    """A breath-hold that failed; scanners that make a series of each slice."""

    def tell(data, _t, z):
        data.SeriesNumber = 10 + z

    write_series(tmp_path / "scan", cine, AFFINE, per_slice=True, tell=tell)
    there = AFFINE.copy()
    there[:3, 3] += 3 * AFFINE[:3, 2]
    write_series(tmp_path / "scan", cine[:, 3:4], there, step_ms=120, number=20)
    volume = read_dicom(tmp_path / "scan")
    is_the_cine(volume)
    (said,) = [text for text in volume.warnings if "acquired again" in text]
    assert said.startswith("slice 4 was acquired again (cine_sa (series 20")
    assert not any("long-axis" in text for text in volume.warnings)

"""Slices laid together: their places, and vendors' habits with the same cine."""

import numpy as np
import pydicom
import pytest
from fixtures.dicom_scans import (
    AFFINE,
    LPS,
    group,
    in_order,
    numbered,
    write_enhanced,
    write_series,
)
from pydicom.uid import ImplicitVRLittleEndian

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.errors import FacewarpError


@pytest.fixture
def cine():
    return numbered()


def test_slices_with_another_field_of_view_are_put_in_their_place(tmp_path, cine):
    """Two slices acquired 4 columns and 3 rows aside; their positions say so."""
    stored = cine.copy()
    stored[:, 2:4] = np.roll(cine[:, 2:4], (-3, -4), (2, 3))

    def tell(data, _t, z):
        if z in (2, 3):
            place = LPS @ (AFFINE @ [4, 3, z, 1])[:3]
            data.ImagePositionPatient = [float(f"{n:.8g}") for n in place]

    write_series(tmp_path / "scan", stored, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-4)
    inside = volume.data[:, :, 4:-1, 5:-1]
    np.testing.assert_allclose(inside, cine[:, :, 4:-1, 5:-1], atol=0.3)
    assert "slices 3 and 4 lie 7 and 7 mm beside the others" in volume.warnings[0]
    assert volume.sources == ()  # their frames do not lie where the volume's slices do


def test_a_stack_that_leans_evenly_is_a_sheared_volume(tmp_path, cine):
    sheared = AFFINE.copy()
    sheared[:3, 2] += 2 * AFFINE[:3, 0]
    write_series(tmp_path / "scan", cine, sheared)
    volume = read_dicom(tmp_path / "scan")
    np.testing.assert_allclose(volume.affine, sheared, atol=1e-4)
    np.testing.assert_allclose(volume.data, cine, atol=0.3)
    assert "sheared by" in volume.warnings[0]


def test_files_that_cannot_be_read_are_counted_and_named(tmp_path, cine):
    paths = write_series(tmp_path / "scan", cine, AFFINE)
    for t in range(12):
        paths[t, 5].write_bytes(b"")
    (tmp_path / "scan" / "notes.txt").write_text("no picture")
    with pytest.raises(FacewarpError, match=r"12 of 72 files cannot be read: IM\S+ \(empty\)"):
        read_dicom(tmp_path / "scan")
    for t in range(12):
        paths[t, 5].unlink()
    assert read_dicom(tmp_path / "scan").data.shape[1] == 5


@pytest.mark.parametrize("which", ["some", "all"])
def test_files_without_a_preamble_are_read(tmp_path, cine, which):
    paths = write_series(tmp_path / "scan", cine, AFFINE)
    for (t, _), path in paths.items():
        if which == "all" or t in (3, 4):
            path.write_bytes(path.read_bytes()[132:])
    in_order(read_dicom(tmp_path / "scan"))


def test_files_without_a_transfer_syntax_are_read(tmp_path, cine):
    for number, path in enumerate(write_series(tmp_path / "scan", cine, AFFINE).values()):
        data = pydicom.dcmread(path)
        if number % 2:
            data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        del data.file_meta
        implicit = bool(number % 2)
        pydicom.dcmwrite(path, data, implicit_vr=implicit, little_endian=True)
    in_order(read_dicom(tmp_path / "scan"))


def test_screenshots_in_a_folder_are_left_out_and_said(tmp_path, cine):
    paths = write_series(tmp_path / "scan", cine, AFFINE)
    data = pydicom.dcmread(paths[0, 0])
    data.SOPClassUID, data.Modality = "1.2.840.10008.5.1.4.1.1.7", "OT"
    data.save_as(tmp_path / "scan" / "screen")
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert "a picture of modality OT, once" in volume.warnings[0]


def test_white_on_black_is_turned_alike_in_all_phases(tmp_path, cine):
    def tell(data, _t, _z):
        data.PhotometricInterpretation, data.BitsStored, data.HighBit = "MONOCHROME1", 12, 11
        data.RescaleSlope, data.RescaleIntercept = 1, 0
        stored = np.frombuffer(data.PixelData, np.uint16)
        data.PixelData = (4095 - stored).astype(np.uint16).tobytes()

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    np.testing.assert_array_equal(volume.data, (cine + 10) * 2)


def siemens(data, t, z):
    """Segmented, a beat a slice: nominal interval, times that differ from slice to slice."""
    data.Manufacturer, data.ImageType = "SIEMENS", ["ORIGINAL", "PRIMARY", "M", "RETRO", "ND"]
    data.TriggerTime, data.NominalInterval = (69.0 + 0.5 * z) * t + 2.5, 840
    data.InstanceNumber, data.AcquisitionTime = t + 1, "101112.5"
    data.CardiacNumberOfImages, data.RepetitionTime = 12, 42.3


def ge(data, t, _z):
    """Whole milliseconds, heart rate and interval, a component of its own."""
    data.Manufacturer, data.ImageType = "GE MEDICAL SYSTEMS", ["ORIGINAL", "PRIMARY", "OTHER"]
    data.TriggerTime, data.NominalInterval, data.HeartRate = float(10 + 70 * t), 840, 71
    data.add_new((0x0043, 0x102F), "SS", 0)
    data.SpacingBetweenSlices = 8.0


def philips(data, t, _z):
    """Numbers in no order, temporal positions that count repeats, its own number of the phase."""
    data.Manufacturer, data.ImageType = "Philips Medical Systems", [
        "ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE",
    ]  # fmt: skip
    data.TemporalPositionIdentifier = data.NumberOfTemporalPositions = 1
    data.InstanceNumber, data.TriggerTime = 700 - data.InstanceNumber, 70.0 * t
    data.add_new((0x2001, 0x1008), "IS", t + 1)
    data.HeartRate = 71


def canon(data, t, z):
    """Phases numbered fastest, trigger times alone."""
    data.Manufacturer, data.InstanceNumber = "CANON_MEC", z * 12 + t + 1
    data.TriggerTime, data.HeartRate = 70.0 * t, 0


@pytest.mark.parametrize("vendor", [siemens, ge, philips, canon], ids=lambda v: v.__name__)
@pytest.mark.parametrize("reversed_stack", [False, True])
def test_the_same_cine_as_four_vendors_write_it(tmp_path, cine, vendor, reversed_stack):
    affine, data = AFFINE.copy(), cine
    if reversed_stack:
        affine[:3, 3] += affine[:3, 2] * 5
        affine[:3, 2] *= -1
        data = cine[:, ::-1]
    per_slice = vendor is siemens
    write_series(tmp_path / "scan", data, affine, tell=vendor, per_slice=per_slice)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-4)
    assert volume.time_step_s == pytest.approx(0.07, rel=0.02)
    assert volume.cycle_s == (None if vendor is canon else pytest.approx(0.84, rel=0.02))
    assert volume.warnings == ()


@pytest.mark.parametrize("covered", [0.7, 1.0])
def test_enhanced_files_tell_their_rr_interval(tmp_path, cine, covered):
    def tell(frame, t, _z):
        frame.CardiacSynchronizationSequence = group(
            NominalCardiacTriggerDelayTime=70.0 * t, RRIntervalTimeNominal=840.0 / covered
        )

    volume = read_dicom(write_enhanced(tmp_path / "all.dcm", cine, AFFINE, tell=tell))
    in_order(volume)
    assert volume.cycle_s == pytest.approx(0.84 / covered)
    assert volume.covers_cycle == (covered == 1.0)


@pytest.mark.parametrize(("heartbeat", "step"), [(900, 0.075), (None, None)])
def test_trigger_times_in_percent_of_the_heartbeat(tmp_path, cine, heartbeat, step):
    """They were believed as ms: curves of 100 ms, and "the phases cover 11 % of the heartbeat"."""

    def tell(data, _t, _z):
        data.NominalInterval = heartbeat

    write_series(tmp_path / "scan", cine, AFFINE, step_ms=100 / len(cine), tell=tell)
    volume = read_dicom(tmp_path / "scan")
    said = " ".join(volume.warnings)
    assert volume.time_step_s == (None if step is None else pytest.approx(step))
    assert ("taken for percent of it" in said) is (step is not None)
    assert "cover" not in said


def test_phases_of_a_part_of_the_heartbeat_are_no_percent(tmp_path, cine):
    def tell(data, _t, _z):
        data.NominalInterval = 900

    write_series(tmp_path / "scan", cine, AFFINE, step_ms=50, tell=tell)
    assert read_dicom(tmp_path / "scan").time_step_s == pytest.approx(0.05)


def test_several_enhanced_files_of_a_phase_each_are_one_cine(tmp_path, cine):
    (tmp_path / "scan").mkdir()
    for phase in range(12):

        def tell(frame, _t, _z, phase=phase):
            del frame.CardiacSynchronizationSequence
            frame.FrameContentSequence = group(TemporalPositionIndex=phase + 1)

        path = write_enhanced(
            tmp_path / "scan" / f"{11 - phase}.dcm", cine[phase : phase + 1], AFFINE, tell=tell
        )
        data = pydicom.dcmread(path)
        data.SeriesInstanceUID = "1.2.3.4"
        data.save_as(path)
    in_order(read_dicom(tmp_path / "scan"))


def test_slices_a_little_unevenly_apart_are_said(tmp_path, cine):
    at = [0, 1, 2, 3, 4.05, 5.1]

    def tell(data, _t, z):
        place = LPS @ (AFFINE @ [0, 0, at[z], 1])[:3]
        data.ImagePositionPatient = [float(f"{n:.8g}") for n in place]

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    assert "slices are 8.00 to 8.40 mm apart" in volume.warnings[0]
    assert volume.spacing_mm[2] == pytest.approx(8.16)


def test_pictures_of_one_slice_beside_one_another_are_refused(tmp_path, cine):
    def tell(data, t, z):
        place = LPS @ (AFFINE @ [4 if t > 5 else 0, 0, z, 1])[:3]
        data.ImagePositionPatient = [float(f"{n:.8g}") for n in place]

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    with pytest.raises(FacewarpError, match="pictures of slice 1 lie"):
        read_dicom(tmp_path / "scan")


@pytest.mark.parametrize(("slope", "refused"), [(0.5, True), (1, False)])
def test_grey_values_of_two_scales_are_refused(tmp_path, cine, slope, refused):
    """A slope of 1 beside none is the same scale."""

    def tell(data, t, z):
        data.RescaleSlope, data.RescaleIntercept = slope, 0
        if (t, z) == (1, 2):
            del data.RescaleSlope, data.RescaleIntercept

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    if refused:
        with pytest.raises(FacewarpError, match="pictures tell no RescaleSlope"):
            read_dicom(tmp_path / "scan")
    else:
        read_dicom(tmp_path / "scan")


SCALES = np.array([1.0, 0.6, 1.7, 1.0, 1.2, 0.8])  # of slices


def brought_to_one_scale(volume, cine):
    usual = np.median(SCALES)
    np.testing.assert_allclose(volume.data, cine * usual, atol=1.0)
    (said,) = volume.warnings
    assert "up to 2.83 times one another's" in said


@pytest.mark.parametrize("told", ["all", "some", "alike", "without RescaleSlope"])
def test_slices_at_scales_of_their_own_are_brought_to_one_as_philips_tells(tmp_path, cine, told):
    scaled = cine * (1.0 if told == "alike" else SCALES[:, None, None])

    def tell(data, t, z):
        slope = 0.5
        if told == "without RescaleSlope":
            del data.RescaleSlope, data.RescaleIntercept
            slope = 1.0
            stored = np.rint(scaled[t, z]).astype(np.uint16)
            data.PixelData = stored.tobytes()
        scale = 1.0 if told == "alike" else SCALES[z]
        if told != "some" or z:
            data.add_new((0x2005, 0x0010), "LO", "Philips MR Imaging DD 001")
            data.add_new((0x2005, 0x100E), "FL", scale / slope)

    write_series(tmp_path / "scan", scaled, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    if told == "some":
        np.testing.assert_allclose(volume.data, scaled, atol=0.5)
        assert "some pictures tell Philips' scale slope" in volume.warnings[0]
    elif told == "alike":
        in_order(volume)
        assert volume.warnings == ()
    else:
        brought_to_one_scale(volume, cine)


@pytest.mark.parametrize("place", [(0x2001, 0x1008), (0x2005, 0x100E)])
def test_attributes_of_a_vendor_in_a_block_of_another_are_none(tmp_path, cine, place):
    """Private numbers mean what the name that reserves their block says."""

    def other(data, t, z):
        del data.TriggerTime
        data.TemporalPositionIdentifier = t + 1
        data.add_new((place[0], 0x0010), "LO", "ACME 1.0")
        data.add_new(place, "FL", float(5 * t % 12 + z + 1))

    write_series(tmp_path / "scan", cine, AFFINE, tell=other)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    np.testing.assert_allclose(volume.data, cine, atol=0.3)


def test_a_vendors_attribute_is_found_in_whichever_block_it_lies(tmp_path, cine):
    def moved(data, t, z):
        del data.TriggerTime
        data.InstanceNumber = 1
        data.add_new((0x2001, 0x0010), "LO", "ACME 1.0")
        data.add_new((0x2001, 0x0011), "LO", "Philips Imaging DD 001")
        data.add_new((0x2001, 0x1008), "IS", 3)
        data.add_new((0x2001, 0x1108), "IS", t + 1)

    write_series(tmp_path / "scan", cine, AFFINE, tell=moved)
    in_order(read_dicom(tmp_path / "scan"))


def test_enhanced_files_tell_their_scales_in_a_private_sequence(tmp_path, cine):
    def tell(frame, _t, z):
        frame.add_new((0x2005, 0x0014), "LO", "Philips MR Imaging DD 005")
        item = pydicom.Dataset()
        item.add_new((0x2005, 0x0010), "LO", "Philips MR Imaging DD 001")
        item.add_new((0x2005, 0x100E), "FL", SCALES[z] / 0.5)
        frame.add_new((0x2005, 0x140F), "SQ", [item])

    scaled = cine * SCALES[:, None, None]
    brought_to_one_scale(
        read_dicom(write_enhanced(tmp_path / "all.dcm", scaled, AFFINE, tell=tell)), cine
    )

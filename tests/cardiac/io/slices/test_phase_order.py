"""Phases in the order of time, whatever tells it."""

import pytest
from fixtures.dicom_scans import AFFINE, group, in_order, numbered, write_enhanced, write_series
from pydicom.dataset import Dataset

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.errors import FacewarpError


@pytest.fixture
def cine():
    return numbered()


def without_trigger(frame, content):
    del frame.CardiacSynchronizationSequence
    frame.FrameContentSequence = group(**content)


@pytest.mark.parametrize(
    "by", ["index", "dimension", "offset dimension", "offset", "share", "time", "reference"]
)
def test_enhanced_frames_without_trigger_are_sorted_by_what_tells_time(tmp_path, cine, by):
    def tell(frame, t, z):
        content = {
            "index": {"TemporalPositionIndex": t + 1},
            "dimension": {"DimensionIndexValues": [1, z + 1, t + 1]},
            "offset dimension": {"DimensionIndexValues": [1, z + 1, t + 1]},
            "offset": {},
            "share": {},
            "time": {"FrameAcquisitionDateTime": f"20260102101112.{t:02}0000"},
            "reference": {"FrameReferenceDateTime": f"20260102101112.{t:02}0000"},
        }[by]
        without_trigger(frame, content)
        if by == "offset":
            frame.TemporalPositionSequence = group(TemporalPositionTimeOffset=0.07 * t)
        elif by == "share":
            share = group(NominalPercentageOfCardiacPhase=100 * t / 12)
            frame.CardiacSynchronizationSequence = share

    path = write_enhanced(tmp_path / "all.dcm", cine, AFFINE, tell=tell)
    if "dimension" in by:
        import pydicom

        data = pydicom.dcmread(path)
        time = 0x0020930D if by == "offset dimension" else 0x00209128
        pointers = (0x00209056, 0x00209057, time)
        data.DimensionIndexSequence = [Dataset() for _ in pointers]
        for item, pointer in zip(data.DimensionIndexSequence, pointers, strict=True):
            item.DimensionIndexPointer = pointer
        data.save_as(path)
    volume = read_dicom(path)
    in_order(volume)
    assert volume.warnings == ()


def test_legacy_converted_files_keep_their_trigger_times(tmp_path, cine):
    def tell(frame, t, _z):
        del frame.CardiacSynchronizationSequence
        frame.UnassignedPerFrameConvertedAttributesSequence = group(
            TriggerTime=70.0 * t, NominalInterval=840, HeartRate=71
        )

    volume = read_dicom(write_enhanced(tmp_path / "all.dcm", cine, AFFINE, tell=tell))
    in_order(volume)
    assert volume.time_step_s == pytest.approx(0.07)
    assert volume.cycle_s == pytest.approx(0.84)


def no_trigger(data, **values):
    del data.TriggerTime
    data.InstanceNumber = 1
    for name, value in values.items():
        setattr(data, name, value)


@pytest.mark.parametrize("by", ["temporal", "philips", "acquisition"])
def test_classic_files_without_trigger_are_sorted_by_what_tells_time(tmp_path, cine, by):
    def tell(data, t, _z):
        if by == "temporal":
            no_trigger(data, TemporalPositionIdentifier=t + 1)
        elif by == "acquisition":
            no_trigger(data, AcquisitionTime=f"1011{t:02}.5")
        else:
            no_trigger(data, TemporalPositionIdentifier=1)
            data.add_new((0x2001, 0x1008), "IS", t + 1)

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    in_order(read_dicom(tmp_path / "scan"))


def test_trigger_times_that_are_all_0_tell_nothing(tmp_path, cine):
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=0.0)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert "in the order of their numbers" in volume.warnings[0]
    assert volume.time_step_s is None


def test_trigger_times_in_seconds_are_taken_so_and_said(tmp_path, cine):
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=0.07)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert volume.time_step_s == pytest.approx(0.07)
    assert "in seconds" in volume.warnings[0]


def test_a_picture_that_comes_twice_is_named(tmp_path, cine):
    def tell(data, t, _z):
        data.TriggerTime = 70.0 * max(t, 1)

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    with pytest.raises(FacewarpError, match="slice 1 is there twice at 70 ms"):
        read_dicom(tmp_path / "scan")


def test_steps_that_differ_from_slice_to_slice_are_said(tmp_path, cine):
    def tell(data, t, z):
        data.TriggerTime = (60.0 + 4 * z) * t

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert "60.0 to 80.0 ms apart" in volume.warnings[0]
    assert volume.time_step_s == pytest.approx(0.07)


def test_trigger_times_of_one_slice_that_are_all_alike_tell_nothing(tmp_path, cine):
    def tell(data, _t, z):
        data.TriggerTime = 0.0 if z == 2 else data.TriggerTime

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert "trigger times of all pictures of slice 3 are the same" in volume.warnings[0]
    assert "not every picture tells its time" in volume.warnings[1]


@pytest.mark.parametrize("contrary", [False, True])
def test_numbers_that_contradict_some_trigger_times_are_refused(tmp_path, cine, contrary):
    def tell(data, t, z):
        if (t, z) == (3, 2):
            del data.TriggerTime
        if contrary:
            data.InstanceNumber = 12 - t

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    if contrary:
        with pytest.raises(FacewarpError, match="slice 1 in another order than its trigger times"):
            read_dicom(tmp_path / "scan")
    else:
        in_order(read_dicom(tmp_path / "scan"))


def test_acquisition_times_in_whole_seconds_leave_the_order_to_numbers(tmp_path, cine):
    def tell(data, t, z):
        del data.TriggerTime
        data.AcquisitionTime = f"1011{10 + 4 * z + t // 3:02}"

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert volume.origins["phase order"] == "instance numbers"


def test_acquisition_times_against_numbers_are_said(tmp_path, cine):
    def tell(data, t, _z):
        del data.TriggerTime
        data.AcquisitionTime, data.InstanceNumber = f"101110.{t:03}", 12 - t

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert "acquisition times, which in 6 of 6 slices is not that" in volume.warnings[0]


@pytest.mark.parametrize("kind", ["time", "date and time"])
@pytest.mark.parametrize("at", ["in a slice", "between slices"])
def test_acquisition_times_go_on_after_midnight(tmp_path, cine, at, kind):
    def tell(data, t, z):
        del data.TriggerTime
        data.InstanceNumber = 1
        first = {"in a slice": 86399.7, "between slices": 86400 - 3 * 20}[at]
        ms = round(1000 * (first + 20 * z + 0.05 * t))
        days, seconds = divmod(ms // 1000, 86400)
        clock = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{ms % 1000:03}"
        if kind == "time":
            data.AcquisitionTime = clock
        else:
            data.AcquisitionDateTime = f"2026010{1 + days}{clock}"

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert volume.origins["phase order"] == "acquisition times"


@pytest.mark.parametrize("step_ms", [0.01, 5000.0])
def test_trigger_times_of_no_heartbeat_are_said(tmp_path, cine, step_ms):
    write_series(tmp_path / "scan", cine, AFFINE, step_ms=step_ms)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert volume.time_step_s is None
    (said,) = volume.warnings
    assert f"12 phases of {step_ms:g} ms (trigger times) are no heartbeat" in said


@pytest.mark.parametrize("late_ms", [40, 400])
def test_a_slice_that_begins_later_in_the_beat_is_said(tmp_path, cine, late_ms):
    def tell(data, t, z):
        data.TriggerTime = 80.0 * t + (late_ms if z == 3 else 0)

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    warnings = " ".join(read_dicom(tmp_path / "scan").warnings)
    assert ("slice 4 at 400 ms" in warnings) == (late_ms == 400)


def test_phases_missing_in_every_slice_are_said(tmp_path, cine):
    paths = write_series(tmp_path / "scan", cine, AFFINE, step_ms=70)
    for z in range(6):
        paths[7, z].unlink()
    volume = read_dicom(tmp_path / "scan")
    assert volume.phases == 11
    assert "from 420 to 560 is 2.0 times the usual step" in volume.warnings[0]


@pytest.mark.parametrize("everywhere", [False, True])
def test_trigger_times_against_the_numbers_of_some_slices_are_said(tmp_path, cine, everywhere):
    """Numbers that run otherwise in every slice are a scanner's way, not damage."""

    def tell(data, t, z):
        if t == 7 and (everywhere or z == 2):
            data.TriggerTime = 1.5

    write_series(tmp_path / "scan", cine, AFFINE, step_ms=70, tell=tell)
    warnings = " ".join(read_dicom(tmp_path / "scan").warnings)
    assert ("phases of slice 3 in another order than its numbers" in warnings) != everywhere


def test_pictures_that_nothing_orders_are_not_called_copies(tmp_path, cine):
    def tell(data, _t, _z):
        del data.TriggerTime
        data.InstanceNumber = 1

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    with pytest.raises(FacewarpError, match="nothing tells the order of the 12 pictures"):
        read_dicom(tmp_path / "scan")


@pytest.mark.parametrize("beats", [1, 2, 4])
def test_pictures_of_several_heartbeats_laid_together_are_said(tmp_path, beats):
    """Real-time imaging: trigger times begin anew with each R wave, a little out of step."""
    phases = 8 * beats
    offsets = {t: 70.0 * (t % 8) + 70 * (t // 8) / beats for t in range(phases)}
    cine = numbered(phases)

    def tell(data, t, _z):
        data.TriggerTime = offsets[t]

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    said = [text for text in volume.warnings if "begin anew" in text]
    assert bool(said) == (beats > 2)
    assert all("begin anew 3 times" in text and "of 4 heartbeats" in text for text in said)
    assert volume.time_step_s == pytest.approx(0.07 / beats, rel=0.1)


def test_numbers_in_no_order_are_no_heartbeats(tmp_path, cine):
    def tell(data, t, _z):
        data.InstanceNumber = 5 * t % 12 + 1

    write_series(tmp_path / "scan", cine, AFFINE, tell=tell)
    volume = read_dicom(tmp_path / "scan")
    in_order(volume)
    assert not any("anew" in text for text in volume.warnings)

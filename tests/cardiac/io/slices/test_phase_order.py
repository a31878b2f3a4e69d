"""Phases in the order of time, whatever tells it."""

import numpy as np
import pytest
from fixtures.dicom_scans import AFFINE, group, in_order, numbered, write_enhanced, write_series
from pydicom.dataset import Dataset

from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.cardiac.io.slices.phase_order import mixed_up
from facewarp.errors import FacewarpError


@pytest.fixture
def cine():
    return numbered()


def without_trigger(frame, content):
    del frame.CardiacSynchronizationSequence
    frame.FrameContentSequence = group(**content)


@pytest.mark.parametrize("by", ["index", "dimension", "time", "reference"])
def test_enhanced_frames_without_trigger_are_sorted_by_what_tells_time(tmp_path, cine, by):
    def tell(frame, t, z):
        content = {
            "index": {"TemporalPositionIndex": t + 1},
            "dimension": {"DimensionIndexValues": [1, z + 1, t + 1]},
            "time": {"FrameAcquisitionDateTime": f"20260102101112.{t:02}0000"},
            "reference": {"FrameReferenceDateTime": f"20260102101112.{t:02}0000"},
        }[by]
        without_trigger(frame, content)

    path = write_enhanced(tmp_path / "all.dcm", cine, AFFINE, tell=tell)
    if by == "dimension":
        import pydicom

        data = pydicom.dcmread(path)
        pointers = (0x00209056, 0x00209057, 0x00209128)
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


def test_mixed_up_stacks_are_told_from_right_ones(cine, rng):
    dealt = cine.transpose(1, 0, 2, 3).reshape(12, 6, *cine.shape[2:])
    assert mixed_up(dealt, 8.0)
    assert not mixed_up(cine, 8.0)
    assert not mixed_up(cine[:2], 8.0)
    assert not mixed_up(rng.uniform(0, 1, (12, 6, 20, 24)).astype(np.float32), 8.0)
    alike = np.broadcast_to(cine[:, :1], cine.shape)  # thin slices look alike, too
    assert not mixed_up(np.ascontiguousarray(alike), 1.8)

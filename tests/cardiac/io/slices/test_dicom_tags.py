"""Damaged DICOM headers: one line that names file and attribute, and nothing of the patient."""

import warnings

import numpy as np
import pydicom
import pytest
from fixtures.dicom_scans import NAMES, write_enhanced, write_series
from pydicom.datadict import dictionary_VR, tag_for_keyword

from facewarp.cardiac.cohort.discovery import discover
from facewarp.cardiac.export.dicom_study import as_dicom, study_of
from facewarp.cardiac.io.dicom_frames import identity_of, read_images
from facewarp.cardiac.io.dicom_series import read_dicom
from facewarp.errors import FacewarpError

AFFINE = np.diag([-1.4, -1.6, 8.0, 1.0])
SECRET = b"DOE^JANE"


@pytest.fixture
def small(rng):
    return np.rint(rng.uniform(0, 900, (4, 5, 12, 14))).astype(np.float32)


def put(path, keyword, content, vr=None):
    """Write bytes in the place of an attribute's value, whatever it may hold."""
    tag, told = tag_for_keyword(keyword), dictionary_VR(keyword)[:2]
    data = pydicom.dcmread(path)
    if keyword not in data:
        setattr(data, keyword, "X" if told == "CS" else 1)
        data.save_as(path)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    whole = path.read_bytes()
    at = whole.index(head + told.encode(), 132)
    length = int.from_bytes(whole[at + 6 : at + 8], "little")
    value = (vr or told).encode() + len(content).to_bytes(2, "little") + content
    path.write_bytes(whole[: at + 4] + value + whole[at + 8 + length :])


def said_of(place):
    """The line of a refusal, which comes without any warning that would quote the header."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FacewarpError) as error:
            read_dicom(place)
    line = str(error.value)
    assert line.isprintable()
    assert "DOE" not in line
    assert "JANE" not in line
    return line


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagePositionPatient"])
@pytest.mark.parametrize("content", [b"1.5 ", b"nan ", b"7 ", b"abc ", b"", SECRET])
def test_geometry_that_is_none_names_the_file(small, tmp_path, keyword, content):
    for path in write_series(tmp_path / "scan", small, AFFINE).values():
        put(path, keyword, content)
    assert str(tmp_path / "scan" / "IM1") in said_of(tmp_path / "scan")


@pytest.mark.parametrize(
    ("keyword", "content", "vr"),
    [
        ("ImagePositionPatient", b"nan\\nan\\nan ", None),
        ("ImagePositionPatient", b"1\\2\\inf ", None),
        ("ImageOrientationPatient", b"1\\0\\0\\0\\x\\0 ", None),
        ("InstanceNumber", b"inf\\inf ", None),
        ("SeriesNumber", b"inf\\1 ", None),
        ("NumberOfFrames", b"abc ", None),
        ("NumberOfFrames", b"1\\2 ", None),
        ("NumberOfFrames", SECRET, None),
        ("SamplesPerPixel", b"\1\0\1\0", None),
        ("RescaleSlope", SECRET, None),
        ("RescaleSlope", b"nan ", None),
        ("RescaleSlope", b"-1.0", None),
        ("RescaleSlope", b"0 ", None),
        ("Rows", b"", None),
        ("Rows", b"a", None),
        ("Rows", SECRET, None),
        ("Rows", b"\x0c\0", "ZZ"),
        ("Columns", b"\0\0\0\0", None),
    ],
)
def test_a_damaged_attribute_is_named(small, tmp_path, keyword, content, vr):
    paths = write_series(tmp_path / "scan", small, AFFINE)
    for path in paths.values():
        put(path, keyword, content, vr)
    line = said_of(tmp_path / "scan")
    assert keyword in line
    assert str(tmp_path / "scan" / "IM1") in line


@pytest.mark.parametrize(
    ("keyword", "content"),
    [
        ("Modality", b"MR\x1b[31m\x08\0\x70\0" + SECRET),
        ("Modality", SECRET),
        ("Columns", b"\7\0"),
        ("BitsStored", SECRET),
    ],
)
def test_no_value_of_the_header_is_shown(small, tmp_path, keyword, content):
    for path in write_series(tmp_path / "scan", small, AFFINE).values():
        put(path, keyword, content)
    assert str(tmp_path / "scan" / "IM1") in said_of(tmp_path / "scan")


def test_a_known_modality_is_named(small, tmp_path):
    for path in write_series(tmp_path / "scan", small, AFFINE).values():
        put(path, "Modality", b"CT")
    assert "modality CT" in said_of(tmp_path / "scan")


def test_a_title_that_runs_on_into_the_next_attributes_is_none(small, tmp_path):
    paths = list(write_series(tmp_path / "scan", small, AFFINE).values())
    put(paths[0], "SeriesDescription", b"sa\x10\0\x10\0PN" + SECRET)
    images = read_images(paths).images
    assert [image.title for image in images] == ["", *["cine_sa"] * (len(paths) - 1)]


@pytest.mark.parametrize("told", [b"ab", b"99", b"10", b"0 ", b"-1"])
def test_an_enhanced_file_of_another_number_of_frames(small, tmp_path, told):
    path = write_enhanced(tmp_path / "all.dcm", small, AFFINE)
    put(path, "NumberOfFrames", told)
    line = said_of(path)
    assert "NumberOfFrames" in line
    assert str(path) in line


@pytest.mark.parametrize("uid", [b"1.2.840.99999.1.2.1\0", b"DOE^JANE.DOE^JANE.D\0"])
def test_an_unknown_transfer_syntax(small, tmp_path, uid):
    for path in write_series(tmp_path / "scan", small, AFFINE).values():
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", uid))
    assert "transfer syntax" in said_of(tmp_path / "scan")


def test_a_damaged_length_in_the_files_first_group(small, tmp_path):
    for path in write_series(tmp_path / "scan", small, AFFINE).values():
        path.write_bytes(path.read_bytes().replace(b"\2\0\0\0UL\4\0", b"\2\0\0\0UL\x32\4"))
    assert str(tmp_path / "scan" / "IM1") in said_of(tmp_path / "scan")


@pytest.mark.parametrize("last", ["SOPClassUID", "PatientName", "SeriesNumber"])
def test_files_cut_off_between_two_attributes_are_no_slice_less(small, tmp_path, last):
    paths = write_series(tmp_path / "scan", small, AFFINE)
    for (_, z), path in paths.items():
        if z == small.shape[1] - 1:  # else its neighbors would miss it
            data = pydicom.dcmread(path)
            for element in [one for one in data if one.tag > tag_for_keyword(last)]:
                del data[element.tag]
            data.save_as(path)
    assert "cut off" in said_of(tmp_path / "scan")


def test_identity_and_study_of_a_damaged_header(small, tmp_path):
    paths = list(write_series(tmp_path / "scan", small, AFFINE).values())
    for path in paths:
        put(path, "StudyInstanceUID", b"1.2.3\0", "ZZ")
    with pytest.raises(FacewarpError, match="StudyInstanceUID in the header"):
        identity_of(paths[0])
    assert list(discover([tmp_path / "scan"])) == ["scan"]


def test_two_patients_in_one_cine_are_not_shown(small, tmp_path):
    from types import SimpleNamespace

    paths = write_series(tmp_path / "scan", small, AFFINE)
    for path in paths.values():
        data = pydicom.dcmread(path)
        data.FrameOfReferenceUID = "1.2.3.4"
        data.save_as(path)
    put(paths[0, 0], "PatientID", SECRET)
    volume = read_dicom(tmp_path / "scan")
    result = SimpleNamespace(cine=SimpleNamespace(path=tmp_path / "scan", volume=volume))
    with pytest.raises(FacewarpError) as error:
        study_of(result)
    line = str(error.value)
    assert "2 values of PatientID" in line
    assert not any(name in line for name in (*NAMES, "DOE"))


def test_what_cannot_be_written_as_dicom_is_not_quoted(tmp_path):
    with pytest.raises(FacewarpError) as error, as_dicom(tmp_path):
        raise ValueError("invalid value 'DOE^JANE' in (0010,0010)")
    assert "(0010,0010)" in str(error.value)
    assert "DOE" not in str(error.value)


def test_warnings_of_dicom_writers_do_not_show_the_name(tmp_path):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with as_dicom(tmp_path):
            for writer in ("highdicom.base", "pydicom.valuerep"):
                warnings.warn_explicit("DOE", UserWarning, "writer.py", 1, writer)
            warnings.warn("of others", UserWarning, stacklevel=1)
    assert [str(one.message) for one in told] == ["of others"]


def test_slices_metres_apart_are_refused(small, tmp_path):
    write_series(tmp_path / "scan", small, np.diag([-1.4, -1.6, 1000.0, 1.0]))
    assert "which no scan of a person's heart has" in said_of(tmp_path / "scan")
    write_series(tmp_path / "wide", small, np.diag([-1.4, -100.0, 8.0, 1.0]))
    assert "which no scan of a person's heart has" in said_of(tmp_path / "wide")

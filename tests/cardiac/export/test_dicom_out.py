"""SEG, SR and PDF under the study of the cine, read back by pydicom, highdicom and dciodvfy."""

import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
import pytest

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.export.dicom_pdf import pdf_of
from facewarp.cardiac.export.dicom_seg import phase_segmentation
from facewarp.cardiac.export.dicom_study import check_dicom_out, study_of
from facewarp.cardiac.io.label_reader import read_labels
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.report.result_files import ResultFiles
from facewarp.cardiac.report.result_folder import write_result
from facewarp.errors import FacewarpError

hd = pytest.importorskip("highdicom", reason="highdicom is not installed")
STUDY = ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "StudyDate")


def verified(path):
    """What dciodvfy says of a file; it comes with the tests' packages."""
    tool = shutil.which("dciodvfy", path=Path(sys.executable).parent) or shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    done = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def written(dicom_result, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "jane"
    write_result(dicom_result, out, ResultFiles(fields=False, movie="none", dicom_out=True))
    return out


@pytest.fixture
def empty_pdf(monkeypatch):
    """What is asked of other files need not wait for pages that are set and drawn."""
    pdf = b"%PDF-1.7\n%%EOF\n"
    monkeypatch.setattr("facewarp.cardiac.export.dicom_pdf.pdf_of", lambda html: pdf)


@pytest.mark.slow
def test_every_object_is_filed_with_the_scan(written, series):
    scan = pydicom.dcmread(min(series.iterdir()))
    found = [pydicom.dcmread(path) for path in sorted(written.glob("*.dcm"))]
    assert [one.Modality for one in found] == ["SR", "DOC", *["SEG"] * 6]
    for one in found:
        assert [one.get(name) for name in STUDY] == [scan.get(name) for name in STUDY]
        assert one.SeriesInstanceUID != scan.SeriesInstanceUID
    assert len({one.SeriesInstanceUID for one in found}) == 8  # OHIF shows one object a series
    assert len({one.SOPInstanceUID for one in found}) == 8


@pytest.mark.slow
def test_the_standards_rules_are_kept(written):
    """David Clunie's dciodvfy finds neither errors nor warnings."""
    for path in written.glob("*.dcm"):
        said = verified(path)
        assert "Error" not in said, said
        assert "Warning" not in said, said


@pytest.mark.slow
def test_segmentations_are_the_labels_in_their_place(written, dicom_result):
    for phase in range(6):
        found = hd.seg.segread(written / f"seg_{phase + 1:02d}.dcm")
        lps = np.diag([-1.0, -1.0, 1.0, 1.0])
        volume = found.get_volume(combine_segments=True)
        to_ours = np.linalg.inv(lps @ dicom_result.cine.volume.affine)
        values, labels = volume.array, dicom_result.labels[phase]
        where = np.argwhere(values)
        voxels = to_ours @ volume.affine @ np.c_[where, np.ones(len(where))].T
        x, y, z = np.rint(voxels[:3]).astype(int)
        np.testing.assert_allclose(voxels[:3], [x, y, z], atol=0.02)
        parts = np.array([0, HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV])
        np.testing.assert_array_equal(labels[z, y, x], parts[values[tuple(where.T)]])
        assert len(where) == (labels > 0).sum()
        assert f"phase {phase + 1} of 6" in found.SeriesDescription


@pytest.mark.slow
def test_segmentations_are_read_back_as_they_were(written, dicom_result):
    """The result folder as ``--labels``: every phase; report and measurements are no labels."""
    found = read_labels(written, dicom_result.cine.volume)
    np.testing.assert_array_equal(found.data, dicom_result.labels)
    assert found.filled == tuple(range(6))
    assert found.warnings == ()


@pytest.mark.slow
def test_every_mask_names_the_frames_of_its_phase(written, dicom_result, series):
    es = dicom_result.es
    found = pydicom.dcmread(written / f"seg_{es + 1:02d}.dcm")
    sources = dicom_result.cine.volume.sources[es]
    allowed = {(str(pydicom.dcmread(path).SOPInstanceUID), frame) for path, frame in sources}
    named = set()
    for groups in found.PerFrameFunctionalGroupsSequence:
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        frame = int(source.get("ReferencedFrameNumber", 1)) - 1
        named.add((str(source.ReferencedSOPInstanceUID), frame))
        assert groups.FrameContentSequence[0].TemporalPositionIndex == es + 1
    assert named <= allowed


@pytest.mark.slow
def test_measurements_are_coded_and_point_at_segments(written, dicom_result):
    report = hd.sr.srread(written / "measurements.dcm")
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    found = {}
    for group in report.content.get_volumetric_roi_measurement_groups():
        (measured,) = group.get_measurements()
        found[measured.name.value] = (measured.value, measured.unit.value)
        uid = group.referenced_segment.referenced_sop_instance_uid
        moment = "ED" if measured.name.value not in ("8823-7", "8824-5") else "ES"
        phase = dicom_result.ed if moment == "ED" else dicom_result.es
        path = written / f"seg_{phase + 1:02d}.dcm"
        assert uid == pydicom.dcmread(path).SOPInstanceUID
    for group in report.content.get_image_measurement_groups():
        for measured in group.get_measurements():
            found[measured.name.value] = (measured.value, measured.unit.value)
    lv, rv = dicom_result.indices.lv, dicom_result.indices.rv
    expected = {
        "8821-1": (lv.edv_ml, "mL"),
        "8823-7": (lv.esv_ml, "mL"),
        "8822-9": (rv.edv_ml, "mL"),
        "8824-5": (rv.esv_ml, "mL"),
        "18087-7": (dicom_result.indices.lv_mass_g, "g"),
        "8811-2": (lv.ef_percent, "%"),
        "8818-7": (rv.ef_percent, "%"),
        "90096001": (lv.sv_ml, "mL"),
        "82799009": (lv.co_l_min, "l/min"),
        "8867-4": (dicom_result.indices.heart_rate_bpm, "/min"),
    }
    for code, (value, unit) in expected.items():
        assert found[code] == (pytest.approx(value, abs=1e-3), unit), code
    around = dicom_result.strain.region("global").circumferential_engineering.min()
    assert found["130677"][0] == pytest.approx(around, abs=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("empty_pdf")
def test_warnings_travel_with_the_measurements(dicom_result, tmp_path):
    told = replace(dicom_result, warnings=("the spacing is 2 mm here and 3 mm there",))
    write_result(
        told, tmp_path / "o", ResultFiles(fields=False, report=False, movie="none", dicom_out=True)
    )
    report = pydicom.dcmread(tmp_path / "o" / "measurements.dcm")
    comments = [
        item.TextValue
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Comment"
    ]
    assert comments[0] == "Research use, not for diagnosis."
    assert "the spacing is 2 mm here and 3 mm there" in comments


@pytest.mark.slow
def test_the_report_is_a_pdf_with_text_in_it(written, tmp_path):
    held = pydicom.dcmread(written / "report.dcm")
    assert held.MIMETypeOfEncapsulatedDocument == "application/pdf"
    pdf = held.EncapsulatedDocument[: held.EncapsulatedDocumentLength]
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not installed")
    (tmp_path / "r.pdf").write_bytes(pdf)
    done = subprocess.run([reader, tmp_path / "r.pdf", "-"], capture_output=True, check=True)
    text = done.stdout.decode()
    assert "Research use, not for diagnosis" in text
    assert "ejection fraction" in text


@pytest.mark.slow
def test_the_same_result_has_the_same_uids(dicom_result):
    one, other = (study_of(dicom_result) for _ in range(2))
    assert one.uid("segmentation", "1") == other.uid("segmentation", "1")
    assert one.uid("segmentation", "1") != one.uid("segmentation", "2")


@pytest.mark.slow
def test_a_phase_without_labels_is_still_a_segmentation(dicom_result):
    labels = dicom_result.labels.copy()
    labels[3] = 0
    emptied = replace(dicom_result, labels=labels)
    found = phase_segmentation(emptied, study_of(emptied), 3)
    assert not found.pixel_array.any()


@pytest.mark.slow
def test_slices_of_segmentations_are_as_far_apart_as_their_positions(dicom_result, tmp_path):
    """Some scanners tell the gap as SpacingBetweenSlices: volumes of the masks were halved."""
    volume = dicom_result.cine.volume
    step = volume.spacing_mm[2]
    for path in {path for phase in volume.sources for path, _ in phase}:
        data = pydicom.dcmread(path)
        shared = data.get("SharedFunctionalGroupsSequence")
        measures = shared[0].PixelMeasuresSequence[0] if shared else data
        measures.SliceThickness = measures.SpacingBetweenSlices = f"{step / 2:.6g}"
        data.save_as(tmp_path / path.name, enforce_file_format=True)
    sources = tuple(tuple((tmp_path / p.name, f) for p, f in phase) for phase in volume.sources)
    cine = replace(dicom_result.cine, volume=replace(volume, sources=sources))
    moved = replace(dicom_result, cine=cine)
    phase_segmentation(moved, study_of(moved), 0).save_as(tmp_path / "seg.dcm")
    found = hd.seg.segread(tmp_path / "seg.dcm").get_volume(combine_segments=True)
    assert found.spacing[0] == pytest.approx(step, rel=1e-4)
    ml = np.count_nonzero(found.array) * np.prod(found.spacing) / 1000
    assert ml == pytest.approx(np.count_nonzero(moved.labels[0]) * volume.voxel_ml, rel=1e-3)


@pytest.mark.slow
def test_identity_stays_in_the_dicom_files(written):
    """What is no DICOM says nothing of the patient, as without --dicom-out."""
    for path in written.iterdir():
        if path.suffix != ".dcm":
            raw = path.read_bytes()
            assert b"Doe^Jane" not in raw, path.name
            assert b"ID-4711" not in raw, path.name


@pytest.mark.slow
def test_a_nifti_has_no_study(result, tmp_path):
    with pytest.raises(FacewarpError, match="no study to file results under"):
        check_dicom_out(result.cine.path)
    with pytest.raises(FacewarpError, match="no study to file results under"):
        write_result(
            result, tmp_path / "o", ResultFiles(fields=False, report=False, dicom_out=True)
        )
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
@pytest.mark.parametrize("series", ["classic"], indirect=True)
def test_frames_laid_onto_another_grid_are_not_filed(dicom_result):
    volume = replace(dicom_result.cine.volume, sources=())
    moved = replace(dicom_result, cine=replace(dicom_result.cine, volume=volume))
    with pytest.raises(FacewarpError, match="laid onto another grid"):
        study_of(moved)


def test_what_is_missing_is_named_with_the_way_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "facewarp.cardiac.export.dicom_study.find_spec",
        lambda name: None if name == "highdicom" else find_spec(name),
    )
    with pytest.raises(FacewarpError, match=r"needs highdicom .*install.*\[dicom-out\]"):
        check_dicom_out(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("series", ["classic"], indirect=True)
def test_frames_of_two_patients_are_not_filed(series, knowing, tmp_path):
    shutil.copytree(series, tmp_path / "scan")
    path = min((tmp_path / "scan").iterdir())
    data = pydicom.dcmread(path)
    data.PatientID = "OTHER"
    data.save_as(path)
    found = analyse_cine(tmp_path / "scan", knowing)
    with pytest.raises(FacewarpError, match="2 values of PatientID"):
        study_of(found)


@pytest.mark.slow
def test_a_file_without_a_study_is_not_filed(series, knowing, tmp_path):
    shutil.copytree(series, tmp_path / "scan")
    for path in (tmp_path / "scan").iterdir():
        data = pydicom.dcmread(path)
        del data.StudyInstanceUID
        data.save_as(path)
    found = analyse_cine(tmp_path / "scan", knowing)
    with pytest.raises(FacewarpError, match="tells no StudyInstanceUID"):
        study_of(found)


@pytest.mark.slow
@pytest.mark.parametrize("series", ["classic"], indirect=True)
@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("PatientName", "Müller^Jörg", "Müller^Jörg"),
        ("PatientName", "Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^太郎"),
        ("PatientSex", "X", ""),
        ("PatientBirthDate", "19000000", ""),
        ("ReferringPhysicianName", None, ""),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.usefixtures("empty_pdf")
def test_headers_as_hospitals_have_them(name, value, kept, series, dicom_result, tmp_path):
    shutil.copytree(series, tmp_path / "scan")
    for path in (tmp_path / "scan").iterdir():
        data = pydicom.dcmread(path)
        data.SpecificCharacterSet = "ISO_IR 192"
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
        data.save_as(path)
    volume = dicom_result.cine.volume
    sources = tuple(
        tuple((tmp_path / "scan" / path.name, frame) for path, frame in row)
        for row in volume.sources
    )
    moved = replace(dicom_result.cine, volume=replace(volume, sources=sources))
    result = replace(dicom_result, cine=moved)
    write_result(
        result,
        tmp_path / "o",
        ResultFiles(fields=False, report=False, movie="none", dicom_out=True),
    )
    for file in ("seg_01.dcm", "measurements.dcm", "report.dcm"):
        assert str(pydicom.dcmread(tmp_path / "o" / file).get(name) or "") == kept
        assert "Error" not in verified(tmp_path / "o" / file)


def test_the_page_can_ask_for_nothing_outside():
    text = "<html><body><p>x</p><img src='file:///etc/hostname'></body></html>"
    assert pdf_of(text).startswith(b"%PDF-")


def test_writing_a_pdf_leaves_damaged_images_refused() -> None:
    code = (
        "from facewarp.cardiac.export.dicom_pdf import pdf_of\n"
        "from PIL import ImageFile\n"
        "assert pdf_of('<p>text</p>').startswith(b'%PDF')\n"
        "assert not ImageFile.LOAD_TRUNCATED_IMAGES\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Patients found in the layouts in which data sets and archives are given out."""

import nibabel as nib
import numpy as np
from fixtures.dicom_scans import dataset, numbered, write_series
from pydicom.uid import SegmentationStorage

from facewarp.cardiac.cohort.discovery import discover
from facewarp.cardiac.io.patient import open_cine

AFFINE = np.diag([-1.5, -1.5, 8.0, 1.0])
ACROSS = AFFINE[:, [1, 2, 0, 3]]
CINE = numbered(phases=6, depth=4)


def put(path, data=CINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data.T, AFFINE), path)


def test_uk_biobanks_layout(tmp_path):
    for patient in ("1000012", "1000037"):
        for name in ("sa", "la_2ch", "la_4ch", "label_sa"):
            put(tmp_path / patient / f"{name}.nii.gz")
    found = discover([tmp_path])
    assert found == {name: tmp_path / name for name in ("1000012", "1000037")}
    assert open_cine(found["1000012"]).volume.phases == 6
    listed = tmp_path / "list.txt"
    listed.write_text("1000012/sa.nii.gz\n1000037/sa.nii.gz\n")
    assert list(discover([listed])) == ["1000012", "1000037"]


def test_mms_layout(tmp_path):
    for patient in ("A0S9V9", "B1T0K2"):
        put(tmp_path / "Training" / "Labeled" / patient / f"{patient}_sa.nii.gz")
        put(tmp_path / "Training" / "Labeled" / patient / f"{patient}_sa_gt.nii.gz")
    assert list(discover([tmp_path])) == ["A0S9V9", "B1T0K2"]


def test_cines_in_one_folder_are_found_without_long_axes(tmp_path):
    for name in ("p1_sa", "p1_la", "p2_sa", "p2_la", "p2_sa_gt"):
        put(tmp_path / f"{name}.nii.gz")
    assert list(discover([tmp_path])) == ["p1_sa", "p2_sa"]


def test_names_that_look_like_long_axes_leave_no_patient_out(tmp_path):
    """A site called LA, and hexadecimal numbers of archives, were passed over without a word."""
    for name in ("LA_001", "NY_002", "94c90d12", "8-4c-1"):
        put(tmp_path / f"{name}.nii.gz")
    assert sorted(discover([tmp_path])) == ["8-4c-1", "94c90d12", "LA_001", "NY_002"]
    put(tmp_path / "NY_002_4ch.nii.gz")
    put(tmp_path / "p5_2ch.nii.gz", CINE[:, :1])  # of one slice: no stack
    assert sorted(discover([tmp_path])) == ["8-4c-1", "94c90d12", "LA_001", "NY_002"]


def test_mms_2_layout(tmp_path):
    for patient in ("001", "002"):
        for axis in ("SA", "LA"):
            place = tmp_path / "dataset" / patient
            put(place / f"{patient}_{axis}_CINE.nii.gz", CINE if axis == "SA" else CINE[:, :1])
            for moment in ("ED", "ES"):
                put(place / f"{patient}_{axis}_{moment}.nii.gz", CINE[0])
                put(place / f"{patient}_{axis}_{moment}_gt.nii.gz", CINE[0])
    found = discover([tmp_path])
    assert found == {name: tmp_path / "dataset" / name for name in ("001", "002")}
    cine = open_cine(found["001"])
    assert cine.volume.data.shape[:2] == (6, 4)
    assert "001_LA_CINE" in " ".join(cine.volume.warnings)


def test_the_layout_of_bids(tmp_path):
    """Every patient was called func, so that a data set was refused."""
    (tmp_path / "dataset_description.json").write_text('{"BIDSVersion": "1.9.0"}')
    cines = ("sub-01/ses-1/func", "sub-01/ses-2/func", "sub-02/func", "sub-03/anat")
    for place in cines:
        put(tmp_path / place / f"{'_'.join(place.split('/')[:-1])}_acq-sax_cine.nii.gz")
    put(tmp_path / "derivatives" / "denoised" / "sub-02" / "func" / "sub-02_cine.nii.gz")
    put(tmp_path / "sourcedata" / "sub-02" / "sub-02_cine.nii.gz")
    names = ["sub-01_ses-1", "sub-01_ses-2", "sub-02", "sub-03"]
    assert discover([tmp_path]) == {n: tmp_path / c for n, c in zip(names, cines, strict=True)}
    assert list(discover([tmp_path / "sub-02"])) == ["sub-02"]


def test_the_layout_of_xnat(tmp_path):
    for patient in ("CMR_S01", "CMR_S02"):
        put(tmp_path / patient / "sax" / "resources" / "NIFTI" / "files" / "cine.nii.gz")
    assert list(discover([tmp_path])) == ["CMR_S01", "CMR_S02"]


def test_folders_of_labels_beside_scans_are_no_patients(tmp_path):
    """EMIDEC's Contours, of which there are as many as patients: two of a name were refused."""
    labels = np.zeros_like(CINE[0])
    labels[:, 8:12, 8:12] = 2
    for patient in ("Case_P001", "Case_P002"):
        put(tmp_path / patient / "Images" / f"{patient}.nii.gz")
        put(tmp_path / patient / "Contours" / f"{patient}.nii.gz", labels)
    assert list(discover([tmp_path])) == ["Case_P001", "Case_P002"]


def test_a_patient_whose_folder_is_named_like_labels_is_not_left_out(tmp_path):
    for initials in ("AB", "GT", "KL"):
        put(tmp_path / initials / "scan.nii.gz")
    assert list(discover([tmp_path])) == ["AB", "GT", "KL"]


def test_a_segmentation_of_another_study_is_no_patient(tmp_path):
    """It made the folder above the scan a patient of its own: the scan was measured twice."""
    for patient in ("anna", "berta"):
        scan(tmp_path / patient / "scan", f"1.{patient}")
        for place in (tmp_path / patient / "seg.dcm", tmp_path / patient / "seg" / "seg.dcm"):
            segmentation(place, f"9.{patient}.{place.parent.name}")
    segmentation(tmp_path / "seg.dcm", "9.9")
    assert discover([tmp_path]) == {name: tmp_path / name for name in ("anna", "berta")}
    assert discover([tmp_path / "anna"]) == {"anna": tmp_path / "anna"}


def segmentation(path, study):
    path.parent.mkdir(exist_ok=True)
    data = dataset(path, SegmentationStorage, "9.8", "labels")
    data.Modality, data.StudyInstanceUID = "SEG", study
    data.save_as(path, enforce_file_format=True)


def scan(folder, study, cine=CINE, affine=AFFINE, **more):
    write_series(folder, cine, affine, step_ms=140, study=study, **more)


def test_the_data_science_bowls_layout(tmp_path):
    """A folder a slice, ``sax_5`` and the like, beside long axes."""
    for patient in ("1", "2"):
        study = tmp_path / "train" / patient / "study"
        for z in range(4):
            moved = AFFINE.copy()
            moved[2, 3] = 8.0 * z
            scan(study / f"sax_{5 + z}", f"1.{patient}", CINE[:, z : z + 1], moved, number=5 + z)
        scan(study / "2ch_21", f"1.{patient}", CINE[:, :1], ACROSS, title="2ch", number=21)
    found = discover([tmp_path / "train"])
    assert found == {name: tmp_path / "train" / name for name in ("1", "2")}
    cine = open_cine(found["1"])
    assert cine.volume.data.shape[:2] == (6, 4)
    assert "2ch" in " ".join(cine.volume.warnings)


def test_sites_patients_and_series(tmp_path):
    for site, patient in (("north", "anna"), ("north", "berta"), ("south", "cora"), ("south", "d")):
        scan(tmp_path / site / patient / "sax", f"1.{patient}")
        scan(tmp_path / site / patient / "4ch", f"1.{patient}", CINE[:, :1], ACROSS, title="4ch")
    found = discover([tmp_path])
    assert sorted(found) == ["anna", "berta", "cora", "d"]
    assert found["anna"] == tmp_path / "north" / "anna"
    assert sorted(discover([tmp_path / "south"])) == ["cora", "d"]


def test_the_series_of_one_examination_are_one_patient(tmp_path):
    for name in ("sax", "4ch"):
        scan(tmp_path / "anna" / name, "1.2", title=name)
    assert discover([tmp_path / "anna"]) == {"anna": tmp_path / "anna"}


def test_pictures_beside_a_folder_of_pictures_are_not_passed_over(tmp_path):
    scan(tmp_path / "anna", "1.1")
    scan(tmp_path / "anna" / "other", "1.2")
    assert list(discover([tmp_path / "anna"])) == ["anna", "other"]
    scan(tmp_path / "berta", "1.3")
    put(tmp_path / "berta" / "other" / "cine.nii.gz")
    assert list(discover([tmp_path / "berta"])) == ["berta", "other"]


def test_a_list_that_a_spreadsheet_saved(tmp_path):
    put(tmp_path / "anna.nii.gz")
    listed = tmp_path / "list.csv"
    listed.write_text("anna.nii.gz,NOR\r\n", "utf-8-sig")
    assert discover([listed]) == {"anna": tmp_path / "anna.nii.gz"}
    listed.write_text("path,group\r\nanna.nii.gz,NOR\r\n", "utf-8-sig")
    assert discover([listed]) == {"anna": tmp_path / "anna.nii.gz"}


def test_results_among_the_patients_are_no_patients(tmp_path):
    """The second run with --out inside the data: "two patients are called p1" before."""
    for patient in ("p1", "p2"):
        put(tmp_path / patient / f"{patient}.nii.gz")
        put(tmp_path / "results" / patient / "labels_4d.nii.gz")
        (tmp_path / "results" / patient / "indices.json").write_text("{}")
    assert discover([tmp_path]) == {name: tmp_path / name for name in ("p1", "p2")}


def test_results_among_examinations_are_no_patients(tmp_path):
    for patient in ("p1", "p2"):
        uid = f"1.2.{patient[1]}"
        for folder in (tmp_path / patient, tmp_path / "results" / patient):
            write_series(folder, CINE, AFFINE, tell=lambda d, _t, _z, uid=uid: study(d, uid))
        (tmp_path / "results" / patient / "indices.json").write_text("{}")
    assert discover([tmp_path]) == {name: tmp_path / name for name in ("p1", "p2")}


def study(data, uid):
    data.StudyInstanceUID = uid

"""The same DICOM cine through converters, where they are installed: the same heart, or a word."""

import shutil
import subprocess

import numpy as np
import pytest
from fixtures.dicom_scans import AFFINE, numbered, write_series

from facewarp.cardiac.io.patient import open_cine
from facewarp.errors import FacewarpError


def as_vendor(vendor, fastest):
    """What a vendor's header says, with slices or phases numbered fastest."""

    def tell(data, t, z):
        data.Manufacturer, data.RepetitionTime, data.EchoTime = vendor, 64.16, 1.2
        data.InstanceNumber = 1 + (t * 6 + z if fastest == "slices" else z * 12 + t)
        data.ImageType, data.AcquisitionNumber = ["ORIGINAL", "PRIMARY", "M", "ND"], 1
        data.FrameOfReferenceUID, data.SpacingBetweenSlices = "1.2.4", 8.0

    return tell


@pytest.fixture
def scan(tmp_path, request):
    vendor, fastest = request.param
    write_series(tmp_path / "dicom", numbered(), AFFINE, step_ms=80, tell=as_vendor(*request.param))
    return tmp_path / "dicom", vendor, fastest


VENDORS = [("GE", "slices"), ("GE", "phases"), ("Philips", "phases"), ("SIEMENS", "slices")]


@pytest.mark.slow
@pytest.mark.parametrize("scan", VENDORS, indirect=True, ids=str)
def test_dcm2niixs_files_are_the_dicom_cine(scan, tmp_path):
    """In order and in place; its time step, which is the repetition time, is not believed."""
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    folder, _, _ = scan
    truth = open_cine(folder).volume
    (tmp_path / "nifti").mkdir()
    words = ["dcm2niix", "-f", "%s_cine", "-z", "y", "-b", "y", "-o", tmp_path / "nifti", folder]
    subprocess.run(words, check=True, capture_output=True)
    found = open_cine(tmp_path / "nifti").volume
    same_heart(found, truth)
    assert found.time_step_s is None or found.time_step_s == pytest.approx(0.08, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("scan", [("SIEMENS", "phases")], indirect=True, ids=str)
def test_what_dcm2niix_mixes_up_is_refused(scan, tmp_path):
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    folder, _, _ = scan
    (tmp_path / "nifti").mkdir()
    words = ["dcm2niix", "-f", "cine", "-z", "y", "-o", tmp_path / "nifti", folder]
    subprocess.run(words, check=True, capture_output=True)
    with pytest.raises(FacewarpError, match="DICOM folder"):
        open_cine(tmp_path / "nifti")


@pytest.mark.slow
@pytest.mark.parametrize("scan", [("GE", "slices"), ("Philips", "slices")], indirect=True, ids=str)
def test_dicom2niftis_file_is_the_dicom_cine(scan, tmp_path):
    dicom2nifti = pytest.importorskip("dicom2nifti", reason="dicom2nifti is not installed")
    folder, _, _ = scan
    truth = open_cine(folder).volume
    (tmp_path / "nifti").mkdir()
    dicom2nifti.convert_directory(str(folder), str(tmp_path / "nifti"), compression=True)
    found = open_cine(tmp_path / "nifti").volume
    same_heart(found, truth)
    assert found.time_step_s is None


def same_heart(found, truth):
    """Pictures at the same places of the world, phase by phase."""
    corners = [[0, 0, 0, 1], [23, 19, 5, 1], [23, 0, 2, 1]]
    for voxel in corners:
        place = np.linalg.inv(found.affine) @ truth.affine @ voxel
        x, y, z = np.rint(place[:3]).astype(int)
        np.testing.assert_allclose(place[:3], (x, y, z), atol=0.02)
        values = found.data[:, z, y, x]
        np.testing.assert_allclose(values, truth.data[:, voxel[2], voxel[1], voxel[0]], atol=1.0)

"""Sform, qform and pixdim that agree, differ, or cannot be."""

import nibabel as nib
import numpy as np
import pytest
from fixtures.hearts import oblique

from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.io.nifti_writer import write_field, write_labels
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError

SHAPE = (6, 30, 28)  # D, H, W
TRUE = oblique(25.0) @ np.diag([-1.4, -1.6, 8.0, 1.0])


def save(path, sform=None, qform=None, codes=(1, 1), **header):
    """A file of zeros whose header says what is given, and nothing besides."""
    image = nib.Nifti1Image(np.zeros(SHAPE[::-1], np.int16), TRUE)
    image.header.set_qform(TRUE if qform is None else qform, codes[1])
    image.header.set_sform(TRUE if sform is None else sform, codes[0])
    for name, value in header.items():
        image.header[name] = value
    nib.save(nib.Nifti1Image(image.dataobj, None, image.header), path)
    return path


def test_forms_that_differ_are_named_with_angle_and_distance(tmp_path):
    turned = oblique(10.0) @ TRUE
    volume = read_volume(save(tmp_path / "a.nii", qform=turned, codes=(2, 1)))
    np.testing.assert_allclose(volume.affine, TRUE, atol=1e-4)
    said = " ".join(volume.warnings)
    assert "sform and qform differ by 10.0 degrees and up to" in said
    assert "ITK" in said
    assert volume.conflicting


@pytest.mark.parametrize("write", ["labels", "field"])
def test_outputs_of_a_conflict_have_the_affine_in_both_forms(tmp_path, write):
    volume = read_volume(save(tmp_path / "a.nii", qform=oblique(10.0) @ TRUE, codes=(2, 1)))
    path = tmp_path / "out.nii.gz"
    if write == "labels":
        write_labels(path, np.zeros(SHAPE, np.uint8), volume)
    else:
        write_field(path, np.zeros((3, *SHAPE), np.float32), volume)
    header = nib.load(path).header
    np.testing.assert_allclose(header.get_sform(), TRUE, atol=1e-4)
    np.testing.assert_allclose(header.get_qform(), TRUE, atol=1e-4)


def test_itk_puts_labels_and_fields_of_a_conflict_in_one_place(tmp_path):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    volume = read_volume(save(tmp_path / "a.nii", qform=oblique(10.0) @ TRUE, codes=(2, 1)))
    write_labels(tmp_path / "l.nii.gz", np.zeros(SHAPE, np.uint8), volume)
    write_field(tmp_path / "f.nii.gz", np.zeros((3, *SHAPE), np.float32), volume)
    labels, field = (sitk.ReadImage(str(tmp_path / f"{n}.nii.gz")) for n in "lf")
    np.testing.assert_allclose(labels.GetOrigin(), field.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(labels.GetDirection(), field.GetDirection(), atol=1e-5)


def test_a_placeholder_sform_beside_a_real_qform_is_not_believed(tmp_path):
    volume = read_volume(save(tmp_path / "a.nii", sform=np.eye(4)))
    np.testing.assert_allclose(volume.affine, TRUE, atol=1e-4)
    assert "the qform is used" in " ".join(volume.warnings)
    assert volume.oriented


def test_a_file_that_runs_along_the_axes_tells_no_orientation(tmp_path):
    plain = np.diag([-1.4, -1.6, 8.0, 1.0])
    assert not read_volume(save(tmp_path / "a.nii", sform=plain, qform=plain)).oriented
    assert not read_volume(save(tmp_path / "b.nii", codes=(0, 0))).oriented
    assert read_volume(save(tmp_path / "c.nii")).oriented


def test_spacings_that_change_volumes_are_refused_with_a_way_out(tmp_path):
    larger = TRUE @ np.diag([1.0, 1.0, 1.1, 1.0])
    path = save(tmp_path / "a.nii", sform=larger, codes=(1, 0))
    with pytest.raises(FacewarpError, match=r"8.8 mm, pixdim.* 8 mm: volumes.*10 %.*--spacing"):
        read_volume(path)
    volume = read_volume(path, options=ReadOptions(spacing_mm=(1.4, 1.6, 8.8)))
    np.testing.assert_allclose(volume.spacing_mm, (1.4, 1.6, 8.8), rtol=1e-5)


def test_spacings_a_little_apart_are_said(tmp_path):
    larger = TRUE @ np.diag([1.0, 1.0, 1.03, 1.0])
    volume = read_volume(save(tmp_path / "a.nii", sform=larger, codes=(1, 0)))
    assert "the affine is used" in " ".join(volume.warnings)


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1000.0), ("meter", 0.001)])
def test_spacings_that_no_scan_has_are_refused(tmp_path, unit, factor):
    scaled = TRUE.copy()
    scaled[:3, :3] *= factor
    image = nib.Nifti1Image(np.zeros(SHAPE[::-1], np.int16), scaled)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(FacewarpError, match=f"unit {unit}.*--spacing"):
        read_volume(tmp_path / "a.nii")


def test_a_quaternion_a_little_too_long_is_read(tmp_path):
    path = save(tmp_path / "a.nii", codes=(0, 1))
    before = read_volume(path).affine
    quaternion = np.array([nib.load(path).header[f"quatern_{name}"] for name in "bcd"])
    long = quaternion / np.linalg.norm(quaternion) * (1 + 1e-6)
    with open(path, "r+b") as file:
        file.seek(256)
        file.write(long.astype("<f4").tobytes())
    found = read_volume(path)
    np.testing.assert_allclose(found.spacing_mm, (1.4, 1.6, 8.0), rtol=1e-4)
    assert found.affine.shape == before.shape


@pytest.mark.parametrize(
    ("degrees", "qform_code", "said"),
    [(0.003, 0, None), (0.02, 0, "cannot read"), (0.02, 1, "straighten"), (5.0, 1, "straighten")],
)
def test_shear_is_said_from_itks_limit_on(tmp_path, degrees, qform_code, said):
    sheared = np.diag([-1.4, -1.6, 8.0, 1.0])
    sheared[0, 2] = -8.0 * np.tan(np.radians(degrees))
    volume = read_volume(save(tmp_path / "a.nii", sform=sheared, codes=(1, qform_code)))
    text = " ".join(volume.warnings)
    assert ("sheared" in text) == (said is not None)
    assert said is None or said in text


@pytest.mark.parametrize("degrees", [0.02, 5.0])
def test_itk_reads_fields_of_sheared_scans(tmp_path, degrees):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    sheared = np.diag([-1.4, -1.6, 8.0, 1.0])
    sheared[0, 2] = -8.0 * np.tan(np.radians(degrees))
    volume = read_volume(save(tmp_path / "a.nii", sform=sheared, codes=(1, 0)))
    write_field(tmp_path / "f.nii.gz", np.zeros((3, *SHAPE), np.float32), volume)
    field = sitk.ReadImage(str(tmp_path / "f.nii.gz"))
    assert field.GetNumberOfComponentsPerPixel() == 3


def test_a_field_of_view_of_metres_is_refused_at_once(nifti_of):
    affine = np.diag([-20.0, -20.0, 20.0, 1.0])
    path = nifti_of("wide.nii.gz", np.ones((2, 3, 60, 4), np.float32), affine)
    with pytest.raises(FacewarpError, match=r"field of view of 80 x 1200 x 60 mm"):
        read_volume(path)
    path = nifti_of("labels.nii.gz", np.ones((3, 60, 4), np.float32), affine)
    assert read_volume(path, labels=True).shape == (3, 60, 4)

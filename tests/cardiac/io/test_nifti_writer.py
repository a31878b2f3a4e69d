import gzip
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage

from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.io.nifti_writer import (
    write_field,
    write_image,
    write_labels,
    write_map,
    write_maps,
)
from facewarp.core.fields import warp
from facewarp.errors import FacewarpError

SHAPE = (7, 26, 22)


def oblique_affine():
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ np.diag([1.4, 1.2, 8.0]), (10, -20, 30)
    return affine


AFFINES = {
    "ras": np.diag([1.4, 1.2, 8.0, 1.0]),
    "lps": np.diag([-1.4, -1.2, 8.0, 1.0]),
    "flipped": np.diag([-1.4, 1.2, -8.0, 1.0]),
    "oblique": oblique_affine(),
}


@pytest.fixture
def scene(rng):
    """A moving volume and a smooth field, voxels."""
    moving = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.2).astype(np.float32)
    field = 12 * np.stack([ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.5) for _ in "xyz"])
    field[2] *= 0.3
    return moving, field.astype(np.float32)


def save(path, data, affine, *, placeholder=False):
    image = nib.Nifti1Image(data.T, np.diag([-1, -1, 1, 1]) if placeholder else affine)
    if placeholder:
        image.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
        image = nib.Nifti1Image(data.T, None, image.header)
    nib.save(image, path)
    return read_volume(path)


@pytest.mark.parametrize("name", [*AFFINES, "placeholder"])
def test_itk_warps_as_we_do(tmp_path, scene, name):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # it grumbles about ACDC's affines
    moving, field = scene
    affine = AFFINES.get(name, AFFINES["lps"])
    volume = save(tmp_path / "moving.nii.gz", moving, affine, placeholder=name == "placeholder")
    write_field(tmp_path / "field.nii.gz", field, volume)
    image = sitk.ReadImage(str(tmp_path / "moving.nii.gz"))
    vectors = sitk.ReadImage(str(tmp_path / "field.nii.gz"), sitk.sitkVectorFloat64)
    assert vectors.GetNumberOfComponentsPerPixel() == 3
    np.testing.assert_allclose(vectors.GetSpacing(), image.GetSpacing(), rtol=1e-5)
    np.testing.assert_allclose(vectors.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(vectors.GetDirection(), image.GetDirection(), atol=1e-5)
    transform = sitk.DisplacementFieldTransform(vectors)
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0))
    ours = warp(torch.from_numpy(moving)[None, None], torch.from_numpy(field)[None])[0, 0].numpy()
    inside = np.ones(SHAPE, bool)
    for axis in range(3):  # outside of the volume each has its own rule
        place = np.indices(SHAPE)[axis] + field[2 - axis]
        inside &= (place >= 0) & (place <= SHAPE[axis] - 1)
    assert inside.mean() > 0.5
    assert np.abs(ours - moving)[inside].max() > 0.2
    np.testing.assert_allclose(theirs[inside], ours[inside], atol=0.01)


def test_a_field_file_is_what_the_format_says(tmp_path, scene):
    volume = save(tmp_path / "v.nii.gz", scene[0], AFFINES["ras"])
    shift = np.broadcast_to(np.reshape([1.0, 2.0, 0.5], (3, 1, 1, 1)), (3, *SHAPE))
    write_field(tmp_path / "field.nii.gz", shift.astype(np.float32), volume)
    image = nib.load(tmp_path / "field.nii.gz")
    assert image.shape == (*SHAPE[::-1], 1, 3)
    assert image.header["intent_code"] == 1006
    assert image.get_data_dtype() == np.float32
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(image.affine, volume.affine)
    np.testing.assert_allclose(image.header.get_qform(), image.header.get_sform(), atol=1e-5)
    ras = np.asarray(image.dataobj)[3, 4, 5, 0]
    np.testing.assert_allclose(ras, [1.4, 2.4, 4.0], atol=1 / 128)


@pytest.mark.parametrize("name", AFFINES)
def test_labels_keep_the_files_place_spacing_units_and_time(tmp_path, name):
    source = nib.Nifti1Image(np.zeros((6, 5, 4, 3), np.int16), AFFINES[name])
    source.header.set_xyzt_units("mm", "msec")
    source.header["pixdim"][4] = 35.5
    source.header.set_slope_inter(2.0, 5.0)
    nib.save(source, tmp_path / "v.nii.gz")
    before = nib.load(tmp_path / "v.nii.gz").header
    labels = np.random.default_rng(0).integers(0, 4, (3, 4, 5, 6)).astype(np.uint8)
    write_labels(tmp_path / "l.nii.gz", labels, read_volume(tmp_path / "v.nii.gz"))
    image = nib.load(tmp_path / "l.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, labels)
    np.testing.assert_array_equal(image.affine, nib.load(tmp_path / "v.nii.gz").affine)
    for key in ("pixdim", "xyzt_units", "sform_code", "qform_code", "srow_x", "quatern_b"):
        np.testing.assert_array_equal(image.header[key], before[key])
    assert image.get_data_dtype() == np.uint8


def test_maps_and_images_hold_their_numbers(tmp_path, scene):
    volume = save(tmp_path / "v.nii.gz", scene[0], AFFINES["oblique"])
    write_image(tmp_path / "image.nii.gz", scene[0], volume)
    np.testing.assert_array_equal(read_volume(tmp_path / "image.nii.gz").data, scene[0])
    write_map(tmp_path / "map.nii.gz", 1 + scene[0], volume, "map")
    found = read_volume(tmp_path / "map.nii.gz").data
    np.testing.assert_allclose(found, 1 + scene[0], atol=0.5 / 1024 + 1e-6)


@pytest.mark.parametrize("stack", [2, 0])
def test_maps_of_phases_made_one_by_one_are_the_same_file(tmp_path, rng, stack):
    data = rng.random((3, 4, 5, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(data.T, np.diag([1.5, 1.4, 8.0, 1.0])), tmp_path / "v.nii.gz")
    cine = read_volume(tmp_path / "v.nii.gz").stacked_along(stack)
    write_map(tmp_path / "a.nii.gz", 1 + cine.data, cine, "map")
    write_maps(tmp_path / "b.nii.gz", (1 + phase for phase in cine.data), cine, "map")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    found = np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj).T
    np.testing.assert_allclose(found, 1 + data, atol=0.5 / 1024 + 1e-6)


def test_a_sheared_grid_is_written_as_it_is(tmp_path, scene):
    affine = AFFINES["lps"].copy()
    affine[0, 2] = 2.0
    volume = save(tmp_path / "v.nii.gz", scene[0], affine)
    write_field(tmp_path / "field.nii.gz", scene[1], volume)
    np.testing.assert_allclose(nib.load(tmp_path / "field.nii.gz").affine, affine, atol=1e-6)


def test_equal_content_gives_equal_files(tmp_path, scene):
    volume = save(tmp_path / "v.nii.gz", scene[0], AFFINES["ras"])
    for name in ("a.nii.gz", "b.nii.gz"):
        write_field(tmp_path / name, scene[1], volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_inputs_are_not_overwritten_and_nothing_is_left_half(tmp_path, scene, monkeypatch):
    volume = save(tmp_path / "v.nii.gz", scene[0], AFFINES["ras"])
    before = volume.path.read_bytes()
    with pytest.raises(FacewarpError, match="same file"):
        write_image(volume.path, scene[0], volume, [volume.path])
    assert volume.path.read_bytes() == before

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("isal.igzip.IGzipFile.write", full)
    with pytest.raises(FacewarpError, match="no space"):
        write_field(tmp_path / "field.nii.gz", scene[1], volume)
    assert [p.name for p in tmp_path.iterdir()] == ["v.nii.gz"]


def test_files_without_isal_hold_the_same(tmp_path, scene, monkeypatch):
    volume = save(tmp_path / "v.nii.gz", scene[0], AFFINES["ras"])
    write_field(tmp_path / "quick.nii.gz", scene[1], volume)
    monkeypatch.setitem(sys.modules, "isal.igzip", None)
    write_field(tmp_path / "plain.nii.gz", scene[1], volume)
    quick, plain = ((tmp_path / f"{name}.nii.gz").read_bytes() for name in ("quick", "plain"))
    assert quick != plain
    assert gzip.decompress(quick) == gzip.decompress(plain)


def test_numbers_of_a_big_endian_scan_are_written_as_they_are(tmp_path, scene):
    header = nib.Nifti1Image(scene[0].T, AFFINES["lps"]).header.as_byteswapped(">")
    image = nib.Nifti1Image(scene[0].T.astype(">f4"), AFFINES["lps"], header)
    nib.save(image, tmp_path / "v.nii.gz")
    volume = read_volume(tmp_path / "v.nii.gz")
    write_map(tmp_path / "map.nii.gz", 1 + scene[0], volume, "map")
    write_image(tmp_path / "image.nii.gz", scene[0], volume)
    found = np.asarray(nib.load(tmp_path / "map.nii.gz").dataobj).T
    np.testing.assert_allclose(found, 1 + scene[0], atol=0.5 / 1024 + 1e-6)
    found = np.asarray(nib.load(tmp_path / "image.nii.gz").dataobj).T
    np.testing.assert_allclose(found, scene[0], atol=1e-6)


def test_names_that_converters_put_into_the_header_are_not_handed_on(tmp_path, rng):
    image = nib.Nifti1Image(rng.random((5, 4, 3), np.float32), np.diag([1.5, 1.5, 8.0, 1.0]))
    for key in ("db_name", "aux_file", "data_type", "descrip"):
        image.header[key] = b"DOE^JANE"
    nib.save(image, tmp_path / "scan.nii.gz")
    volume = read_volume(tmp_path / "scan.nii.gz")
    write_labels(tmp_path / "labels.nii.gz", np.zeros(volume.shape, np.uint8), volume)
    assert b"DOE" not in gzip.decompress((tmp_path / "labels.nii.gz").read_bytes())

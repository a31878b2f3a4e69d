import gzip
import json

import nibabel as nib
import numpy as np
import pytest

from facewarp.cardiac.io.names.nifti_names import is_nifti, stem
from facewarp.cardiac.io.nifti_reader import axes_of, read_volume
from facewarp.cardiac.io.nifti_writer import write_labels
from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError

SHAPE = (4, 5, 6)  # D, H, W


@pytest.fixture
def data(rng):
    return rng.integers(0, 200, SHAPE).astype(np.int16)


def affine(x=1.5, y=1.5, z=8.0):
    return np.diag([-x, -y, z, 1.0])


def save(path, data, matrix, **header):
    made = nib.Nifti1Image(data.T, matrix).header
    for key, value in header.items():
        made[key] = value
    nib.save(nib.Nifti1Image(data.T, None, made), path)  # the header as it is
    return path


def pixdim(*spacing):
    return np.array([1.0, *spacing, 0, 0, 0, 0])


def test_axes_are_reversed_and_nothing_is_flipped(tmp_path, data):
    volume = read_volume(save(tmp_path / "v.nii.gz", data, affine()))
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, data)
    assert volume.shape == SHAPE
    assert volume.spacing_mm == (1.5, 1.5, 8.0)
    assert volume.voxel_ml == pytest.approx(0.018)
    assert volume.warnings == ()
    assert volume.phases == 1
    assert volume.time_step_s is None


def test_the_files_scaling_is_applied(tmp_path, data):
    path = tmp_path / "v.nii"
    image = nib.Nifti1Image(data.T, affine())
    image.header.set_slope_inter(0.5, 10.0)
    image.to_filename(path)
    with open(path, "r+b") as file:  # nibabel would scale the data back
        file.seek(112)
        file.write(np.array([0.5, 10.0], "<f4").tobytes())
    stored = nib.load(path).dataobj.get_unscaled()
    np.testing.assert_allclose(read_volume(path).data, 0.5 * np.asarray(stored).T + 10.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_number_type_is_read(tmp_path, data, dtype):
    volume = read_volume(save(tmp_path / "v.nii.gz", data.astype(dtype), affine()))
    np.testing.assert_array_equal(volume.data, data)


def test_unit_affine_against_pixdim_means_pixdim_is_right(tmp_path, data):
    unit = np.diag([-1.0, -1.0, 1.0, 1.0])
    path = save(tmp_path / "v.nii.gz", data, unit, pixdim=pixdim(1.5625, 1.5625, 10.0))
    volume = read_volume(path)
    assert volume.spacing_mm == (1.5625, 1.5625, 10.0)
    np.testing.assert_allclose(volume.affine, np.diag([-1.5625, -1.5625, 10.0, 1.0]))
    assert volume.voxel_ml == pytest.approx(1.5625**2 * 10 / 1000)
    (said,) = volume.warnings
    assert "1 x 1 x 1 mm" in said
    assert "pixdim is used" in said


def test_a_real_affine_against_pixdim_is_right(tmp_path, data):
    path = save(tmp_path / "v.nii.gz", data, affine(), pixdim=pixdim(1.0, 1.0, 1.0))
    volume = read_volume(path)
    assert volume.spacing_mm == (1.5, 1.5, 8.0)
    assert "the affine is used" in volume.warnings[0]


def test_without_orientation_axes_run_to_left_back_and_up(tmp_path, data):
    path = save(tmp_path / "v.nii.gz", data, affine(), sform_code=0, qform_code=0)
    volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, affine())
    assert "no orientation" in volume.warnings[0]


def test_shear_counts_in_volume_and_is_told(tmp_path, data):
    sheared = affine(1.5, 1.5, 8.0)
    sheared[0, 2] = 3.0
    volume = read_volume(save(tmp_path / "v.nii.gz", data, sheared))
    assert volume.is_sheared
    assert volume.voxel_ml == pytest.approx(0.018)  # not the product of the lengths
    assert "sheared by 20.6 degrees" in " ".join(volume.warnings)


@pytest.mark.parametrize(
    ("unit", "step", "phases", "seconds", "said"),
    [
        ("sec", 0.04, 25, 0.04, ""),
        ("msec", 40.0, 25, 0.04, ""),
        ("usec", 40_000.0, 25, 0.04, ""),
        ("unknown", 0.04, 25, None, "step, 0.04, has no unit of time"),  # nothing is guessed
        ("hz", 0.04, 25, None, "step, 0.04, has the unit hz"),
        ("sec", -0.04, 25, None, "step, -0.04, has the unit sec"),
        ("sec", np.nan, 25, None, "step, nan, has the unit sec"),
        ("unknown", 1.0, 25, None, ""),  # what programs write that know none
        ("sec", 1.0, 25, None, "25 phases of 1000 ms (pixdim[4]) are no heartbeat"),
        ("msec", 0.04, 25, None, "25 phases of 0.04 ms (pixdim[4]) are no heartbeat"),
        ("sec", 0.0, 25, None, ""),
    ],
)
def test_the_time_step_is_known_only_with_a_unit_that_makes_sense(
    tmp_path, unit, step, phases, seconds, said
):
    image = nib.Nifti1Image(np.zeros((3, 3, 3, phases), np.int16), affine())
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = step
    nib.save(image, tmp_path / "v.nii.gz")
    volume = read_volume(tmp_path / "v.nii.gz")
    assert volume.phases == phases
    assert volume.time_step_s == (None if seconds is None else pytest.approx(seconds))
    told = " ".join(text for text in volume.warnings if "step" in text)
    assert said in told
    assert bool(said) == bool(told)
    given = read_volume(tmp_path / "v.nii.gz", options=ReadOptions(time_step_s=0.04))
    assert given.time_step_s == 0.04


def test_nifti_2_and_trailing_axes_of_one_are_read(tmp_path, data):
    path = tmp_path / "v.nii"
    nib.save(nib.Nifti2Image(data.T[..., None, None], affine()), path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.header.get_best_affine(), affine())


def test_phases_along_the_fifth_axis_are_read_and_said(tmp_path, data):
    """TorchIO takes phases for channels, and saves channels as components of a vector."""
    phases = np.stack([data + t for t in range(5)])
    image = nib.Nifti1Image(phases.T[:, :, :, None], affine())
    image.header.set_intent("vector")
    nib.save(image, tmp_path / "v.nii.gz")
    volume = read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(volume.data, phases)
    assert "fifth axis" in volume.warnings[0]
    assert axes_of(tmp_path / "v.nii.gz") == 4
    write_labels(tmp_path / "labels.nii.gz", (phases % 4).astype(np.uint8), volume)
    assert nib.load(tmp_path / "labels.nii.gz").shape == phases.T.shape


def test_labels_are_ids(tmp_path, data):
    ids = (data % 4).astype(np.float32)
    volume = read_volume(save(tmp_path / "v.nii.gz", ids, affine()), labels=True)
    assert volume.data.dtype == np.uint8
    np.testing.assert_array_equal(volume.data, ids)
    for wrong in (ids + 0.5, ids - 1, ids + 300, np.where(ids == 3, np.nan, ids)):
        path = save(tmp_path / "wrong.nii.gz", wrong, affine())
        with pytest.raises(FacewarpError, match="labels"):
            read_volume(path, labels=True)


def refused(path):
    with pytest.raises(FacewarpError) as caught:
        read_volume(path)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    return text


@pytest.mark.parametrize("size", [0.0, np.nan, np.inf])
def test_voxels_need_a_size(tmp_path, data, size):
    path = save(tmp_path / "v.nii", data, affine())
    with open(path, "r+b") as file:
        file.seek(76 + 4 * 3)
        file.write(np.array([size], "<f4").tobytes())
    assert "pixdim" in refused(path)


def test_axes_in_one_plane_are_refused(tmp_path, data):
    flat = affine()
    flat[:3, 2] = flat[:3, 1]
    rows = {f"srow_{axis}": flat[row] for row, axis in enumerate("xyz")}
    path = save(tmp_path / "v.nii.gz", data, affine(), pixdim=pixdim(1.5, 1.5, 1.5), **rows)
    assert "plane" in refused(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_placed(tmp_path, data, value):
    bad = data.astype(np.float32)
    bad[2, 1, 1] = bad[3, 0, 0] = value
    text = refused(save(tmp_path / "v.nii.gz", bad, affine()))
    assert "2 voxels" in text
    assert "slice 3" in text


@pytest.mark.parametrize("keep", [0.5, 0.9])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_cut_file_is_refused(tmp_path, rng, suffix, keep):
    path = save(
        tmp_path / f"v{suffix}", rng.integers(0, 999, (9, 40, 40)).astype(np.int16), affine()
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    assert "cut short" in refused(path)


def test_what_is_no_volume_is_refused(tmp_path, data):
    text = tmp_path / "text.nii"
    text.write_text("not an image" * 100)
    packed = tmp_path / "text.nii.gz"
    packed.write_bytes(gzip.compress(b"not an image" * 100))
    fake = tmp_path / "fake.nii.gz"
    fake.write_bytes(b"not gzip at all" * 50)
    empty = tmp_path / "empty.nii.gz"
    empty.touch()
    picture = tmp_path / "picture.png"
    picture.touch()
    for path in (text, packed, fake, empty, picture, tmp_path / "none.nii", tmp_path):
        refused(path)
    flat = tmp_path / "flat.nii"
    nib.save(nib.Nifti1Image(data.T[..., 0], affine()), flat)
    assert "2 axes" in refused(flat)
    many = tmp_path / "many.nii"
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3, 2, 2), np.int16), affine()), many)
    assert "5 axes" in refused(many)
    layers = tmp_path / "layers.nii"  # of 3D Slicer's .seg.nrrd, by SimpleITK
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3, 1, 2), np.int16), affine()), layers)
    assert "2 values for each voxel" in refused(layers)
    assert "layers of overlapping segments" in refused(layers)
    waves = tmp_path / "waves.nii"
    nib.save(nib.Nifti1Image(data.T.astype(np.complex64), affine()), waves)
    assert "complex" in refused(waves)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("123_20209_2_0.zip", "Unpack the archive, and give the folder"),
        ("MnM2.tar.gz", "Unpack the archive"),
        ("cine.nii.zst", r"pack it as cine\.nii\.gz"),
    ],
)
def test_archives_and_other_packing_are_told_as_such(tmp_path, name, fix):
    """UK Biobank gives a zip for each field of each person."""
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(FacewarpError, match=fix):
        read_volume(tmp_path / name)
    with pytest.raises(FacewarpError, match=fix):
        open_cine(tmp_path)


@pytest.mark.parametrize("name", ["v.nrrd", "v.mha", "v.mgz", "v.img"])
def test_files_of_other_formats_are_refused_with_python_that_converts_them(
    tmp_path, data, name, monkeypatch
):
    import SimpleITK

    monkeypatch.chdir(tmp_path)
    if name.lower().endswith((".mgz", ".img")):
        kind = nib.MGHImage if name == "v.mgz" else nib.Nifti1Pair
        nib.save(kind(data.T.astype(np.float32), affine()), name)
    else:
        image = SimpleITK.GetImageFromArray(data)
        image.SetSpacing((1.5, 1.5, 8.0))
        SimpleITK.WriteImage(image, name)
    with pytest.raises(FacewarpError, match="not a NIfTI file") as caught:
        read_volume(name)
    assert "Convert it" in caught.value.fix
    exec(caught.value.fix.partition(": ")[2], {"SimpleITK": SimpleITK, "nibabel": nib})
    volume = read_volume("v.nii.gz")
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.spacing_mm, (1.5, 1.5, 8.0), rtol=1e-6)


def test_names(tmp_path):
    assert stem(tmp_path / "a.b.nii.gz") == "a.b"
    assert stem(tmp_path / "A.NII") == "A"
    assert is_nifti(tmp_path / "a.nii.gz")
    assert not is_nifti(tmp_path / ".hidden.nii.gz")
    assert not is_nifti(tmp_path / "a.gz")


def timed(path, step, descrip=b"", phases=12):
    image = nib.Nifti1Image(np.zeros((3, 3, 3, phases), np.int16), affine())
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = step
    image.header["descrip"] = descrip
    nib.save(image, path)
    return path


def test_a_step_that_is_the_repetition_time_is_not_believed(tmp_path):
    path = timed(tmp_path / "5_cine.nii.gz", 0.06416)
    assert read_volume(path).time_step_s == pytest.approx(0.06416)
    (tmp_path / "5_cine.json").write_text('{"RepetitionTime": 0.06416}')
    volume = read_volume(path)
    assert volume.time_step_s is None
    assert "repetition time that 5_cine.json tells" in volume.warnings[-1]


def test_a_step_that_dcm2niix_wrote_is_not_believed(tmp_path):
    volume = read_volume(timed(tmp_path / "a.nii.gz", 0.06416, b"TE=1.2;Time=101112.0"))
    assert volume.time_step_s is None
    assert "dcm2niix" in volume.warnings[-1]
    given = read_volume(volume.path, options=ReadOptions(time_step_s=0.07))
    assert given.time_step_s == 0.07


@pytest.mark.parametrize("unit", ["unknown", "sec"])  # the second where ITK wrote it again
def test_a_step_that_dicom2nifti_wrote_is_not_believed(tmp_path, unit):
    path = timed(tmp_path / "a.nii.gz", 0.06416)
    image = nib.load(path)
    image.header.set_xyzt_units("mm", unit)
    image.header["db_name"] = b"?TR:64.160 TE:1"
    nib.save(image, tmp_path / "b.nii.gz")
    volume = read_volume(tmp_path / "b.nii.gz")
    assert volume.time_step_s is None
    assert "dicom2nifti, which puts the repetition time" in volume.warnings[-1]
    assert len(volume.warnings) == 1 + len(read_volume(path).warnings)


def test_an_rr_interval_beside_the_file_is_read(tmp_path):
    path = timed(tmp_path / "a.nii.gz", 0.07)
    (tmp_path / "a.json").write_text('{"HeartRate": 50}')
    volume = read_volume(path)
    assert volume.cycle_s == pytest.approx(1.2)
    assert not volume.covers_cycle


def test_packing_is_told_by_the_content_not_by_the_name(tmp_path, data):
    plain = save(tmp_path / "a.nii", data, affine()).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(plain)
    (tmp_path / "c.nii").write_bytes(gzip.compress(plain))
    for name in ("a.nii", "b.nii.gz", "c.nii"):
        np.testing.assert_array_equal(read_volume(tmp_path / name).data, data)


@pytest.mark.parametrize("cut", [5000, 0.5, 0.99, -1])
def test_gzip_files_of_several_members_are_read_whole(tmp_path, cut):
    """Joined files, bgzip's and pigz's: each member may end within a piece that is read."""
    rng = np.random.default_rng(8)
    data = rng.integers(0, 4, (3, 12, 200, 200)).astype(np.int16)
    plain = save(tmp_path / "a.nii", data, affine()).read_bytes()
    at = int(cut * len(plain)) if 0 < cut < 1 else cut
    parts = [gzip.compress(part, 1) for part in (plain[:at], plain[at:])]
    (tmp_path / "b.nii.gz").write_bytes(b"".join(parts))
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nii.gz").data, data)


def test_a_scaling_that_is_not_finite_is_named(tmp_path, data):
    path = save(tmp_path / "v.nii", data, affine())
    with open(path, "r+b") as file:
        file.seek(112)
        file.write(np.array([2.0, np.nan], "<f4").tobytes())
    assert "slope 2, intercept nan" in refused(path)


def test_a_scaling_that_turns_gray_values_round_is_refused(tmp_path, data):
    path = save(tmp_path / "v.nii", data, affine())
    with open(path, "r+b") as file:
        file.seek(112)
        file.write(np.array([-1.0, 0.0], "<f4").tobytes())
    assert "slope -1" in refused(path)


def test_a_header_of_another_byte_order_is_turned(tmp_path, data):
    made = nib.Nifti1Image(data.T, affine()).header.as_byteswapped(">")
    nib.save(nib.Nifti1Image(data.T.astype(">i2"), affine(), made), tmp_path / "v.nii.gz")
    volume = read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(volume.data, data)
    assert volume.header.endianness == nib.Nifti1Header().endianness


def packed(tmp_path, rng):
    data = rng.integers(0, 900, (20, 16, 6, 4)).astype(np.int16)
    path = tmp_path / "scan.nii.gz"
    save(path, data, affine())
    return path, data


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_packed_file_with_a_flipped_bit_is_refused(tmp_path, rng, place):
    path, _ = packed(tmp_path, rng)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)
    refused(path)


def test_a_packed_file_without_its_checksum_is_refused(tmp_path, rng):
    path, _ = packed(tmp_path, rng)
    path.write_bytes(path.read_bytes()[:-8])
    refused(path)


def test_garbage_after_the_end_of_a_packed_file_is_ignored(tmp_path, rng):
    path, data = packed(tmp_path, rng)
    path.write_bytes(path.read_bytes() + b"\0\0garbage")
    assert np.array_equal(read_volume(path).data, data)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_no_memory_is_taken_for_what_a_header_only_claims(tmp_path, data, suffix):
    path = tmp_path / f"claims.{suffix}"
    save(path, data, affine())
    content = path.read_bytes()
    content = bytearray(gzip.decompress(content) if suffix == "nii.gz" else content)
    content[42:50] = np.array([30_000] * 4, "<i2").tobytes()  # dim[1] to dim[4]
    path.write_bytes(gzip.compress(content) if suffix == "nii.gz" else content)
    refused(path)


@pytest.mark.parametrize("offset", [np.nan, np.inf, 3e38, -1e9])
def test_an_offset_that_cannot_be_is_refused(tmp_path, data, offset):
    path = tmp_path / "odd.nii"
    save(path, data, affine())
    content = bytearray(path.read_bytes())
    content[108:112] = np.array(offset, "<f4").tobytes()
    path.write_bytes(content)
    refused(path)


@pytest.mark.filterwarnings("error")
def test_values_beyond_single_precision_are_refused_without_numpys_own_words(tmp_path):
    """Doubles, and a slope that makes integers infinite."""
    data = np.ones((5, 6, 4))
    data[1, 2, 3] = 1e300
    image = nib.Nifti1Image(data, np.diag([1.5, 1.5, 8.0, 1.0]))
    nib.save(image, tmp_path / "doubles.nii.gz")
    with pytest.raises(FacewarpError, match="1 voxels are NaN or infinite, the first in slice 4"):
        read_volume(tmp_path / "doubles.nii.gz")
    nib.save(nib.Nifti1Image(np.full((5, 6, 4), 9, np.int16), image.affine), tmp_path / "i.nii")
    stored = bytearray((tmp_path / "i.nii").read_bytes())
    stored[112:116] = np.float32(1e38).tobytes()  # scl_slope
    (tmp_path / "i.nii").write_bytes(stored)
    with pytest.raises(FacewarpError, match="120 voxels are NaN or infinite"):
        read_volume(tmp_path / "i.nii")


@pytest.mark.parametrize(
    ("told", "thickness", "said"),
    [
        (10, 8, "refused"),  # a script took the thickness for the distance
        (4, 8, "refused"),  # every second slice is left out
        (8.2, 8, "v.json says slices 8.2 mm apart, the file 8 mm: the file is used"),
        (2, 6, "the first is the gap between slices"),
        (12, 10, "as of slices that were resampled"),
        (1, 8, "1 mm being what SimpleITK writes"),
        (8, 6, ""),
        (None, 8, ""),
    ],
)
def test_the_distance_of_slices_that_a_json_file_tells(tmp_path, data, told, thickness, said):
    path = save(tmp_path / "v.nii.gz", data, affine())
    (tmp_path / "v.json").write_text(
        json.dumps({"SpacingBetweenSlices": told, "SliceThickness": thickness})
    )
    given = ReadOptions(spacing_mm=(1.5, 1.5, 8.0))
    assert read_volume(path, options=given).warnings == ()
    if said == "refused":
        with pytest.raises(FacewarpError, match=r"v\.json says slices .*--spacing"):
            read_volume(path)
    else:
        assert said in (text := "".join(read_volume(path).warnings))
        assert bool(said) == bool(text)
    thin = save(tmp_path / "v.nii.gz", data, affine(z=1.5))  # resampled to cubes
    assert "refused" not in "".join(read_volume(thin, options=given).warnings)

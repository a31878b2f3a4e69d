import os

import nibabel as nib
import numpy as np
import pytest
from fixtures.dicom_scans import numbered

from facewarp.cardiac.io.patient import find_patients, open_cine, read_info
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError

AFFINE = np.diag([-1.5, -1.5, 8.0, 1.0])


@pytest.fixture
def phases(rng):
    """Twelve phases that differ."""
    return (rng.integers(1, 99, (12, 5, 8, 7)) + 100 * np.arange(12).reshape(-1, 1, 1, 1)).astype(
        np.int16
    )


def save(path, data, affine=AFFINE):
    nib.save(nib.Nifti1Image(data.T, affine), path)
    return path


def info(folder, ed=1, es=5, frames=12):
    folder.mkdir(parents=True, exist_ok=True)
    text = f"ED: {ed}\nES: {es}\nGroup: DCM\nHeight: 184.0\nNbFrame: {frames}\nWeight: 95.0 \n"
    (folder / "Info.cfg").write_text(text)
    return folder


def refused(path, match):
    with pytest.raises(FacewarpError, match=match) as caught:
        open_cine(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_info_is_read(tmp_path):
    found = read_info(info(tmp_path, ed=4, es=11))
    assert (found.ed, found.es, found.group, found.n_frames) == (4, 11, "DCM", 12)
    assert (found.height_cm, found.weight_kg) == (184.0, 95.0)


def test_info_must_tell_ed_and_es(tmp_path):
    for text in ("ED: 1\n", "ED: x\nES: 2", "ED: 3\nES: 3", "", "ED: 0\nES: 4", "ED: ²\nES: 4"):
        (tmp_path / "Info.cfg").write_text(text, "utf-8")
        with pytest.raises(FacewarpError, match="ED and ES"):
            read_info(tmp_path)
    (tmp_path / "Info.cfg").write_text("ED: 1\nES: 7\nHeight: tall")
    assert read_info(tmp_path).height_cm is None
    with pytest.raises(FacewarpError, match=r"Info\.cfg"):
        read_info(tmp_path / "nowhere")


def test_patients_are_found_at_any_depth_by_name(tmp_path):
    for name in ("testing/patient101", "training/patient002", "training/patient001"):
        info(tmp_path / name)
    assert [p.name for p in find_patients(tmp_path)] == ["patient001", "patient002", "patient101"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_folder_of_links_to_patients_is_a_data_set(tmp_path):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for name in ("patient002", "patient001"):
        info(tmp_path / "all" / name)
        (chosen / name).symlink_to(tmp_path / "all" / name)
    assert [p.name for p in find_patients(chosen)] == ["patient001", "patient002"]


def test_one_file_of_four_axes(tmp_path, phases):
    cine = open_cine(save(tmp_path / "anna_4d.nii.gz", phases))
    assert cine.name == "anna"
    assert cine.frames == tuple(range(1, 13))
    assert cine.is_whole
    assert cine.info is None
    np.testing.assert_array_equal(cine.volume.data, phases)


@pytest.mark.parametrize("name", ["phase{}.nii.gz", "img_{:03}.nii", "t{}_series2.nii.gz"])
def test_a_folder_of_phases_in_the_order_of_their_numbers(tmp_path, phases, name):
    folder = tmp_path / "berta"
    folder.mkdir()
    for number, phase in enumerate(phases, start=1):
        save(folder / name.format(number), phase)
    cine = open_cine(folder)
    assert cine.name == "berta"
    assert cine.is_whole
    np.testing.assert_array_equal(cine.volume.data, phases)


def test_a_patients_folder_with_the_whole_cine(tmp_path, phases):
    folder = info(tmp_path / "patient007")
    save(folder / "patient007_4d.nii.gz", phases)
    for frame in (1, 5):
        save(folder / f"patient007_frame{frame:02}.nii.gz", phases[frame - 1])
        save(folder / f"patient007_frame{frame:02}_gt.nii.gz", phases[frame - 1] % 4)
    cine = open_cine(folder)
    assert (cine.name, cine.volume.phases, cine.is_whole) == ("patient007", 12, True)
    assert {frame: path.name for frame, path in cine.labels.items()} == {
        1: "patient007_frame01_gt.nii.gz",
        5: "patient007_frame05_gt.nii.gz",
    }


def test_other_cines_beside_the_one_that_is_read_for_its_name_are_named(tmp_path, phases):
    """dcm2niix makes several stacks of a cine that lies in several files."""
    save(tmp_path / "5_cine.nii.gz", phases)
    assert "left out" not in "".join(open_cine(tmp_path).volume.warnings)
    for name in ("5_cinea", "5_cineb"):
        save(tmp_path / f"{name}.nii.gz", phases[:, :3])
    cine = open_cine(tmp_path)
    assert cine.volume.phases == 12
    said = "read: 5_cine.nii.gz, for its name; left out, though they are cines too: 5_cinea.nii.gz"
    assert said in "".join(cine.volume.warnings)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_cine_of_two_or_three_phases_is_said(tmp_path, phases, count):
    save(tmp_path / "few.nii.gz", phases[:count])
    said = "".join(open_cine(tmp_path / "few.nii.gz").volume.warnings)
    assert (f"the cine has {count} phases: where end-diastole" in said) == (count < 4)


def test_two_phases_named_end_diastole_and_end_systole_are_not_few(tmp_path, phases):
    for name, at in (("ED", 0), ("ES", 6)):
        save(tmp_path / f"p_{name}.nii.gz", phases[at])
    assert "end-diastole and end-systole" not in "".join(open_cine(tmp_path).volume.warnings)


def test_a_patients_folder_with_single_frames(tmp_path, phases):
    folder = info(tmp_path / "patient007", ed=2, es=9)
    for frame in (2, 9):
        save(folder / f"patient007_frame{frame:02}.nii.gz", phases[frame - 1])
        save(folder / f"patient007_frame{frame:02}_gt.nii.gz", phases[frame - 1] % 4)
    cine = open_cine(folder)
    assert cine.frames == (2, 9)
    assert not cine.is_whole
    assert set(cine.labels) == {2, 9}
    np.testing.assert_array_equal(cine.volume.data, phases[[1, 8]])


def test_three_axes_and_one_phase_are_no_cine(tmp_path, phases):
    refused(save(tmp_path / "one.nii.gz", phases[0]), "one volume of 5 slices, not a cine")
    refused(save(tmp_path / "still.nii.gz", phases[:1]), "not a cine|one phase")
    folder = tmp_path / "folder"
    folder.mkdir()
    refused(folder, "neither NIfTI nor DICOM")
    save(folder / "a.nii.gz", phases[0])
    refused(folder, "not a cine")
    refused(tmp_path / "none", "no such")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cine.img", "cine.hdr"], r"but cine\.hdr .*nibabel\.load\('cine\.hdr'\)"),
        (["notes.txt", "cine.nrrd"], r"but cine\.nrrd .*SimpleITK\.ReadImage"),
        (["cine.mnc"], r"but cine\.mnc .*nibabel\.load"),
        (["cine_seg.nii.gz"], r"labels by their names: cine_seg\.nii\.gz"),
        (["notes.txt"], "neither NIfTI nor DICOM"),
    ],
)
def test_a_folder_without_a_cine_tells_what_there_is(tmp_path, names, told):
    for name in names:
        (tmp_path / name).write_bytes(b"0")
    assert str(tmp_path) in refused(tmp_path, told)


def test_phases_must_fit_each_other(tmp_path, phases):
    folder = tmp_path / "berta"
    folder.mkdir()
    for number in range(3):
        save(folder / f"{number}.nii.gz", phases[number])
    save(folder / "1.nii.gz", phases[1][:4])
    assert "1.nii.gz" in refused(folder, "7 x 8 x 4 voxels, the first one 7 x 8 x 5")
    save(folder / "1.nii.gz", phases[1], np.diag([-1.5, -1.5, 9.0, 1.0]))
    refused(folder, "elsewhere")
    save(folder / "1.nii.gz", phases[:2])
    refused(folder, "has 2 phases")


def test_missing_slices_are_told(tmp_path, phases):
    lost = phases.copy()
    lost[3, 2] = 0
    refused(save(tmp_path / "a.nii.gz", lost), "slice 3 of phase 4 has no picture")
    lost = phases.copy()
    lost[:, 2] = 7
    refused(save(tmp_path / "b.nii.gz", lost), "slice 3 of phase 1 has no picture")
    lost = phases.copy()
    lost[5, 0] = 0
    refused(save(tmp_path / "c.nii.gz", lost), "slice 1 of phase 6")
    refused(save(tmp_path / "d.nii.gz", np.zeros_like(phases)), "all voxels are alike")
    refused(save(tmp_path / "e.nii.gz", phases[:, :2]), "2 slices")


def test_empty_slices_at_the_ends_are_padding(tmp_path, phases):
    padded = phases.copy()
    padded[:, [0, 4]] = 0
    assert open_cine(save(tmp_path / "a.nii.gz", padded)).volume.phases == 12


def test_pictures_that_are_there_twice_are_said(tmp_path, phases):
    assert open_cine(save(tmp_path / "a.nii.gz", phases)).volume.warnings == ()
    edge = np.pad(phases, ((0, 0), (0, 2), (0, 0), (0, 0)), mode="edge")
    (said,) = open_cine(save(tmp_path / "b.nii.gz", edge)).volume.warnings
    assert said.startswith("slices 5 and 6, 6 and 7 hold the very same pictures")
    closed = np.concatenate([phases, phases[:1]])
    (said,) = open_cine(save(tmp_path / "c.nii.gz", closed)).volume.warnings
    assert said.startswith("phases 13 and 1 hold the very same pictures")


def test_info_that_names_a_frame_that_is_not_there(tmp_path, phases):
    folder = info(tmp_path / "patient007", ed=1, es=30)
    save(folder / "patient007_4d.nii.gz", phases)
    assert "ES is frame 30" in refused(folder, r"Info\.cfg")


def test_the_one_real_cine(data_dir):
    cine = open_cine(data_dir / "acdc/training/patient090")
    assert cine.volume.data.shape == (12, 7, 224, 154)
    assert (cine.info.ed, cine.info.es) == (4, 11)
    assert cine.volume.spacing_mm == pytest.approx((1.78571, 1.78571, 10.0))
    assert cine.volume.time_step_s is None
    assert "pixdim is used" in cine.volume.warnings[0]


def test_a_number_of_frames_that_cannot_be_takes_no_memory(tmp_path, phases):
    folder = info(tmp_path / "patient009", frames=10**12)
    save(folder / "patient009_4d.nii.gz", phases)
    assert not open_cine(folder).is_whole


def test_ed_that_is_no_frame_names_the_folders_own_file(tmp_path, phases):
    folder = info(tmp_path / "patient008", ed=40)
    save(folder / "patient008_4d.nii.gz", phases)
    assert f"({folder / 'Info.cfg'})" in refused(folder, "ED is frame 40")


def test_files_with_superscripts_in_their_names_are_sorted(tmp_path, phases):
    (tmp_path / "cm²").mkdir()
    for number, phase in enumerate(phases, start=1):
        save(tmp_path / "cm²" / f"cm²_{number}.nii.gz", phase)
    assert open_cine(tmp_path / "cm²").volume.phases == 12


def test_time_that_is_not_the_last_axis_is_named(tmp_path):
    cine = numbered()  # (T, D, H, W)
    assert open_cine(save(tmp_path / "right.nii.gz", cine)).volume.phases == 12
    for name, affine in (("scan", AFFINE), ("plain", np.eye(4))):
        swapped = save(tmp_path / f"{name}.nii.gz", cine.transpose(1, 0, 2, 3), affine)
        said = refused(swapped, "slices and phases are exchanged")
        assert "12 slices and 6 phases" in said
        assert "(X, Y, Z, T)" in said


def test_arrays_saved_with_time_first_are_named(tmp_path):
    cine = numbered(shape=(70, 80))
    path = tmp_path / "array.nii.gz"
    nib.save(nib.Nifti1Image(cine, np.eye(4)), path)
    assert "axes are in another order" in refused(path, "6 x 12|12 x 6")


@pytest.mark.parametrize("axes", [(0, 3, 2, 1), (0, 1, 2, 3)], ids=["(T, X, Y, Z)", "(T, Z, Y, X)"])
def test_time_as_the_first_axis_is_named_with_many_phases_too(tmp_path, axes):
    """30 phases of 20 slices look like pictures of enough pixels, in more slices than pixels."""
    data = np.random.default_rng(5).uniform(0, 500, (30, 20, 72, 80)).astype(np.float32)
    refused(save(tmp_path / "c.nii.gz", data.transpose(axes).T, np.eye(4)), "in another order")


def test_hounsfield_units_are_no_magnitude(tmp_path, phases):
    """The same picture as CT has it; a mask's fill of -1000 around MR is something else."""
    ct = phases.repeat(8, axis=3) - 1000
    outside = ct.shape[3] // 2
    ct[..., :outside] = np.random.default_rng(2).uniform(-1024, -980, ct[..., :outside].shape)
    refused(save(tmp_path / "ct.nii.gz", ct), "looks like CT")
    masked = ct + 1000
    masked[..., :outside] = -1000
    open_cine(save(tmp_path / "mr.nii.gz", masked))


@pytest.mark.parametrize(
    ("slices", "spacing", "match"),
    [
        (12, (1, 1, 1), "12 slices 1 mm apart make a stack of 12 mm.*--spacing"),
        (30, (1, 1, 1), "stack of 30 mm"),
        (12, (1.4, 1.4, 1), "1.4 x 1.4 x 1 mm seem to be a program's default"),
        (12, (1.4, 1.4, 2), None),
        (60, (1, 1, 1), None),
        (5, (1.4, 1.4, 3), None),
    ],
)
def test_a_stack_too_thin_for_a_heart_was_never_told_its_spacing(tmp_path, slices, spacing, match):
    """np.eye(4) as the affine, as scripts write it: an EDV of 6 for 99 ml, with warnings alone."""
    data = np.random.default_rng(6).uniform(0, 500, (3, slices, 60, 64)).astype(np.float32)
    path = save(tmp_path / "c.nii.gz", data, np.diag([*spacing, 1.0]))
    if match is None:
        open_cine(path)
        return
    refused(path, match)
    assert open_cine(path, ReadOptions(spacing_mm=(1.4, 1.4, 9.0))).volume.spacing_mm[2] == 9.0

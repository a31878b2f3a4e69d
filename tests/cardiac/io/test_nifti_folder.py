"""Folders of NIfTI files as converters leave them."""

import json

import nibabel as nib
import numpy as np
import pytest
from fixtures.dicom_scans import numbered, shown

from facewarp.cardiac.io.names.views import is_label_file
from facewarp.cardiac.io.nifti_folder import numbers_in
from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.errors import FacewarpError

AFFINE = np.diag([-1.5, -1.5, 8.0, 1.0])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "anna").mkdir()
    return tmp_path / "anna"


@pytest.fixture
def cine():
    return numbered()


def put(path, data, z=0, **beside):
    """``([T,] D, H, W)`` whose first slice is the stack's slice z."""
    affine = AFFINE.copy()
    affine[2, 3] = 8.0 * z
    nib.save(nib.Nifti1Image(data.T, affine), path)
    if beside:
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(beside))


def in_order(volume):
    slices, phases = shown(volume.data)
    np.testing.assert_array_equal(slices, np.broadcast_to(np.arange(6), (12, 6)))
    np.testing.assert_array_equal(phases, np.broadcast_to(np.arange(12)[:, None], (12, 6)))


def test_files_of_one_slice_and_all_phases_are_stacked(folder, cine):
    """dcm2niix's output for Siemens, a series a slice."""
    for z in range(6):
        put(folder / f"{20 - z}_cine.nii.gz", cine[:, z : z + 1], z)
    in_order(open_cine(folder).volume)


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 9.0), (1.2, 1.5, 8.0), (1.2, 1.3, 10.0)])
def test_a_spacing_that_the_user_gives_is_that_of_single_slices_too(folder, cine, spacing):
    """It was said to be used, and slices stayed as far apart as their positions."""
    for z in range(6):
        put(folder / f"{20 - z}_cine.nii.gz", cine[:, z : z + 1], z)
    volume = open_cine(folder, ReadOptions(spacing_mm=spacing)).volume
    assert volume.spacing_mm == pytest.approx(spacing)
    (said,) = [text for text in volume.warnings if "--spacing says" in text]
    assert "the first is used" in said
    in_order(volume)


def test_trigger_times_in_seconds_beside_files_are_taken_so(folder, cine):
    for t in range(12):
        put(folder / f"cine_{t:02}.nii.gz", cine[t], TriggerDelayTime=0.07 * t)
    volume = open_cine(folder).volume
    assert volume.time_step_s == pytest.approx(0.07)
    assert "trigger times are in seconds" in "".join(volume.warnings)


def test_files_of_one_slice_of_one_phase_are_stacked_by_trigger_time(folder, cine):
    """dcm2niix's output for Philips where trigger times differ from slice to slice."""
    for t, z in np.ndindex(12, 6):
        time = f"_t{70 * t + 3 * z}" if t + z else ""  # none for 0 ms
        put(folder / f"cine{time}.nii.gz", cine[t, z : z + 1], z)
    volume = open_cine(folder).volume
    in_order(volume)
    assert volume.time_step_s == pytest.approx(0.07)


def test_phases_are_in_the_order_of_their_trigger_times_not_of_names(folder, cine):
    for t, name in zip(range(12), "lbakcjdiehfg", strict=True):
        put(folder / f"{name}.nii.gz", cine[t], TriggerDelayTime=70.0 * t)
    volume = open_cine(folder).volume
    in_order(volume)
    assert volume.time_step_s == pytest.approx(0.07)
    assert volume.warnings[1:] == ()


@pytest.mark.parametrize("slices", [False, True])
def test_a_heart_rate_beside_files_of_phases_or_slices_is_read(folder, cine, slices):
    if slices:
        for z in range(6):
            put(folder / f"{z}.nii.gz", cine[:, z : z + 1], z, HeartRate=60)
    else:
        for t in range(12):
            put(folder / f"{t}.nii.gz", cine[t], TriggerDelayTime=60.0 * t, HeartRate=60)
    volume = open_cine(folder).volume
    in_order(volume)
    assert volume.cycle_s == pytest.approx(1.0)
    assert volume.covers_cycle == slices  # whose times are not told


def test_names_without_numbers_and_times_are_said(folder, cine):
    for t, name in enumerate("abcdefghijkl"):
        put(folder / f"{name}.nii.gz", cine[t])
    volume = open_cine(folder).volume
    in_order(volume)
    assert "no file tells the time of its phase" in volume.warnings[-1]


def test_decimals_in_names_are_numbers(folder, cine):
    for t in range(12):
        put(folder / f"phase_{0.63 + 0.07 * t:g}.nii.gz", cine[t])
    in_order(open_cine(folder).volume)
    assert numbers_in(["p0.63", "p0.7", "p0.77"]) == [0.63, 0.7, 0.77]
    assert numbers_in(["s2_p10", "s2_p9"]) == [10, 9]
    assert numbers_in(["i1_ms70", "i2_ms140"]) == [1, 2]
    assert numbers_in(["a1b2", "a2b1"]) is None
    assert numbers_in(["a", "b"]) is None


@pytest.mark.parametrize("name", ["i{1}_ms{0}", "t{2}"])
def test_numbers_that_give_no_one_order_are_said(folder, cine, name):
    for t in range(12):
        put(folder / f"{name.format(70 * t, 12 - t, t - 6)}.nii.gz", cine[t])
    assert "no file tells the time of its phase" in open_cine(folder).volume.warnings[-1]


@pytest.mark.parametrize(
    "name",
    [
        lambda k, t: f"{'ab'[k]}_{t:02}",
        lambda k, t: f"patient{k + 1:03}_phase{t + 1:02}_0000",  # nnU-Net's flat folder
        lambda k, t: f"P{k + 7}_{'ED' if t == 0 else 'ES'}",
    ],
)
def test_phases_of_two_hearts_in_one_folder_are_refused(folder, cine, name):
    """Of equal grids, as with unit affines, they made one beat of 24 phases."""
    count = 2 if name(0, 0).endswith("ED") else 12
    for k in range(2):
        for t in range(count):
            put(folder / f"{name(k, t)}.nii.gz", cine[t] + k)
    with pytest.raises(
        FacewarpError, match=rf"phases of 2 cines by their names: .* {count - 1} more"
    ):
        open_cine(folder)


def test_the_phases_of_one_of_two_hearts_are_chosen_by_name(folder, cine):
    for t in range(12):
        put(folder / f"rest_{t:02}.nii.gz", cine[t])
        put(folder / f"stress_{t:02}.nii.gz", cine[t] + 9)
    in_order(open_cine(folder, ReadOptions(series="rest")).volume)


@pytest.mark.parametrize("told", [True, False])
def test_a_phase_that_may_be_missing_is_said(folder, cine, told):
    for t in range(12):
        if t != 5:
            beside = {"TriggerDelayTime": 70.0 * t} if told else {}
            put(folder / f"p{t + 1}.nii.gz", cine[t], **beside)
    expected = "from 280 to 420" if told else "from 5 to 7"
    assert expected in " ".join(open_cine(folder).volume.warnings)


def test_frames_numbered_from_0_are_a_whole_cine(folder, cine):
    for t in range(12):
        put(folder / f"anna_frame{t:02}.nii.gz", cine[t])
    found = open_cine(folder)
    in_order(found.volume)
    assert found.frames == tuple(range(1, 13))
    assert found.is_whole
    assert "counted from 1" in found.volume.warnings[-1]


def test_masks_among_pictures_are_no_phases(folder, cine):
    for t in range(12):
        put(folder / f"p{t}.nii.gz", cine[t])
    put(folder / "p12.nii.gz", (cine[0] > 200).astype(np.float32))
    in_order(open_cine(folder).volume)


@pytest.mark.parametrize(
    "names",
    [
        ("sa", "la_2ch", "la_4ch", "label_sa", "sa_ED", "sa_ES"),  # UK Biobank
        ("001_SA_CINE", "001_LA_CINE", "001_SA_CINE_gt", "001_SA_ED", "001_SA_ES"),  # M&Ms-2
        ("A0S9V9_sa", "", "A0S9V9_sa_gt", "", ""),  # M&Ms
    ],
)
def test_the_short_axis_is_found_among_a_patients_files(folder, cine, names):
    for name in filter(None, names):
        single = name.lower().endswith(("_ed", "_es"))
        put(folder / f"{name}.nii.gz", cine[0] if single else cine)
    volume = open_cine(folder).volume
    in_order(volume)
    assert any("left out, long-axis" in text for text in volume.warnings) == (len(names[1]) > 0)


def test_names_of_labels():
    paths = (
        "sa_gt.nii",
        "sub-01_acq-sax_dseg.nii.gz",
        "sub-01_probseg.nii",
        "label_sa.nii.gz",
        "seg_sa.nii",
        "x_segmentation.nii",
        "mask.nii",
    )
    assert all(is_label_file(nib_path(name)) for name in paths)
    assert not any(
        is_label_file(nib_path(name)) for name in ("sa.nii", "masked_cine.nii", "unseg.nii")
    )


def nib_path(name):
    from pathlib import Path

    return Path(name)


def test_slices_and_phases_mixed_up_are_named(folder, cine):
    """What dcm2niix makes of one enhanced file whose phases come first."""
    dealt = cine.transpose(1, 0, 2, 3).reshape(72, *cine.shape[2:])
    put(folder / "mixed.nii.gz", dealt.reshape(12, 6, *cine.shape[2:]))
    with pytest.raises(FacewarpError, match=r"mixed up.*DICOM folder"):
        open_cine(folder / "mixed.nii.gz")
    put(folder / "right.nii.gz", cine)
    in_order(open_cine(folder / "right.nii.gz").volume)


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"Modality": "CT"}, "modality CT, as sax.json tells"),
        ({"Modality": "MR", "ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "a phase picture"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "I", "ND", "IMAGINARY"]}, "an imaginary picture"),
    ],
)
def test_what_is_no_magnitude_of_mr_by_the_json_file_is_refused(folder, cine, told, match):
    put(folder / "sax.nii.gz", cine, **told)
    for place in (folder, folder / "sax.nii.gz"):
        with pytest.raises(FacewarpError, match=match):
            open_cine(place)


@pytest.mark.parametrize("magnitude", [{}, {"Modality": "MR", "ImageType": ["A", "P", "M", "ND"]}])
def test_a_magnitude_is_read(folder, cine, magnitude):
    put(folder / "sax.nii.gz", cine, **magnitude)
    in_order(open_cine(folder / "sax.nii.gz").volume)


@pytest.mark.parametrize("told", [{}, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}])
def test_phase_pictures_beside_the_magnitude_are_left_out_and_named(folder, cine, told):
    """dcm2niix writes both, one as _ph; as files of whole cines and of one slice each."""
    for z in range(6):
        put(folder / f"{z + 5}_cine.nii.gz", cine[:, z : z + 1], z)
        put(folder / f"{z + 5}_cine_ph.nii.gz", 500 - cine[:, z : z + 1], z, **told)
    volume = open_cine(folder).volume
    in_order(volume)
    assert any("left out: 10_cine_ph.nii.gz, a phase" in text for text in volume.warnings)

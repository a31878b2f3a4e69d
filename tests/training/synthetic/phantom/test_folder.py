"""Phantoms as files: what is written is true of the cine, and the same seed is the same bytes."""

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from facewarp.cardiac.io.nifti_writer import write_field
from facewarp.cardiac.io.patient import open_cine
from facewarp.cardiac.motion.labels import carry_labels, part_depths
from facewarp.cardiac.parts import HeartPart
from facewarp.core.geometry import pixel_grid
from facewarp.errors import FacewarpError
from facewarp.training.synthetic.phantom.folder import (
    as_volume,
    check_files,
    find_phantoms,
    is_finished,
    read_recipe,
    write_phantom,
)
from facewarp.training.synthetic.phantom.recipe import PhantomWishes, draw_recipe

SMALL = PhantomWishes(
    seed=11,
    ejection_fractions=(55.0,),
    infarct_segments=(10,),
    phases=3,
    slice_mm=16.0,
    pixel_mm=3.5,
)


@pytest.fixture(scope="module")
def recipe():
    return draw_recipe(SMALL, 1)


@pytest.fixture(scope="module")
def written(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms") / recipe.name
    return folder, write_phantom(recipe, folder, dicom=True)


def hashes(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_recipe_is_the_same_bytes(written, recipe, tmp_path):
    folder, _ = written
    write_phantom(recipe, tmp_path / "again", dicom=True)
    assert hashes(tmp_path / "again") == hashes(folder)


def test_the_truth_is_what_was_asked_for(written, recipe):
    folder, truth = written
    assert json.loads((folder / "truth.json").read_text("utf-8")) == truth
    assert truth["lv"]["ef_percent"] == pytest.approx(55, abs=0.01)
    assert truth["lv"]["labelled"]["ef_percent"] == pytest.approx(55, abs=3)
    assert truth["es_frame"] == 2
    rows = {(r["region"], r["number"]): r for r in truth["strain_at_es"]}
    assert len(rows) == 1 + 3 + 16
    around = {
        n: r["circumferential_engineering_percent"] for (k, n), r in rows.items() if k == "segment"
    }
    assert abs(around[10]) < 2
    assert np.mean(list(around.values())) < -8
    with (folder / "strain.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    at_es = [r for r in table if r["phase"] == "2" and r["number"] == "10"]
    assert float(at_es[0]["circumferential_engineering_percent"]) == pytest.approx(
        around[10], abs=1e-3
    )
    assert read_recipe(folder) == recipe
    assert find_phantoms(folder.parent) == find_phantoms(folder) == [folder]


def test_nifti_and_dicom_are_the_same_cine(written):
    folder, truth = written
    whole = open_cine(folder)
    assert whole.volume.phases == 3
    (few,) = whole.volume.warnings
    assert few.startswith("the cine has 3 phases")
    single = open_cine(folder / "dicom")
    assert single.volume.warnings == (few,)
    np.testing.assert_array_equal(single.volume.data[:, ::-1], whole.volume.data)
    turned = whole.volume.affine @ np.diag([1, 1, -1, 1])  # DICOM counts along the normal
    turned[:3, 3] += whole.volume.affine[:3, 2] * (whole.volume.shape[0] - 1)
    np.testing.assert_allclose(single.volume.affine, turned, atol=1e-4)
    for cine in (whole, single):
        assert cine.volume.time_step_s == pytest.approx(truth["rr_interval_s"] / 3, rel=1e-3)
    first = pydicom.dcmread(folder / "dicom" / "IM0001.dcm")
    np.testing.assert_array_equal(first.pixel_array, whole.volume.data[0, 0])
    assert first.PatientID == "phantom001"
    uids = {pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID
            for p in (folder / "dicom").iterdir()}  # fmt: skip
    assert len(uids) == 3 * whole.volume.shape[0]


def test_the_dicom_is_as_the_standard_has_it(written):
    folder, _ = written
    tool = shutil.which("dciodvfy", path=Path(sys.executable).parent) or shutil.which("dciodvfy")
    assert tool is not None, "dicom3tools is among the tests' packages"
    told = subprocess.run(
        [tool, folder / "dicom" / "IM0004.dcm"], capture_output=True, text=True, check=False
    )
    assert "Error" not in told.stderr + told.stdout


def test_blood_is_bright_and_the_wall_is_dark(written):
    folder, _ = written
    data, labels = open_cine(folder).volume.data, labels_of(folder)
    means = [data[labels == part].mean() for part in HeartPart]
    assert means[HeartPart.LV] > 1.8 * means[HeartPart.MYOCARDIUM]
    assert means[HeartPart.RV] > 1.6 * means[HeartPart.MYOCARDIUM]


def labels_of(folder):
    return np.asarray(nib.load(folder / "labels_4d.nii.gz").dataobj).T.astype(np.uint8)


def test_fields_carry_the_labels_of_ed_to_every_phase(tmp_path):
    """Slices thin enough to interpolate between; in millimetres, as ITK and cine have them."""
    scan = draw_recipe(replace(SMALL, slice_mm=4.0, pixel_mm=2.0, breath_mm=0.0), 1).scanner()
    points, motion = scan.grid_points(), scan.chest.motion
    volume = as_volume(scan, np.zeros((1, *scan.settings.shape), np.int16), tmp_path / "x.nii.gz")
    before = scan.chest.parts(points)
    depths, own = part_depths(before, volume.spacing_mm), pixel_grid(before.shape)[0].numpy()
    truth = scan.chest.parts(motion.unmoved(points, 1.0))
    write_field(tmp_path / "field.nii.gz", scan.field(1.0, 0.0), volume)
    image = nib.load(tmp_path / "field.nii.gz")
    assert int(image.header["intent_code"]) == 1006
    vectors = np.asarray(image.dataobj)[..., 0, :]  # (X, Y, Z, 3) RAS mm
    steps = np.moveaxis(vectors @ np.linalg.inv(scan.affine[:3, :3]).T, -1, 0)
    carried = carry_labels(depths, own + steps.transpose(0, 3, 2, 1).astype(np.float32))
    for part in (HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV):
        assert dice(carried == part, truth == part) > 0.97, part
        assert dice(before == part, truth == part) < 0.93


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_the_two_fields_undo_each_other(recipe):
    scan = recipe.scanner()
    points = scan.grid_points()
    there = scan.chest.motion.moved(points, 1.0)
    np.testing.assert_allclose(scan.chest.motion.unmoved(there, 1.0), points, atol=1e-7)
    steps = np.moveaxis(scan.field(0.0, 1.0), 0, -1) * recipe.scan.spacing_mm
    np.testing.assert_allclose(steps @ scan.turn.T, there - points, atol=1e-4)


def test_nothing_is_overwritten(written, recipe, tmp_path):
    folder, _ = written
    assert is_finished(folder, recipe, dicom=True)
    assert not is_finished(tmp_path / "none", recipe, dicom=True)
    for other, dicom in ((draw_recipe(SMALL, 2), True), (recipe, False)):
        with pytest.raises(FacewarpError, match="already"):
            is_finished(folder, other, dicom)
    with pytest.raises(FacewarpError, match="no phantom"):
        read_recipe(tmp_path)


def test_an_interrupted_phantom_leaves_nothing(recipe, tmp_path):
    def stop(share):
        if share > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom(recipe, tmp_path / "set" / "one", step=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("missing", "fields"), [
    ("sheet.png", False), ("labels_4d.nii.gz", False), ("dicom", False), ("fields", True),
])  # fmt: skip
def test_a_phantom_whose_files_are_missing_is_not_whole(written, recipe, tmp_path, missing, fields):
    folder = tmp_path / "phantom"
    shutil.copytree(written[0], folder)
    assert is_finished(folder, recipe, dicom=True, fields=fields)
    gone = folder / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(FacewarpError, match=rf"{missing} is missing.*Make it anew"):
        is_finished(folder, recipe, dicom=True, fields=fields)
    with pytest.raises(FacewarpError, match=missing):
        check_files(folder, [missing])

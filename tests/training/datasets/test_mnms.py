"""M&Ms and M&Ms-2 in the layouts in which they are distributed, with drawn hearts."""

import csv
import json
import logging
import shutil

import nibabel as nib
import numpy as np
import pytest
from fixtures.mnms_folders import TABLE, write_drawn_mnms, write_drawn_mnms2
from typer.testing import CliRunner

from facewarp.cardiac.parts import HeartPart
from facewarp.cli.app import app
from facewarp.errors import FacewarpError
from facewarp.training.datasets.acdc import load_acdc_patient
from facewarp.training.datasets.hearts import load_patient
from facewarp.training.datasets.mnms import mnms2_patients, mnms_patients
from facewarp.training.synthetic.acdc_folders import write_drawn_patient


@pytest.fixture(scope="module")
def mnms(tmp_path_factory):
    place = tmp_path_factory.mktemp("mnms") / "OpenDataset"
    write_drawn_mnms(place, ["A0S9V9", "B1C2D3"], "Training/Labeled")
    write_drawn_mnms(place, ["E4F5G6", "H7I8J9"], "Testing")
    return place


@pytest.fixture(scope="module")
def mnms2(tmp_path_factory):
    place = tmp_path_factory.mktemp("mnms2") / "MnM2"
    write_drawn_mnms2(place, [1, 201, 360])
    return place


@pytest.fixture
def lone(mnms, tmp_path):
    """A copy of one patient, to be spoiled."""
    shutil.copytree(mnms / "Testing" / "E4F5G6", tmp_path / "Testing" / "E4F5G6")
    shutil.copy(mnms / TABLE, tmp_path)
    return tmp_path / "Testing" / "E4F5G6"


def test_a_patient_of_mnms_is_read_in_our_order(mnms):
    found = load_patient(mnms / "Testing" / "E4F5G6")
    assert (found.dataset, found.name, found.info.group) == ("mnms", "E4F5G6", "HCM")
    assert (found.info.ed, found.info.es) == (1, 3)  # the table counts from 0
    ed, es = (volume.data for volume in found.labels)
    volumes = [(part == HeartPart.LV).sum() for part in (ed, es)]
    assert volumes[0] > volumes[1] > 0
    gray = found.images[0].data
    assert gray[ed == HeartPart.LV].mean() > 2 * gray[ed == HeartPart.MYOCARDIUM].mean()
    x = np.indices(ed.shape)[2]
    assert x[ed == HeartPart.RV].mean() < x[ed == HeartPart.LV].mean()


def test_without_a_table_the_labelled_phases_tell_the_moments(lone, caplog):
    (lone.parents[1] / TABLE).unlink()
    found = load_patient(lone)
    assert (found.info.ed, found.info.es, found.info.group) == (1, 3, "")
    assert not caplog.records


def test_a_table_that_was_saved_again_by_excel_is_read(lone):
    """Semicolons where the comma is the decimal point, and an encoding that is not UTF-8."""
    table = lone.parents[1] / TABLE
    again = table.read_text().replace(",", ";").replace("Siemens", "Si\u00e9mens")
    table.write_bytes(again.encode("cp1252"))
    assert load_patient(lone).info.group == "HCM"


def test_a_table_that_contradicts_the_labels_is_told_of(lone, caplog):
    table = lone.parents[1] / TABLE
    table.write_text(table.read_text().replace("E4F5G6,Siemens,A,1,0,2", "E4F5G6,Siemens,A,1,0,4"))
    with caplog.at_level(logging.WARNING):
        found = load_patient(lone)
    assert found.info.es == 3
    assert "the table says phases (0, 4), labelled are (0, 2)" in caplog.text


def test_a_patient_with_one_labelled_phase_is_refused(lone):
    path = lone / "E4F5G6_sa_gt.nii.gz"
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    data[..., 2] = 0
    nib.save(nib.Nifti1Image(data, image.affine), path)
    with pytest.raises(FacewarpError, match="1 phases are labelled, and it takes two"):
        load_patient(lone)


def test_a_patient_of_mnms2_is_read_in_our_order(mnms2):
    found = load_patient(mnms2 / "dataset" / "201")
    assert (found.dataset, found.name, found.info.group) == ("mnms2", "201", "LV")
    ed, es = (volume.data for volume in found.labels)
    assert (ed == HeartPart.LV).sum() > (es == HeartPart.LV).sum() > 0
    assert found.images[0].shape == ed.shape


def test_test_patients_are_the_challenges(mnms, mnms2):
    split, folders = mnms_patients(mnms)
    assert (split, [p.name for p in folders]) == (
        "test patients (Testing), 2",
        ["E4F5G6", "H7I8J9"],
    )
    assert len(mnms_patients(mnms, "all")[1]) == 4
    assert mnms_patients(mnms / "Training")[0] == "all 2 labelled patients"
    assert [p.name for p in mnms_patients(mnms, "B1C2D3")[1]] == ["B1C2D3"]
    assert [p.name for p in mnms2_patients(mnms2)[1]] == ["201", "360"]
    assert [p.name for p in mnms2_patients(mnms2, "001,201")[1]] == ["001", "201"]
    with pytest.raises(FacewarpError, match="there is no patient Z9"):
        mnms_patients(mnms, "Z9")
    with pytest.raises(FacewarpError, match="there are no patients here"):
        mnms2_patients(mnms)


def test_acdc_is_still_acdc(tmp_path):
    folder = write_drawn_patient(tmp_path, 18)
    assert load_patient(folder).dataset == "acdc"
    with pytest.raises(FacewarpError, match="no patient's folder of ACDC, M&Ms or M&Ms-2"):
        load_patient(tmp_path)


def test_acdc_folders_with_labels_in_mnms_order_are_turned(tmp_path, caplog):
    folder = write_drawn_patient(tmp_path, 18, shape=(9, 90, 90), spacing_mm=(2.0, 2.0, 10.0))
    truth = load_acdc_patient(folder)
    for path in folder.glob("*_gt.nii.gz"):
        image = nib.load(path)
        swapped = np.array([0, 3, 2, 1], np.uint8)[np.asarray(image.dataobj)]
        nib.save(nib.Nifti1Image(swapped, None, image.header), path)
    with caplog.at_level(logging.WARNING):
        found = load_acdc_patient(folder)
    for one, other in zip(found.labels, truth.labels, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    assert "1 LV, 2 myocardium, 3 RV" in caplog.text


def test_an_order_that_is_given_is_followed(mnms, tmp_path, caplog):
    """Against anatomy: what is told says both."""
    folder = mnms / "Testing" / "E4F5G6"
    plain, turned = (load_patient(folder, order).labels[0].data for order in ("auto", "acdc"))
    np.testing.assert_array_equal(turned, np.array([0, 3, 2, 1])[plain])
    assert "lie as 1 LV, 2 myocardium, 3 RV would: --label-order is followed" in caplog.text
    acdc = write_drawn_patient(tmp_path, 18)
    plain, turned = (load_patient(acdc, order).labels[0].data for order in ("acdc", "mnms"))
    np.testing.assert_array_equal(turned, np.array([0, 3, 2, 1])[plain])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnms", "mnms2"])
def test_eval_measures_the_folders_as_they_are(name, mnms, mnms2, tmp_path):
    data = {"mnms": mnms, "mnms2": mnms2}[name]
    words = ["eval", name, "--data", data, "--limit", 1, "--out", tmp_path / "p.csv", "--json"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["dataset"], found["n_pairs"]) == (name, 1)
    assert found["dice_initial"] > 40
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["patient"] == {"mnms": "E4F5G6", "mnms2": "201"}[name]

"""Labels of other data sets through the whole analysis of a beating heart."""

import numpy as np
import pytest

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.report.page import report_page
from facewarp.cardiac.report.result_folder import summary


@pytest.fixture(scope="module")
def true_ml(beating):
    """(T, 4) by the heart's formulas."""
    heart, moments = beating.heart, beating.contraction
    columns = {HeartPart.RV: heart.rv_ml, HeartPart.LV: heart.lv_ml}
    return np.array([[columns[p](c) if p in columns else 0 for p in range(4)] for c in moments])


@pytest.mark.slow
def test_labels_of_mnms_with_two_phases_filled(beating, knowing, nifti_of, plain, true_ml):
    """Another order of ids, no --ed: the filled phases tell ED and ES, anatomy the ids."""
    affine, es = plain @ beating.to_heart, int(beating.contraction.argmax())
    drawn = np.zeros_like(beating.labels)
    swapped = np.array([0, 3, 2, 1], np.uint8)[beating.labels]
    drawn[[1, es]] = swapped[[1, es]]
    path = nifti_of("cine.nii.gz", beating.images, affine, time_step=0.15)
    result = analyse_cine(path, knowing, labels=nifti_of("gt.nii.gz", drawn, affine, dtype="u1"))
    assert (result.ed, result.es) == (1, es)
    assert result.found_by == ("labels", "labels")
    assert (result.label_order, result.label_order_by) == ("mnms", "anatomy")
    assert result.indices.lv.edv_ml == pytest.approx(true_ml[1, 3], rel=0.02)
    assert result.indices.rv.edv_ml == pytest.approx(true_ml[1, 1], rel=0.02)
    assert any("in the order of M&Ms" in text for text in result.warnings)
    assert summary(result)["ed_labels_order"] == {"name": "mnms", "found_by": "anatomy"}
    assert "M&amp;Ms" in report_page(result)


@pytest.mark.slow
def test_a_readers_labels_beside_the_cine_are_told_by_anatomy_too(
    beating, knowing, nifti_of, plain, true_ml, tmp_path
):
    """An ACDC folder whose labels came in M&Ms' order: the truth is true, and it is said."""
    es, affine = int(beating.contraction.argmax()), plain @ beating.to_heart
    (tmp_path / "patient007").mkdir()
    (tmp_path / "patient007" / "Info.cfg").write_text(f"ED: 1\nES: {es + 1}\nNbFrame: 6\n")
    swapped = np.array([0, 3, 2, 1], np.uint8)[beating.labels]
    for phase in (0, es):
        name = f"patient007/patient007_frame{phase + 1:02}"
        nifti_of(f"{name}.nii.gz", beating.images[phase], affine)
        nifti_of(f"{name}_gt.nii.gz", swapped[phase], affine, dtype="u1")
    told = summary(analyse_cine(tmp_path / "patient007", knowing))
    assert told["truth"]["lv"]["edv_ml"] == pytest.approx(true_ml[0, 3], rel=0.02)
    assert told["truth"]["rv"]["esv_ml"] == pytest.approx(true_ml[es, 1], rel=0.02)
    assert any("anatomy is followed" in text for text in told["warnings"])


@pytest.mark.slow
def test_labels_of_mnms_beside_the_cine_are_the_truth(
    beating, knowing, nifti_of, plain, true_ml, tmp_path
):
    es, affine = int(beating.contraction.argmax()), plain @ beating.to_heart
    drawn = np.zeros_like(beating.labels)
    drawn[[0, es]] = np.array([0, 3, 2, 1], np.uint8)[beating.labels[[0, es]]]
    path = nifti_of("A0S9V9_sa.nii.gz", beating.images, affine)
    nifti_of("A0S9V9_sa_gt.nii.gz", drawn, affine, dtype="u1")
    told = summary(analyse_cine(path, knowing))
    assert told["truth"]["lv"]["esv_ml"] == pytest.approx(true_ml[es, 3], rel=0.02)

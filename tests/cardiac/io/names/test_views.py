"""Views that names tell, and names that only look like them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fixtures.dicom_scans import numbered

from facewarp.cardiac.io.names.views import (
    beside_short_axes,
    cines_apart,
    is_long_axis,
    moment_of,
)
from facewarp.cardiac.io.patient import open_cine

LONG = (
    "la_2ch", "la_4ch", "001_LA_CINE", "001_LA_ED", "p1_la", "lax", "LAX_2ch", "cine_4ch", "4CH",
    "p_2 ch", "vla", "lax2", "p_3c", "la4ch", "study_4chamber",
)  # fmt: skip
OTHER = (
    "sa", "001_SA_CINE", "94c90d12", "a4c9", "x4ch9", "patient02c", "lara_cine", "cine_32ch",
    "atlas", "1a2b3c", "sax_4ch_planned", "flat",
)  # fmt: skip


def paths(*names):
    return [Path(f"{name}.nii.gz") for name in names]


@pytest.mark.parametrize("name", LONG)
def test_long_axes(name):
    assert is_long_axis(*paths(name))


@pytest.mark.parametrize("name", OTHER)
def test_names_that_are_no_view(name):
    assert not is_long_axis(*paths(name))


@pytest.mark.parametrize(
    ("moment", "names"),
    [
        ("ED", ["001_SA_ED_gt", "p_enddiastolisch", "T\u00e9l\u00e9diastole", "p1_diástole", "ED"]),
        ("ED", ["te\u0301le\u0301diastole", "dia\u0301stole", "舒张末期", "shuzhangmoqi_gt"]),
        ("ES", ["001_SA_ES_gt", "Endsystole", "télésystole_seg", "sístole", "telesistole"]),
        ("ES", ["si\u0301stole", "收缩末期", "p1_shou_suo"]),
        ("", ["best", "edema", "essen", "systole_to_diastole", "ED_ES", "sa_cine"]),
    ],
)
def test_moments_in_the_words_of_languages(moment, names):
    assert {name: moment_of(path) for name, path in zip(names, paths(*names), strict=True)} == (
        dict.fromkeys(names, moment)
    )


def test_a_cine_beside_its_moments_is_the_cine(tmp_path):
    cine = numbered(phases=6, depth=4).T
    for name, data in (("p1", cine), ("p1_diástole", cine[..., 0]), ("p1_sístole", cine[..., 3])):
        nib.save(
            nib.Nifti1Image(data, np.diag([-1.5, -1.5, 8.0, 1.0])), tmp_path / f"{name}.nii.gz"
        )
    assert open_cine(tmp_path).volume.phases == 6


def test_a_long_axis_is_of_the_patient_whose_short_axis_is_there():
    files = paths("001_SA_CINE", "001_LA_CINE", "p2_la_4ch", "p2_sa", "LA_003", "sa", "la_2ch")
    assert [p.name[:-7] for p in beside_short_axes(files)] == ["001_LA_CINE", "p2_la_4ch", "la_2ch"]
    assert beside_short_axes(paths("LA_001", "NY_002", "8-4c-1")) == []


def test_of_a_patient_the_short_axis_is_kept():
    kept, said = cines_apart(paths("001_LA_CINE", "001_SA_CINE"), None)
    assert (kept, len(said)) == (paths("001_SA_CINE"), 1)
    assert cines_apart(paths("94c90d12_01", "94c90d12_02"), None) == (
        paths("94c90d12_01", "94c90d12_02"),
        [],
    )


@pytest.mark.parametrize(("name", "said"), [("p1_4ch", True), ("p1", False), ("LA_sax", False)])
def test_a_stack_named_like_a_long_axis_is_told(tmp_path, name, said):
    path = tmp_path / f"{name}.nii.gz"
    affine = np.diag([-1.5, -1.5, 8.0, 1.0])
    nib.save(nib.Nifti1Image(numbered(phases=6, depth=4).T, affine), path)
    told = [text for text in open_cine(path).volume.warnings if "long-axis" in text]
    assert bool(told) is said

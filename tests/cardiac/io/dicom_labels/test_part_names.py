"""Names of structures as programs and readers write them."""

import pytest

from facewarp.cardiac.io.dicom_labels.part_names import (
    Role,
    combined,
    moment_of,
    role_of_codes,
    role_of_name,
)

NAMES = {
    Role.CAVITY: (
        "LV endo", "LV_Endo", "LVendo", "saendocardialContour", "LVBP", "LV blood pool", "LVC",
        "left ventricle, cavity", "Left ventricular cavity", "Cavity of left ventricle",
        "Endocardium", "LV_ES_endo",
    ),
    Role.LEFT: ("LV", "LV1", "Left Ventricle", "Ventricle_L", "heart_ventricle_left", "lv_ed"),
    Role.WALL: ("MYO", "Myocardium", "LVM", "LVmyo", "LV wall", "heart_myocardium", "lv_myo_1"),
    Role.OUTER: ("LV epi", "LVepi", "saepicardialContour", "Epicardium", "whole LV"),
    Role.RIGHT: ("RVendo", "sarvendocardialContour", "RV_BP", "Ventricle_R", "right ventricle"),
    Role.OTHER: (
        "LA", "RA", "Atrium_L", "left atrium", "A_LAD", "Heart", "Aorta", "scar", "LV apex", "LVOT",
        "RVOT", "epicardial fat", "papillary muscles", "RV wall", "sarvepicardialContour",
        "laendocardialContour", "pericardium", "RV insertion point", "LV basal anterior",
    ),
    Role.UNKNOWN: ("Segment_1", "Tissue", "pool", "LV cavity + wall", "left", "ventricle", "1"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, names in NAMES.items() for name in names]
)
def test_names(role, name):
    assert role_of_name(name) == role


def test_codes_and_their_modifiers():
    assert role_of_codes([("T-32600", "SNM3", "x")]) == Role.LEFT
    assert role_of_codes([("49848007", "SCT", "")]) == Role.WALL
    assert role_of_codes([("87878005", "OWN", "kidney")]) == Role.UNKNOWN
    modified = [("21814001", "SCT", "Cardiac ventricle"), ("24028007", "SCT", "Right")]
    assert role_of_codes(modified) == Role.RIGHT
    assert role_of_codes([("9466", "FMA", "Cavity of left ventricle")]) == Role.CAVITY
    assert role_of_codes([]) == Role.UNKNOWN


@pytest.mark.parametrize(
    ("name", "code", "both"),
    [
        (Role.CAVITY, Role.LEFT, Role.CAVITY),
        (Role.LEFT, Role.WALL, Role.WALL),
        (Role.OUTER, Role.WALL, Role.WALL),
        (Role.OTHER, Role.LEFT, Role.OTHER),
        (Role.UNKNOWN, Role.RIGHT, Role.RIGHT),
        (Role.RIGHT, Role.OTHER, Role.RIGHT),
        (Role.RIGHT, Role.LEFT, None),
        (Role.CAVITY, Role.WALL, None),
    ],
)
def test_name_and_code_together(name, code, both):
    assert combined(name, code) == both


def test_moments_in_names():
    names = ("LV_ED", "endo ES", "LV end-systole", "diastole", "LV", "ED and ES")
    assert [moment_of(name) for name in names] == ["ED", "ES", "ES", "ED", "", ""]

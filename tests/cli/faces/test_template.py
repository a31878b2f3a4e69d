"""``facewarp template`` from its arguments to templates that faces are registered to."""

import json
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.face.rendering.textures import load_texture
from facewarp.face.template.template import Template
from facewarp.system.user_folders import own_templates


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def well(*words):
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def photos(folder, portrait):
    """Four pictures of one face, turned and of several sizes."""
    paths = []
    for number, (scale, degrees) in enumerate([(1.0, 0), (1.2, 6), (0.9, -8), (1.1, 3)]):
        path = folder / f"photo{number}.png"
        PIL.Image.fromarray(portrait.frame(scale=scale, degrees=degrees)).save(path)
        paths.append(path)
    return paths


def test_one_photograph_makes_a_template_known_by_its_name(photos, folder):
    well("template", "build", photos[0], "--name", "anna")
    assert (own_templates() / "anna.npz").is_file()
    listed = json.loads(well("template", "list", "--json").stdout)
    assert [(entry["name"], entry["shipped"]) for entry in listed] == [
        ("average", True),
        ("anna", False),
    ]
    template = Template.load("anna")
    assert template.texture_field is not None
    assert np.abs(template.texture_field).mean() > 0.5
    well("track", photos[1], "--out", "out.png", "--template", "anna", "--effect", "texture")
    before, after = (np.array(PIL.Image.open(p).convert("RGB")) for p in (photos[1], "out.png"))
    assert np.abs(before.astype(int) - after).mean() > 1


def assert_same_mesh(template, other):
    """The same triangles, none turned over, on the template's own landmarks."""
    np.testing.assert_array_equal(template.triangles, other.triangles)
    np.testing.assert_array_equal(template.mesh_points[:68], template.landmarks)
    areas = []
    for one in (template, other):
        a, b, c = (one.mesh_points[one.triangles[:, k]] for k in range(3))
        areas.append(np.cross(np.c_[b - a, 0 * a[:, 0]], np.c_[c - a, 0 * a[:, 0]])[:, 2])
    assert (areas[0] * areas[1] > 0).mean() > 0.98  # lips that are shut may turn a sliver
    assert np.abs(template.mesh_points - other.mesh_points).max() < 60


@pytest.mark.slow
def test_several_photographs_are_averaged_until_nothing_moves(photos, folder):
    result = json.loads(well("template", "build", *photos, "--out", "mean.npz", "--json").stdout)
    assert result["used"] == [path.name for path in photos]
    drift = result["drift_px"]
    assert 2 <= len(drift) <= 6
    assert len(drift) == 6 or drift[-2] - drift[-1] < 0.02  # no nearer any more
    mean, one = Template.load("mean.npz"), Template.load("average")
    assert np.abs(mean.landmarks - one.landmarks).mean() < 20
    assert mean.origin["photographs"] == 4
    assert_same_mesh(mean, one)
    told = well("template", "build", *photos[:2], "--name", "two", "--symmetric", "--rounds", 1)
    assert "from the mean shape" in told.stdout
    assert_same_mesh(Template.load("two"), one)
    labels = Template.load("two").labels
    assert ((labels > 0) == (labels > 0)[:, ::-1]).mean() > 0.995


def test_a_photograph_without_a_face_is_left_out(photos, folder):
    PIL.Image.fromarray(np.full((240, 320, 3), 120, np.uint8)).save("grey.png")
    result = well("template", "build", photos[0], "grey.png", "--out", "one.npz", "--json")
    assert json.loads(result.stdout)["left_out"] == {"grey.png": "no face is found in the picture"}
    alone = run("template", "build", "grey.png", "--out", "none.npz")
    assert alone.exit_code == 1
    assert "no photograph makes a template" in alone.output
    assert not Path("none.npz").exists()


def test_a_sheet_and_a_guide_to_paint_on(folder):
    well("template", "show", "average", "--out", "sheet.png", "--export-uv", "guide.png")
    assert PIL.Image.open("sheet.png").size == (3 * 520, 640)
    guide = load_texture("guide.png")  # what is exported is a texture itself
    assert guide.shape == (1280, 1040, 4)
    assert guide[0, 0, 3] == 0
    assert guide[700, 520, 3] == 255


def test_the_guide_of_an_own_template_is_in_the_space_of_all_textures(photos, folder):
    well("template", "build", photos[0], "--name", "anna")
    well("template", "show", "anna", "--export-uv", "anna.png")
    well("template", "show", "average", "--export-uv", "average.png")
    alphas = [load_texture(f"{name}.png")[..., 3] > 128 for name in ("anna", "average")]
    overlap = (alphas[0] & alphas[1]).sum() / (alphas[0] | alphas[1]).sum()
    assert overlap > 0.85


def test_the_mesh_is_written_for_3d_programs(folder):
    told = json.loads(well("template", "show", "--export", "face.obj", "--json").stdout)
    assert told["mesh"] == "face.obj"
    assert sorted(os.listdir()) == ["face.mtl", "face.obj", "face.png"]
    well("template", "show", "--export", "face.glb")
    assert Path("face.glb").read_bytes()[:4] == b"glTF"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["build", "photo0.png"], 2, "--name"),
        (["build", "photo0.png", "--name", "a", "--out", "b.npz"], 2, "--name"),
        (["build", "photo0.png", "--name", "average"], 1, "can't be called"),
        (["build", "photo0.png", "--name", "../x"], 1, "can't be called"),
        (["build", "photo0.png", "--out", "x.png"], 1, "x.npz"),
        (["build", "nowhere.png", "--name", "x"], 1, "nowhere.png"),
        (["show", "nobody"], 1, "no template is called 'nobody'"),
        (["show", "--out", "sheet.mp4"], 1, "a sheet is a picture"),
        (["show", "--export-uv", "guide.jpg"], 1, "guide.png"),
        (["show", "--export", "face.fbx"], 1, "face.glb"),
        (["show", "--out", "face.png", "--export", "face.obj"], 1, "two outputs"),
        (["show", "--out", "a.png", "--export-uv", "a.png"], 1, "two outputs"),
    ],
)
def test_what_cannot_be_is_told(photos, folder, words, code, says):
    before = sorted(os.listdir(folder))
    result = run("template", *words)
    assert result.exit_code == code, result.output
    assert says in " ".join(result.output.split())
    assert sorted(os.listdir(folder)) == before


def test_templates_that_are_damaged_are_told_and_passed_over(folder):
    own_templates().mkdir(parents=True)
    (own_templates() / "broken.npz").write_bytes(b"no archive")
    result = well("template", "list")
    assert "not a facewarp template" in " ".join(result.stderr.split())
    assert "average" in result.stdout

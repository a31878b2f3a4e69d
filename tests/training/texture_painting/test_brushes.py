"""Brushes and anatomy: what textures are painted with."""

import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.rendering.textures import load_texture, texture_blend
from facewarp.face.template.template import Template
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    FINE,
    SHAPE,
    Painting,
    curve,
    distance,
    dots,
    fill,
    grid,
    noise,
    spiral,
    stroke,
)
from facewarp.training.texture_painting.paint import TEXTURES, main, save_texture

CORNERS = np.array([(20.0, 30.0), (60.0, 40.0), (70.0, 90.0), (25.0, 80.0)])


@pytest.mark.parametrize("closed", [False, True])
def test_curves_run_through_their_points(closed):
    line = curve(CORNERS, closed=closed)
    nearest = np.linalg.norm(line[:, None] - CORNERS[None], axis=-1).min(axis=0)
    np.testing.assert_allclose(nearest, 0, atol=1e-6)


def test_a_spiral_starts_at_its_point_and_winds_in():
    line = spiral((50, 50), (60, 50), 1.5, end_radius=0.1)
    radius = np.linalg.norm(line - (50, 50), axis=1)
    np.testing.assert_allclose(line[0], (60, 50))
    np.testing.assert_allclose(line[-1], (49, 50), atol=1e-9)
    assert (np.diff(radius) < 0).all()


def test_masks_have_the_painted_area():
    square = fill([(20, 30), (60, 30), (60, 80), (20, 80)])
    assert square.sum() / FINE**2 == pytest.approx(40 * 50, rel=0.01)
    line = stroke(np.linspace((20, 50), (80, 50), 30), 4)
    assert line.sum() / FINE**2 == pytest.approx(4 * 60 + np.pi * 4, rel=0.07)
    assert dots([(40, 40)], 5).sum() / FINE**2 == pytest.approx(np.pi * 25, rel=0.04)


def test_distance_is_in_template_px():
    inside = distance(fill([(20, 30), (60, 30), (60, 80), (20, 80)]))
    x, y = grid()
    at = np.unravel_index(np.argmin(np.hypot(x - 26, y - 55)), SHAPE)
    assert inside[at] == pytest.approx(6, abs=0.2)
    at = np.unravel_index(np.argmin(np.hypot(x - 10, y - 55)), SHAPE)
    assert inside[at] == pytest.approx(-10, abs=0.2)


def test_noise_is_smooth_bounded_and_the_same_again():
    first = noise(3, 8.0)
    np.testing.assert_array_equal(first, noise(3, 8.0))
    assert np.abs(first).max() < 1.5
    assert np.abs(np.diff(first, axis=1)).max() < 0.2


def test_textures_are_symmetric_with_straight_alpha():
    painting = Painting()
    painting.paint((200, 100, 50), 0.5 * fill(CORNERS))
    painting.erase(dots([(45, 60)], 6))
    rgba = painting.texture()
    assert rgba.shape == (1280, 1040, 4)
    np.testing.assert_array_equal(rgba, rgba[:, ::-1])
    x, y = 30 * 4, 50 * 4
    np.testing.assert_allclose(rgba[y, x], (200, 100, 50, 128), atol=1)
    assert rgba[60 * 4, 45 * 4, 3] == rgba[2, 2, 3] == 0


def test_anatomy_is_symmetric_and_counts_in_eye_distances():
    landmarks = Template.load("average").landmarks
    face = Anatomy.of(landmarks + np.random.default_rng(0).normal(0, 2, landmarks.shape))
    np.testing.assert_allclose(face.points[8, 0], face.middle)
    np.testing.assert_allclose(face.points[36] + face.points[45] * (1, -1), (259, 0), atol=1e-9)
    assert face.at(30, 10)[0] - face.at(30)[0] == pytest.approx(10 * face.unit)
    with pytest.raises(ValueError, match="68"):
        Anatomy.of(np.zeros((5, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_every_texture_can_be_painted_on_another_face(name, tmp_path):
    """Wider and longer than the average: still mirror-symmetric, eyes free, kept in the crop."""
    landmarks = (Template.load("average").landmarks - (129.5, 160)) * (1.1, 1.06) + (129.5, 163)
    rgba = TEXTURES[name].paint(Anatomy.of(landmarks)).texture()
    small = np.ascontiguousarray(rgba[::4, ::4])
    path = save_texture(name, small, tmp_path)
    read = load_texture(path).astype(int)
    counted = [x[..., :3] * (x[..., 3:] / 255) for x in (read, small)]
    assert np.abs(counted[0] - counted[1]).mean() < 1.5  # a palette of 256 colours
    assert np.abs(read[..., 3] - small[..., 3]).mean() < 1.5
    assert texture_blend(path) == TEXTURES[name].blend
    assert [path] == list(tmp_path.iterdir())
    x, y = np.rint((landmarks[36:42].mean(axis=0) + 0.5) * 4 - 0.5).astype(int)
    assert (rgba[y, x, 3] == 0) is np.bool_(name != "sunglasses")
    assert rgba[:, :2, 3].max() == rgba[:2, :, 3].max() == 0


def test_files_that_are_no_templates_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "other.npz"
    np.savez(path, image=np.zeros(3))
    monkeypatch.setattr("sys.argv", ["paint", str(tmp_path / "out"), "--template", str(path)])
    with pytest.raises(FacewarpError, match=r"not a facewarp template.*other\.npz"):
        main()
    assert not (tmp_path / "out").exists()

"""Textures painted for MediaPipe's canonical face land where the same skin is in the template."""

import cv2
import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.rendering.mediapipe_uv import PREFIX, from_mediapipe
from facewarp.face.rendering.textures import load_texture, texture_blend
from facewarp.face.template.head_mesh import HeadMesh

SIDE = 1024


@pytest.fixture(scope="module")
def dots():
    """Blobs at some vertices of MediaPipe's layout: eyes, nose, mouth, chin, cheeks, forehead."""
    mesh, picture = HeadMesh.load(), np.zeros((SIDE, SIDE, 4), np.uint8)
    vertices = [1, 33, 133, 362, 263, 61, 291, 199, 50, 280, 151]
    for number, vertex in enumerate(vertices):
        at = np.rint(mesh.uv[vertex] * SIDE * 16 - 8).astype(int).tolist()
        color = (255, 20 * number, 0, 255)
        cv2.circle(picture, at, 6 * 16, color, -1, cv2.LINE_8, 4)
    return vertices, picture, from_mediapipe(picture)


def test_each_vertex_lands_on_its_measured_place(dots):
    vertices, _, ours = dots
    for number, vertex in enumerate(vertices):
        near = np.abs(ours[..., 1].astype(int) - 20 * number) < 8
        rows, columns = np.nonzero(near & (ours[..., 3] > 200))
        place = np.array([columns.mean(), rows.mean()])
        wanted = (HeadMesh.load().points[vertex] + 0.5) * 4 - 0.5
        assert np.linalg.norm(place - wanted) < 8, vertex  # 2 px of the template


def test_what_is_transparent_stays_so_and_colours_do_not_bleed(dots):
    _, _, ours = dots
    assert ours.shape == (1280, 1040, 4)
    assert (ours[:100, :, 3] == 0).all()  # above the mesh
    strong = ours[..., 3] > 30
    assert ours[strong][:, 0].min() > 235


def test_a_left_side_stays_left():
    picture = np.zeros((256, 256, 4), np.uint8)
    picture[..., 3] = 255
    picture[:, 128:, 0] = 255
    ours = from_mediapipe(picture)
    inside = ours[..., 3] > 250
    columns = np.arange(1040)[None].repeat(1280, axis=0)
    assert columns[inside & (ours[..., 0] > 200)].min() > 500
    assert columns[inside & (ours[..., 0] < 50)].max() < 540
    assert inside.mean() > 0.25


def test_a_file_of_any_square_size_is_a_texture(tmp_path):
    path = tmp_path / "paint.png"
    PIL.Image.new("RGB", (300, 300), (10, 200, 30)).save(path)
    texture = load_texture(f"{PREFIX}{path}")
    assert texture.shape == (1280, 1040, 4)
    assert texture_blend(f"{PREFIX}{path}") == "paint"
    with pytest.raises(FacewarpError, match="aspect"):
        load_texture(path)
    with pytest.raises(FacewarpError, match="nowhere"):
        load_texture(f"{PREFIX}nowhere.png")

"""The template: its files, its mesh, and the average face that ships."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import MIRROR_PARTS, FacePart, mirrored_points
from facewarp.face.template.library import template_names
from facewarp.face.template.mesh import INNER_LIPS, LEFT_EYE, RIGHT_EYE, face_mesh
from facewarp.face.template.template import Template

HEIGHT, WIDTH = CROP_SHAPE
AXIS = (WIDTH - 1) / 2
MESH = ("mesh_points", "triangles")
OPENINGS = {"left eye": LEFT_EYE, "right eye": RIGHT_EYE, "mouth": INNER_LIPS}


@pytest.fixture(scope="module")
def average():
    return Template.load()


@pytest.fixture(scope="module")
def yawning(average):
    """The average face with its mouth wide open."""
    points = average.landmarks.copy()
    points[[55, 59], 1] += 18
    points[[56, 57, 58, 65, 66, 67], 1] += 25
    points[4:13, 1] += 25 * np.hanning(9)
    return points


def edges_of(triangles):
    return np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)


def signed_areas(points, triangles):
    a, b, c = points[triangles].swapaxes(0, 1)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def polygon_area(points):
    x, y = points.T
    return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


def drawn(points, triangles, zoom=8):
    """How many triangles cover each pixel, ``zoom`` to a crop px."""
    import cv2

    count = np.zeros((HEIGHT * zoom, WIDTH * zoom), np.uint8)
    for triangle in np.rint((points[triangles] + 0.5) * zoom - 0.5).astype(np.int32):
        one = np.zeros_like(count)
        cv2.fillConvexPoly(one, triangle, 1)
        count += one
    return count


# --- files


def test_a_template_survives_its_file(average, tmp_path):
    path = tmp_path / "new" / "mine.npz"
    average.save(path)
    loaded = Template.load(path)
    assert (loaded.name, loaded.origin) == (average.name, average.origin)
    np.testing.assert_array_equal(loaded.image, average.image)
    np.testing.assert_array_equal(loaded.color, average.color)
    np.testing.assert_array_equal(loaded.landmarks, average.landmarks)
    np.testing.assert_array_equal(loaded.labels, average.labels)
    np.testing.assert_array_equal(loaded.triangles, average.triangles)
    np.testing.assert_allclose(loaded.probabilities, average.probabilities, atol=0.01)
    assert [path.name for path in path.parent.iterdir()] == ["mine.npz"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(average, tmp_path):
    (tmp_path / "taken.npz").mkdir()
    with pytest.raises(FacewarpError, match=r"taken\.npz"):
        average.save(tmp_path / "taken.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.npz"]


def with_array(average, path, name, array):
    average.save(path)
    arrays = {key: held for key, held in np.load(path).items() if key != name}
    np.savez_compressed(path, **arrays, **({} if array is None else {name: array}))
    return path


@pytest.mark.parametrize(
    "name", ["image", "probabilities", "mesh_points", "texture_field", "about"]
)
@pytest.mark.parametrize("written", [False, True])
def test_no_memory_is_taken_for_what_an_array_claims(average, tmp_path, name, written):
    length = 40_000_000
    path = with_array(average, tmp_path / "huge.npz", name, None)
    head = {"descr": "|u1", "fortran_order": False, "shape": (length, 2)}
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(member, head)
        for _ in range(80 if written else 0):
            member.write(bytes(2 * length // 80))
    tracemalloc.start()
    with pytest.raises(FacewarpError, match=rf"template's {name} .*huge\.npz"):
        Template.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < length


DAYS = np.zeros((68, 2), "datetime64[D]")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("landmarks", DAYS),
        ("landmarks", np.zeros((68, 2))),
        ("landmarks", np.stack([np.arange(68.0) * 3] * 2, axis=1)),
        ("landmarks", np.random.default_rng(0).uniform(0, 1e7, (68, 2))),
        ("texture_field", np.full((2, HEIGHT, WIDTH), "text")),
        ("texture_field", np.full((2, HEIGHT, WIDTH), DAYS[0, 0])),
        ("probabilities", np.full((8, HEIGHT, WIDTH), 1j)),
        ("image", np.full((HEIGHT, WIDTH), "text")),
        ("about", np.array("[" * 100_000)),
    ],
)
def test_odd_content_is_refused_in_one_line(average, tmp_path, name, array):
    path = with_array(average, tmp_path / "odd.npz", name, array)
    arrays = {key: held for key, held in np.load(path).items() if key not in MESH}
    np.savez_compressed(path, **arrays)
    with pytest.raises(FacewarpError, match=r"template.*odd\.npz"):
        Template.load(path)


def test_mesh_points_far_beside_the_crop_are_refused(average, tmp_path):
    far = with_array(average, tmp_path / "far.npz", "mesh_points", average.mesh_points * 1e6)
    with pytest.raises(FacewarpError, match=r"mesh is none.*far\.npz"):
        Template.load(far)


def test_shipped_templates_are_known_by_name():
    assert "average" in template_names()
    with pytest.raises(FacewarpError, match=r"'nobody'.*Use one of .*average"):
        Template.load("nobody")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FacewarpError, match=r"no such template.*mine\.npz"):
        Template.load(tmp_path / "mine.npz")


def damaged(kind, average, path):
    average.save(path)
    content = path.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no archive at all")
    elif kind == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "bits flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes(2000) + content[middle + 2000 :])
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, average.image)
    elif kind == "a zip of something else":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "hello")
    else:
        arrays = dict(np.load(path))
        if kind == "no landmarks":
            del arrays["landmarks"]
        elif kind == "no origin":
            arrays["about"] = np.array(json.dumps({"name": "mine"}))
        elif kind == "pickled":
            arrays["landmarks"] = np.array([{}], dtype=object)
        elif kind == "small picture":
            arrays["image"] = arrays["image"][::2]
        elif kind == "nan":
            arrays["landmarks"][3] = np.nan
        np.savez(path, **arrays)


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "text",
        "cut short",
        "bits flipped",
        "one array",
        "a zip of something else",
        "no landmarks",
        "no origin",
        "pickled",
        "small picture",
        "nan",
    ],
)
def test_a_file_that_is_no_template_is_told(kind, average, tmp_path):
    path = tmp_path / "mine.npz"
    damaged(kind, average, path)
    with pytest.raises(FacewarpError, match=r"template.*mine\.npz"):
        Template.load(path)


# --- the mesh


@pytest.fixture(params=["average", "yawning", "turned"], scope="module")
def face(request, average, yawning):
    points = {"average": average.landmarks, "yawning": yawning}.get(request.param)
    if points is None:  # half a profile, and rolled
        squeezed = average.landmarks - (AXIS, 0)
        squeezed[:, 0] *= np.where(squeezed[:, 0] < 0, 0.6, 1.0)
        cos, sin = np.cos(0.3), np.sin(0.3)
        points = squeezed @ np.array([[cos, sin], [-sin, cos]]) + (AXIS + 20, -20)
    return points


def test_landmarks_come_first_in_the_mesh_and_all_are_used(face):
    points, triangles = face_mesh(face)
    np.testing.assert_array_equal(points[: len(face)], face)
    assert triangles.dtype == np.int32
    assert set(triangles.ravel()) == set(range(len(points)))


def test_triangles_are_oriented_alike_and_none_is_a_line(face):
    points, triangles = face_mesh(face)
    areas = signed_areas(points, triangles)
    assert (np.sign(areas) == np.sign(areas[0])).all()
    assert np.abs(areas).min() > 1e-3


def test_each_edge_joins_at_most_two_triangles(face):
    _, triangles = face_mesh(face)
    _, counts = np.unique(edges_of(triangles), axis=0, return_counts=True)
    assert counts.max() == 2


def test_triangles_stay_inside_the_face_and_do_not_overlap(face):
    points, triangles = face_mesh(face)
    lift = points[68:78]  # forehead, above the brows from left to right
    outline = np.concatenate([face[:17], lift[::-1]])
    covered = np.abs(signed_areas(points, triangles)).sum()
    openings = sum(polygon_area(face[sorted(opening)]) for opening in OPENINGS.values())
    assert covered == pytest.approx(polygon_area(outline) - openings, rel=1e-6)


@pytest.mark.parametrize("opening", OPENINGS)
def test_no_triangle_crosses_an_opening(face, opening):
    import cv2

    zoom = 8
    points, triangles = face_mesh(face)
    ring = face[sorted(OPENINGS[opening])]
    hole = np.zeros((HEIGHT * zoom, WIDTH * zoom), np.uint8)
    cv2.fillPoly(hole, [np.rint((ring + 0.5) * zoom - 0.5).astype(np.int32)], 1)
    hole = cv2.erode(hole, np.ones((5, 5), np.uint8)) > 0  # away from the rim, which is shared
    assert hole.any()
    near = triangles[(np.abs(points[triangles].mean(1) - ring.mean(0)) < 40).all(1)]
    assert not (drawn(points, near)[hole] > 0).any()


def test_the_average_mesh_is_symmetric(average):
    points, triangles = average.mesh_points, average.triangles
    flipped = points * (-1, 1) + (2 * AXIS, 0)
    distance = np.linalg.norm(points[:, None] - flipped[None], axis=-1)
    twin = distance.argmin(1)
    assert distance.min(1).max() < 0.5
    found = {frozenset(triangle) for triangle in triangles.tolist()}
    mirrored = {frozenset(twin[list(triangle)].tolist()) for triangle in found}
    alone = [points[list(triangle)] for triangle in found - mirrored]
    # Where four points lie on a circle across the axis, either diagonal will do.
    assert all(corners[:, 0].min() < AXIS < corners[:, 0].max() for corners in alone)
    assert len(alone) <= 0.1 * len(found)


# --- the average face that ships


def test_the_average_is_its_own_mirror_image(average):
    assert np.abs(average.image.astype(int) - average.image[:, ::-1]).max() <= 1
    assert np.abs(average.color.astype(int) - average.color[:, ::-1]).max() <= 1
    mirrored = average.probabilities[MIRROR_PARTS][..., ::-1]
    np.testing.assert_allclose(average.probabilities, mirrored, atol=0.005)
    labels = MIRROR_PARTS[average.labels[:, ::-1]]
    assert (average.labels != labels).mean() < 1e-3  # ties at the axis
    np.testing.assert_allclose(
        average.landmarks, mirrored_points(average.landmarks, WIDTH), atol=1e-6
    )


def test_probabilities_are_probabilities(average):
    assert average.probabilities.dtype == np.float32
    assert average.probabilities.min() >= 0
    np.testing.assert_allclose(average.probabilities.sum(0), 1, atol=1e-5)


def test_labels_and_landmarks_of_the_average_belong_together(average):
    points, labels = average.landmarks, average.labels
    at = {
        FacePart.EYE_LEFT: points[36:42].mean(0),
        FacePart.EYE_RIGHT: points[42:48].mean(0),
        FacePart.BROW_LEFT: points[17:22].mean(0),
        FacePart.BROW_RIGHT: points[22:27].mean(0),
        FacePart.NOSE: points[29],
        FacePart.MOUTH: points[48:60].mean(0),
        FacePart.FACE: 0.4 * points[57] + 0.6 * points[8],
    }
    for part, (x, y) in at.items():
        assert labels[round(y), round(x)] == part, part
    rows, columns = np.indices(CROP_SHAPE)
    for part, group in [
        (FacePart.EYE_LEFT, slice(36, 42)),
        (FacePart.EYE_RIGHT, slice(42, 48)),
        (FacePart.MOUTH, slice(48, 60)),
    ]:
        there = labels == part
        middle = np.array([columns[there].mean(), rows[there].mean()])
        assert np.linalg.norm(middle - points[group].mean(0)) < 4, part
        size = np.ptp(points[group], axis=0)
        extent = np.array([np.ptp(columns[there]), np.ptp(rows[there])])
        np.testing.assert_allclose(extent, size, atol=8, err_msg=str(part))


def test_the_average_face_fills_its_crop_as_the_tracker_cuts_faces(average):
    low, high = average.landmarks.min(0), average.landmarks.max(0)
    assert (high - low).max() == pytest.approx(HEIGHT / 2, rel=0.08)
    np.testing.assert_allclose((low + high) / 2, (AXIS, (HEIGHT - 1) / 2), atol=6)


def test_the_record_tells_how_the_average_was_made(average):
    assert average.origin["photographs"] > 1000
    assert "build_template" in average.origin["command"]
    assert len(average.origin["drift_px"]) == average.origin["rounds"]


def test_mirrored_points_swap_sides(average):
    points = average.landmarks + (3, 0)
    flipped = mirrored_points(points, WIDTH)
    np.testing.assert_allclose(flipped, average.landmarks - (3, 0), atol=1e-6)
    np.testing.assert_allclose(mirrored_points(flipped, WIDTH), points)

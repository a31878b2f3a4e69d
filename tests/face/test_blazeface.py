"""The detector's network, decoded here, finds what MediaPipe's own pipeline finds."""

import itertools
from importlib.resources import files

import numpy as np
import pytest

from facewarp.face import blazeface
from facewarp.face.blazeface import SIZE, WINDOW, BlazeFace, decode
from facewarp.face.crop import Crop
from facewarp.face.detector import FaceDetector, make_network
from facewarp.media.sources import open_source

LEAST = 0.35
CLIP = files("facewarp.assets").joinpath("demo/astronaut.mp4")


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("mediapipe")
    network = make_network("mediapipe", LEAST)
    yield network
    network.close()


@pytest.fixture(scope="module", params=["openvino", "opencv"])
def network(request):
    if request.param == "openvino":
        pytest.importorskip("openvino")
    return BlazeFace(LEAST, request.param)


def pictures_of(frame, rng, count):
    """What windows of a frame show, somewhere about its middle, of any size and roll."""
    height, width = frame.shape[:2]
    for _ in range(count):
        at = rng.normal((width / 2, height / 2), height / 8)
        side, roll = rng.uniform(0.3, 1.6) * height, rng.uniform(-0.6, 0.6)
        window = Crop.around(at, side, roll=roll, margin=1.0, shape=(WINDOW, WINDOW))
        yield window.extract(frame, every=WINDOW // SIZE)


def test_sightings_are_those_of_mediapipe(network, reference, rng):
    """All are seen, scores and keypoints are the same, and boxes but for MediaPipe's whole px."""
    with open_source(CLIP) as source:
        frames = [frame.image for frame in itertools.islice(source, 0, 200, 40)]
    pictures = [picture for frame in frames for picture in pictures_of(frame, rng, 11)]
    count = off = 0
    for mine, theirs in zip(network.look(pictures), reference.look(pictures), strict=True):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            count += 1
            assert one.score == pytest.approx(other.score, abs=2e-3)
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.1)
            apart = max(np.abs(one.center - other.center).max(), abs(one.side - other.side))
            assert apart <= 1.5  # boxes are cut to whole px: 9.9999 and 10.0001 are one apart
            off += apart > 0.5
    assert count > 30
    assert off <= 0.05 * count


@pytest.mark.parametrize("backend", ["openvino", "opencv"])
@pytest.mark.parametrize("thorough", [False, True])
def test_faces_are_where_mediapipe_finds_them(backend, thorough, portrait):
    pytest.importorskip("mediapipe")
    if backend == "openvino":
        pytest.importorskip("openvino")
    frame = portrait.frame((420, 180), 0.7, size=(640, 360))
    with FaceDetector(backend="mediapipe") as theirs, FaceDetector(backend=backend) as own:
        (expected,) = theirs.detect(frame, thorough=thorough or None)
        (found,) = own.detect(frame, thorough=thorough or None)
    np.testing.assert_allclose(found.box, expected.box, atol=0.5)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.5)
    assert found.score == pytest.approx(expected.score, abs=2e-3)


@pytest.mark.slow
def test_faces_of_real_clips_are_where_mediapipe_finds_them(data_dir):
    """Boxes of closer looks in whole px of their windows may be one apart: 1 in 20, not more."""
    pytest.importorskip("mediapipe")
    apart = []
    with FaceDetector(backend="mediapipe") as theirs, FaceDetector() as own:
        for path in sorted((data_dir / "video").glob("*.m*")):
            with open_source(path) as source:
                for frame in itertools.islice(source, 0, 90, 15):
                    expected, found = theirs.detect(frame.image), own.detect(frame.image)
                    assert len(expected) == len(found), (path.name, frame.index)
                    for one, other in zip(expected, found, strict=True):
                        apart.append(np.abs(np.subtract(one.box, other.box)).max())
    assert len(apart) > 40
    assert np.mean(np.array(apart) <= 0.5) >= 0.95


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_a_batch_is_what_each_picture_is_alone(network, portrait, rng, count):
    pictures = list(pictures_of(portrait.frame(size=(400, 300), at=(200, 150)), rng, count))
    together = network.look(pictures)
    assert len(together) == count
    for picture, sightings in zip(pictures, together, strict=True):
        (alone,) = network.look([picture])
        assert len(alone) == len(sightings)
        for one, other in zip(alone, sightings, strict=True):
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.01)


def test_no_pictures_are_no_sightings(network):
    assert network.look([]) == []


def outputs(*faces):
    """Outputs of the network (896, 16), (896,) that name faces: anchor, logit, x, y, side."""
    regressors, logits = np.zeros((896, 16), np.float32), np.full(896, -20, np.float32)
    for anchor, logit, x, y, side in faces:
        logits[anchor] = logit
        regressors[anchor, :4] = x, y, side, side
    return regressors, logits


def test_anchors_of_both_grids_are_where_the_network_has_them():
    for anchor, cell, cells in [(0, (0, 0), 16), (33, (0, 1), 16), (511, (15, 15), 16)]:
        (seen,) = decode(*outputs((anchor, 3.0, 0, 0, 20)), LEAST)
        at = (np.array(cell) + 0.5) / cells * WINDOW
        np.testing.assert_allclose(seen.keypoints[0], at - 0.5, atol=1e-3)
    for anchor, cell in [(512, (0, 0)), (512 + 6, (1, 0)), (895, (7, 7))]:
        (seen,) = decode(*outputs((anchor, 3.0, 0, 0, 20)), LEAST)
        np.testing.assert_allclose(seen.keypoints[0], (np.array(cell) + 0.5) * 32 - 0.5, atol=1e-3)


def test_boxes_of_one_face_are_blended_by_their_scores():
    """Two boxes 4 px apart, one of them twice as sure; a third far away stays."""
    sure, unsure = 8.0, float(-np.log(1 / 0.5 - 1))  # scores 1 and 0.5
    middle = 8 * 16 * 2 + 16
    found = decode(
        *outputs((middle, sure, 0, 0, 40), (middle + 1, unsure, 6, 0, 40), (0, 2.0, 8, 8, 16)),
        LEAST,
    )
    assert [round(seen.score, 2) for seen in found] == [1.0, 0.88]
    x = (8.5 / 16 * SIZE + 6 / 3) * WINDOW / SIZE
    assert found[0].center[0] == pytest.approx(x - 0.5, abs=1)
    assert found[0].side == pytest.approx(80, abs=1)


def test_what_scores_too_little_is_not_reported():
    logit = float(np.log(LEAST / (1 - LEAST)))
    assert len(decode(*outputs((0, logit + 0.01, 0, 0, 20)), LEAST)) == 1
    assert decode(*outputs((0, logit - 0.01, 0, 0, 20)), LEAST) == []


def test_after_warming_up_nothing_is_compiled_any_more(portrait, monkeypatch):
    pytest.importorskip("openvino")
    frame = portrait.frame(size=(640, 400), at=(320, 200), scale=0.5)
    blazeface._openvino.cache_clear()
    with FaceDetector() as detector:
        detector.warm_up()
        monkeypatch.delattr(blazeface, "_request")
        assert len(detector.detect(frame, thorough=True)) == 1

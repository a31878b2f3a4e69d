"""Finding faces: one portrait in many sizes and turns, and pictures without a face."""

import hashlib
import math
import subprocess
import sys
from importlib.resources import files

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.blazeface import MODEL
from facewarp.face.detector import Detection, FaceDetector
from facewarp.face.similarity import rotation
from facewarp.system.installation import packages_of

PORTRAIT = np.ascontiguousarray(
    cv2.imread(str(files("facewarp.assets").joinpath("demo/portrait.png")))[:, :, ::-1]
)
EYES = np.array([(204.5, 103.0), (246.5, 105.5)])  # of the portrait, by hand


@pytest.fixture(scope="module", params=["auto", "opencv"])
def detector(request):
    with FaceDetector(backend=request.param) as detector:
        yield detector


def turned(image, degrees, scale=1.0):
    """The picture turned clockwise about its centre, and the 2x3 matrix that did it."""
    height, width = image.shape[:2]
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, -degrees, scale)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), matrix


def a_detection(angle=0.0, scale=1.0, shift=(0.0, 0.0)):
    """A face of made-up keypoints, moved by a similarity."""
    keypoints = np.array([(-30, -25), (28, -25), (2, 5), (0, 30), (-55, -10), (50, -14)], float)
    keypoints = scale * keypoints @ rotation(angle).T + shift
    return Detection.around(np.asarray(shift, float), 130 * scale, 0.9, keypoints)


# --- the geometry of a detection


def test_square_moves_with_the_face():
    center, side = a_detection().square()
    angle, scale, shift = 0.7, 1.8, np.array([400.0, -30.0])
    moved = a_detection(angle, scale, shift)
    assert moved.roll == pytest.approx(angle)
    moved_center, moved_side = moved.square()
    np.testing.assert_allclose(moved_center, scale * rotation(angle) @ center + shift, atol=1e-9)
    assert moved_side == pytest.approx(scale * side)


def test_square_of_a_mirrored_face_is_mirrored():
    face = a_detection()
    mirrored = Detection.around(
        np.zeros(2), face.side, 0.9, face.keypoints[[1, 0, 2, 3, 5, 4]] * (-1, 1)
    )
    np.testing.assert_allclose(mirrored.square()[0], face.square()[0] * (-1, 1), atol=1e-9)
    assert mirrored.square()[1] == pytest.approx(face.square()[1])


def test_overlap_is_intersection_over_union():
    keypoints = np.zeros((6, 2))
    one = Detection.around(np.array([5.0, 5.0]), 10, 0.9, keypoints)
    assert one.overlap(one) == pytest.approx(1)
    assert one.overlap(Detection.around(np.array([10.0, 5.0]), 10, 0.9, keypoints)) == (
        pytest.approx(1 / 3)
    )
    assert one.overlap(Detection.around(np.array([50.0, 5.0]), 10, 0.9, keypoints)) == 0


# --- pictures with a face


def test_finds_the_portrait_once_and_where_it_is(detector):
    (face,) = detector.detect(PORTRAIT)
    assert face.score > 0.8
    np.testing.assert_allclose(face.keypoints[:2], EYES, atol=4)
    center, side = face.square()
    np.testing.assert_allclose(center, (224, 132), atol=8)
    assert side == pytest.approx(103, abs=10)


def test_channels_turned_round_by_a_slice_are_seen_as_such(detector):
    bgr = np.ascontiguousarray(PORTRAIT[..., ::-1])
    (face,), (seen,) = detector.detect(PORTRAIT), detector.detect(bgr[..., ::-1])
    np.testing.assert_array_equal(seen.keypoints, face.keypoints)
    assert seen.score == face.score


@pytest.mark.parametrize("degrees", [-60, 35, 80])
def test_finds_a_rolled_face_and_its_roll(detector, degrees):
    upright = detector.detect(PORTRAIT)[0]
    picture, matrix = turned(PORTRAIT, degrees)
    (face,) = detector.detect(picture)
    assert math.degrees(face.roll - upright.roll) == pytest.approx(degrees, abs=5)
    expected = upright.square()[0] @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(face.square()[0] - expected) < 0.08 * upright.square()[1]


@pytest.mark.parametrize("thorough", [None, True])
def test_finds_a_face_upside_down(detector, thorough):
    picture = np.ascontiguousarray(PORTRAIT[::-1, ::-1])
    (face,) = detector.detect(picture, thorough=thorough)
    assert abs(math.degrees(face.roll)) > 165
    np.testing.assert_allclose(face.keypoints[:2], 511 - EYES, atol=4)


def test_finds_a_small_face_in_4k_by_searching(detector):
    canvas = np.random.default_rng(0).integers(100, 120, (2160, 3840, 3), dtype=np.uint8)
    canvas[1300:2120, 2900:3720] = cv2.resize(PORTRAIT, (820, 820))
    assert detector.detect(canvas) == []
    (face,) = detector.detect(canvas, thorough=None)
    np.testing.assert_allclose(face.keypoints[:2], EYES * 820 / 512 + (2900, 1300), atol=6)


def test_finds_several_faces_best_first(detector):
    small = cv2.resize(PORTRAIT, (256, 256), interpolation=cv2.INTER_AREA)
    canvas = np.full((512, 1024, 3), 90, np.uint8)
    canvas[:, :512] = PORTRAIT
    canvas[200:456, 700:956] = small[:, ::-1]
    faces = detector.detect(canvas, thorough=True)
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score
    places = sorted(tuple(face.square()[0]) for face in faces)
    np.testing.assert_allclose(places, [(224, 132), (843, 266)], atol=9)


@pytest.mark.parametrize("size", [(96, 96), (2048, 2048)])
def test_size_of_the_picture_does_not_matter(detector, size):
    (face,) = detector.detect(cv2.resize(PORTRAIT, size, interpolation=cv2.INTER_AREA))
    factor = size[0] / 512
    np.testing.assert_allclose(
        face.keypoints[:2], (EYES + 0.5) * factor - 0.5, atol=5 * max(factor, 0.5)
    )


def test_reads_gray_alpha_and_16_bit_pictures(detector):
    gray = PORTRAIT.mean(axis=2).astype(np.uint8)
    opaque = np.full((512, 512, 1), 255, np.uint8)
    for picture in (gray, np.dstack([PORTRAIT, opaque]), PORTRAIT.astype(np.uint16) * 257):
        (face,) = detector.detect(picture)
        np.testing.assert_allclose(face.keypoints[:2], EYES, atol=4)


@pytest.mark.parametrize(
    ("kind", "side"),
    [("plain", 26), ("plain", 60), ("dark", 32), ("dark", 100), ("drawn", 80), ("drawn", 130)],
)
def test_finds_small_faces_wherever_they_are(detector, portrait, kind, side):
    """The smallest are a fiftieth of the frame; all of these came out of overlapping tiles too."""
    for at in [(60, 70), (640, 360), (1150, 600)]:
        frame = portrait.frame(size=(1280, 720), at=at, scale=side / portrait.SIDE)
        if kind == "drawn":
            frame = _drawn(frame)
        elif kind == "dark":
            frame //= 8
        (face,) = detector.detect(frame, thorough=True)
        assert np.hypot(*(face.square()[0] - at)) < 0.2 * side


def _drawn(picture):
    edges = cv2.cvtColor(cv2.Canny(picture, 60, 160), cv2.COLOR_GRAY2RGB)
    return (picture // 2 + (255 - edges) // 2).astype(np.uint8)


def test_a_drawing_is_found_at_once(detector, portrait):
    drawing = _drawn(portrait.image)
    assert len(detector.detect(drawing, thorough=True)) == 1
    assert detector.detect(drawing, thorough=True, is_known=lambda candidate: True) == []


def test_a_search_made_before_finds_the_same(detector, portrait):
    frame = portrait.frame(size=(1280, 720), at=(900, 200), scale=0.4)
    (found,) = detector.detect(frame, thorough=True, scan=detector.scan(frame))
    (expected,) = detector.detect(frame, thorough=True)
    assert found.box == expected.box
    assert found.score == expected.score


def test_a_thorough_search_takes_few_looks(detector, portrait, monkeypatch):
    """Overlapping tiles of such a frame would be a hundred looks."""
    looks, look = [], detector._network.look
    monkeypatch.setattr(
        detector._network,
        "look",
        lambda pictures: (shown := list(pictures), looks.append(len(shown)), look(shown))[-1],
    )
    detector.detect(np.full((720, 1280, 3), 108, np.uint8), thorough=True)
    assert sum(looks) <= 5  # the frame, upside down, and what a plain frame proposes
    looks.clear()
    detector.detect(portrait.frame(size=(1280, 720), at=(900, 200), scale=0.4), thorough=True)
    assert sum(looks) <= 10


# --- pictures without one


@pytest.mark.parametrize("thorough", [False, True, None])
@pytest.mark.parametrize("shape", [(480, 640), (20, 20), (1, 1), (3, 500)])
def test_finds_nothing_in_blank_and_noisy_pictures(detector, shape, thorough):
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detector.detect(np.full((*shape, 3), 128, np.uint8), thorough=thorough) == []
    assert detector.detect(noise, thorough=thorough) == []


def test_finds_nothing_in_patterns(detector):
    yy, xx = np.mgrid[:400, :600]
    stripes = np.uint8(127 + 120 * np.sin(xx / 9))
    rings = np.uint8(127 + 120 * np.sin(np.hypot(xx - 300, yy - 200) / 7))
    headless = PORTRAIT[230:]
    for picture in (stripes, rings, headless):
        assert detector.detect(picture, thorough=True) == []


# --- errors and the native side


def test_refuses_an_impossible_confidence():
    with pytest.raises(FacewarpError, match="between 0 and 1"):
        FaceDetector(min_confidence=1.5)


@pytest.mark.parametrize("release", ["0.10.35", "1.2.3", "2.0rc1"])
def test_a_mediapipe_that_reports_home_is_refused(monkeypatch, release, tmp_path):
    monkeypatch.setattr("importlib.metadata.version", lambda name: release)
    monkeypatch.setitem(sys.modules, "mediapipe", None)  # it is not even imported
    with pytest.raises(FacewarpError, match=f"MediaPipe {release} reports its use"):
        FaceDetector(backend="mediapipe")
    from facewarp.face.mediapipe_blazeface import load_landmarker

    with pytest.raises(FacewarpError, match=r"Do without.*<0\.10\.35"):
        load_landmarker(tmp_path / "face_landmarker.task")
    with FaceDetector() as detector:  # what another package wants may stay
        assert len(detector.detect(PORTRAIT)) == 1


@pytest.mark.parametrize("release", ["0.10.30", "0.10.33"])
def test_a_mediapipe_without_a_client_is_taken(monkeypatch, release):
    from facewarp.face.mediapipe_blazeface import refuse_reporting

    monkeypatch.setattr("importlib.metadata.version", lambda name: release)
    refuse_reporting()


def test_the_extra_and_the_hints_name_the_same_mediapipe():
    from facewarp.face.mediapipe_blazeface import _PACKAGE

    assert packages_of("mediapipe") == [_PACKAGE]


def test_says_what_to_do_when_mediapipe_is_missing(monkeypatch, tmp_path):
    from facewarp.face.mediapipe_blazeface import load_landmarker

    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(FacewarpError, match=r"needs MediaPipe.* install 'mediapipe"):
        FaceDetector(backend="mediapipe")
    with pytest.raises(FacewarpError, match=r"needs MediaPipe.* install 'mediapipe"):
        load_landmarker(tmp_path / "face_landmarker.task")


def test_an_unknown_detector_is_refused_with_the_known_ones():
    with pytest.raises(FacewarpError, match="openvino, opencv, mediapipe"):
        FaceDetector(backend="haar")


def test_without_openvino_faces_are_found_by_opencv(monkeypatch):
    monkeypatch.setattr("facewarp.face.detector.find_spec", lambda name: None)
    with FaceDetector() as alone, FaceDetector(backend="opencv") as opencv:
        assert alone._network._run is opencv._network._run
        assert len(alone.detect(PORTRAIT)) == 1
    with pytest.raises(FacewarpError, match="which is not installed"):
        FaceDetector(backend="openvino")


def test_model_is_the_one_the_readme_names():
    digest = hashlib.sha256(files("facewarp.assets").joinpath(MODEL).read_bytes()).hexdigest()
    assert digest in files("facewarp.assets").joinpath("detector/README.md").read_text()


def test_stays_silent_opens_no_socket_and_ends_cleanly():
    # In a process of its own: native code writes to file descriptor 2, and __del__ at exit.
    script = """
import sys
from pathlib import Path
import numpy as np
from facewarp.face.detector import FaceDetector
detector = FaceDetector()
detector.detect(np.zeros((99, 99), np.uint8))
fds = Path("/proc/self/fd")
links = [str(fd.readlink()) for fd in fds.iterdir() if fd.is_symlink()] if fds.exists() else []
assert not any(link.startswith("socket:") for link in links), links
sys.stderr.write("own words")
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "own words"
    assert ended.stdout == ""


def test_errors_of_native_code_still_reach_standard_error(capfd):
    import os

    from facewarp.face.mediapipe_blazeface import without_native_chatter

    with without_native_chatter():
        os.write(2, b"INFO: Created something\nE0000 00:00:1 graph.cc:1] it broke\n")
    assert capfd.readouterr().err == "E0000 00:00:1 graph.cc:1] it broke\n"


def test_finding_faces_imports_neither_mediapipe_nor_torch():
    code = """
import sys
import numpy as np
from facewarp.face.detector import FaceDetector
FaceDetector().detect(np.zeros((90, 90, 3), np.uint8), thorough=True)
print(sorted({"mediapipe", "torch", "matplotlib", "sounddevice"} & set(sys.modules)))
"""
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"


def test_mediapipe_comes_without_matplotlib_and_who_wants_it_gets_it():
    code = """
import sys
from facewarp.face.detector import FaceDetector
FaceDetector(backend="mediapipe").close()
print(sorted(n for n in sys.modules if n.startswith(("matplotlib", "sounddevice"))))
try:
    from mediapipe.tasks.python.vision.drawing_utils import plt
except ImportError:  # before 0.10.32 nothing of MediaPipe's draws with it
    from matplotlib import pyplot as plt
print(plt.rcParams["figure.dpi"] > 0, "matplotlib.pyplot" in sys.modules)
"""
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.split("\n")[:2] == ["[]", "True True"]


def test_what_is_known_is_not_looked_at_again(detector, portrait, monkeypatch):
    frame = portrait.frame()
    (face,) = detector.detect(frame)
    looks, look = [], detector._network.look
    monkeypatch.setattr(
        detector._network, "look", lambda picture: (looks.append(1), look(picture))[1]
    )
    seen = []
    assert detector.detect(frame, is_known=lambda face: bool(seen.append(face)) or True) == []
    assert len(looks) == 1  # a glance at the whole frame, and no closer one
    assert all(face.overlap(candidate) > 0.4 for candidate in seen)
    assert seen
    assert detector.detect(frame, is_known=lambda face: False)[0].box == face.box

"""The page's JavaScript: its own tests on node, against the program's numbers, and its types."""

import base64
import json
import math
import os
import shutil
import subprocess
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.blazeface import decode
from facewarp.face.boxes import box_around
from facewarp.face.crop import Crop
from facewarp.face.detector import Detection
from facewarp.face.effects.texture import Texture
from facewarp.face.face import Face, template_to_frame
from facewarp.face.matching.scene import Scene
from facewarp.face.occlusion.network import wide_crop
from facewarp.face.occlusion.steady import SteadyMatte
from facewarp.face.rendering.occlusion import free_of, skin_of
from facewarp.face.rendering.shading import Blend
from facewarp.face.template.template import Template
from facewarp.face.temporal.smoothing import FaceSmoother, SmoothingConfig
from facewarp.face.tracking.registration import crop_around
from facewarp.page.runtime import install_packages

NODE = shutil.which("node")
TESTS = Path(__file__).parent / "javascript"


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
def test_its_own_tests_pass(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    reference.write_text(json.dumps(_reference()))
    names = sorted(str(path) for path in TESTS.glob("*.test.mjs"))
    run = subprocess.run(
        [str(NODE), "--test", *names],
        env={**os.environ, "FACEWARP_REFERENCE": str(reference)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-500:]
    assert "skipped 0" in run.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_its_types_fit(tmp_path: Path) -> None:
    assets = Path(str(files("facewarp.assets")))
    for name in ("page", "web"):
        shutil.copytree(assets / name, tmp_path / name)
    try:
        install_packages(assets / "page", tmp_path / "page", development=True)
    except FacewarpError as error:
        pytest.skip(f"npm brings nothing here: {error}")
    compiler = tmp_path / "page" / "node_modules" / "typescript" / "bin" / "tsc"
    run = subprocess.run(
        [str(NODE), str(compiler), "--noEmit", "-p", str(tmp_path / "page" / "tsconfig.json")],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]


def _reference() -> dict[str, object]:
    rng = np.random.default_rng(3)
    template = Template.load()
    return {
        "crop": _crops(rng),
        "around": _around(template),
        "detector": _sightings(rng),
        "smoothing": _smoothed(rng, template),
        "mattes": _mattes(rng, template),
        "scenes": [_scene(template, *case) for case in _SCENES],
    }


def _crops(rng: np.random.Generator) -> dict[str, object]:
    """Crops of a picture of waves: larger than the frame's px, smaller, turned, over the border."""
    height, width = 300, 400
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin(x / a + y / b) for a, b in ((7, 11), (13, 5), (9, 17))]
    rgb = np.clip(np.dstack(waves) + rng.normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)
    rgba = np.dstack([rgb, np.full((height, width), 255, np.uint8)])
    crops = [
        Crop.around((200.3, 150.7), 140.0, roll=0.2),
        Crop.around((190, 140), 320.0),
        Crop.around((20, 280), 260.0, roll=-0.7),
    ]
    return {
        "width": width,
        "height": height,
        "pixels": _base64(rgba),
        "crops": [
            {
                "matrix": crop.matrix.ravel().tolist(),
                "gray": _base64(crop.extract_gray(rgb)),
                "window": _base64(wide_crop(crop).extract_rgb(rgb)),
            }
            for crop in crops
        ],
    }


def _around(template: Template) -> dict[str, object]:
    landmarks = Crop.around((300, 200), 90, roll=0.3).to_frame(template.landmarks)
    matrix = crop_around(landmarks).matrix
    return {"landmarks": landmarks.ravel().tolist(), "matrix": matrix.ravel().tolist()}


def _sightings(rng: np.random.Generator) -> dict[str, object]:
    """Two faces, each seen from several anchors, among noise."""
    regressors = rng.normal(0, 3, (896, 16)).astype(np.float32)
    regressors[:, 2:4] = 40 + rng.normal(0, 1, (896, 2))
    regressors[:, 4:16] += np.tile(
        [[-8, -6], [8, -6], [0, 2], [0, 8], [-14, -3], [14, -3]], (1, 1)
    ).ravel()
    logits = np.full(896, -6, np.float32)
    logits[[100, 101, 102, 400, 401]] = [2, 1.5, 0.3, 3, 0.1]
    found = decode(regressors, logits, 0.35)
    assert len(found) >= 2
    sightings = []
    for seen in found:
        detection = Detection.around(seen.center, seen.side, seen.score, seen.keypoints)
        center, side = detection.square()
        sightings.append(
            {
                "center": seen.center.tolist(),
                "side": seen.side,
                "score": seen.score,
                "keypoints": seen.keypoints.ravel().tolist(),
                "square": [*center.tolist(), side],
            }
        )
    return {
        "regressors": regressors.ravel().tolist(),
        "logits": logits.tolist(),
        "sightings": sightings,
    }


def _smoothed(rng: np.random.Generator, template: Template) -> dict[str, object]:
    """A head that nods and turns, with noise, on crops that follow it; the last frame jumps."""
    smoother = FaceSmoother(template, SmoothingConfig())
    frames = []
    for index in range(5):
        center = (300 + 6 * index + (200 if index == 4 else 0), 200 + 3 * math.sin(index))
        crop = Crop.around(center, 150 + 2 * index, roll=0.03 * index)
        waves = [_waves(rng, index) for _ in range(2)]
        face = Face(
            0, "tracking", 0.9, (0, 0, 1, 1), np.zeros((68, 2)), crop, waves[0], waves[1],
            np.zeros((8, 80, 65), np.float32), 0.0,
        )  # fmt: skip
        landmarks = template_to_frame(face, template.landmarks)
        object.__setattr__(face, "landmarks", landmarks)
        object.__setattr__(face, "box", box_around(landmarks))
        smooth = smoother(face, index / 25)
        frames.append(
            {
                "time": index / 25,
                "crop": crop.matrix.ravel().tolist(),
                "landmarks": landmarks.ravel().tolist(),
                "onto": waves[0].ravel().tolist(),
                "back": waves[1].ravel().tolist(),
                "expected": {
                    "landmarks": smooth.landmarks.ravel().tolist(),
                    "onto": smooth.grid_field.ravel().tolist(),
                    "back": smooth.grid_field_from_template.ravel().tolist(),
                },
            }
        )
    config = asdict(SmoothingConfig())
    return {"template": template.landmarks.ravel().tolist(), "config": config, "frames": frames}


def _mattes(rng: np.random.Generator, template: Template) -> dict[str, object]:
    """A head that goes along with its crop, a hand that comes in, and a gap in time."""
    steady = SteadyMatte(template, sure=0.7)
    y, x = np.mgrid[:320, :260]
    frames = []
    for index, time in enumerate((0.0, 0.04, 0.08, 0.12, 0.9)):
        crop = Crop.around((300 + 5 * index, 200 - 3 * index), 150 + 3 * index, roll=0.04 * index)
        gray = 120 + 60 * np.sin((x + 6 * index) / 23) * np.cos(y / 31) + rng.normal(0, 2, x.shape)
        told = 255 * (np.hypot(x[::2, ::2] - 130, y[::2, ::2] - 160) < 120 - 12 * (index == 1))
        if index >= 2:
            gray[110:, 12 * index :] = 230
            told[55:, 6 * index :] = 30
        back = _waves(rng, index)
        face = Face(
            0, "tracking", 0.9, (0, 0, 1, 1), np.zeros((68, 2)), crop, -back, back,
            np.zeros((8, 80, 65), np.float32), 0.0, gray=gray.clip(0, 255).astype(np.uint8),
            matte=told.astype(np.uint8),
        )  # fmt: skip
        found = steady(face, time)
        assert face.gray is not None
        assert face.matte is not None
        assert found.matte is not None
        frames.append(
            {
                "time": time,
                "crop": crop.matrix.ravel().tolist(),
                "gray": _base64(face.gray),
                "back": back.ravel().tolist(),
                "told": _base64(face.matte),
                "expected": {
                    "matte": _base64(found.matte),
                    "free": _base64(np.asarray(free_of(found))),
                    "confidence": found.confidence,
                },
            }
        )
    assert min(frame["expected"]["confidence"] for frame in frames) < 0.8
    labels = [
        cv2.resize(plane, (65, 80), interpolation=cv2.INTER_AREA)
        for plane in template.probabilities
    ]
    return {"labels": _base64(np.stack(labels).astype(np.float32)), "frames": frames}


_SCENES = (
    ("neutral, paint", (1, 1, 1), 0.0, 0, "paint", (235, 120, 40, 255)),
    ("warm, paint", (1.15, 1, 0.6), 0.0, 0, "paint", (235, 235, 235, 255)),
    ("graded to gray, mask", (1, 1, 1), 0.9, 0, "mask", (235, 120, 40, 255)),
    ("dark, tint", (0.3, 0.26, 0.2), 0.0, 0, "tint", (214, 104, 98, 110)),
    ("haze, tint", (0.7, 0.7, 0.72), 0.0, 60, "tint", (60, 20, 120, 200)),
    ("soft, paint", (1, 1, 1), 0.0, 0, "paint", (235, 120, 40, 255), 2.2),
    ("noisy, mask", (1, 1, 1), 0.0, 0, "mask", (235, 120, 40, 255), 0.0, 6.0),
)


def _scene(
    template: Template,
    name: str,
    light: tuple[float, ...],
    grayed: float,
    haze: int,
    blend: Blend,
    color: tuple[int, ...],
    blur: float = 0.0,
    noise: float = 0.0,
) -> dict[str, object]:
    """Paint on a face in some light: what is measured, and how the paint looks."""
    frame = np.full((240, 320, 3), (150, 140, 132), np.float64)
    frame[30:225, 90:230] = (205, 150, 126)
    frame[:30], frame[200:, :90] = (14, 16, 22), (228, 230, 226)
    frame[150:200, 240:] = (60, 90, 160)
    crop = Crop.around((160, 128), 130.0)
    landmarks = crop.to_frame(template.landmarks)
    for lids in (landmarks[36:42], landmarks[42:48]):
        cv2.fillPoly(frame, [np.rint(lids).astype(np.int32)], (226, 224, 220))
    frame *= light
    frame += grayed * (frame.mean(-1, keepdims=True) - frame) + haze
    if blur:
        frame = cv2.GaussianBlur(frame, (0, 0), blur)
    frame += noise * np.random.default_rng(0).normal(size=(240, 320, 1))
    pixels = np.rint(frame.clip(0, 255)).astype(np.uint8)
    parts = template.probabilities[:, 2::4, 2::4].astype(np.float32)
    field = np.zeros((2, 80, 65), np.float32)
    face = Face(
        0, "tracking", 0.9, box_around(landmarks), landmarks, crop, field, field, parts, 0.0
    )
    rgba = np.zeros((320, 260, 4), np.uint8)
    rgba[90:270, 60:200] = color
    painted = Texture(rgba, blend=blend, annotate=False)(pixels, [face], template)
    scene = Scene.of(pixels, face)
    nose, chin = (landmarks[i] for i in (30, 8))
    x, y = np.rint(nose + (-26, 6)).astype(int).tolist()
    assert chin[1] > y
    cheek = np.s_[y - 3 : y + 4, x - 3 : x + 4]
    premultiplied = np.rint(rgba * np.dstack([rgba[..., 3:] / 255] * 3 + [np.ones((320, 260, 1))]))
    return {
        "name": name,
        "blend": blend,
        "width": 320,
        "height": 240,
        "pixels": _base64(np.dstack([pixels, np.full((240, 320), 255, np.uint8)])),
        "crop": crop.matrix.ravel().tolist(),
        "landmarks": landmarks.ravel().tolist(),
        "parts": _base64(parts),
        "skin": _base64(np.rint(255 * skin_of(template)).astype(np.uint8)),
        "picture": _base64(premultiplied.astype(np.uint8)),
        "at": [x, y],
        "room": float(pixels[::16, ::16].mean()),
        "scene": {
            "light": scene.light.tolist(),
            "saturation": scene.saturation,
            "black": scene.black,
            "white": scene.white,
            "skin": scene.skin,
            "eyes": scene.eyes,
            "blur": scene.blur_px,
            "noise": scene.noise,
        },
        "before": pixels[cheek].reshape(-1, 3).mean(0).tolist(),
        "color": painted[cheek].reshape(-1, 3).mean(0).tolist(),
        "grain": float(painted[y - 8 : y + 8, x - 8 : x + 8, 0].std()),
        "edge": float(np.abs(np.diff(painted[:, x - 3 : x + 4, 2].mean(1)[y:])).max()),
    }


def _waves(rng: np.random.Generator, index: int) -> np.ndarray:
    y, x = np.mgrid[:80, :65]
    field = np.stack([4 * np.sin(x / 9 + index / 3), 3 * np.cos(y / 12 - index / 4)])
    return (field + rng.normal(0, 0.2, 2)[:, None, None]).astype(np.float32)


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()

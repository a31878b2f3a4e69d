"""The page's networks against those that the program itself runs."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

import facewarp
from facewarp.core.engines.openvino_engine import OpenVinoEngine
from facewarp.core.model import template_guidance
from facewarp.errors import FacewarpError
from facewarp.face.blazeface import decode
from facewarp.face.crop import Crop
from facewarp.face.detector import FaceDetector
from facewarp.face.template.template import Template
from facewarp.page import networks
from facewarp.system.installation import install_command

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")


def session(model: bytes) -> "runtime.InferenceSession":
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("ways", [[0, 1], [1]], ids=["both", "template-fixed"])
def test_registration_agrees_with_the_8_bit_engine(ways: list[int]) -> None:
    model = facewarp.load("face", engine="openvino-int8")
    assert model.int8 is not None
    portrait = cv2.imread(str(files("facewarp.assets").joinpath("demo/portrait.png")))[..., ::-1]
    with FaceDetector() as detector:
        (face, *_) = detector.detect(portrait)
    gray = Crop.around(*face.square(), roll=face.roll).extract_gray(portrait)
    image = gray[None, None].astype(np.float32) / 255
    labels = template_guidance(model, Template.load().probabilities)
    parts, fields = OpenVinoEngine.of_int8(model.int8).both_ways(image, labels)
    made = session(networks.registration_network(model))
    found = dict(
        zip(
            [port.name for port in made.get_outputs()],
            made.run(None, {"images": image, "template": labels, "ways": np.array(ways)}),
            strict=True,
        )
    )
    assert np.abs(found["parts"] - parts).mean() < 0.002
    apart = 4 * np.linalg.norm(found["fields"] - fields[ways], axis=1)  # crop px
    assert apart.mean() < 0.15
    assert np.quantile(apart, 0.99) < 0.6


def test_the_matte_agrees_with_the_8_bit_engine(rng: np.random.Generator) -> None:
    model = facewarp.load("face-occlusion", engine="openvino-int8")
    assert model.int8 is not None
    small = rng.random((1, 3, 20, 17), np.float32)
    image = np.stack([cv2.resize(plane, (132, 160)) for plane in small[0]])[None]
    (found,) = session(networks.matte_network(model)).run(None, {"images": image})
    expected = OpenVinoEngine.of_int8(model.int8).parts(image)
    assert found.shape == expected.shape == (1, 2, 160, 132)
    assert 0.02 < expected[0, 1].mean() < 0.98
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_the_detector_sees_what_the_program_sees() -> None:
    portrait = cv2.imread(str(files("facewarp.assets").joinpath("demo/portrait.png")))
    side = min(portrait.shape[:2])
    rgb = cv2.cvtColor(cv2.resize(portrait[:side, :side], (128, 128)), cv2.COLOR_BGR2RGB)
    pixels = rgb[None].astype(np.float32) / 127.5 - 1
    made = session(networks.detector_network())
    outputs = dict(
        zip(
            [port.name for port in made.get_outputs()],
            made.run(None, {"input": pixels}),
            strict=True,
        )
    )
    found = decode(outputs["regressors"][0], outputs["classificators"][0, :, 0], 0.35)
    from facewarp.face.blazeface import BlazeFace

    expected = BlazeFace(0.35, "openvino").look([rgb])[0]
    assert [round(one.score, 3) for one in found] == [round(one.score, 3) for one in expected]
    assert found, "the portrait has a face"
    np.testing.assert_allclose(found[0].keypoints, expected[0].keypoints, atol=0.05)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(FacewarpError, match="onnx and openvino"):
        networks.check_packages()


def test_a_model_without_8_bit_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = facewarp.load("face", engine="openvino")
    monkeypatch.setattr(model, "int8", None)
    with pytest.raises(FacewarpError, match="8-bit"):
        networks.registration_network(model)
    monkeypatch.setattr(model, "int8", Path("/nowhere"))
    with pytest.raises(FacewarpError, match="can't be read"):
        networks.registration_network(model)


@pytest.mark.parametrize("missing", [["onnx"], ["onnx", "openvino"]])
def test_what_is_missing_is_told_with_the_command(
    missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda name: None if name in missing else name)
    with pytest.raises(FacewarpError) as caught:
        networks.check_packages()
    assert f"needs {' and '.join(missing)}, which is not installed" in str(caught.value)
    how = "Install it: " if len(missing) == 1 else "Install them: "
    assert how + install_command(*missing) in str(caught.value)

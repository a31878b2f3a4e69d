"""Exported files find what the model finds, and say what they are."""

import json
import os
import re
import shutil
import sys
from contextlib import ExitStack
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facewarp.core.config import ModelConfig
from facewarp.core.engines.graphs import GRAPHS, example_inputs
from facewarp.core.engines.openvino_engine import OpenVinoEngine
from facewarp.core.engines.quantization import FEWEST, quantize, rebind
from facewarp.core.export import SUFFIXES, export_model
from facewarp.core.model import Model, load, template_guidance
from facewarp.core.weights import file_sha256, int8_weights, shipped_weights
from facewarp.errors import FacewarpError
from facewarp.face.template.template import Template
from facewarp.system.network_trace import TracedCommand

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture
def model(small, stirred):
    return Model(stirred(small()), metadata={"licence": "for tests"})


def inputs_of(model, graph):
    torch.manual_seed(1)
    return tuple(torch.rand_like(value) for value in example_inputs(model.net, graph))


def run_onnx(path, inputs):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path))
    assert {port.shape[0] for port in session.get_inputs()} == {"batch"}
    named = {
        port.name: value.numpy() for port, value in zip(session.get_inputs(), inputs, strict=True)
    }
    return session.run(None, named), session.get_modelmeta().custom_metadata_map


def run_openvino(path, inputs):
    pytest.importorskip("openvino")
    from facewarp.core.engines.openvino_models import core

    read = core().read_model(path)
    compiled = core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    about = read.get_rt_info(["facewarp"]).value
    return list(compiled([value.numpy() for value in inputs]).values()), about


def run_torchscript(path, inputs):
    extra = {"facewarp.json": ""}
    module = torch.jit.load(str(path), _extra_files=extra)
    return module(*inputs), json.loads(extra["facewarp.json"])


def run_pt2(path, inputs):
    extra = {"facewarp.json": ""}
    program = torch.export.load(str(path), extra_files=extra)
    return program.module()(*inputs), json.loads(extra["facewarp.json"])


RUN = {
    "onnx": run_onnx,
    "openvino": run_openvino,
    "torchscript": run_torchscript,
    "pt2": run_pt2,
}


@pytest.mark.slow
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("format", SUFFIXES)
def test_a_file_finds_what_the_model_finds(format, graph, model, tmp_path):
    if format == "onnx":
        pytest.importorskip("onnx")
    if format == "openvino":
        pytest.importorskip("openvino")
    if format == "torchscript" and sys.version_info >= (3, 14):
        pytest.skip("torch can't write it here; that it says so is tested below")
    path = export_model(model, tmp_path / "model", format, graph)
    assert path.suffix == SUFFIXES[format]
    inputs = inputs_of(model, graph)
    with torch.inference_mode():
        expected = GRAPHS[graph](model.net)(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    found, about = RUN[format](path, inputs)
    found = found if isinstance(found, tuple | list) else (found,)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), other.numpy(), atol=1e-3)
    assert ModelConfig.from_json(about["config"]) == model.config
    assert (about["graph"], about["licence"]) == (graph, "for tests")


def test_formats_graphs_and_volumes_are_checked(model, small, stirred, tmp_path):
    with pytest.raises(FacewarpError, match="torchscript"):
        export_model(model, tmp_path / "model", "tensorrt")
    with pytest.raises(FacewarpError, match="both_ways"):
        export_model(model, tmp_path / "model", "pt2", "steps")
    with pytest.raises(FacewarpError, match="volumes"):
        export_model(Model(stirred(small(ndim=3))), tmp_path / "model", "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="files are limited in size on POSIX alone")
@pytest.mark.parametrize("format", SUFFIXES)
def test_on_a_full_disk_one_line_is_said_and_nothing_left(format, model, tmp_path, small_files):
    out = tmp_path / "out"
    out.mkdir()
    with (
        small_files(3000),
        pytest.raises(FacewarpError, match=r"no space is left|disk may be full"),
    ):
        export_model(model, out / "model", format, "parts")
    assert not list(out.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="files are limited in size on POSIX alone")
def test_a_graph_that_can_not_be_kept_is_used(model, tmp_path, monkeypatch, small_files):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engine = OpenVinoEngine.of_network(lambda: model.net, "0" * 16)
    with small_files(3000):
        parts = engine.parts(inputs_of(model, "parts")[0].numpy())
    assert np.isfinite(parts).all()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("version", [(3, 14), (3, 15)])
def test_torchscript_is_refused_where_torch_can_not_write_it(version, model, tmp_path, monkeypatch):
    monkeypatch.setattr("facewarp.core.export.sys", SimpleNamespace(version_info=version))
    with pytest.raises(FacewarpError, match=r"on Python 3\.14 and later.*--format pt2"):
        export_model(model, tmp_path / "model", "torchscript", "parts")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_documented_numpy_runs_the_onnx(tmp_path, monkeypatch, capsys):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    loaded = load("face")
    export_model(loaded, tmp_path / "face.onnx", "onnx")
    image = Template.load("average").image
    moved = np.roll(image, 6, axis=1)
    np.save("fixed.npy", image)
    np.save("moving.npy", moved)
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.S)
    with ExitStack() as stack:
        if shutil.which("strace"):  # it reports after seconds, in which the same is done here
            later = f"{code}\nimport time\ntime.sleep(12)"
            watched = stack.enter_context(watching(later, tmp_path))
        scope = {}
        exec(code, scope)
        assert capsys.readouterr().out.split() == ["(320,", "260)", "7", "face"]
        inside = np.s_[100:240, 80:180]
        before = np.abs(moved / 255.0 - scope["fixed"])[inside].mean()
        after = np.abs(scope["warped"] - scope["fixed"])[inside].mean()
        assert after < 0.6 * before
        if shutil.which("strace"):
            trace = watched.result()
            assert (trace.code, trace.said.split()[-1]) == (0, "face")
            assert trace.is_silent, trace


def watching(code, folder):
    """Python code that is watched for what it does on the network and on disk, as a new user's."""
    (home := folder / "home").mkdir()
    quiet = ("CI", "ORT_", "FACEWARP_")  # what is not handed on
    kept = {name: value for name, value in os.environ.items() if not name.startswith(quiet)}
    return TracedCommand(
        (sys.executable, "-c", code),
        folder=folder,
        allowed=(),
        environment=kept | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        most_s=250,
    )


def test_quantization_names_what_is_missing(model, monkeypatch, tmp_path):
    images, template = example_inputs(model.net, "both_ways", FEWEST - 1)
    if find_spec("nncf") and find_spec("openvino"):
        with pytest.raises(FacewarpError, match="too few"):
            quantize(model.net, images, template[:1], tmp_path, {})
    monkeypatch.setattr("facewarp.core.engines.quantization.find_spec", lambda name: None)
    with pytest.raises(FacewarpError, match="nncf"):
        quantize(model.net, images, template[:1], tmp_path, {})


def test_8_bit_weights_hold_for_their_own_float_weights_alone(tmp_path):
    path = tmp_path / "model.safetensors"
    folder = tmp_path / "int8"
    folder.mkdir()
    assert int8_weights(path, "a") is None
    (folder / "parts.bin").write_bytes(b"weights")
    about = {"weights_sha256": "a", "files": {"parts.bin": file_sha256(folder / "parts.bin")}}
    (folder / "about.json").write_text(json.dumps(about))
    assert int8_weights(path, "a") == folder
    assert int8_weights(path, "b") is None


def test_8_bit_weights_are_bound_to_new_metadata_by_the_hash_alone(tmp_path):
    path, folder = tmp_path / "model.safetensors", tmp_path / "int8"
    folder.mkdir()
    before, after = "a" * 64, "b" * 64
    assert rebind(path, before, after) is None  # there are none
    (folder / "parts.bin").write_bytes(b"weights")
    (folder / "parts.xml").write_text(f'<net><weights_sha256 value="{before}" /></net>')
    files = {file.name: file_sha256(file) for file in folder.iterdir()}
    about = {"config": "c", "weights_sha256": before, "calibration": "x", "files": files}
    (folder / "about.json").write_text(json.dumps(about))
    assert rebind(path, after, before) is None  # of another file: left as they are
    assert json.loads((folder / "about.json").read_text("utf-8")) == about
    assert rebind(path, before, after) == folder
    assert int8_weights(path, after) == folder
    assert int8_weights(path, before) is None
    assert (folder / "parts.xml").read_text("utf-8").count(after) == 1
    now = json.loads((folder / "about.json").read_text("utf-8"))
    assert now.pop("files")["parts.bin"] == files["parts.bin"]
    assert now == {"config": "c", "weights_sha256": after, "calibration": "x"}
    (folder / "parts.bin").write_bytes(b"others")
    with pytest.raises(FacewarpError, match="do not match"):
        rebind(path, after, before)


def test_a_graph_of_unknown_weights_is_not_bound_to_any(tmp_path):
    folder = tmp_path / "int8"
    folder.mkdir()
    (folder / "parts.xml").write_text("<net />")
    about = {"weights_sha256": "a", "files": {"parts.xml": file_sha256(folder / "parts.xml")}}
    (folder / "about.json").write_text(json.dumps(about))
    with pytest.raises(FacewarpError, match="does not name the weights"):
        rebind(tmp_path / "model.safetensors", "a", "b")


def test_shipped_8_bit_weights_are_whole():
    folder = Path(str(resources.files("facewarp.assets"))) / "weights" / "face" / "int8"
    about = json.loads((folder / "about.json").read_text("utf-8"))
    assert about["files"].keys() == {"parts.xml", "parts.bin", "fields.xml", "fields.bin"}
    for name, sha256 in about["files"].items():
        assert file_sha256(folder / name) == sha256
    path = shipped_weights("face")
    assert int8_weights(path, file_sha256(path)) == folder  # else float runs, and nothing tells


@pytest.mark.slow
def test_shipped_8_bit_weights_agree_with_float(tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = load("face")
    assert model.int8 is not None, f"there are no 8-bit weights of {shipped_weights('face')}"
    template = Template.load("average")
    guidance = torch.from_numpy(template_guidance(model, template.probabilities))
    image = torch.from_numpy(np.roll(template.image, 7, axis=0)).float()[None, None] / 255
    expected = model.both_ways(image, guidance)
    model.use("openvino-int8")
    parts, fields = model.both_ways(image, guidance)
    agreement = (parts.argmax(1) == expected[0].argmax(1)).float().mean()
    assert agreement > 0.99
    assert (fields - expected[1]).norm(dim=1).mean() < 0.3  # px of 160 x 130
    assert (fields - expected[1]).abs().max() > 1e-4  # other weights did run


def test_a_part_network_alone_has_one_graph(small, stirred, tmp_path):
    alone = Model(stirred(small(kind="face-details", steps=())))
    with pytest.raises(FacewarpError, match="has no graph 'pair'"):
        export_model(alone, tmp_path / "out", "pt2")
    assert not list(tmp_path.iterdir())
    assert export_model(alone, tmp_path / "out", "pt2", "parts").is_file()

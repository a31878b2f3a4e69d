"""Compiled models are kept from one start to the next, and damaged ones are made anew."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from threading import Event
from threading import enumerate as enumerate_threads

import numpy as np
import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig
from facewarp.core.engines import openvino_engine, openvino_models
from facewarp.core.engines.graphs import lean
from facewarp.core.engines.openvino_engine import OpenVinoEngine
from facewarp.core.engines.openvino_models import (
    BoundRequest,
    RequestsSideBySide,
    compile_model,
    digest_of,
)
from facewarp.core.engines.torch_engine import TorchEngine
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import StoredNetwork, save_weights, shipped_weights

ov = pytest.importorskip("openvino")

SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
VALUE = np.arange(4, dtype=np.float32)[None]


def doubling():
    """A model that doubles (1, 4)."""
    from openvino import opset13 as ops

    value = ops.parameter([1, 4], np.float32, name="value")
    twice = ops.multiply(value, ops.constant(np.full((1, 4), 2, np.float32)))
    return ov.Model([ops.result(twice)], [value], "doubling")


@pytest.fixture
def compiled(tmp_path):
    """Compile in one folder; whether the model had to be built, and what it makes of `VALUE`."""

    def once(known_by="weights", settings=SETTINGS, folder=tmp_path / "kept"):
        built = []

        def build():
            built.append(True)
            return doubling()

        model = compile_model(folder, known_by, build, settings)
        return bool(built), model([VALUE])[0].tolist()

    once.folder = tmp_path / "kept"
    return once


def kept_file(folder):
    (file,) = folder.iterdir()
    return file


def test_a_model_is_built_once(compiled):
    assert compiled() == (True, [[0, 2, 4, 6]])
    assert compiled() == (False, [[0, 2, 4, 6]])


def test_other_weights_settings_and_versions_are_compiled_anew(compiled, monkeypatch):
    compiled()
    assert compiled(known_by="others")[0]
    assert compiled(settings=SETTINGS | {"INFERENCE_NUM_THREADS": 2})[0]
    monkeypatch.setattr(openvino_models, "processor", lambda: "another processor")
    assert compiled()[0]
    monkeypatch.undo()
    monkeypatch.setattr(ov, "__version__", "2099.1.0-of-another-build")
    assert compiled()[0]
    monkeypatch.undo()
    assert not compiled()[0]


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "other", "unreadable"])
def test_a_damaged_model_is_made_anew(damage, compiled):
    compiled()
    file = kept_file(compiled.folder)
    content = bytearray(file.read_bytes())
    if damage == "bit":  # where OpenVINO itself would take the weights as they are
        content[-1] ^= 1
        file.write_bytes(content)
    elif damage == "unreadable":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({"cut": content[:-20], "empty": b"", "other": b"nonsense" * 9}[damage])
    assert compiled() == (True, [[0, 2, 4, 6]])
    if damage != "unreadable":
        assert compiled() == (False, [[0, 2, 4, 6]])


def test_a_whole_file_that_openvino_refuses_is_made_anew(compiled):
    import hashlib

    compiled()
    kept_file(compiled.folder).write_bytes(hashlib.sha256(b"no model").digest() + b"no model")
    assert compiled() == (True, [[0, 2, 4, 6]])
    assert compiled() == (False, [[0, 2, 4, 6]])


def test_without_a_folder_or_a_name_nothing_is_kept(compiled, tmp_path):
    assert compiled(folder=None)[0]
    assert compiled(known_by="")[0]
    assert not compiled.folder.exists()


def test_where_nothing_can_be_written_it_is_compiled_each_time(compiled, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for _ in range(2):
        assert compiled(folder=tmp_path / "file" / "kept") == (True, [[0, 2, 4, 6]])


CTRL_C_AFTER_TWO_MODELS = """
import signal, sys
from facewarp.core.engines.openvino_models import compile_model, openvino

def model():
    from openvino import opset13 as ops
    x = ops.parameter([1, 4], name="x")
    return openvino().Model([ops.relu(x)], [x], "model")

signal.signal(signal.SIGINT, signal.default_int_handler)
one = compile_model(None, "", model, {})
other = compile_model(None, "", model, {})
del one
del other
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_after_models_are_gone_is_an_interrupt():
    run = subprocess.run(
        [sys.executable, "-c", CTRL_C_AFTER_TWO_MODELS], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "interrupted\n"), run.stderr


def test_a_digest_tells_contents_and_words(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    digests = [
        digest_of([one]), digest_of([other]), digest_of([one, other]), digest_of([other, one]),
        digest_of([one], "word"), digest_of([one], "word", 1), digest_of([one], "wor", "d1"),
    ]  # fmt: skip
    assert len(set(digests)) == len(digests)
    assert digest_of([one], "word") == digests[4]


def test_an_engine_does_not_read_its_graphs_at_the_second_start(tmp_path):
    class NoGraphs(dict):
        def __missing__(self, graph):
            raise AssertionError(f"{graph} was read")

    results = []
    for graphs in ({"parts": doubling()}, NoGraphs()):
        engine = OpenVinoEngine("openvino", "", graphs, tmp_path, "weights", threads=1)
        results.append(engine.run("parts", VALUE)[0].tolist())
    assert results == [[[0, 2, 4, 6]]] * 2


def test_a_released_engine_makes_again_what_it_needs():
    graphs, runs = {"parts": doubling()}, []
    engine = OpenVinoEngine("openvino", "", graphs, None, threads=1)
    for _ in range(2):
        runs.append(engine.run("parts", VALUE)[0].tolist())
        engine.release()
        assert not engine._requests
    assert runs == [[[0, 2, 4, 6]]] * 2


def any_batch():
    """A model that doubles (N, 4)."""
    from openvino import opset13 as ops

    value = ops.parameter([-1, 4], np.float32, name="value")
    twice = ops.multiply(value, ops.constant(np.full((1, 4), 2, np.float32)))
    return ov.Model([ops.result(twice)], [value], "doubling")


def test_larger_batches_run_in_parts_until_they_are_compiled_aside(monkeypatch):
    go_on, sizes = Event(), []
    engine = OpenVinoEngine("openvino", "", {"parts": any_batch()}, None, threads=1)
    sized = engine._sized

    def slow(graph, batch):
        if batch > 1:
            assert go_on.wait(30)
        sizes.append(batch)
        return sized(graph, batch)

    monkeypatch.setattr(engine, "_sized", slow)
    engine.compile_aside(True)
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    for _ in range(2):  # nothing waits, and it is compiled once
        assert engine.parts(values).tolist() == (2 * values).tolist()
        assert sizes == [1]
    go_on.set()
    engine.compile_aside(False)
    assert sizes == [1, 4]
    assert not [one for one in enumerate_threads() if one.name.startswith("compile")]
    assert engine.parts(values).tolist() == (2 * values).tolist()
    assert sizes == [1, 4]


def test_what_can_not_be_compiled_aside_goes_on_in_parts(monkeypatch):
    engine = OpenVinoEngine("openvino", "", {"parts": any_batch()}, None, threads=1)
    sized = engine._sized

    def failing(graph, batch):
        if batch > 1:
            raise RuntimeError("no memory")
        return sized(graph, batch)

    monkeypatch.setattr(engine, "_sized", failing)
    engine.compile_aside(True)
    values = np.ones((5, 4), np.float32)
    for _ in range(2):
        assert engine.parts(values).shape == (5, 4)
        for thread in list(engine._aside.values()):
            thread.join()


def test_other_threads_are_used_by_what_is_compiled_aside(monkeypatch):
    asked = []
    compile_model = openvino_engine.compile_model
    monkeypatch.setattr(
        openvino_engine,
        "compile_model",
        lambda folder, known_by, build, settings: (
            asked.append(settings["INFERENCE_NUM_THREADS"]),
            compile_model(folder, known_by, build, settings),
        )[-1],
    )
    engine = OpenVinoEngine("openvino", "", {"parts": any_batch()}, None, threads=1)
    engine.compile_aside(True)
    for count in (1, 2):
        engine.use_threads(count)
        engine.parts(np.ones((2, 4), np.float32))
    engine.compile_aside(False)
    assert asked == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("refine", "decoder", "subpixel"), [(0, (6, 5), 1), (1, (6,), 1), (1, (6, 5), 2)]
)
def test_a_part_network_is_drawn_as_torch_runs_it(tmp_path, refine, decoder, subpixel):
    features = FeatureConfig(
        (4, 6, 8), (2, 2), decoder, refine, entry_kernel=5, entry_stride=2, join="add",
        subpixel=subpixel, fine=5,
    )  # fmt: skip
    config = ModelConfig(
        "face-details", ("a", "b", "c"), grid_shape=(32, 24), input_shape=(32, 24),
        field_shape=(32, 24), features=features, steps=(), guidance="probabilities",
    )  # fmt: skip
    net = GuidedRegistration(config)
    random = torch.Generator().manual_seed(3)  # rounding is ten times as much for some draws
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            drawn = torch.rand(value.shape, generator=random)
            value.copy_(drawn + (0.5 if "running_var" in name else -0.3))
    save_weights(net, tmp_path / "parts.safetensors", {})
    stored = StoredNetwork(tmp_path / "parts.safetensors")
    assert openvino_models.draws(config)
    assert not openvino_models.draws(replace(config, input_shape=(16, 12)))
    images = np.random.default_rng(3).random((3, 1, 32, 24), np.float32)
    drawn = OpenVinoEngine.of_parts(stored, "").parts(images)
    rounding = 2e-5
    np.testing.assert_allclose(drawn, TorchEngine(stored.net, "cpu").parts(images), atol=rounding)


def grids_of_warps(model):
    """The nodes that give the sampling grids of a graph's warps."""
    warps = [node for node in model.get_ops() if node.get_type_name() == "GridSample"]
    assert warps
    return {node.input_value(1).get_node().get_type_name() for node in warps}


def test_no_arithmetic_follows_the_transpose_of_sampling_grids(small, stirred):
    """OpenVINO takes 16 times as long for arithmetic over a last axis of two."""
    assert grids_of_warps(openvino_engine.convert(lean(stirred(small())), "fields")) == {
        "Transpose"
    }


def test_shipped_8_bit_graphs_transpose_sampling_grids_last():
    file = shipped_weights("face").parent / "int8" / "fields.xml"
    assert grids_of_warps(ov.Core().read_model(file)) == {"Transpose"}


def test_threads_that_ask_at_once_get_one_core(monkeypatch):
    made = []

    def slow():
        made.append(object())
        time.sleep(0.05)
        return made[-1]

    monkeypatch.setattr(openvino_models, "_core", cache(slow))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: openvino_models.core(), range(4)))
    assert len(made) == 1
    assert set(found) == set(made)


MEETING = """
import sys, threading
import numpy as np
from facewarp.core.engines.openvino_models import core, openvino
ov = openvino()
from openvino import opset13 as ops
value = ops.parameter([1, 4], np.float32)
model = ov.Model([ops.result(ops.multiply(value, value))], [value], "square")
requests = [core().compile_model(model, "CPU").create_infer_request() for _ in range(4)]
together, image = threading.Barrier(4), np.ones((1, 4), np.float32)
sys.setswitchinterval(1e-6)
def first(request):
    together.wait()
    request.infer([image], share_inputs=True)
threads = [threading.Thread(target=first, args=(request,)) for request in requests]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.slow
@pytest.mark.parametrize("_", range(4))
def test_first_inferences_that_coincide_do_not_wait_for_each_other(_):
    subprocess.run([sys.executable, "-c", MEETING], check=True, timeout=250)


def test_a_new_model_makes_room_and_one_that_is_read_is_kept(compiled, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "facewarp"
    folder = cache / f"openvino-{openvino_models.version()}" / "compiled"
    month_ago = time.time() - 31 * 86_400
    for kept in (folder / "old.model", cache / "openvino-2000.1" / "compiled" / "a.model"):
        kept.parent.mkdir(parents=True)
        kept.write_bytes(bytes(10))
        os.utime(kept, (month_ago, month_ago))
    assert compiled(folder=folder)[0]
    file = kept_file(folder)
    assert not (cache / "openvino-2000.1").exists()
    os.utime(file, (month_ago, month_ago))
    assert not compiled(folder=folder)[0]  # it is used now
    assert compiled(known_by="others", folder=folder)[0]
    assert file in set(folder.iterdir())


def test_a_bound_request_takes_each_call_s_inputs_and_names_its_outputs():
    from openvino import opset13 as ops

    first, second = (ops.parameter([1, 4], np.float32, name=name) for name in ("a", "b"))
    found = {"sum": ops.add(first, second), "difference": ops.subtract(first, second)}
    for name, node in found.items():
        node.output(0).get_tensor().set_names({name})
    model = ov.Model([ops.result(node) for node in found.values()], [first, second], "two")
    compiled = compile_model(None, "", lambda: model, SETTINGS)
    request, swapped = BoundRequest(compiled), BoundRequest(compiled, ["difference", "sum"])
    for one, other in ((VALUE.copy(), 3 * VALUE), (VALUE + 1, VALUE.astype(np.uint8))):
        one.flags.writeable = False  # what the caller gives is only read
        total, apart = (value.copy() for value in request(one, other))
        np.testing.assert_array_equal(total, one + other)
        np.testing.assert_array_equal(apart, one - other)
        np.testing.assert_array_equal(swapped(one, other)[0], apart)
    with pytest.raises(ValueError, match="zip"):
        request(VALUE)


def side_by_side():
    """An engine whose graph tells the sums and the products of images and a template."""
    from openvino import opset13 as ops

    images, template = (ops.parameter([-1, 4], np.float32, name=name) for name in ("a", "b"))
    found = ops.add(images, template), ops.multiply(images, template)
    model = ov.Model([ops.result(node) for node in found], [images, template], "two")
    return OpenVinoEngine("openvino", "", {"from_template": model}, None, threads=2)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_items_side_by_side_come_back_in_order(count, rng):
    engine = side_by_side()
    images = rng.normal(size=(count, 4)).astype(np.float32)
    template = rng.normal(size=(1, 4)).astype(np.float32)
    for _ in range(2):
        total, product = engine.from_template(images, template)
        np.testing.assert_array_equal(total, images + template)
        np.testing.assert_array_equal(product, images * template)
        images = images + 1
    kept = total.copy()
    engine.from_template(images, template)
    np.testing.assert_array_equal(total, kept)  # it is the caller's own
    assert set(engine._requests) == {("from_template", min(count, 2))}


def test_one_thread_needs_one_compiled_graph_for_any_number(monkeypatch):
    engine = side_by_side()
    engine.use_threads(1)
    sized, asked = engine._sized, []
    monkeypatch.setattr(engine, "_sized", lambda *key: (asked.append(key), sized(*key))[1])
    for count in (1, 4, 3):
        images = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
        total, _ = engine.from_template(images, np.ones((1, 4), np.float32))
        np.testing.assert_array_equal(total, images + 1)
    assert asked == [("from_template", 1)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [1, 3])
def test_gray_values_are_scaled_in_the_graph(count, threads, rng):
    engine = side_by_side()
    engine.use_threads(threads)
    gray = rng.integers(0, 256, (count, 4), dtype=np.uint8)
    template = rng.normal(size=(1, 4)).astype(np.float32)
    template.flags.writeable = False
    for _ in range(2):
        total, product = engine.from_template(gray, template)
        np.testing.assert_allclose(total, gray / 255 + template, atol=1e-6)
        np.testing.assert_allclose(product, gray / 255 * template, atol=1e-6)


def test_another_template_is_taken_though_none_can_be_written():
    engine, images = side_by_side(), np.ones((1, 4), np.float32)
    first, second = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    first.flags.writeable = second.flags.writeable = False
    for template in (first, first, second, first):
        total, _ = engine.from_template(images, template)
        np.testing.assert_array_equal(total, images + template)
    changed = np.zeros((1, 4), np.float32)
    for value in (1, 2):
        changed[:] = value
        np.testing.assert_array_equal(engine.from_template(images, changed)[0], images + value)


def test_items_side_by_side_go_on_after_one_that_failed():
    from openvino import opset13 as ops

    value = ops.parameter([1, 4], np.float32, name="value")
    model = ov.Model([ops.result(ops.multiply(value, value))], [value], "squares")
    settings = {"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 2}
    request = RequestsSideBySide(compile_model(None, "", lambda: model, settings), 2)
    values = [VALUE[0], VALUE[0] + 1, np.zeros(3, np.float32), VALUE[0]]  # one is too short

    class Ragged(list):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] if isinstance(index, slice) else None

    with pytest.raises(ValueError, match="broadcast"):
        request(Ragged(values))
    again = np.stack([VALUE[0] + k for k in range(5)])
    np.testing.assert_array_equal(request(again)[0], again * again)

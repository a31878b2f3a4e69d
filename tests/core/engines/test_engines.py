"""Every engine finds what torch finds, whatever the batch, and says clearly why it can't."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facewarp.core.engines import autotune
from facewarp.core.engines.base import ENGINES, is_installed, share_cores
from facewarp.core.engines.factory import make_engine
from facewarp.core.engines.graphs import GRAPHS, example_inputs, lean
from facewarp.core.engines.torch_engine import TorchEngine, in_half
from facewarp.core.model import load
from facewarp.core.networks.layers import fold_batch_norms
from facewarp.errors import FacewarpError
from facewarp.system.user_folders import cache_folder

NEEDS = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FACEWARP_ENGINE", raising=False)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    return tmp_path_factory.mktemp("converted")


@pytest.fixture
def kept(own_cache, converted, monkeypatch):
    """The key of the small network as it is, converted once for all tests: what takes longest."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(converted))
    return "a" * 64


@pytest.fixture(params=["onnx", "openvino"])
def name(request):
    for package in NEEDS[request.param]:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    return request.param


def inputs_of(net, batch):
    torch.manual_seed(batch)
    images, template = example_inputs(net, "both_ways", batch)
    soft = torch.rand_like(template).softmax(1)[:1]
    return torch.rand_like(images).numpy(), soft.numpy()


def px_apart(one, other):
    return float(np.abs(one - other).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"combine": "add", "border": "zero"}, {"guidance": "logits", "diffeomorphic": True}],
    ids=["plain", "paper", "diffeomorphic of logits"],
)
def test_engines_find_what_torch_finds(name, changes, small, stirred, kept, subtests):
    net = stirred(small(**changes))
    reference, engine = (
        make_engine("torch", net),
        make_engine(name, net, key="" if changes else kept),
    )
    for batch in (1, 2, 7):
        with subtests.test(batch=batch):
            agree(engine, reference, net, batch)
    if not changes:
        agree_one_way(engine, reference, net)
        agree_in_parts(engine, reference, net)


def agree(engine, reference, net, batch):
    images, template = inputs_of(net, batch)
    expected = reference.both_ways(images, template)
    found = engine.both_ways(images, template)
    assert [tuple(x.shape) for x in found] == [tuple(x.shape) for x in expected]
    assert px_apart(found[0], expected[0]) < 1e-4
    assert px_apart(found[1], expected[1]) < 0.01
    assert np.abs(expected[1]).max() > 0.05  # there is something to find


def agree_one_way(engine, reference, net, batch=2):
    images, template = inputs_of(net, batch)
    expected = reference.both_ways(images, template)
    parts, fields = engine.from_template(images, template)
    assert px_apart(parts, expected[0]) < 1e-4
    assert px_apart(fields, expected[1][batch:]) < 0.01
    gray = np.rint(255 * images).astype(np.uint8)
    of_gray = engine.from_template(gray, template)
    of_shares = engine.from_template(gray / np.float32(255), template)
    assert px_apart(of_gray[0], of_shares[0]) < 1e-4
    assert px_apart(of_gray[1], of_shares[1]) < 1e-3


def agree_in_parts(engine, reference, net, batch=3):
    images, _ = inputs_of(net, batch)
    expected = reference.parts(images)
    assert px_apart(engine.parts(images), expected) < 1e-4
    gray = np.rint(255 * images).astype(np.uint8)
    of_shares = engine.parts(gray / np.float32(255))
    mattes = engine.mattes(np.moveaxis(gray, 1, 3))
    assert mattes.dtype == np.uint8
    assert px_apart(mattes, 255 * of_shares[:, 1]) < 0.52
    moving = expected[::-1].copy()
    again = reference.fields(expected, moving)
    assert px_apart(engine.fields(expected, moving), again) < 0.01


@pytest.mark.parametrize(("kind", "hints"), [("face", {"f32"}), ("heart-slices", {None})])
def test_only_networks_of_slices_may_run_in_bf16(kind, hints, small, stirred, monkeypatch):
    pytest.importorskip("openvino")
    from facewarp.core.engines import openvino_engine

    used, compile_model = set(), openvino_engine.compile_model

    def noted(folder, known_by, build, settings):
        used.add(settings.get("INFERENCE_PRECISION_HINT"))
        return compile_model(folder, known_by, build, settings)

    monkeypatch.setattr(openvino_engine, "compile_model", noted)
    net = stirred(small(kind=kind))
    images, _ = inputs_of(net, 1)
    found, expected = (make_engine(name, net).parts(images) for name in ("openvino", "torch"))
    assert used == hints
    assert px_apart(found, expected) < (1e-4 if hints == {"f32"} else 0.02)


@pytest.mark.parametrize("kind", ["face", "heart-slices"])
@pytest.mark.parametrize("able", [False, True])
def test_torch_runs_networks_of_slices_alone_in_bf16(kind, able, small, stirred, monkeypatch):
    monkeypatch.setattr("facewarp.core.engines.factory.has_bfloat16", lambda: able)
    net = stirred(small(kind=kind))
    images, _ = inputs_of(net, 2)
    exact = TorchEngine(net, "cpu").parts(images)
    engine = make_engine("torch", net)
    found = engine.parts(images)
    coarse = able and kind == "heart-slices"
    assert ("bf16" in engine.summary) == coarse
    assert (0 < px_apart(found, exact) < 0.02) if coarse else np.array_equal(found, exact)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


@pytest.mark.slow
def test_engines_agree_with_torch_on_shipped_weights(name):
    model = load("face")
    images, template = inputs_of(model.net, 1)
    expected = model.engine.both_ways(images, template)[1]
    engine = model.use(name)
    assert model.engine.name == name
    assert px_apart(engine.both_ways(images, template)[1], expected) < 0.01
    assert px_apart(engine.from_template(images, template)[1], expected[1:]) < 0.01


@pytest.mark.slow
def test_8_bit_weights_find_one_direction_as_with_the_other():
    pytest.importorskip("openvino")
    engine = load("face", engine="openvino-int8").engine
    images, template = inputs_of(load("face").net, 2)
    parts, fields = engine.both_ways(images, template)
    found = engine.from_template(images, template)
    np.testing.assert_allclose(found[0], parts, atol=1e-6)
    assert px_apart(found[1], fields[2:]) < 0.01


@pytest.mark.slow
def test_an_engine_finds_the_same_on_other_threads(name, small, stirred, kept):
    net = stirred(small())
    engine = make_engine(name, net, key=kept)
    images, template = inputs_of(net, 1)
    before = [value.copy() for value in engine.both_ways(images, template)]
    for count in (2, 1):
        engine.use_threads(count)
        for value, expected in zip(engine.both_ways(images, template), before, strict=True):
            assert px_apart(value, expected) < 1e-3


@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_in_a_pipeline_an_engine_leaves_half_of_the_cores(kind, monkeypatch):
    asked, threads = [], torch.get_num_threads()
    engine = SimpleNamespace(name=kind, use_threads=asked.append)
    monkeypatch.setattr("facewarp.system.machine._all_cores", lambda: 8)
    try:
        torch.set_num_threads(2)
        share_cores(engine)
        assert (asked, torch.get_num_threads()) == ([], 2 if kind == "torch" else 1)
        share_cores(engine, in_pipeline=True)
        assert asked == [4]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_results_outlive_the_next_call(name, small, stirred, kept):
    net = stirred(small())
    engine = make_engine(name, net, key=kept)
    images, template = inputs_of(net, 1)
    first = engine.both_ways(images, template)
    kept = [value.copy() for value in first]
    engine.both_ways(1 - images, template)
    for value, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(value, before)


def test_two_directions_are_those_of_single_calls(small, stirred):
    net = stirred(small())
    engine = make_engine("torch", net)
    images, template = inputs_of(net, 3)
    parts, fields = engine.both_ways(images, template)
    templates = np.repeat(template, 3, axis=0)
    np.testing.assert_allclose(engine.parts(images), parts, atol=1e-6)
    np.testing.assert_allclose(engine.fields(parts, templates), fields[:3], atol=1e-5)
    np.testing.assert_allclose(engine.fields(templates, parts), fields[3:], atol=1e-5)
    alone = engine.from_template(images, template)
    np.testing.assert_allclose(alone[0], parts, atol=1e-6)
    np.testing.assert_allclose(alone[1], fields[3:], atol=1e-5)


def test_half_precision_keeps_pixels_in_single(small, stirred):
    net = fold_batch_norms(stirred(small()))
    images, template = map(torch.from_numpy, inputs_of(net, 1))
    with torch.inference_mode():
        expected = GRAPHS["both_ways"](net)(images, template)
        found = GRAPHS["both_ways"](in_half(net))(images, template)
    assert all(value.dtype == torch.float32 for value in found)
    assert (found[1] - expected[1]).abs().max() < 0.1
    assert net.parts.entry[0].weight.dtype == torch.float32  # the original is left alone


def test_graphs_are_made_of_a_copy(small, stirred):
    net = stirred(small())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    lean(net)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize("name", ["", "tensorrt", "Torch"])
def test_an_unknown_engine_is_refused_with_the_known_ones(name, small, stirred):
    with pytest.raises(FacewarpError, match="openvino-int8"):
        make_engine(name, stirred(small()))


def test_a_missing_engine_gives_the_install_command(monkeypatch, small, stirred):
    monkeypatch.setattr("facewarp.core.engines.base.find_spec", lambda package: None)
    with pytest.raises(FacewarpError, match=r"Install it: .* install .*\[onnx\]"):
        make_engine("onnx", stirred(small()))
    assert [name for name in ENGINES if is_installed(name)] == ["torch"]


@pytest.mark.slow
def test_networks_can_be_converted_in_threads(name, small, stirred):
    nets = [stirred(small()) for _ in range(3)]
    images, _ = inputs_of(nets[0], 1)
    engines = [make_engine(name, net) for net in nets]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda engine: engine.parts(images), engines))
    for net, parts in zip(nets, found, strict=True):
        assert px_apart(parts, make_engine("torch", net).parts(images)) < 1e-4


@pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="direct on x86 alone"
)
@pytest.mark.parametrize("batch", [1, 2])
def test_convolutions_of_volumes_are_direct_however_small(batch, small, stirred):
    net = stirred(small(ndim=3))
    images = torch.rand_like(example_inputs(net, "parts", batch)[0])
    engine = TorchEngine(net, "cpu")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        found = engine.parts(images.numpy())
    with torch.inference_mode():
        wanted = net.features(images).softmax(1).numpy()
    assert px_apart(found, wanted) < 1e-5
    assert found.flags.c_contiguous
    ran = {event.key for event in profile.key_averages()}
    assert "aten::mkldnn_convolution" in ran
    assert not [name for name in ran if "slow_conv" in name]


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_volumes_and_other_devices_are_torch_s(name, small, stirred, monkeypatch):
    monkeypatch.setattr("facewarp.core.engines.factory.is_installed", lambda name: True)
    with pytest.raises(FacewarpError, match="volumes"):
        make_engine(name, stirred(small(ndim=3)))
    with pytest.raises(FacewarpError, match="meta"):
        make_engine(name, stirred(small()), device="meta")


def test_int8_without_weights_gives_the_command(small, stirred, monkeypatch):
    monkeypatch.setattr("facewarp.core.engines.factory.is_installed", lambda name: True)
    with pytest.raises(FacewarpError, match="facewarp export --int8"):
        make_engine("openvino-int8", stirred(small()))


@pytest.fixture
def auto(small, stirred, monkeypatch):
    """Choose among engines that are said to be installed; says which were made, and measured."""
    net, made, measured, broken = stirred(small()), [], [], []

    def make_engine(name, net, **options):
        made.append(name)
        if name in broken:
            raise FacewarpError(f"{name} does not run here")
        return SimpleNamespace(name=name, summary=name)

    def quickest(make, candidates, net):
        measured.append(candidates)
        return make(candidates[-1]), dict.fromkeys(candidates, 4.0)

    def choose(installed, key="a" * 64, *, busy=False, int8=None, avx2=True):
        monkeypatch.setattr(autotune, "is_installed", lambda name: name in installed)
        monkeypatch.setattr(autotune, "is_busy", lambda: busy)
        monkeypatch.setattr(autotune, "has_avx2", lambda: avx2)
        return autotune.choose(net, "cpu", key, int8, make_engine).name

    monkeypatch.setattr(autotune, "quickest", quickest)
    return SimpleNamespace(choose=choose, made=made, measured=measured, broken=broken, net=net)


THREE = ("torch", "onnx", "openvino")
ALL = (*THREE, "openvino-int8")


def test_8_bit_weights_are_taken_unmeasured_where_they_are_known_to_be_quickest(auto, tmp_path):
    assert auto.choose(ALL, int8=tmp_path) == "openvino-int8"
    assert (auto.made, auto.measured) == (["openvino-int8"], [])  # no other is even converted
    assert auto.choose(ALL) == "openvino"  # a model without 8-bit weights
    assert auto.choose(ALL, int8=tmp_path, avx2=False) == "openvino-int8"
    assert auto.measured == [["onnx", "openvino"], ["onnx", "openvino", "openvino-int8"]]


def test_8_bit_weights_that_do_not_run_leave_the_choice_to_the_others(auto, tmp_path):
    auto.broken.append("openvino-int8")
    assert auto.choose(ALL, int8=tmp_path) == "openvino"
    assert auto.measured == [["onnx", "openvino"]]


def test_auto_measures_once_and_remembers(auto):
    for _ in range(2):
        assert auto.choose(THREE) == "openvino"
    assert auto.measured == [["onnx", "openvino"]]  # torch is not even imported for it
    auto.choose(THREE, key="b" * 64)  # other weights are measured anew
    assert len(auto.measured) == 2
    kept = json.loads((cache_folder() / autotune.CHOICES_FILE).read_text("utf-8"))
    assert [entry["engine"] for entry in kept.values()] == ["openvino", "openvino"]


def test_the_only_engine_beside_torch_is_taken_unmeasured(auto):
    assert auto.choose(("torch", "onnx")) == "onnx"
    assert (auto.made, auto.measured) == (["onnx"], [])
    assert auto.choose(("torch",)) == "torch"


def test_what_was_measured_on_a_busy_machine_is_measured_again(auto):
    def described():
        return autotune.describe_choice(autotune.last_choice())

    auto.choose(THREE, busy=True)
    assert "the machine was busy" in described()
    auto.choose(THREE, busy=True)
    assert len(auto.measured) == 1  # it would be no better
    day = date.today()
    auto.choose(THREE)
    assert len(auto.measured) == 2
    told = "ms a frame: onnx 4.0, openvino 4.0, measured"
    assert described() in {f"{told} {day}", f"{told} {date.today()}"}  # it may be midnight
    auto.choose(THREE, busy=True)
    assert len(auto.measured) == 2


def test_torch_takes_over_where_no_other_engine_runs(auto, monkeypatch):
    def fails(make, candidates, net):
        raise FacewarpError("no engine runs this network here")

    monkeypatch.setattr(autotune, "quickest", fails)
    assert auto.choose(THREE) == "torch"


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "{"])
def test_a_damaged_memory_is_measured_anew(content, auto):
    (cache_folder() / autotune.CHOICES_FILE).write_text(content, "utf-8")
    assert auto.choose(THREE) == "openvino"
    assert len(auto.measured) == 1


def test_the_quickest_is_chosen_and_what_fails_is_left_out(small, stirred):
    net = stirred(small())

    class Slow:
        def __init__(self, name, repeat):
            self.name, self.repeat = name, repeat
            self.engine = make_engine("torch", net)

        def from_template(self, images, template):
            for _ in range(self.repeat):
                self.engine.from_template(images, template)

    def make(name):
        if name == "broken":
            raise RuntimeError("no such instruction")
        return Slow(name, {"slow": 40, "quick": 1}[name])

    best, times_ms = autotune.quickest(make, ["slow", "broken", "quick"], net)
    assert best.name == "quick"
    assert set(times_ms) == {"slow", "quick"}
    with pytest.raises(FacewarpError, match="no engine"):
        autotune.quickest(make, ["broken"], net)


def test_auto_is_torch_where_nothing_else_is_there(small, stirred, monkeypatch):
    monkeypatch.setattr(autotune, "is_installed", lambda name: name == "torch")
    assert make_engine("auto", stirred(small())).name == "torch"
    assert make_engine("auto", stirred(small(ndim=3))).name == "torch"


def test_the_environment_variable_sets_auto(monkeypatch, small, stirred):
    monkeypatch.setenv("FACEWARP_ENGINE", "nonsense")
    with pytest.raises(FacewarpError, match="nonsense"):
        make_engine("auto", stirred(small()))


def test_without_a_writable_cache_everything_still_works(auto, monkeypatch, tmp_path):
    pytest.importorskip("openvino")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder() is None
    for count in (1, 2):  # nothing can be remembered
        assert auto.choose(THREE) == "openvino"
        assert len(auto.measured) == count
    engine = make_engine("openvino", auto.net, key="a" * 64)
    found = engine.run("parts", example_inputs(lean(auto.net), "parts")[0].numpy())
    assert np.isfinite(found[0]).all()

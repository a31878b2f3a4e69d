import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import facewarp
from facewarp.core import weights
from facewarp.core.config import FeatureConfig, ModelConfig
from facewarp.core.engines.base import is_installed
from facewarp.core.geometry import resize_image
from facewarp.core.model import Model, load, template_guidance
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import save_weights
from facewarp.errors import FacewarpError


@pytest.fixture
def model(small, stirred):
    return Model(stirred(small()))


@pytest.fixture
def volume_model(small, stirred):
    return Model(stirred(small(3)))


def test_register_gives_a_field_that_warps_everything(model, rng):
    fixed, moving = rng.random((2, 32, 24)).astype(np.float32)
    reg = model.register(fixed, moving)
    assert reg.field.shape == (2, 32, 24)
    assert reg.field.dtype == np.float32
    assert reg.labels_fixed.shape == (32, 24)
    np.testing.assert_allclose(reg.jacobian().mean(), 1, atol=0.5)
    # a picture of x coordinates, warped, says where points go
    ramp = np.broadcast_to(np.arange(24, dtype=np.float32), (32, 24))
    warped = reg.warp(ramp)
    x = reg.warp_points(np.array([[12.0, 16.0]]))[0, 0]
    assert warped[16, 12] == pytest.approx(x, abs=1e-3)


@pytest.mark.parametrize("device", ["abacus", "hpu"])  # no such word, and none in this build
def test_a_missing_device_is_an_error(device):
    with pytest.raises(FacewarpError, match=f"there is no device '{device}' here"):
        load("face", device)


@pytest.mark.parametrize("guidance", ["probabilities", "logits"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_copy_that_runs_gives_what_the_network_gives(ndim, guidance, small, stirred):
    """Batch norms with statistics of their own, folded, change nothing; nor does what is between.

    What is taught is the network's forward pass; what runs has part probabilities in between.
    """
    net = stirred(small(ndim, guidance=guidance))
    torch.nn.init.normal_(net.parts.classify.weight)  # logits far from adding up to one
    for layer in net.modules():
        if hasattr(layer, "running_var"):
            torch.nn.init.uniform_(layer.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2.0)
    images = torch.rand(2, 1, *net.config.grid_shape)
    parts = Model(net).probabilities(images)
    with torch.no_grad():
        taught = net(images[:1], images[1:])
    torch.testing.assert_close(parts[:1], taught.logits_fixed.softmax(1), atol=1e-5, rtol=0)
    found = Model(net).fields(parts[:1], parts[1:])
    assert found.abs().max() > 0.1
    torch.testing.assert_close(found, taught.fields[-1], atol=1e-3, rtol=0)
    assert any(hasattr(layer, "running_var") for layer in net.modules())  # the original is kept


def test_on_another_grid_layers_are_shared_and_find_the_same(volume_model):
    d, h, w = volume_model.config.grid_shape
    wide = volume_model.on_grid((d, 2 * h, w))
    net = GuidedRegistration(volume_model.config.on_grid((d, 2 * h, w)))
    net.load_state_dict(volume_model.net.state_dict())
    images = torch.rand(2, 1, d, 2 * h, w)
    parts = wide.probabilities(images)
    torch.testing.assert_close(parts, Model(net).probabilities(images), atol=0, rtol=0)
    found = wide.fields(parts[:1], parts[1:])
    torch.testing.assert_close(found, Model(net).fields(parts[:1], parts[1:]), atol=0, rtol=0)
    assert wide.net.parts is volume_model.net.parts
    assert tuple(volume_model.config.grid_shape) == (d, h, w)  # the model itself stays
    again = volume_model.probabilities(torch.rand(1, 1, d, h, w))
    assert tuple(again.shape[2:]) == tuple(volume_model.config.feature_shape)


@pytest.mark.parametrize("native", [False, True])
def test_a_rough_look_sees_about_the_same(volume_model, model, monkeypatch, native):
    monkeypatch.setattr("facewarp.core.model.has_bfloat16", lambda: native)
    assert model.rough() is None  # a face's
    rough = volume_model.rough()
    assert (rough is not None) == native
    if rough is None:
        return
    images = torch.rand(1, 1, *volume_model.config.grid_shape)
    close = volume_model.probabilities(images)
    assert 0 < (rough.probabilities(images) - close).abs().max() < 0.03
    pair = close, close.flip(-1)
    exact, quick = volume_model.fields(*pair), rough.fields(*pair)
    assert 0 < (quick - exact).abs().max() < 0.02 * max(1.0, float(exact.abs().max()))
    torch.testing.assert_close(volume_model.probabilities(images), close, atol=0, rtol=0)


def test_register_takes_pairs_of_different_size(model, rng):
    """The field carries pixels of fixed to pixels of moving."""
    fixed = rng.random((64, 48))
    moving = rng.random((96, 72, 3))
    reg = model.register(fixed, moving)
    assert reg.field.shape == (2, 64, 48)
    assert reg.labels_moving.shape == (96, 72)
    assert reg.warp(moving).shape == (64, 48, 3)
    same = model.register(fixed, fixed).field
    own = np.stack(np.meshgrid(np.arange(48), np.arange(64)))
    other = model.register(fixed, np.kron(fixed, np.ones((2, 2)))).field
    expected = 2 * (own + same + 0.5) - 0.5 - own  # moving drawn twice as large
    np.testing.assert_allclose(other, expected, atol=1e-3)


def test_register_volumes(volume_model, rng):
    fixed, moving = rng.integers(0, 255, (2, 8, 32, 24)).astype(np.uint8)
    reg = volume_model.register(fixed, moving)
    assert reg.field.shape == (3, 8, 32, 24)
    assert reg.warp(moving).dtype == np.uint8
    assert reg.jacobian().shape == (8, 32, 24)


def test_warp_labels_keeps_ids(model, rng):
    reg = model.register(*rng.random((2, 32, 24)))
    labels = np.zeros((32, 24), np.uint8)
    labels[:, 12:] = 200
    assert set(np.unique(reg.warp_labels(labels))) <= {0, 200}
    with pytest.raises(FacewarpError, match="ids"):
        reg.warp_labels(labels.astype(int) - 5)
    with pytest.raises(FacewarpError, match="whole ids"):
        reg.warp_labels(labels + 0.5)
    with pytest.raises(FacewarpError, match="moving was"):
        reg.warp(labels[:5])


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 4, 4, 4)), "shape"),
        (np.zeros((32, 24, 2)), "shape"),
        (np.zeros((0, 24)), "shape"),
        (np.full((32, 24), np.nan), "finite"),
        (np.full((32, 24), 255.0), "0..1"),
        (np.full((32, 24), 4095, np.uint16), "0..1"),  # 12 bits
        (np.full((32, 24), 255), "seen as black"),  # bytes in int64
        (np.full((32, 24), -3, np.int16), "from -3"),
        (np.zeros((32, 24), complex), "fixed has complex values.*magnitude"),
        (None, "fixed is no image, but of type NoneType.*imread"),
        ("photo.jpg", "fixed is no image, but of type str"),
    ],
)
def test_bad_images_are_refused_with_a_next_step(model, image, words):
    with pytest.raises(FacewarpError, match=words):
        model.register(image, np.zeros((32, 24)))


@pytest.mark.parametrize("sent", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_a_model_goes_to_other_processes(tmp_path, small, stirred, rng, engine, sent):
    path = tmp_path / "model.safetensors"
    save_weights(stirred(small()), path, {"preset": "test"})
    pair = rng.random((2, 32, 24)).astype(np.float32)
    model = load(path, engine=engine)
    there = sent(model)
    assert (there.engine.name, there.sha256, there.path) == (engine, model.sha256, path)
    assert there.engine is not model.engine
    np.testing.assert_allclose(there.register(*pair).field, model.register(*pair).field, atol=1e-5)


def test_a_model_of_no_file_goes_with_its_weights(model, rng):
    pair = rng.random((2, 32, 24)).astype(np.float32)
    there = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(there.register(*pair).field, model.register(*pair).field)


def test_a_copy_of_a_model_shares_its_engine(model):
    other = copy.copy(model)
    assert other.engine is model.engine
    other.metadata = {"preset": "other"}
    assert model.metadata == {}


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_threads_share_a_model(tmp_path, small, stirred, rng, engine):
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed")
    path = tmp_path / "model.safetensors"
    save_weights(stirred(small()), path, {"preset": "test"})
    model = load(path, engine=engine)
    pairs = rng.random((12, 2, 32, 24)).astype(np.float32)
    alone = [model.register(*pair).field for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: model.register(*pair).field, pairs))
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_weights_round_trip(tmp_path, model, rng):
    path = tmp_path / "model.safetensors"
    digest = weights.save_weights(model.net, path, {"preset": "test"})
    again = load(path)
    assert again.sha256 == digest == weights.file_sha256(path)
    assert again.metadata["preset"] == "test"
    assert again.config == model.config
    pair = rng.random((2, 32, 24))
    np.testing.assert_allclose(
        again.register(*pair).field, model.register(*pair).field, atol=0.05
    )  # kernels were rounded to fp16
    assert list(tmp_path.iterdir()) == [path]


def test_saving_that_fails_leaves_nothing(tmp_path, model, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full_disk)
    with pytest.raises(FacewarpError, match="space"):
        weights.save_weights(model.net, tmp_path / "model.safetensors", {})
    assert not list(tmp_path.iterdir())


def test_unreadable_weights_are_named(tmp_path, small):
    text = tmp_path / "a.safetensors"
    text.write_text("not weights")
    bare = tmp_path / "b.safetensors"
    save_file({"x": torch.zeros(1)}, bare)
    wrong = tmp_path / "c.safetensors"
    save_file({"x": torch.zeros(1)}, wrong, {"config": small().to_json()})
    odd = tmp_path / "d.safetensors"
    save_file({"x": torch.zeros(1)}, odd, {"config": json.dumps({"features": {}, "steps": []})})
    cases = [
        (tmp_path / "none.safetensors", "no such weights"),
        (text, "not readable"),
        (bare, "no facewarp configuration"),
        (wrong, "do not fit"),
        (odd, "do not fit"),
    ]
    for path, words in cases:
        with pytest.raises(FacewarpError, match=words) as caught:
            load(path)
        assert path.name in str(caught.value)


def test_unknown_names_say_what_exists():
    with pytest.raises(FacewarpError, match="no model is called 'fcae'"):
        facewarp.load("fcae")


def test_shipped_weights_with_another_hash_are_refused(tmp_path, monkeypatch, model):
    folder = tmp_path / "weights"
    path = folder / "x" / "model.safetensors"
    weights.save_weights(model.net, path, {})
    index = {"x": {"file": "x/model.safetensors", "sha256": weights.file_sha256(path)}}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(weights.resources, "files", lambda _: tmp_path)
    assert load("x").path == path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(FacewarpError, match="recorded hash"):
        load("x")


@pytest.mark.parametrize("name", [weights.SLICES, weights.DETAILS])
def test_a_shipped_part_network_that_is_missing_is_told(tmp_path, monkeypatch, model, name):
    folder = tmp_path / "weights"
    for file in ("model.safetensors", name):
        weights.save_weights(model.net, folder / "x" / file, {})
    sha256 = weights.file_sha256(folder / "x" / name)
    index = {"x-parts": {"file": f"x/{name}", "sha256": sha256}}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(weights.resources, "files", lambda _: tmp_path)
    beside = folder / "x" / name
    assert weights.weights_beside(folder / "x" / "model.safetensors", name) == beside
    beside.unlink()
    with pytest.raises(FacewarpError, match="shipped weights are missing"):
        weights.weights_beside(folder / "x" / "model.safetensors", name)
    assert weights.weights_beside(tmp_path / "model.safetensors", name) is None


@pytest.mark.parametrize(
    "shape", [(16, 12), (32, 24), (48, 24), (40, 25)]
)  # as it is, means, linear
def test_guidance_in_numpy_is_guidance_in_torch(shape, model, rng):
    """A template's soft labels in the size of the features, as resize_image brings them there."""
    soft = rng.random((model.config.n_classes, *shape)).astype(np.float32)
    soft /= soft.sum(0)
    ours = template_guidance(model, soft)
    theirs = resize_image(torch.from_numpy(soft)[None], model.config.feature_shape).numpy()
    assert ours.shape == (1, model.config.n_classes, *model.config.feature_shape)
    if all(a % b == 0 for a, b in zip(shape, model.config.feature_shape, strict=True)):
        np.testing.assert_array_equal(ours, theirs)  # a tracker feeds it back: not a bit may differ
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(ours.sum(1), 1, atol=1e-5)


def test_a_part_network_of_slices_beside_heart_weights_is_found(tmp_path, volume_model):
    part_net = ModelConfig(
        kind="heart-slices", classes=volume_model.config.classes, grid_shape=(16, 24),
        input_shape=(16, 24), field_shape=(16, 24), spacing_mm=(2.0, 2.0), steps=(),
        features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=(8,), inputs=3),
    )  # fmt: skip
    heart = replace(volume_model.config, kind="heart")
    path = tmp_path / "model.safetensors"
    save_weights(GuidedRegistration(heart), path, {})
    assert load(path).slices is None
    save_weights(GuidedRegistration(part_net), tmp_path / "slices.safetensors", {})
    model = load(path)
    slices = model.slices
    assert slices is not None
    assert slices.engine.name == "torch"
    wider = slices.on_grid((32, 24))
    assert wider.probabilities(torch.rand(2, 3, 32, 24)).shape == (2, heart.n_classes, 32, 24)
    for one in (model, slices, wider):
        assert "net" not in vars(one._network)  # the engine's copy is the only one in memory
    assert wider.net.config.grid_shape == (32, 24)
    assert wider.net is wider.net
    assert slices.net.config.grid_shape == (16, 24)
    assert slices.probabilities(torch.rand(5, 3, 16, 24)).shape == (5, heart.n_classes, 16, 24)
    save_weights(GuidedRegistration(replace(heart, kind="face")), path, {})
    assert load(path).slices is None

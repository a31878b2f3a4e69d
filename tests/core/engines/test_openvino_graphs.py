"""Graphs of bytes say what those of images say, in fewer steps where they can."""

import numpy as np
import pytest

openvino = pytest.importorskip("openvino")

from openvino import opset13 as ops  # noqa: E402

from facewarp.core.engines.openvino_graphs import (  # noqa: E402
    OF_BYTES,
    OF_GRAY,
    OF_PICTURES,
    px_of_cells,
)
from facewarp.core.engines.openvino_models import core  # noqa: E402
from facewarp.core.engines.quantization import take_bytes_as_they_are  # noqa: E402


def found(model, *inputs):
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return next(iter(compiled(inputs).values()))


def kinds(model):
    return [node.get_type_name() for node in model.get_ordered_ops()]


def entry(rng, step, side, width, most):
    """A quantized first convolution of gray images."""
    images = ops.parameter([2, 1, 24, width], np.float32, name="images")
    low, high = (ops.constant(np.float32(value)) for value in (0, 0.94))
    taken = ops.fake_quantize(images, low, high, low, high, 256)
    kernels = ops.constant(rng.integers(-most, most + 1, (8, 1, side, side)).astype(np.int8))
    scales = ops.constant(rng.uniform(0.001, 0.01, (8, 1, 1, 1)).astype(np.float32))
    weights = ops.multiply(ops.convert(kernels, np.float32), scales)
    pads = [side // 2] * 2
    seen = ops.convolution(taken, weights, [step, step], pads, pads, [1, 1])
    return openvino.Model([ops.result(ops.relu(seen))], [images], "entry")


@pytest.mark.parametrize(
    ("step", "side", "width", "most", "channels"),
    [
        (4, 7, 20, 64, 4),
        (4, 5, 20, 64, 4),
        (2, 3, 22, 64, 2),
        (4, 7, 20, 127, 1),  # two products may not fit into 16 bits
        (4, 7, 22, 64, 1),
        (1, 3, 20, 64, 1),
    ],
)
def test_an_8_bit_entry_sees_columns_as_channels(rng, step, side, width, most, channels):
    gray = rng.integers(0, 256, (2, 1, 24, width), np.uint8)
    model = entry(rng, step, side, width, most)
    expected = found(model.clone(), gray / np.float32(255))
    bytes_in = OF_BYTES[OF_GRAY][1](model)
    (first,) = [n for n in bytes_in.get_ops() if n.get_type_name() == "Convolution"]
    assert first.input_value(1).get_shape()[1] == channels
    again = found(bytes_in, gray)
    assert again.shape == expected.shape
    np.testing.assert_allclose(again, expected, atol=1e-5)
    assert np.ptp(expected) > 0.1


def two_parts(rng, shuffle, kernel=1, count=2):
    """Pictures to so many parts, px put between one another before the last convolution."""
    images = ops.parameter([1, 3, 12, 16], np.float32, name="images")
    n = 1 if shuffle == "none" else 2
    wide = rng.normal(size=(5 * n * n, 3, 3, 3)).astype(np.float32)
    x = ops.convolution(images, ops.constant(wide), [n, n], [1, 1], [1, 1], [1, 1])
    x = ops.tanh(x)
    if shuffle == "one step":
        x = ops.depth_to_space(x, "depth_first", n)
    elif shuffle == "three steps":
        apart = ops.constant(np.array([1, 5, n, n, 6, 8], np.int64))
        order = ops.constant(np.array([0, 1, 4, 2, 5, 3], np.int64))
        x = ops.transpose(ops.reshape(x, apart, False), order)
        x = ops.reshape(x, ops.constant(np.array([1, 5, 12, 16], np.int64)), False)
    last = rng.normal(size=(count, 5, kernel, kernel)).astype(np.float32)
    pads = [kernel // 2] * 2
    x = ops.convolution(x, ops.constant(last), [1, 1], pads, pads, [1, 1])
    bias = rng.normal(size=(1, count, 1, 1)).astype(np.float32)
    parts = ops.softmax(ops.add(x, ops.constant(bias)), 1)
    return openvino.Model([ops.result(parts)], [images], "parts")


@pytest.mark.parametrize(
    ("shuffle", "kernel", "count", "left"),
    [
        ("none", 1, 2, 0),
        ("one step", 1, 2, 0),
        ("three steps", 1, 2, 0),
        ("one step", 3, 2, 1),
        ("none", 1, 3, 1),
    ],
)
def test_two_parts_are_one_share(rng, shuffle, kernel, count, left):
    pictures = rng.integers(0, 256, (1, 12, 16, 3), np.uint8)
    model = two_parts(rng, shuffle, kernel, count)
    images = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)) / np.float32(255)
    expected = 255 * found(model.clone(), images)[:, 1]
    bytes_in = OF_BYTES[OF_PICTURES][1](model)
    mattes = px_of_cells(found(bytes_in, pictures))
    assert kinds(bytes_in).count("Softmax") == left
    assert mattes.dtype == np.uint8
    assert mattes.shape == (1, 12, 16)
    np.testing.assert_allclose(mattes, expected, atol=0.51)
    assert np.ptp(expected) > 50


def test_pictures_of_bytes_are_taken_as_they_are(rng):
    """A calibration may call 0.92 white: what is brighter would be lost."""
    images = ops.parameter([1, 1, 8, 8], np.float32, name="images")
    images.output(0).get_tensor().set_names({"images"})
    shape = (1, 1, 1, 1)
    low, high = (ops.constant(np.full(shape, value, np.float32)) for value in (0, 0.92))
    taken = ops.fake_quantize(images, low, high, low, high, 256)
    other = ops.fake_quantize(ops.multiply(taken, high), low, high, low, high, 256)
    model = openvino.Model([ops.result(taken), ops.result(other)], [images], "parts")
    take_bytes_as_they_are(model)
    pictures = rng.integers(0, 256, (1, 1, 8, 8)).astype(np.float32) / 255
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    first, second = compiled([pictures]).values()
    np.testing.assert_allclose(first, pictures, atol=1e-6)
    np.testing.assert_allclose(second, 0.92 * pictures, atol=0.92 / 255)


@pytest.mark.parametrize("side", [2, 3, 4])
def test_px_of_cells_come_to_lie_where_they_belong(rng, side):
    picture = rng.integers(0, 256, (2, 5 * side, 7 * side), np.uint8)
    cells = picture.reshape(2, 5, side, 7, side).swapaxes(2, 3)
    assert np.array_equal(px_of_cells(cells), picture)
    assert np.array_equal(px_of_cells(picture[:, None]), picture)

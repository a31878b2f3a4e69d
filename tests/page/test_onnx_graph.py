"""OpenVINO models written as ONNX give the same numbers in ONNX Runtime."""

from typing import Any

import numpy as np
import pytest

from facewarp.core.engines.openvino_models import core, openvino
from facewarp.errors import FacewarpError
from facewarp.page.onnx_graph import to_onnx

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")


def run(model: bytes, values: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, values)


def model_of(build: Any, shape: list[int]) -> Any:
    """A model of one input and one output, by what is built between them."""
    ov = openvino()
    from openvino import opset13 as ops

    entry = ops.parameter(shape, np.float32, name="x")
    entry.output(0).get_tensor().set_names({"x"})
    end = build(ops, entry)
    end.output(0).get_tensor().set_names({"y"})
    return ov.Model([ops.result(end)], [entry], "test")


def both(build: Any, shape: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What OpenVINO computes, and what ONNX Runtime computes of the same."""
    value = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    model = model_of(build, shape)
    exact = {"INFERENCE_PRECISION_HINT": "f32", "LP_TRANSFORMS_MODE": "NO"}
    expected = core().compile_model(model, "CPU", exact)([value])[0]
    (found,) = run(to_onnx(model, "test", {"about": "a test"}), {"x": value})
    return expected, found


def rounded(ops: Any, value: Any, low: float, high: float) -> Any:
    ends = [np.float32(low), np.float32(high)]
    return ops.fake_quantize(value, *ends, *ends, 256)


def test_float_layers() -> None:
    rng = np.random.default_rng(1)
    weights, slim = (
        rng.normal(0, 0.3, s).astype(np.float32) for s in ((6, 4, 3, 3), (6, 1, 1, 3, 3))
    )
    bias = rng.normal(0, 1, (1, 6, 1, 1)).astype(np.float32)

    def build(ops: Any, x: Any) -> Any:
        x = ops.convolution(x, weights, [2, 2], [0, 0], [0, 0], [1, 1], auto_pad="same_upper")
        x = ops.add(x, ops.constant(bias))
        x = ops.group_convolution(x, slim, [1, 1], [1, 1], [1, 1], [1, 1])
        x = ops.max_pool(ops.relu(x), [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        return ops.multiply(x, ops.constant(np.float32(1)))

    expected, found = both(build, [1, 4, 13, 10])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "shape"),
    [
        (3, 3, 1, (9, 7)),
        (5, 3, 2, (11, 8)),
        (1, 7, 4, (24, 20)),
        (6, 1, 1, (5, 5)),
        (2, 3, 1, (1, 4)),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_eight_bit_convolutions_are_exact(
    channels: int, kernel: int, stride: int, shape: tuple[int, int], batch: int
) -> None:
    # Two products of larger weights overflow the 16 bits in which ONNX Runtime adds them up on
    # processors with AVX2 and without VNNI.
    rng = np.random.default_rng(channels)
    whole = rng.integers(-64, 65, (4, channels, kernel, kernel)).astype(np.int8)
    scale = rng.uniform(0.001, 0.02, (4, 1, 1, 1)).astype(np.float32)
    bias, pad = rng.normal(0, 1, (1, 4, 1, 1)).astype(np.float32), [kernel // 2] * 2

    def build(ops: Any, x: Any) -> Any:
        weights = ops.multiply(ops.convert(ops.constant(whole), np.float32), ops.constant(scale))
        x = rounded(ops, x, -0.55, 2.0)  # levels of 0.01: 0 is one of them
        x = ops.convolution(x, weights, [stride] * 2, pad, pad, [1, 1])
        return ops.prelu(ops.add(x, ops.constant(bias)), ops.constant(np.float32(0.1)))

    expected, found = both(build, [batch, channels, *shape])
    assert found.shape == expected.shape
    apart = np.abs(found - expected)
    assert np.median(apart) < 1e-4
    assert apart.max() < 0.01 * 64 * scale.max() + 1e-4  # one value, between two levels


def test_fields_and_resizing() -> None:
    def build(ops: Any, x: Any) -> Any:
        matrix = ops.constant(np.random.default_rng(2).normal(0, 1, (6, 5)).astype(np.float32))
        wide = ops.matmul(x, matrix, False, True)
        both_ways = ops.concat([wide, ops.softmax(wide, 1)], 1)
        return ops.transpose(both_ways, ops.constant(np.array([0, 2, 3, 1])))

    expected, found = both(build, [1, 3, 4, 5])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_operator_that_is_not_known_is_named() -> None:
    model = model_of(lambda ops, x: ops.cosh(x), [1, 2])
    with pytest.raises(FacewarpError, match="Cosh"):
        to_onnx(model, "test", {})

"""Translate an OpenVINO model into ONNX, 8-bit convolutions included.

The 8-bit weights ship as an OpenVINO model, the detector as a TFLite model that OpenVINO reads:
what a browser runs comes from the same numbers as what runs here, so that nothing has to be
calibrated again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from facewarp.errors import FacewarpError
from facewarp.page.eight_bit import eight_bit_convolution, eight_bit_kernels
from facewarp.page.onnx_writer import RUNTIME, OnnxWriter, constant_of, folded

OPSET: Final = 18

_LEVELS: Final = 256  # of 8 bits


def to_onnx(
    model: Any, name: str, about: dict[str, str], free: Mapping[str, str] | None = None
) -> bytes:
    """Translate a model with fixed shapes.

    Args:
        model: an ``openvino.Model``; its constants are folded here.
        name: of the graph.
        about: metadata for the file.
        free: inputs and outputs whose first axis may have any length, and what that is called.

    Returns:
        The serialized ONNX model, checked.

    Raises:
        FacewarpError: the model has an operator that is not known here.
    """
    import onnx

    writer = OnnxWriter(eight_bit_kernels(model), free)
    _fold_constants(model)
    for node in model.get_ordered_ops():
        kind, value = node.get_type_name(), folded(node)
        if value is not None:
            writer.name(node, writer.constant(value))
            continue
        if kind not in _TRANSLATIONS:
            raise FacewarpError(
                f"the model has an operator that can't be written as ONNX: {kind}",
                fix="Use the openvino release that facewarp was tested with, see constraints.txt.",
            )
        _TRANSLATIONS[kind](writer, node)
    graph = onnx.helper.make_graph(
        writer.nodes, name, writer.inputs, writer.outputs, writer.initializers
    )
    opsets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(RUNTIME, 1)]
    proto = onnx.helper.make_model(graph, opset_imports=opsets, producer_name="facewarp")
    proto.ir_version = 9  # what ONNX Runtime releases of the last years read
    onnx.helper.set_model_props(proto, about)
    _without_unused(proto.graph)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def _fold_constants(model: Any) -> None:
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)


def _parameter(writer: OnnxWriter, node: Any) -> None:
    import onnx

    name, is_index = node.output(0).get_any_name(), node.get_element_type().is_integral()
    kind = onnx.TensorProto.INT64 if is_index else onnx.TensorProto.FLOAT
    writer.inputs.append(onnx.helper.make_tensor_value_info(name, kind, writer.shape(node)))
    writer.name(node, name)


def _result(writer: OnnxWriter, node: Any) -> None:
    import onnx

    name, source = node.output(0).get_any_name(), writer.value(node, 0)
    writer.nodes.append(onnx.helper.make_node("Identity", [source], [name], name))
    kind, shape = onnx.TensorProto.FLOAT, writer.shape(node)
    writer.outputs.append(onnx.helper.make_tensor_value_info(name, kind, shape))


def _fake_quantize(writer: OnnxWriter, node: Any) -> None:
    """256 levels between two numbers: ``scale = (high - low) / 255``, ``zero = -low / scale``."""
    low, high, out_low, out_high = (float(constant_of(node, i).reshape(())) for i in range(1, 5))
    if (low, high) != (out_low, out_high) or node.get_attributes()["levels"] != _LEVELS:
        raise FacewarpError("the 8-bit weights round in a way that ONNX does not")
    scale = (high - low) / (_LEVELS - 1)
    zero = round(-low / scale)
    writer.name(node, writer.quantize(writer.value(node, 0), scale, zero))


def _convolution(writer: OnnxWriter, node: Any) -> None:
    attributes, weights = node.get_attributes(), constant_of(node, 1).astype(np.float32)
    source, groups = writer.value(node, 0), 1
    if node.get_type_name() == "GroupConvolution":
        groups, weights = weights.shape[0], weights.reshape(-1, *weights.shape[2:])
    begin, end = attributes["pads_begin"], attributes["pads_end"]
    if attributes["auto_pad"] in ("same_upper", "same_lower"):
        begin, end = _same_pads(node, weights.shape[2:])
    options = {
        "strides": list(attributes["strides"]),
        "dilations": list(attributes["dilations"]),
        "pads": [*begin, *end],
        "group": groups,
    }
    rounded, eight_bit = writer.rounded(source), writer.kernels.get(node.get_name())
    if rounded is None or eight_bit is None:
        kernel = writer.constant(weights, "weights")
        writer.name(node, writer.put("Conv", [source, kernel], **options))
    else:
        writer.name(node, eight_bit_convolution(writer, rounded, eight_bit, node))


def _same_pads(node: Any, kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Pad as 'same' does: the larger half at the end, or at the beginning for same_lower."""
    attributes = node.get_attributes()
    total = []
    for size, width, stride in zip(
        node.input_value(0).get_shape()[2:], kernel, attributes["strides"], strict=True
    ):
        out = -(-size // stride)
        total.append(max((out - 1) * stride + width - size, 0))
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    return (less, more) if attributes["auto_pad"] == "same_upper" else (more, less)


def _binary(operator: str, neutral: float) -> Callable[[OnnxWriter, Any], None]:
    """Translate a sum or a product; what changes nothing is left out."""

    def translate(writer: OnnxWriter, node: Any) -> None:
        for index in (0, 1):
            constant, other = (
                folded(node.input_value(index).get_node()),
                node.input_value(1 - index),
            )
            if constant is None:
                continue
            is_neutral = (constant == neutral).all()
            if is_neutral and list(other.get_shape()) == list(node.output(0).get_shape()):
                writer.name(node, writer.value(node, 1 - index))
                return
            product = writer.products.get(writer.value(node, 1 - index))
            if operator == "Add" and product is not None:
                product.input.append(writer.constant(constant.reshape(-1), "bias"))
                writer.name(node, writer.value(node, 1 - index))
                return
        writer.name(node, writer.put(operator, [writer.value(node, 0), writer.value(node, 1)]))

    return translate


def _same(operator: str, **attributes: Any) -> Callable[[OnnxWriter, Any], None]:
    def translate(writer: OnnxWriter, node: Any) -> None:
        writer.name(node, writer.put(operator, [writer.value(node, 0)], **attributes))

    return translate


def _prelu(writer: OnnxWriter, node: Any) -> None:
    """One slope for all channels too: ONNX Runtime's LeakyRelu takes twice as long in a browser."""
    slopes = constant_of(node, 1).astype(np.float32)
    shared = np.unique(slopes)
    slopes = shared if shared.size == 1 else slopes.reshape(1, -1, 1, 1)
    inputs = [writer.value(node, 0), writer.constant(slopes, "slopes")]
    writer.name(node, writer.put("PRelu", inputs))


def _interpolate(writer: OnnxWriter, node: Any) -> None:
    source = writer.value(node, 0)
    size = writer.constant(np.array(list(node.output(0).get_shape())[2:], np.int64), "size")
    # Batch and channels as they are; given axes, ONNX Runtime 1.30 refuses the whole network.
    sizes = writer.put("Concat", [writer.put("Shape", [source], start=0, end=2), size], axis=0)
    attributes = node.get_attributes()
    writer.name(
        node,
        writer.put(
            "Resize",
            [source, "", "", sizes],
            mode="linear",
            coordinate_transformation_mode=attributes["coordinate_transformation_mode"],
        ),
    )


def _concat(writer: OnnxWriter, node: Any) -> None:
    values = [writer.value(node, i) for i in range(node.get_input_size())]
    writer.name(node, writer.put("Concat", values, axis=node.get_attributes()["axis"]))


def _matmul(writer: OnnxWriter, node: Any) -> None:
    attributes, values = node.get_attributes(), []
    for index, flag in enumerate(("transpose_a", "transpose_b")):
        value = writer.value(node, index)
        if attributes[flag]:
            matrix = constant_of(node, index).astype(np.float32)
            value = writer.constant(matrix.swapaxes(-1, -2), "matrix")
        values.append(value)
    writer.name(node, writer.put("MatMul", values))


def _transpose(writer: OnnxWriter, node: Any) -> None:
    order = [int(axis) for axis in constant_of(node, 1)]
    writer.name(node, writer.put("Transpose", [writer.value(node, 0)], perm=order))


def _gather(writer: OnnxWriter, node: Any) -> None:
    axis = int(constant_of(node, 2))
    writer.name(
        node, writer.put("Gather", [writer.value(node, 0), writer.value(node, 1)], axis=axis)
    )


def _grid_sample(writer: OnnxWriter, node: Any) -> None:
    attributes = node.get_attributes()
    writer.name(
        node,
        writer.put(
            "GridSample",
            [writer.value(node, 0), writer.value(node, 1)],
            mode=attributes["mode"],
            padding_mode=attributes["padding_mode"],
            align_corners=int(attributes["align_corners"]),
        ),
    )


def _reshape(writer: OnnxWriter, node: Any) -> None:
    sizes = np.array(node.output(0).get_shape(), np.int64)
    if list(node.input_value(0).get_shape())[:1] == list(sizes[:1]):
        sizes[0] = 0  # the batch as it is
    shape = writer.constant(sizes, "shape")
    writer.name(node, writer.put("Reshape", [writer.value(node, 0), shape]))


def _pad(writer: OnnxWriter, node: Any) -> None:
    pads = np.concatenate([constant_of(node, 1), constant_of(node, 2)]).astype(np.int64)
    writer.name(node, writer.put("Pad", [writer.value(node, 0), writer.constant(pads, "pads")]))


def _max_pool(writer: OnnxWriter, node: Any) -> None:
    attributes = node.get_attributes()
    begin, end = attributes["pads_begin"], attributes["pads_end"]
    if attributes["auto_pad"] in ("same_upper", "same_lower"):
        begin, end = _same_pads(node, attributes["kernel"])
    writer.name(
        node,
        writer.put(
            "MaxPool",
            [writer.value(node, 0)],
            kernel_shape=list(attributes["kernel"]),
            strides=list(attributes["strides"]),
            pads=[*begin, *end],
        ),
    )


_TRANSLATIONS: Final[dict[str, Callable[[OnnxWriter, Any], None]]] = {
    "Parameter": _parameter,
    "Result": _result,
    "FakeQuantize": _fake_quantize,
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "Add": _binary("Add", 0),
    "Multiply": _binary("Mul", 1),
    "PRelu": _prelu,
    "Relu": _same("Relu"),
    "Softmax": _same("Softmax", axis=1),
    "Interpolate": _interpolate,
    "Concat": _concat,
    "MatMul": _matmul,
    "Transpose": _transpose,
    "Gather": _gather,
    "GridSample": _grid_sample,
    "Reshape": _reshape,
    "Unsqueeze": _reshape,
    "Pad": _pad,
    "MaxPool": _max_pool,
}


def _without_unused(graph: Any) -> None:
    """Drop nodes and constants that nothing reads."""
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    initializers = [one for one in graph.initializer if one.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(initializers)

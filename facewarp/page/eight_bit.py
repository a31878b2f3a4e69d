"""Convolutions of 8-bit values, as ONNX Runtime computes them quickly in a browser."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.page.onnx_writer import RUNTIME, Kernel, OnnxWriter


def eight_bit_kernels(model: Any) -> dict[str, Kernel]:
    """Return the 8-bit weights of a model's convolutions, by their names."""
    found = {}
    for node in model.get_ops():
        if node.get_type_name() != "Convolution":
            continue
        scaled = node.input_value(1).get_node()
        if scaled.get_type_name() != "Multiply":
            continue
        weights, scale = (scaled.input_value(i).get_node() for i in (0, 1))
        if weights.get_type_name() == "Convert":
            weights = weights.input_value(0).get_node()
        if weights.get_element_type().get_type_name() == "i8":
            kernel = np.array(weights.data), np.array(scale.data, np.float32).reshape(-1)
            found[node.get_name()] = kernel
    return found


def eight_bit_convolution(
    writer: OnnxWriter, source: tuple[str, float, str], kernel: Kernel, node: Any
) -> str:
    """Return a convolution of 8-bit values with 8-bit weights: exact sums, scaled to float.

    Written as a product of patches with the weights (im2col): ONNX Runtime has a quick kernel for
    that, and none for a convolution of 8 bits with a result in float (``ConvInteger`` takes four
    times as long in a browser).
    """
    value, scale, zero = source
    weights, steps = kernel
    patches, matrix = _patches(writer, value, zero, weights, node)
    factor = writer.constant(np.float32(scale), "scale"), writer.constant(steps, "steps")
    flat = np.zeros(len(steps), np.int8)
    product = writer.put(
        "MatMulIntegerToFloat",
        [patches, writer.constant(matrix, "weights"), *factor, zero, writer.constant(flat, "zero")],
        domain=RUNTIME,
    )
    found = writer.put("Transpose", [product], perm=[0, 3, 1, 2])
    writer.products[found] = writer.nodes[-2]
    return found


def _patches(
    writer: OnnxWriter, value: str, zero: str, weights: NDArray[np.int8], node: Any
) -> tuple[str, NDArray[np.int8]]:
    """Patches (B, h, w, K) of 8-bit maps that a kernel sees, and the kernel as a matrix (K, O)."""
    attributes = node.get_attributes()
    outputs, _, rows, columns = weights.shape
    _, channels, height, width = node.input_value(0).get_shape()
    out_h, out_w = list(node.output(0).get_shape())[2:]
    down, across = attributes["strides"]
    value = writer.put("Transpose", [value], perm=[0, 2, 3, 1])
    if (rows, columns, down, across) == (1, 1, 1, 1):
        return value, weights.reshape(outputs, channels).T
    top, left = attributes["pads_begin"]
    block = down if channels == 1 else 1  # one channel: whole cells of the stride are copied
    reach = [-(-n // block) for n in (rows, columns)]  # kernel, in blocks
    full = [
        block * ((n - 1) * step // block + k)
        for n, step, k in zip((out_h, out_w), (down, across), reach, strict=True)
    ]
    pads = np.array([0, top, left, 0, 0, full[0] - height - top, full[1] - width - left, 0])
    value = writer.put("Pad", [value, writer.constant(pads.astype(np.int64), "pads"), zero])
    if block > 1:
        cells = [n // block for n in full]
        shape = np.array([0, cells[0], block, cells[1], block], np.int64)  # 0: as it is
        value = writer.put("Reshape", [value, writer.constant(shape, "shape")])
        value = writer.put("Transpose", [value], perm=[0, 1, 3, 2, 4])
        shape = np.array([0, *cells, block * block], np.int64)
        value = writer.put("Reshape", [value, writer.constant(shape, "shape")])
        down, across = down // block, across // block
        padded = np.zeros((outputs, 1, reach[0] * block, reach[1] * block), np.int8)
        padded[:, :, :rows, :columns] = weights
        split = padded.reshape(outputs, reach[0], block, reach[1], block)
        matrix = split.transpose(1, 3, 2, 4, 0).reshape(-1, outputs)
    else:
        matrix = weights.transpose(2, 3, 1, 0).reshape(-1, outputs)
    for axis, reached, step, length in ((2, reach[1], across, out_w), (1, reach[0], down, out_h)):
        pieces = [_every(writer, value, axis, at, step, length) for at in range(reached)]
        value = writer.put("Concat", pieces, axis=3) if reached > 1 else pieces[0]
    return value, np.ascontiguousarray(matrix)


def _every(writer: OnnxWriter, value: str, axis: int, start: int, step: int, length: int) -> str:
    """Slice an axis: so many entries from a start on, so far from each other."""
    ends = (start, start + step * (length - 1) + 1)
    slice_of = [writer.constant(np.array([n], np.int64), "slice") for n in (*ends, axis, step)]
    return writer.put("Slice", [value, *slice_of])

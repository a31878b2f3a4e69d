"""Graphs of OpenVINO as they are run: joined, of bytes, and in the form its kernels are quick at.

None of this changes what a graph computes, but for the last bits of floats.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from facewarp.core.engines.openvino_models import openvino

Ways = Literal["both", "from template", "chosen"]

OF_GRAY: Final = "from_template of gray values"
OF_PICTURES: Final = "mattes of pictures"
_MOST: Final = 64  # of a kernel: AVX2 adds the products of two channels in 16 bits, 2 * 64 * 255
_FEW_CHANNELS: Final = 4  # up to which OpenVINO's pooling mostly changes layouts


def join(parts: Any, fields: Any, ways: Ways = "both") -> Any:
    """Join two models: images and a template to parts, and to fields between them.

    Args:
        parts: the model of ``images`` to ``parts``; it is used up.
        fields: the model of ``fixed`` and ``moving`` to ``fields``; likewise.
        ways: the directions of the fields: both, first those with the image fixed, or from the
            template alone, which is then fixed; or chosen by an input ``ways`` (n) int64, 0 for
            the image fixed and 1 for the template fixed, for batches of one image.
    """
    ov = openvino()
    from openvino import opset13 as ops

    found = parts.output("parts").get_node().input_value(0)
    shape = [-1, *list(fields.input("fixed").get_partial_shape())[1:]]
    template = ops.parameter(ov.PartialShape(shape), np.float32, name="template")
    template.output(0).get_tensor().set_names({"template"})
    pairs = {
        "fixed": [found, template.output(0)],
        "moving": [template.output(0), found],
    }
    inputs = [parts.input("images").get_node(), template]
    if ways == "chosen":
        inputs.append(ops.parameter(ov.PartialShape([-1]), np.int64, name="ways"))
        inputs[-1].output(0).get_tensor().set_names({"ways"})
    for name, pair in pairs.items():
        taken = pair[1] if ways == "from template" else ops.concat(pair, 0).output(0)
        if ways == "chosen":
            taken = ops.gather(taken, inputs[-1], ops.constant(0)).output(0)
        fields.input(name).get_node().output(0).replace(taken)
    end = fields.output("fields").get_node().input_value(0)
    results = [ops.result(found), ops.result(end)]
    return ov.Model(results, inputs, "from_template" if ways == "from template" else "both_ways")


def _of_gray(model: Any) -> Any:
    """Turn a model of images in [0, 1] into one of gray values, uint8: a quarter to copy."""
    from openvino import opset13 as ops

    gray = ops.parameter(model.inputs[0].get_partial_shape(), np.uint8, name="gray")
    by_columns = _by_columns(model, gray)
    return _scaled(model, gray, gray) if by_columns is None else by_columns


def _mattes_of_pictures(model: Any) -> Any:
    """Return a model of images (N, C, H, W) in [0, 1] as one of pictures (N, H, W, C), uint8.

    Convolutions want channels last, and nothing has to be copied to be put in order. What it gives
    is 255 times the share of the second part, uint8, see `px_of_cells`.
    """
    ov = openvino()
    from openvino import opset13 as ops

    count, channels, *sides = model.inputs[0].get_partial_shape()
    shape = ov.PartialShape([count, *sides, channels])
    pictures = ops.parameter(shape, np.uint8, name="pictures")
    model = _scaled(
        model, pictures, ops.transpose(pictures, ops.constant(np.array([0, 3, 1, 2], np.int64)))
    )
    parts = model.get_results()[0].input_value(0)
    mattes = _share_of_two(parts)
    if mattes is None:
        share = ops.gather(parts, ops.constant(np.array([1])), ops.constant(1))
        mattes = _bytes_of(share)
    return ov.Model([ops.result(mattes)], model.get_parameters(), "mattes")


OF_BYTES: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    OF_GRAY: ("from_template", _of_gray),
    OF_PICTURES: ("parts", _mattes_of_pictures),
}
"""Graphs of bytes: which graph of images each is, and what makes it of that."""


def _scaled(model: Any, bytes_in: Any, images: Any) -> Any:
    """Return a model whose first input is scaled from bytes.

    Args:
        model: it is used up.
        bytes_in: the new first input.
        images: what follows from that, in the order that the model's input had.
    """
    ov = openvino()

    before, *others = model.inputs
    before.get_node().output(0).replace(_shares_of(images).output(0))
    inputs = [bytes_in, *(port.get_node() for port in others)]
    return ov.Model(model.get_results(), inputs, model.get_friendly_name())


def pool_by_convolution(model: Any) -> None:
    """Replace means over cells of few channels by convolutions, which do it in place.

    OpenVINO pools in blocks of 16 channels: padding a field's two channels to them takes six
    times as long as the mean.
    """
    from openvino import opset13 as ops

    for node in model.get_ops():
        if node.get_type_name() != "AvgPool":
            continue
        kernel: Sequence[int] = node.get_attributes()["kernel"]
        channels = node.get_input_partial_shape(0)[1].get_length()
        if channels > _FEW_CHANNELS:
            continue
        mean = np.full((channels, 1, 1, *kernel), 1 / np.prod(kernel), np.float32)
        zero = [0] * len(kernel)
        pooled = ops.group_convolution(
            node.input_value(0), ops.constant(mean), kernel, zero, zero, [1] * len(kernel)
        )
        node.output(0).replace(pooled.output(0))


def _by_columns(model: Any, gray: Any) -> Any | None:
    """Return a model whose first 8-bit convolution sees as many columns as it steps as channels.

    On AVX2 such a convolution multiplies four channels at once, three of which are nothing in a
    gray picture. In memory a row of columns by fours is the row itself: nothing is copied.

    Args:
        model: of gray images (N, 1, H, W) in [0, 1]; it is used up.
        gray: the input (N, 1, H, W) uint8 that takes their place.

    Returns:
        None where the model begins otherwise, and stays as it is.
    """
    ov = openvino()
    from openvino import opset13 as ops

    found = _first_convolution(model)
    if found is None:
        return None
    quantize, convolution, kernels, scales = found
    step, reach = convolution.get_attributes()["strides"][1], kernels.shape[3] // 2
    count, _, height, width = (side.get_length() for side in gray.get_partial_shape())
    before, after = -(-reach // step), reach // step  # columns of channels on either side
    wide = np.zeros((*kernels.shape[:3], step * (before + 1 + after)), np.int8)
    first = step * before - reach
    wide[..., first : first + kernels.shape[3]] = kernels
    wide = wide.reshape(len(wide), kernels.shape[2], -1, step).transpose(0, 3, 1, 2)
    in_steps = ops.constant(np.array([count, height, width // step, step], np.int64))
    columns = ops.transpose(
        ops.reshape(gray, in_steps, False), ops.constant(np.array([0, 3, 1, 2], np.int64))
    )
    taken = ops.fake_quantize(
        _shares_of(columns),
        *(quantize.input_value(index) for index in range(1, 5)),
        quantize.get_attributes()["levels"],
    )
    weights = ops.multiply(
        ops.convert(ops.constant(np.ascontiguousarray(wide)), np.float32), scales
    )
    pads = convolution.get_attributes()
    same = ops.convolution(
        taken,
        weights,
        [pads["strides"][0], 1],
        [pads["pads_begin"][0], before],
        [pads["pads_end"][0], after],
        [1, 1],
    )
    convolution.output(0).replace(same.output(0))
    inputs = [gray, *(port.get_node() for port in model.inputs[1:])]
    return ov.Model(model.get_results(), inputs, model.get_friendly_name())


def _first_convolution(model: Any) -> tuple[Any, Any, NDArray[np.int8], Any] | None:
    """Quantization, convolution, kernels (K, 1, k, k) and their scales, of gray images.

    None where a model does not begin so, or the picture's sides or the kernels do not fit.
    """
    node = model.inputs[0].get_node()
    path = []
    for name in ("FakeQuantize", "Convolution"):
        targets = list(node.output(0).get_target_inputs())
        node = targets[0].get_node() if len(targets) == 1 else None
        if node is None or node.get_type_name() != name:
            return None
        path.append(node)
    quantize, convolution = path
    product = convolution.input_value(1).get_node()
    if product.get_type_name() != "Multiply":
        return None
    stored = product.input_value(0).get_node()
    stored = stored.input_value(0).get_node() if stored.get_type_name() == "Convert" else stored
    shape = [side.get_length() for side in model.inputs[0].get_partial_shape()]
    if stored.get_type_name() != "Constant" or shape[1] != 1:
        return None
    kernels = np.asarray(stored.data)
    is_one = all(np.size(quantize.input_value(i).get_node().data) == 1 for i in range(1, 5))
    about = convolution.get_attributes()
    step, side = about["strides"][1], kernels.shape[3]
    is_even = about["pads_begin"][1] == about["pads_end"][1] == side // 2 and side % 2 == 1
    fits = 1 < step <= _FEW_CHANNELS and shape[3] % step == 0 and max(about["dilations"]) == 1
    if kernels.dtype != np.int8 or not (is_one and is_even and fits):
        return None
    if max(int(kernels.max()), -int(kernels.min())) > _MOST:
        return None
    return quantize, convolution, kernels, product.input_value(1)


def _share_of_two(parts: Any) -> Any | None:
    """Return 255 times the second of two parts, uint8, as `px_of_cells` takes it.

    A softmax of two is a sigmoid of their difference, one channel where there were two; and a
    convolution of single px may come before px are put between one another, where they are still
    channels.

    Args:
        parts: output of a softmax (N, 2, h, w) of a convolution of single px.

    Returns:
        None where it is something else.
    """
    from openvino import opset13 as ops

    softmax = parts.get_node()
    if softmax.get_type_name() != "Softmax" or list(parts.get_shape())[1] != 2:
        return None
    total = softmax.input_value(0).get_node()
    convolution = total.input_value(0).get_node()
    if total.get_type_name() != "Add" or convolution.get_type_name() != "Convolution":
        return None
    kernels, bias = _constant(convolution.input_value(1)), _constant(total.input_value(1))
    if kernels is None or bias is None or kernels.shape[2:] != (1, 1) or bias.size != 2:
        return None
    if list(convolution.get_attributes()["strides"]) != [1, 1]:
        return None
    source, side = _before_shuffle(convolution.input_value(0))
    difference = kernels[1, :, 0, 0] - kernels[0, :, 0, 0]
    places = np.eye(side * side, dtype=np.float32)  # each place of a cell from its own channels
    weights = np.einsum("c,ps->pcs", difference, places).reshape(side * side, -1, 1, 1)
    apart = ops.convolution(
        source, ops.constant(np.ascontiguousarray(weights)), [1, 1], [0, 0], [0, 0], [1, 1]
    )
    bias = bias.reshape(-1)
    shift = np.full((1, side * side, 1, 1), bias[1] - bias[0], np.float32)
    share = _bytes_of(ops.sigmoid(ops.add(apart, ops.constant(shift))))
    return _of_cells(share, side)


def _of_cells(shares: Any, side: int) -> Any:
    """Shares of the px of cells (N, side * side, h, w) as (N, h, w, side, side), see `px_of_cells`.

    As convolutions leave them in memory, channels last. Any operator that puts px between one
    another takes longer than the copy in rows of a cell.
    """
    from openvino import opset13 as ops

    if side == 1:
        return shares
    last = ops.transpose(shares, ops.constant(np.array([0, 2, 3, 1], np.int64)))
    shape = [*(size.get_length() for size in last.output(0).get_partial_shape())][:3]
    return ops.reshape(last, ops.constant(np.array([*shape, side, side], np.int64)), False)


def px_of_cells(found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put px of cells beside one another.

    Args:
        found: what `OF_PICTURES` gives: (N, 1, H, W), or (N, h, w, side, side) of cells.

    Returns:
        (N, H, W), or (N, h side, w side).
    """
    if found.ndim == 4:
        return found[:, 0]
    count, height, width, side, _ = found.shape
    cells = np.ascontiguousarray(found)
    rows = cells.view(f"u{side}") if side in (2, 4, 8) else cells
    laid_out = np.ascontiguousarray(rows.swapaxes(2, 3))
    return laid_out.view(np.uint8).reshape(count, height * side, width * side)


def _before_shuffle(output: Any) -> tuple[Any, int]:
    """Return what px were put between one another of, (N, C n n, h, w), and n; 1 if none were."""
    node = output.get_node()
    if node.get_type_name() == "DepthToSpace":
        about = node.get_attributes()
        if about["mode"] == "depth_first":
            return node.input_value(0), int(about["block_size"])
    if node.get_type_name() == "Reshape":
        moved = node.input_value(0).get_node()
        if moved.get_type_name() == "Transpose":
            split = moved.input_value(0).get_node()
            order = _constant(moved.input_value(1))
            if split.get_type_name() == "Reshape" and order is not None:
                low, shape = split.input_value(0), list(split.get_output_shape(0))
                count, channels, height, width = output.get_shape()
                side = height // max(low.get_shape()[2], 1)
                wanted = [count, channels, side, side, height // side, width // side]
                if order.tolist() == [0, 1, 4, 2, 5, 3] and shape == wanted:
                    return low, side
    return output, 1


def _constant(output: Any) -> NDArray[Any] | None:
    """Return the values of a constant, or of one that was given another shape; else None."""
    node = output.get_node()
    if node.get_type_name() == "Reshape":
        node = node.input_value(0).get_node()
    return np.asarray(node.data) if node.get_type_name() == "Constant" else None


def _bytes_of(shares: Any) -> Any:
    """Shares of 0..1 as bytes."""
    from openvino import opset13 as ops

    scaled = ops.multiply(shares, ops.constant(np.float32(255)))
    return ops.convert(ops.round(scaled, "half_to_even"), np.uint8)


def _shares_of(values: Any) -> Any:
    """Bytes as floats of 0..1."""
    from openvino import opset13 as ops

    return ops.multiply(ops.convert(values, np.float32), ops.constant(np.float32(1 / 255)))

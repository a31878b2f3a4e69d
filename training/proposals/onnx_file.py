"""The proposal network as an ONNX file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written

Convolution = tuple[NDArray[np.float32], NDArray[np.float32], int]
"""Kernel (O, I, h, w), bias (O) and stride."""


def write_onnx(out: Path, convolutions: Sequence[Convolution]) -> None:
    """Write convolutions one after the other, with a ReLU between each two, for any picture.

    Args:
        out: the file.
        convolutions: from the first to the last; padded by half their kernels.

    Raises:
        FacewarpError: the package onnx is missing, or the file can't be written.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise FacewarpError("writing the network needs the package onnx", out) from error
    nodes, constants, value = [], [], "pictures"
    for index, (kernel, bias, stride) in enumerate(convolutions):
        is_last = index == len(convolutions) - 1
        for name, array in ((f"kernel{index}", kernel), (f"bias{index}", bias)):
            constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        result = "found" if is_last else f"conv{index}"
        pad = kernel.shape[-1] // 2
        nodes.append(
            helper.make_node(
                "Conv",
                [value, f"kernel{index}", f"bias{index}"],
                [result],
                strides=[stride] * 2,
                pads=[pad] * 4,
                kernel_shape=list(kernel.shape[2:]),
            )
        )
        value = f"relu{index}"
        if not is_last:
            nodes.append(helper.make_node("Relu", [result], [value]))
    graph = helper.make_graph(
        nodes,
        "face_proposals",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["n", 4, "rows", "columns"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    with written(out) as whole:
        whole.write_bytes(model.SerializeToString())

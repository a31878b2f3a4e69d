"""An ONNX graph that grows node by node, and the constants of an OpenVINO model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    import onnx

RUNTIME: Final = "com.microsoft"
"""Domain of ONNX Runtime's own operators."""

Kernel = tuple[NDArray[np.int8], NDArray[np.float32]]
"""8-bit weights (O, I, h, w) and the scale of each output channel (O)."""


class OnnxWriter:
    """The ONNX graph as it grows: values are named by the node that makes them.

    Args:
        kernels: 8-bit weights and their scales, by the convolution's name.
        free: inputs and outputs whose first axis may have any length, and what that is called.
    """

    def __init__(self, kernels: dict[str, Kernel], free: Mapping[str, str] | None = None) -> None:
        self.kernels = kernels
        self._free = free or {}
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._named: dict[str, str] = {}
        self.products: dict[str, onnx.NodeProto] = {}  # by their values, to add a bias to
        self._count = 0
        self._quantized: dict[str, tuple[str, float, str]] = {}

    def put(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        import onnx

        name = self._new(operator.lower())
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, value: ArrayLike, name: str = "constant") -> str:
        """Add a constant and return its name."""
        import onnx

        name = self._new(name)
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def name(self, node: Any, value: str) -> None:
        """Say what the output of a node of the model is called here."""
        self._named[node.get_name()] = value

    def value(self, node: Any, index: int) -> str:
        """Return the name of a node's input."""
        return self._named[node.input_value(index).get_node().get_name()]

    def shape(self, node: Any) -> list[int | str]:
        """Return the shape of an input or output, with the name of an axis that is free."""
        name, shape = node.output(0).get_any_name(), list(node.output(0).get_shape())
        return [self._free[name], *shape[1:]] if name in self._free else shape

    def quantize(self, value: str, scale: float, zero: int) -> str:
        """Round a value to 8 bits and back; what is rounded is remembered for convolutions."""
        inputs = [self.constant(np.float32(scale), "scale"), self.constant(np.uint8(zero), "zero")]
        rounded = self.put("QuantizeLinear", [value, *inputs])
        found = self.put("DequantizeLinear", [rounded, *inputs])
        self._quantized[found] = (rounded, float(np.float32(scale)), inputs[1])
        return found

    def rounded(self, value: str) -> tuple[str, float, str] | None:
        """Return the 8-bit value, scale and name of the zero that `quantize` made of a value."""
        return self._quantized.get(value)

    def _new(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"


def constant_of(node: Any, index: int) -> NDArray[Any]:
    """Return a constant input of a node.

    Raises:
        FacewarpError: the input is computed.
    """
    value = folded(node.input_value(index).get_node())
    if value is None:
        raise FacewarpError(f"{node.get_type_name()} takes a constant, not what is computed")
    return value


def folded(node: Any) -> NDArray[Any] | None:
    """Return the value of a constant, also where it is stored in another type or order, or None."""
    kind = node.get_type_name()
    if kind == "Constant":
        value = np.asarray(node.data)
        return value.astype(np.float32) if value.dtype.kind == "f" else value
    if kind not in ("Convert", "Reshape", "Transpose", "Unsqueeze"):
        return None
    source = folded(node.input_value(0).get_node())
    if source is None:
        return None
    if kind == "Transpose":
        return source.transpose(constant_of(node, 1))
    return source.reshape(tuple(node.output(0).get_shape()))

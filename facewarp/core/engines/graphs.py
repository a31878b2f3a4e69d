"""Graphs that engines run: the network with fixed shapes, split at the part probabilities."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import getitem
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import Node

from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.networks.layers import fold_batch_norms
from facewarp.system.start import import_put_off

if TYPE_CHECKING:
    from torch._ops import OpOverload

aten = torch.ops.aten
TRACING: Final = threading.RLock()
"""Held while a network is exported or converted: torch traces one at a time in a process."""


class _GraphOfNetwork(nn.Module):
    """A graph of a network, which it names once: converters take layers of two names for data."""

    def __init__(self, net: GuidedRegistration) -> None:
        super().__init__()
        self.net = net

    def _parts(self, images: Tensor) -> Tensor:
        return self.net.features(images).softmax(1)

    def _fields(self, fixed: Tensor, moving: Tensor) -> Tensor:
        totals, _ = self.net.register(*(self.net.guidance_of(p) for p in (fixed, moving)))
        return totals[-1]


class PartsGraph(_GraphOfNetwork):
    """Graph of images to part probabilities."""

    inputs = ("images",)
    outputs = ("parts",)

    def forward(self, images: Tensor) -> Tensor:
        """Part probabilities ``(B, K, *feature_shape)`` of images ``(B, 1, *grid_shape)``."""
        return self._parts(images)


class FieldsGraph(_GraphOfNetwork):
    """Graph of the part probabilities of pairs to their fields."""

    inputs = ("fixed", "moving")
    outputs = ("fields",)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Fields ``(B, n, *field_shape)`` in px of that grid, from fixed into moving.

        Args:
            fixed: probabilities of the fixed images ``(B, K, *feature_shape)``.
            moving: probabilities of the moving images.
        """
        return self._fields(fixed, moving)


class BothWaysGraph(_GraphOfNetwork):
    """Graph of images and a template to parts and the fields of both directions."""

    inputs = ("images", "template")
    outputs = ("parts", "fields")

    def forward(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Parts ``(B, K, ...)`` and fields ``(2 B, n, ...)``: images fixed, then template fixed.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1].
            template: the template's soft labels ``(B, K, *feature_shape)``.
        """
        parts = self._parts(images)
        return parts, self._fields(torch.cat([parts, template]), torch.cat([template, parts]))


class FromTemplateGraph(BothWaysGraph):
    """Graph of images and a template to parts and fields from the template: a tracker's frame."""

    def forward(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Parts ``(B, K, ...)`` and fields ``(B, n, ...)``, with the template fixed.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1].
            template: the template's soft labels ``(B, K, *feature_shape)``.
        """
        parts = self._parts(images)
        return parts, self._fields(template, parts)


class PairGraph(_GraphOfNetwork):
    """Graph of two images to the field from the first into the second, and the parts of both."""

    inputs = ("fixed", "moving")
    outputs = ("field", "parts_fixed", "parts_moving")

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fields ``(B, n, *field_shape)`` and parts, of images ``(B, 1, *grid_shape)``."""
        parts_fixed, parts_moving = self._parts(fixed), self._parts(moving)
        return self._fields(parts_fixed, parts_moving), parts_fixed, parts_moving


_MOST_AT_ONCE = 4096  # images; torch.export wants an upper bound

Graph = PartsGraph | FieldsGraph | BothWaysGraph | FromTemplateGraph | PairGraph
GRAPHS: dict[str, type[Graph]] = {
    "parts": PartsGraph,
    "fields": FieldsGraph,
    "both_ways": BothWaysGraph,
    "from_template": FromTemplateGraph,
    "pair": PairGraph,
}
"""Every graph by name."""


def lean(net: GuidedRegistration) -> GuidedRegistration:
    """Copy a network for inference, on the CPU, as the source of graphs."""
    folded = fold_batch_norms(net).cpu()
    folded.requires_grad_(False)
    _fix_slopes(folded)
    if not net.config.steps:
        return folded
    with torch.no_grad():  # builds the splines' matrices: a trace would record how
        FieldsGraph(folded)(*example_inputs(folded, "fields"))
    return folded


def _fix_slopes(net: nn.Module) -> None:
    """Write learnt slopes of a network of one's own down as numbers, of which all converters know.

    OpenVINO's reader of exported programs has no rule for ``prelu``: it came apart into comparisons
    and choices, which the page's networks can't hold.
    """
    for block in list(net.modules()):
        for name, layer in block.named_children():
            if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
                setattr(block, name, nn.LeakyReLU(float(layer.weight), inplace=True))


def example_inputs(net: GuidedRegistration, graph: str, batch: int = 1) -> tuple[Tensor, ...]:
    """Return example inputs of a graph: a gray image, and uniform part probabilities."""
    config = net.config
    images = torch.full((batch, config.features.inputs, *config.grid_shape), 0.5)
    if graph == "parts":
        return (images,)
    if graph == "pair":
        return images, images / 2
    even = torch.full((batch, config.n_classes, *config.feature_shape), 1 / config.n_classes)
    of_images = graph in ("both_ways", "from_template")
    return (images, even) if of_images else (even, even.clone())


def exported_program(
    net: GuidedRegistration, graph: str, *, any_batch: bool = True
) -> ExportedProgram:
    """Export a graph with torch.export, the form that converters to other runtimes start from.

    Args:
        net: a network without batch norms, see `lean`.
        graph: one of `GRAPHS`.
        any_batch: leave the batch size open; else it is 1.
    """
    import_put_off()
    inputs = example_inputs(net, graph, batch=2 if any_batch else 1)  # 1 would become a constant
    batch = Dim("batch", min=1, max=_MOST_AT_ONCE)
    shapes = tuple({0: batch} for _ in inputs) if any_batch else None
    with torch.no_grad(), without_copy_warning():
        module = GRAPHS[graph](net).eval()
        return torch.export.export(module, inputs, dynamic_shapes=shapes)


def core_program(net: GuidedRegistration, graph: str) -> ExportedProgram:
    """Export a graph in the core operators of PyTorch, for converters that leave shapes open.

    None of the operators that are rewritten names a batch size, so that a batch of 1, which is
    traced in half the time, stands for any; other graphs are exported with an open one.

    Args:
        net: a network without batch norms, see `lean`.
        graph: one of `GRAPHS`.
    """
    program = exported_program(net, graph, any_batch=False)
    if _rewrite(program, _IN_PLAIN_OPERATORS | _IN_CORE_OPERATORS):
        return program
    return decomposed(exported_program(net, graph))


def decomposed(program: ExportedProgram) -> ExportedProgram:
    """Rewrite an exported program in the core operators of PyTorch, which converters know.

    A program of none but the operators that are listed here is rewritten in place, operator by
    operator: PyTorch traces it anew to do so, which takes most of the time of a conversion.
    """
    if _rewrite(program, _IN_PLAIN_OPERATORS | _IN_CORE_OPERATORS):
        return program
    with without_copy_warning():
        core: ExportedProgram = program.run_decompositions()
    return core


def ready_for_onnx(program: ExportedProgram) -> ExportedProgram:
    """Rewrite an exported program in operators that PyTorch's converter to ONNX knows.

    What the converter would trace anew, see `decomposed`, it then takes as it is. A program of
    other operators is returned as it was.
    """
    if _rewrite(program, _IN_PLAIN_OPERATORS):
        program.run_decompositions = lambda *args, **options: program
    return program


def _rewrite(program: ExportedProgram, rules: "dict[OpOverload, Callable[[Node], None]]") -> bool:
    """Apply rules to the operators of a program, in place; False and unchanged if not all fit.

    Nodes keep their names, by which a program knows its outputs.
    """
    calls = [node for node in program.graph.nodes if node.op not in ("placeholder", "output")]
    if not all(node.op == "call_function" and _is_known(node) for node in calls):
        return False
    for node in calls:
        if node.target in rules:
            rules[node.target](node)
    program.graph_module.recompile()
    return True


def _is_known(node: Node) -> bool:
    """Whether a node is rewritten, or taken as it is, and means by itself what it says."""
    if node.target == aten.leaky_relu_.default:  # no other sees that its input changes
        fresh = node.args[0]
        return isinstance(fresh, Node) and fresh.target in _FRESH and len(fresh.users) == 1
    if node.target == aten.softmax.int and len(node.args) != 2:  # in another type
        return False
    if node.target in _IN_PLAIN_OPERATORS | _IN_CORE_OPERATORS:
        return not node.kwargs
    return node.target in _AS_THEY_ARE


def _retarget(node: Node, target: "OpOverload", *args: Any) -> None:
    node.target, node.args = target, args or node.args


def _transpose(node: Node) -> None:
    (value,) = node.args
    assert isinstance(value, Node)
    order = list(reversed(range(value.meta["val"].dim())))
    _retarget(node, aten.permute.default, value, order)


def _conv2d(node: Node) -> None:
    given = [*node.args, *_CONV2D_DEFAULTS[len(node.args) - 2 :]]
    *front, groups = given
    _retarget(node, aten.convolution.default, *front, False, [0, 0], groups)


def _softmax(node: Node) -> None:
    _retarget(node, aten._softmax.default, *node.args[:2], False)


def _max_pool2d(node: Node) -> None:
    with node.graph.inserting_before(node):
        both = node.graph.call_function(aten.max_pool2d_with_indices.default, node.args)
    both.meta["val"] = (node.meta["val"], node.meta["val"].long())
    node.target, node.args = getitem, (both, 0)


_CONV2D_DEFAULTS: Final = (None, [1, 1], [0, 0], [1, 1], 1)
_FRESH: Final = (aten.conv2d.default, aten.add.Tensor)
_AS_THEY_ARE: Final = (
    *(aten.add.Tensor, aten.avg_pool2d.default, aten.cat.default, aten.clamp.default),
    *(
        aten.div.Tensor,
        aten.log.default,
        aten.mul.Tensor,
        aten.permute.default,
        aten.upsample_bilinear2d.vec,
    ),
)
_IN_PLAIN_OPERATORS: "dict[OpOverload, Callable[[Node], None]]" = {
    aten.leaky_relu_.default: lambda node: _retarget(node, aten.leaky_relu.default),
    aten.numpy_T.default: _transpose,
}
_IN_CORE_OPERATORS: "dict[OpOverload, Callable[[Node], None]]" = {
    aten.conv2d.default: _conv2d,
    aten.grid_sampler.default: lambda node: _retarget(node, aten.grid_sampler_2d.default),
    aten.matmul.default: lambda node: _retarget(node, aten.bmm.default),  # of matrices or stacks
    aten.max_pool2d.default: _max_pool2d,
    aten.softmax.int: _softmax,
}


@contextmanager
def without_copy_warning() -> Iterator[None]:
    """Hide the one warning that torch 2.13 raises at itself whenever it copies a program.

    One thread at a time: filters of warnings are the process's, and so is what torch.export
    changes in torch while it traces, so that two networks made ready side by side would fail.
    """
    with TRACING, warnings.catch_warnings():
        about = r".isinstance\(treespec, LeafSpec\). is deprecated"
        warnings.filterwarnings("ignore", about, FutureWarning)
        yield

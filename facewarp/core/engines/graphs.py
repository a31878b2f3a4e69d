"""Graphs that engines run: the network with fixed shapes, split at the part probabilities."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.networks.layers import fold_batch_norms

TRACING: Final = threading.RLock()
"""Held while a network is exported or converted: torch traces one at a time in a process."""


class PartsGraph(nn.Module):
    """Graph of images to part probabilities."""

    inputs = ("images",)
    outputs = ("parts",)

    def __init__(self, net: GuidedRegistration) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Part probabilities ``(B, K, *feature_shape)`` of images ``(B, 1, *grid_shape)``."""
        return self.net.features(images).softmax(1)


class FieldsGraph(nn.Module):
    """Graph of the part probabilities of pairs to their fields."""

    inputs = ("fixed", "moving")
    outputs = ("fields",)

    def __init__(self, net: GuidedRegistration) -> None:
        super().__init__()
        self.net = net

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Fields ``(B, n, *field_shape)`` in px of that grid, from fixed into moving.

        Args:
            fixed: probabilities of the fixed images ``(B, K, *feature_shape)``.
            moving: probabilities of the moving images.
        """
        totals, _ = self.net.register(*(self.net.guidance_of(p) for p in (fixed, moving)))
        return totals[-1]


class BothWaysGraph(nn.Module):
    """Graph of images and a template to parts and the fields of both directions."""

    inputs = ("images", "template")
    outputs = ("parts", "fields")

    def __init__(self, net: GuidedRegistration) -> None:
        super().__init__()
        self.parts = PartsGraph(net)
        self.fields = FieldsGraph(net)

    def forward(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Parts ``(B, K, ...)`` and fields ``(2 B, n, ...)``: images fixed, then template fixed.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1].
            template: the template's soft labels ``(B, K, *feature_shape)``.
        """
        parts = self.parts(images)
        return parts, self.fields(torch.cat([parts, template]), torch.cat([template, parts]))


class FromTemplateGraph(BothWaysGraph):
    """Graph of images and a template to parts and fields from the template: a tracker's frame."""

    def forward(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Parts ``(B, K, ...)`` and fields ``(B, n, ...)``, with the template fixed.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1].
            template: the template's soft labels ``(B, K, *feature_shape)``.
        """
        parts = self.parts(images)
        return parts, self.fields(template, parts)


class PairGraph(nn.Module):
    """Graph of two images to the field from the first into the second, and the parts of both."""

    inputs = ("fixed", "moving")
    outputs = ("field", "parts_fixed", "parts_moving")

    def __init__(self, net: GuidedRegistration) -> None:
        super().__init__()
        self.parts = PartsGraph(net)
        self.fields = FieldsGraph(net)

    def forward(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fields ``(B, n, *field_shape)`` and parts, of images ``(B, 1, *grid_shape)``."""
        parts_fixed, parts_moving = self.parts(fixed), self.parts(moving)
        return self.fields(parts_fixed, parts_moving), parts_fixed, parts_moving


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
    if not net.config.steps:
        return folded
    with torch.no_grad():  # builds the splines' matrices: a trace would record how
        FieldsGraph(folded)(*example_inputs(folded, "fields"))
    return folded


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
    inputs = example_inputs(net, graph, batch=2 if any_batch else 1)  # 1 would become a constant
    batch = Dim("batch", min=1, max=_MOST_AT_ONCE)
    shapes = tuple({0: batch} for _ in inputs) if any_batch else None
    with torch.no_grad(), without_copy_warning():
        module = GRAPHS[graph](net).eval()
        return torch.export.export(module, inputs, dynamic_shapes=shapes)


def decomposed(program: ExportedProgram) -> ExportedProgram:
    """Rewrite an exported program in the core operators of PyTorch, which converters know."""
    with without_copy_warning():
        core: ExportedProgram = program.run_decompositions()
    return core


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

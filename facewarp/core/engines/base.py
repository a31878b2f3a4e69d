"""The protocol of engines, which run a network.

===============  ==========================================================================
torch            PyTorch itself: everywhere, on every device, 2D and 3D
onnx             ONNX Runtime in float: processors, CUDA and Apple's where its build has them
openvino         OpenVINO in float: Intel, AMD and ARM processors
openvino-int8    OpenVINO on the 8-bit weights that ship beside some models
===============  ==========================================================================
"""

import sys
import threading
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from facewarp.core.network_cache import mark_used
from facewarp.system.machine import cores

ENGINES: Final = ("torch", "onnx", "openvino", "openvino-int8")
"""Every engine by name."""

AUTO: Final = "auto"

_CONVERTED: Final = ("from_template", "parts")  # of a tracker's frame, or of a part network alone

PACKAGES: Final = {"onnx": "onnxruntime", "openvino": "openvino", "openvino-int8": "openvino"}
"""The package that each engine needs."""


Floats = NDArray[np.float32]
Images = Floats | NDArray[np.uint8]
"""Values in [0, 1], or gray values."""


class Engine(Protocol):
    """Inference of a network.

    Arrays come and go as float32, whatever the device; results are the caller's own.
    Calls from several threads wait for each other, but those of volumes on a CPU.

    Attributes:
        name: one of `ENGINES`.
        summary: versions, precision and device, for people.
    """

    name: str
    summary: str

    def parts(self, images: Floats) -> Floats:
        """Segment images: probabilities ``(B, K, *feature_shape)`` of ``(B, 1, *grid_shape)``."""

    def mattes(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Segment pictures ``(B, *grid_shape, C)`` uint8, as they lie in frames, into two parts.

        Returns:
            255 times the share of the second, ``(B, *feature_shape)``.
        """

    def fields(self, fixed: Floats, moving: Floats) -> Floats:
        """Predict fields ``(B, n, *field_shape)`` px from part probabilities."""

    def both_ways(self, images: Floats, template: Floats) -> tuple[Floats, Floats]:
        """Segment images ``(B, K, ...)`` and register them to a template ``(2 B, n, ...)``.

        The first B fields are those with the image fixed and the template moving, the others
        those of the other direction.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1].
            template: the template's soft labels ``(1, K, *feature_shape)``.
        """

    def from_template(self, images: Images, template: Floats) -> tuple[Floats, Floats]:
        """Segment images ``(B, K, ...)`` and register a template to them ``(B, n, ...)``.

        The second half of the fields of `both_ways`, with the template fixed: a tracker's frame.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1], or gray values as uint8.
            template: the template's soft labels ``(1, K, *feature_shape)``; one that can't be
                written may be taken to stay as it is.
        """

    def use_threads(self, count: int) -> None:
        """Set the number of threads."""

    def release(self) -> None:
        """Give memory back that is made again, at some cost, when the engine next runs."""

    def compile_aside(self, wanted: bool) -> None:
        """Set whether what larger batches need is prepared in threads, at the first such batch.

        No call waits for it then: batches are run in parts meanwhile, which differ in the last
        bits. False waits for the threads.
        """


class GraphEngine:
    """An engine of graphs, which are built when first run.

    Args:
        name: see `Engine`.
        summary: likewise.
    """

    def __init__(self, name: str, summary: str) -> None:
        self.name = name
        self.summary = summary
        self._lock: AbstractContextManager[Any] = threading.Lock()

    def parts(self, images: Floats) -> Floats:
        """See `Engine`."""
        with self._lock:
            return self.run("parts", images)[0]

    def mattes(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Engine`."""
        return mattes_of(self.parts(from_pictures(pictures)))

    def fields(self, fixed: Floats, moving: Floats) -> Floats:
        """See `Engine`."""
        with self._lock:
            return self.run("fields", fixed, moving)[0]

    def both_ways(self, images: Floats, template: Floats) -> tuple[Floats, Floats]:
        """See `Engine`."""
        return self._registered("both_ways", images, template)

    def from_template(self, images: Images, template: Floats) -> tuple[Floats, Floats]:
        """See `Engine`."""
        return self._registered("from_template", from_gray(images), template)

    def _registered(self, graph: str, images: Images, template: Floats) -> tuple[Floats, Floats]:
        with self._lock:
            parts, fields = self.run(graph, images, self._templates(graph, template, len(images)))
        return parts, fields

    def _templates(self, graph: str, template: Floats, count: int) -> Floats:
        """As many of a template as a graph wants for so many images."""
        return template if count == 1 else np.repeat(template, count, axis=0)

    def use_threads(self, count: int) -> None:
        """See `Engine`."""
        raise AssertionError("an engine defines how it shares the cores")

    def release(self) -> None:
        """See `Engine`; nothing, where there is nothing to give."""

    def compile_aside(self, wanted: bool) -> None:
        """See `Engine`; nothing, where one graph runs batches of all sizes."""

    def run(self, graph: str, *inputs: Images) -> list[Floats]:
        """Run a graph of `graphs.GRAPHS` on inputs of one batch size."""
        raise AssertionError("an engine defines how it runs")


def from_gray(images: Images) -> Floats:
    """Scale gray values to [0, 1]; other images are returned as they are."""
    if images.dtype == np.uint8:
        return np.divide(images, np.float32(255), dtype=np.float32)
    return np.asarray(images, np.float32)


def from_pictures(pictures: NDArray[np.uint8]) -> Floats:
    """Scale pictures ``(B, H, W, C)`` to images ``(B, C, H, W)`` in [0, 1]."""
    images = np.ascontiguousarray(np.moveaxis(pictures, 3, 1), np.float32)
    images *= np.float32(1 / 255)
    return images


def mattes_of(parts: Floats) -> NDArray[np.uint8]:
    """Return 255 times the share of the second of two parts ``(B, 2, h, w)``."""
    return np.asarray(np.rint(255 * parts[:, 1].clip(0, 1)), np.uint8)


def share_cores(engine: Engine, *, in_pipeline: bool = False) -> None:
    """Set numbers of threads that do not compete.

    Where another engine runs the network torch, if it is there at all, keeps to one thread: what
    is left to it is small, and its others would spin. In a pipeline, where decoding, drawing and
    encoding go on beside it, an engine takes half of the cores: more of them answer sooner but get
    less done.
    """
    if in_pipeline:
        engine.use_threads(max(1, cores() // 2))
    if engine.name != "torch" and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def is_converted(folder: Path | None, suffix: str) -> bool:
    """Whether a folder has the graph of a tracker's frame, or of a part network alone.

    It is used then, though what was compiled of it may be all that is read.
    """
    files = [] if folder is None else [folder / f"{graph}{suffix}" for graph in _CONVERTED]
    kept = [file for file in files if file.is_file()]
    for file in kept:
        mark_used(file)
    return bool(kept)


def is_installed(name: str) -> bool:
    """Whether the package that an engine needs is installed."""
    return name == "torch" or find_spec(PACKAGES[name]) is not None

"""Engine of OpenVINO: the fastest on most CPUs, in float or with 8-bit weights.

Its telemetry, which sends an event on import and on conversion, is off: see system/privacy.py.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.core.engines import openvino_graphs, openvino_models
from facewarp.core.engines.base import Floats, GraphEngine, Images, is_converted
from facewarp.core.engines.cache_keys import code_version
from facewarp.core.engines.openvino_graphs import (
    OF_BYTES,
    OF_GRAY,
    OF_PICTURES,
    Ways,
    join,
    pool_by_convolution,
    px_of_cells,
)
from facewarp.core.engines.openvino_models import (
    BoundRequest,
    RequestsSideBySide,
    compile_model,
    core,
    digest_of,
    openvino,
    openvino_folder,
    part_graph,
    version,
)
from facewarp.core.network_cache import COMPILED
from facewarp.core.weights import StoredNetwork
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.machine import cores

if TYPE_CHECKING:
    from facewarp.core.networks.guided_registration import GuidedRegistration

_log = logging.getLogger(__name__)

BATCHES: Final = (4, 2, 1)
"""Batch sizes that are compiled; others are run in parts."""

_SIDE_BY_SIDE: Final = ("from_template", OF_GRAY)
"""Graphs of which one item keeps a thread busy: several run beside one another, not as a batch."""

_SOURCES: Final = (Path(__file__), Path(openvino_graphs.__file__))  # what graphs are made by
_INT8_GRAPHS: Final = ("parts", "fields")  # that have files; what a tracker runs is joined of them


class OpenVinoEngine(GraphEngine):
    """OpenVINO on the CPU, each graph compiled per batch size and kept for the next start.

    Args:
        name: see `Engine`.
        summary: likewise.
        models: gives the graphs by name.
        compiled: folder where compiled graphs are kept; None to keep none.
        known_by: what the graphs are known by there, see `openvino_models.digest_of`.
        threads: how many to use; None for OpenVINO's choice.
        is_exact: computed in fp32; else in bf16 on processors that have instructions for it.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        models: Mapping[str, Any],
        compiled: Path | None,
        known_by: str = "",
        threads: int | None = None,
        *,
        is_exact: bool = True,
    ) -> None:
        super().__init__(name, summary)
        self._is_exact = is_exact
        self._models = models
        self._compiled, self._known_by = compiled, known_by
        self._threads = threads
        self._requests: dict[tuple[str, int], BoundRequest | RequestsSideBySide] = {}
        self._aside: dict[tuple[str, int], Thread] | None = None

    @classmethod
    def of_network(
        cls, net: "Callable[[], GuidedRegistration]", key: str, *, is_exact: bool = True
    ) -> "OpenVinoEngine":
        """In float.

        Args:
            net: gives the network; it is not called where all that is run was converted before.
            key: what is converted is kept under it, unless it is empty.
            is_exact: see the class.
        """
        summary = _summary(is_exact)
        folder = openvino_folder() if key else None
        if folder is None:
            return cls("openvino", summary, _Converted(net, None), None, is_exact=is_exact)
        models = _Converted(net, folder / f"{key[:16]}-{code_version()}")
        known_by = digest_of(_SOURCES, key, code_version())
        kept = folder / COMPILED
        return cls("openvino", summary, models, kept, known_by, is_exact=is_exact)

    @classmethod
    def of_parts(cls, net: StoredNetwork, key: str, *, is_exact: bool = True) -> "OpenVinoEngine":
        """Make the engine of a part network that stands alone, in float and without torch.

        Args:
            net: one whose configuration `openvino_models.draws`.
            key: what is compiled is kept under it, unless it is empty.
            is_exact: see the class.
        """
        summary = _summary(is_exact)
        folder = openvino_folder() if key else None
        models = _Drawn(net)
        if folder is None:
            return cls("openvino", summary, models, None, is_exact=is_exact)
        known_by = digest_of([*_SOURCES, Path(openvino_models.__file__)], key)
        kept = folder / COMPILED
        return cls("openvino", summary, models, kept, known_by, is_exact=is_exact)

    @classmethod
    def of_int8(cls, folder: Path) -> "OpenVinoEngine":
        """Make the engine of 8-bit weights: ``parts.xml`` and ``fields.xml`` with ``.bin``.

        Raises:
            FacewarpError: they can't be read.
        """
        summary = f"OpenVINO {version()}, int8, {os.cpu_count()} cores"
        kept = openvino_folder()
        if kept is None:
            return cls("openvino-int8", summary, _Quantised(folder), None)
        weights = [folder / f"{graph}{end}" for graph in _INT8_GRAPHS for end in (".xml", ".bin")]
        if not any(file.is_file() for file in weights[2:]):  # a part network alone
            weights = weights[:2]
        try:
            known_by = digest_of([*_SOURCES, *weights])
        except OSError as error:
            raise _unreadable(folder) from error
        return cls("openvino-int8", summary, _Quantised(folder), kept / COMPILED, known_by)

    def mattes(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `base.Engine`; bytes are ordered and scaled, and made again, in the graph."""
        with self._lock:
            found = np.asarray(self.run(OF_PICTURES, pictures)[0], np.uint8)
            return px_of_cells(found)

    def from_template(self, images: Images, template: Floats) -> tuple[Floats, Floats]:
        """See `base.Engine`; gray values are scaled in the graph."""
        graph = OF_GRAY if images.dtype == np.uint8 else "from_template"
        return self._registered(graph, images, template)

    def _templates(self, graph: str, template: Floats, count: int) -> Floats:
        """One for all, where items are run by themselves."""
        if graph in _SIDE_BY_SIDE:
            return template
        return super()._templates(graph, template, count)

    def use_threads(self, count: int) -> None:
        """See `base.Engine`; graphs are compiled again when next run."""
        with self._lock:
            for thread in (self._aside or {}).values():
                thread.join()
            self._threads, self._requests = count, {}
            self._aside = None if self._aside is None else {}

    def release(self) -> None:
        """See `base.Engine`: compiled graphs, which are read again when next run."""
        self.compile_aside(self._aside is not None)  # waits for those that are being made
        with self._lock:
            self._requests = {}

    def compile_aside(self, wanted: bool) -> None:
        """See `base.Engine`."""
        with self._lock:
            aside, self._aside = self._aside, {} if wanted else None
        for thread in (aside or {}).values():
            thread.join()

    def run(self, graph: str, *inputs: Images) -> list[Floats]:
        """See `GraphEngine`."""
        pieces: list[list[Floats]] = []
        left = [v if v.dtype == np.uint8 else np.asarray(v, np.float32) for v in inputs]
        is_waiting = False
        while len(left[0]):
            largest = next(size for size in self._sizes(graph) if size <= len(left[0]))
            size = largest if self._aside is None else self._ready(graph, largest, is_waiting)
            is_waiting |= size < largest
            request = self._request(graph, size)
            if isinstance(request, RequestsSideBySide):
                size = len(left[0])
            if len(left[0]) == size:
                pieces.append(request(*left))
                break
            taken = (value if len(value) == 1 else value[:size] for value in left)
            pieces.append([value.copy() for value in request(*taken)])
            left = [value if len(value) == 1 else value[size:] for value in left]
        if graph == "both_ways" and len(pieces) > 1:  # each piece has both directions
            halves = [np.split(fields, 2) for _, fields in pieces]
            parts = np.concatenate([piece[0] for piece in pieces])
            fields = np.concatenate([half[way] for way in (0, 1) for half in halves])
            return [parts, fields]
        return [np.concatenate(values) for values in zip(*pieces, strict=True)]

    def _sizes(self, graph: str) -> Sequence[int]:
        """Batch sizes of a graph, or how many items may run side by side, the most first."""
        if graph not in _SIDE_BY_SIDE:
            return BATCHES
        threads = self._threads or cores()
        return [size for size in BATCHES if size <= threads]

    def _ready(self, graph: str, wanted: int, is_waiting: bool) -> int:
        """Return a compiled batch size, or 1; the one wanted is compiled aside if it is not.

        Not if the same call waits for a larger one, which will take its place.
        """
        assert self._aside is not None
        key = graph, wanted
        if wanted > 1 and not is_waiting and key not in self._requests and key not in self._aside:
            thread = Thread(target=self._prepare, args=key, name=f"compile {graph} {wanted}")
            self._aside[key] = thread
            thread.start()
        sizes = [size for size in BATCHES if size <= wanted]
        return next(size for size in sizes if size == 1 or (graph, size) in self._requests)

    def _prepare(self, graph: str, batch: int) -> None:
        try:
            self._request(graph, batch)
        except Exception as error:  # noqa: BLE001 - batches are run in parts, then
            _log.debug("%s of %d: %s", graph, batch, error)

    def _request(self, graph: str, size: int) -> BoundRequest | RequestsSideBySide:
        """Return what runs a graph on batches of a size, or so many items side by side."""
        requests = self._requests
        if (graph, size) not in requests:
            beside = size if graph in _SIDE_BY_SIDE else 1
            settings: dict[str, Any] = {
                "ENABLE_CPU_PINNING": False,  # other threads of a video's way need the cores too
                **({"PERFORMANCE_HINT": "LATENCY"} if beside == 1 else {"NUM_STREAMS": beside}),
            }
            if self._is_exact:  # left alone it takes bf16 where the processor has it
                settings["INFERENCE_PRECISION_HINT"] = "f32"
            if self._threads is not None:
                settings["INFERENCE_NUM_THREADS"] = self._threads
            batch = size // beside
            known_by = self._known_by and digest_of((), self._known_by, graph, batch)
            compiled = compile_model(
                self._compiled, known_by, lambda: self._sized(graph, batch), settings
            )
            alone = beside == 1
            requests[graph, size] = (
                BoundRequest(compiled) if alone else RequestsSideBySide(compiled, beside)
            )
        return requests[graph, size]

    def _sized(self, graph: str, batch: int) -> Any:
        """Return the model of a graph for one batch size."""
        model = self._models[OF_BYTES.get(graph, (graph,))[0]].clone()
        model.reshape({port: [batch, *list(port.get_partial_shape())[1:]] for port in model.inputs})
        pool_by_convolution(model)
        return OF_BYTES[graph][1](model) if graph in OF_BYTES else model


def _summary(is_exact: bool) -> str:
    precision = "fp32" if is_exact else "fp32 or bf16"
    return f"OpenVINO {version()}, {precision}, {os.cpu_count()} cores"


def convert(net: "GuidedRegistration", graph: str) -> Any:
    """Convert a graph to an ``openvino.Model`` of any batch size, without OpenVINO's converter.

    Args:
        net: a network without batch norms, see `lean`.
        graph: one of `GRAPHS`.
    """
    openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    from facewarp.core.engines import graphs

    inputs, kind = graphs.example_inputs(net, graph), graphs.GRAPHS[graph]
    with graphs.TRACING:
        program = graphs.core_program(net, graph)
        decoder = TorchFXPythonDecoder(program.module(), dynamic_shapes=True)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
    for port, name, value in zip(model.inputs, kind.inputs, inputs, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
        port.get_node().set_partial_shape(openvino().PartialShape([-1, *value.shape[1:]]))
        port.get_node().set_element_type(openvino().Type.f32)
    for port, name in zip(model.outputs, kind.outputs, strict=True):
        port.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()
    return model


class _Converted(dict[str, Any]):
    """The graphs of a network, converted on demand and cached in a folder."""

    def __init__(self, net: "Callable[[], GuidedRegistration]", folder: Path | None) -> None:
        super().__init__()
        self._net, self._folder = net, folder
        self._lean: GuidedRegistration | None = None
        if not is_converted(folder, ".xml"):
            net()  # damaged weights fail now, not in the middle of a video

    def __missing__(self, graph: str) -> Any:
        file = self._folder / f"{graph}.xml" if self._folder else None
        if file is not None and file.is_file():
            try:
                self[graph] = core().read_model(file)
                return self[graph]
            except RuntimeError as error:  # damaged: made anew
                _log.debug("%s: %s", file, error)
        if self._lean is None:
            from facewarp.core.engines.graphs import lean

            self._lean = lean(self._net())
        self[graph] = convert(self._lean, graph)
        if file is not None:
            try:
                save(self[graph], file)
            except FacewarpError as error:  # no need to have it at the next start
                _log.debug("%s is not kept: %s", file, error)
        return self[graph]


class _Drawn(dict[str, Any]):
    """The one graph of a part network, made from its weights when it is needed."""

    def __init__(self, net: StoredNetwork) -> None:
        super().__init__()
        self._net = net

    def __missing__(self, graph: str) -> Any:
        if graph != "parts":
            raise AssertionError(f"a part network has no graph {graph}")
        self[graph] = part_graph(self._net.config, self._net.arrays())
        return self[graph]


class _Quantised(dict[str, Any]):
    """The graphs of 8-bit weights: two that are read, and those that join them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, graph: str) -> Any:
        if graph in ("both_ways", "from_template"):
            ways: Ways = "both" if graph == "both_ways" else "from template"
            self[graph] = join(self["parts"].clone(), self["fields"].clone(), ways)
        else:
            file = self._folder / f"{graph}.xml"
            try:
                self[graph] = core().read_model(file)
            except RuntimeError as error:
                raise _unreadable(file) from error
        return self[graph]


def _unreadable(path: Path) -> FacewarpError:
    return FacewarpError(
        "the 8-bit weights can't be read", path, "Make them anew: facewarp export --int8."
    )


def save(model: Any, file: Path, about: Mapping[str, str] | None = None) -> None:
    """Write a model as ``.xml`` and ``.bin`` in float32, with metadata.

    Raises:
        FacewarpError: it could not be written.
    """
    for name, text in (about or {}).items():
        model.set_rt_info(text, ["facewarp", name])
    with written(file) as graph, written(file.with_suffix(".bin")) as kernels:
        beside = graph.with_suffix(".bin")
        try:
            openvino().save_model(model, str(graph), compress_to_fp16=False)
            core().read_model(graph)  # OpenVINO 2025.3 says nothing of what it could not write
            beside.replace(kernels)
        except RuntimeError as error:  # of C++ streams, which give no reason
            what = "it could not be written whole; the disk may be full"
            raise FacewarpError(what, file, "Free some space, or write elsewhere.") from error
        finally:
            beside.unlink(missing_ok=True)

"""Engine of ONNX Runtime: on CPUs, and on CUDA or Apple's units where its build has them."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facewarp.core.engines.base import Floats, GraphEngine, Images, is_converted
from facewarp.core.engines.cache_keys import code_version
from facewarp.core.network_cache import prune
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.installation import install_command
from facewarp.system.user_folders import cache_folder

if TYPE_CHECKING:
    from facewarp.core.networks.guided_registration import GuidedRegistration

_log = logging.getLogger(__name__)

OPSET: Final = 18
PROVIDERS: Final = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider")
"""Tried in this order, as far as the installed build has them."""


class OnnxEngine(GraphEngine):
    """ONNX Runtime with its telemetry off; any batch size by one session per graph.

    Args:
        net: gives the network; it is not called where all that is run was converted before.
        key: of the cache of converted graphs; empty for no cache.
        threads: how many to use; None for as many as there are cores.
    """

    def __init__(
        self, net: "Callable[[], GuidedRegistration]", key: str, threads: int | None = None
    ) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        self._runtime: Any = onnxruntime
        built = onnxruntime.get_available_providers()
        self._providers = [name for name in PROVIDERS if name in built]
        where = self._providers[0].removesuffix("ExecutionProvider")
        super().__init__("onnx", f"ONNX Runtime {onnxruntime.__version__}, fp32, {where}")
        folder = cache_folder() if key else None
        self._folder = folder / "onnx" / f"{key[:16]}-{code_version()}" if folder else None
        self._net = net
        if not is_converted(self._folder, ".onnx"):
            net()  # damaged weights fail now, not in the middle of a video
        self._lean: GuidedRegistration | None = None
        self._threads = threads or os.cpu_count() or 1
        self._sessions: dict[str, Any] = {}

    def use_threads(self, count: int) -> None:
        """See `Engine`; sessions begin anew when next run."""
        with self._lock:
            self._threads = count
            self._sessions.clear()

    def run(self, graph: str, *inputs: Images) -> list[Floats]:
        """See `GraphEngine`."""
        if graph not in self._sessions:
            self._sessions[graph] = self._session(graph)
        session = self._sessions[graph]
        names = [port.name for port in session.get_inputs()]
        arrays = [np.ascontiguousarray(value, np.float32) for value in inputs]
        found: list[Floats] = session.run(None, dict(zip(names, arrays, strict=True)))
        return found

    def _session(self, graph: str) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        # Threads that go on spinning between runs take the cores from what else a frame needs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        return self._runtime.InferenceSession(
            self._model(graph), options, providers=self._providers
        )

    def _model(self, graph: str) -> bytes:
        """Return a graph as ONNX, from the cache if it is there."""
        file = self._folder / f"{graph}.onnx" if self._folder else None
        if file is not None:
            with suppress(OSError):  # not there, or removed by another process just now
                return file.read_bytes()
        if self._lean is None:
            from facewarp.core.engines.graphs import lean

            self._lean = lean(self._net())
        model = to_onnx(self._lean, graph)
        if file is not None:
            with written(file) as temporary:
                temporary.write_bytes(model)
            if (cache := cache_folder()) is not None:
                prune(cache)
        return model


def to_onnx(net: "GuidedRegistration", graph: str) -> bytes:
    """Convert a graph to an ONNX model of any batch size.

    Args:
        net: a network without batch norms, see `lean`.
        graph: one of `GRAPHS`.

    Raises:
        FacewarpError: the package ``onnx`` or ``onnxscript`` is missing.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise FacewarpError(
            f"writing ONNX needs {' and '.join(missing)}, which is not installed",
            fix=f"Install it: {install_command('onnx')}",
        )
    import torch

    from facewarp.core.engines import graphs

    # It names every operator of torchvision that is not there to be converted.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    kind = graphs.GRAPHS[graph]
    with graphs.TRACING, graphs.without_copy_warning():
        converted = torch.onnx.export(
            graphs.ready_for_onnx(graphs.exported_program(net, graph)),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(kind.inputs),
            output_names=list(kind.outputs),
            verbose=False,
        )
    assert converted is not None
    model: bytes = converted.model_proto.SerializeToString()
    return model

"""ONNX Runtime: on processors, and on CUDA or Apple's units where its build has them."""

import logging
import os
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from facewarp.core.engines.base import GraphEngine
from facewarp.core.engines.graphs import (
    GRAPHS,
    code_version,
    exported_program,
    lean,
    without_copy_warning,
)
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.installation import install_command
from facewarp.system.user_folders import cache_folder

_log = logging.getLogger(__name__)

OPSET: Final = 18
PROVIDERS: Final = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider")
"""Tried in this order, as far as the installed build has them."""


class OnnxEngine(GraphEngine):
    """ONNX Runtime with its telemetry off; any batch size by one session per graph.

    Args:
        net: the network.
        key: what it is known by, so that what is converted can be kept; empty keeps nothing.
        threads: how many to use; None for as many as there are cores.
    """

    def __init__(self, net: GuidedRegistration, key: str, threads: int | None = None) -> None:
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
        self._lean: GuidedRegistration | None = None
        self._threads = threads or os.cpu_count() or 1
        self._sessions: dict[str, Any] = {}

    def use_threads(self, count: int) -> None:
        """See :class:`~facewarp.core.engines.base.Engine`; sessions begin anew when next run."""
        with self._lock:
            self._threads = count
            self._sessions.clear()

    def run(self, graph: str, *inputs: Tensor) -> list[Tensor]:
        """See :class:`~facewarp.core.engines.base.GraphEngine`."""
        if graph not in self._sessions:
            self._sessions[graph] = self._session(graph)
        arrays = [np.ascontiguousarray(value.numpy()) for value in inputs]
        named = dict(zip(GRAPHS[graph].inputs, arrays, strict=True))
        return [torch.from_numpy(found) for found in self._sessions[graph].run(None, named)]

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
        """A graph as ONNX, from the cache if it is there."""
        file = self._folder / f"{graph}.onnx" if self._folder else None
        if file is not None and file.is_file():
            return file.read_bytes()
        if self._lean is None:
            self._lean = lean(self._net)
        model = to_onnx(self._lean, graph)
        if file is not None:
            with written(file) as temporary:
                temporary.write_bytes(model)
        return model


def to_onnx(net: GuidedRegistration, graph: str) -> bytes:
    """A graph as an ONNX model of any batch size.

    Args:
        net: a network without batch norms, see :func:`facewarp.core.engines.graphs.lean`.
        graph: one of :data:`facewarp.core.engines.graphs.GRAPHS`.

    Raises:
        FacewarpError: the package ``onnx`` or ``onnxscript`` is missing.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise FacewarpError(
            f"writing ONNX needs {' and '.join(missing)}, which is not installed",
            fix=install_command("onnx"),
        )
    # It names every operator of torchvision that is not there to be converted.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    kind, program = GRAPHS[graph], exported_program(net, graph)
    with without_copy_warning():
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(kind.inputs),
            output_names=list(kind.outputs),
            verbose=False,
        )
    assert converted is not None
    model: bytes = converted.model_proto.SerializeToString()
    return model

"""The package OpenVINO, and its compiled models, kept from one start to the next."""

import hashlib
import io
import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from facewarp.core.config import ModelConfig, Stride
from facewarp.core.network_cache import COMPILED, mark_used, prune
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.machine import processor
from facewarp.system.user_folders import cache_folder

_log = logging.getLogger(__name__)

_CONVERTER: Final = "openvino.tools.ovc"
_DIGEST_BYTES: Final = 32  # of SHA-256
_SLOPE, _EPSILON = 0.1, 1e-5  # of `networks.layers`' leaky ReLU, and of torch's batch norm

_core_lock = Lock()


def openvino() -> Any:
    """Return the package OpenVINO, its telemetry switched off by facewarp.system.privacy.

    It is imported without its converter program, two thirds of the import's time; who wants that
    still gets it.
    """
    if "openvino" in sys.modules or _CONVERTER in sys.modules:
        import openvino

        return openvino
    stand_in = ModuleType(_CONVERTER)
    stand_in.convert_model = _convert_model  # type: ignore[attr-defined]
    sys.modules[_CONVERTER] = stand_in
    try:
        import openvino
    finally:
        sys.modules.pop(_CONVERTER, None)
    return openvino


def core() -> Any:
    """Return the one ``openvino.Core`` of this process, which lives as long as the process does.

    Each core brings a CPU plugin of its own, which sets the calling thread's alternate signal stack
    and puts back the one before when it goes. Of two cores that go in the order in which they came,
    the second puts back a stack that the first has released, and the next Ctrl-C, whose handler
    runs on it, ends the process by a segmentation fault (OpenVINO 2026.4).
    """
    with _core_lock:  # threads that ask at once get the same
        return _core()


@cache
def _core() -> Any:
    ov = openvino()
    # The bindings make their table of types at the first tensor, and lets others run meanwhile: two
    # threads whose first ones coincide wait for each other for ever (OpenVINO 2026.4). No
    # assertion: python -O leaves these out.
    ov.Tensor(np.zeros(1, np.float32))
    return ov.Core()


def _convert_model(*args: Any, **options: Any) -> Any:
    """OpenVINO's own `convert_model`."""
    from openvino.tools.ovc import convert_model

    return convert_model(*args, **options)


def version() -> str:
    """OpenVINO's version, without its build."""
    return str(openvino().__version__).split("-")[0]


def openvino_folder() -> Path | None:
    """Where what is converted for this OpenVINO is kept; None where nothing can be."""
    cache = cache_folder()
    return cache / f"openvino-{version()}" if cache else None


def digest_of(files: Sequence[Path], *words: object) -> str:
    """Return what a compiled model is known by: contents of its files, and words.

    Args:
        files: weights, and the source files of what prepares them.
        words: what else it depends on.
    """
    digest = hashlib.sha256(repr(words).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def compile_model(
    folder: Path | None, known_by: str, build: Callable[[], Any], settings: Mapping[str, Any]
) -> Any:
    """Compile a model for the CPU, or import it as it was compiled at an earlier start.

    OpenVINO's own cache reads the model first, to know it again, and trusts what it finds. Here
    neither is needed: a file has the SHA-256 of its content, and a damaged one is made anew.

    Args:
        folder: where compiled models are kept; None to keep none.
        known_by: the model's `digest_of`; empty to keep none.
        build: gives the model; called only if it has to be compiled.
        settings: of OpenVINO's CPU plugin.

    Returns:
        The ``openvino.CompiledModel``.
    """
    if folder is None or not known_by:
        return core().compile_model(build(), "CPU", settings)
    machine = (str(openvino().__version__), processor(), sorted(settings.items()))
    file = folder / f"{digest_of((), known_by, machine)[:32]}.model"
    kept = _read(file)
    if kept is not None:
        try:
            return core().import_model(io.BytesIO(kept), "CPU", settings)
        except RuntimeError as error:
            _log.debug("%s: %s", file, error)
    compiled = core().compile_model(build(), "CPU", settings)
    _keep(file, compiled)
    return compiled


class BoundRequest:
    """An inference request that reads its inputs from the memory that OpenVINO made for them.

    Pointing it to an array of the caller's at each call costs more than a copy into that memory: a
    registration on 8-bit weights takes a tenth longer then. An array that can't be written and is
    given again is not even copied: it stays as it is.

    Args:
        compiled: an ``openvino.CompiledModel`` whose inputs have one shape each.
        outputs: names of what it returns; None for all, in the model's order.
    """

    def __init__(self, compiled: Any, outputs: Sequence[str] | None = None) -> None:
        self._request = compiled.create_infer_request()
        self._inputs = [self._request.get_input_tensor(i).data for i in range(len(compiled.inputs))]
        self._kept: list[npt.NDArray[Any] | None] = [None] * len(self._inputs)
        keys = range(len(compiled.outputs)) if outputs is None else outputs
        self._outputs = [compiled.output(key) for key in keys]

    def __call__(self, *inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Run the model on its inputs, in order.

        Returns:
            Its outputs: OpenVINO's own memory, which the next call writes over.
        """
        self._take(inputs)
        self._request.infer(share_outputs=True)
        return self._found()

    def start(self, *inputs: npt.NDArray[Any]) -> None:
        """Begin to run the model, in a thread of OpenVINO's."""
        self._take(inputs)
        self._request.start_async()

    def finish(self) -> list[npt.NDArray[Any]]:
        """Wait for what was started; see the call."""
        self._request.wait()
        return self._found()

    def _take(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        for index, (target, value) in enumerate(zip(self._inputs, inputs, strict=True)):
            if value is not self._kept[index]:
                target[...] = value
                self._kept[index] = None if value.flags.writeable else value

    def _found(self) -> list[npt.NDArray[Any]]:
        return [self._request.get_tensor(port).data for port in self._outputs]


class RequestsSideBySide:
    """Inference requests of one item each, which run beside one another.

    Where an item alone is work enough, threads that wait for one another after each layer lose
    more than they share; and a busy core holds all of them up.

    Args:
        compiled: an ``openvino.CompiledModel`` of batch size 1 and ``count`` streams.
        count: how many run at a time.
    """

    def __init__(self, compiled: Any, count: int) -> None:
        self._requests = [BoundRequest(compiled) for _ in range(count)]

    def __call__(self, *inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Run the model on batches of any size, in order; returns its outputs, the caller's own.

        Of what is the same for all items one is enough.
        """
        running: deque[BoundRequest] = deque()
        found = []
        try:
            for index in range(len(inputs[0])):
                request = self._requests[index % len(self._requests)]
                if len(running) == len(self._requests):
                    found.append([value.copy() for value in running.popleft().finish()])
                request.start(*(v if len(v) == 1 else v[index : index + 1] for v in inputs))
                running.append(request)
        finally:  # none is left running where one fails
            found += [[value.copy() for value in request.finish()] for request in running]
        return [np.concatenate(values) for values in zip(*found, strict=True)]


def one_core_model(
    known_by: str, build: Callable[[], Any], precision: Literal["f32", "bf16"] = "f32"
) -> Any:
    """Return a compiled model of a network that is too small for more cores than one.

    Args:
        known_by: see `compile_model`; kept in the cache of this version of OpenVINO.
        build: see `compile_model`.
        precision: that it is computed in.
    """
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_NUM_THREADS": 1,
    }
    folder = openvino_folder()
    return compile_model(folder and folder / COMPILED, known_by, build, settings)


def _read(file: Path) -> bytes | None:
    """Read a kept file; None where there is none, or it is not what was written."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, model = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(model).digest() == digest:
        mark_used(file)
        return model
    _log.debug("%s is damaged", file)
    return None


def _keep(file: Path, compiled: Any) -> None:
    """Write a compiled model for the next start; where that fails, it is compiled again then.

    What was long not used makes room for it.
    """
    try:
        model = compiled.export_model().getvalue()
        with written(file) as whole:
            whole.write_bytes(hashlib.sha256(model).digest() + model)
    except (FacewarpError, OSError, RuntimeError) as error:
        _log.debug("%s was not written: %s", file, error)
        return
    cache, own = cache_folder(), openvino_folder()
    if cache is not None and own is not None and file.is_relative_to(own):
        prune(cache, own.name)


def draws(config: ModelConfig) -> bool:
    """Whether `part_graph` can make a configuration's graph."""
    features = config.features
    return (
        config.ndim == 2
        and not config.steps
        and tuple(config.input_shape) == tuple(config.grid_shape)
        and features.join == "add"
    )


def part_graph(config: ModelConfig, weights: Mapping[str, npt.NDArray[np.float32]]) -> Any:
    """Make the graph ``parts`` of a part network alone from its weights, without torch.

    The same as `graphs.PartsGraph` of `networks.part_net.PartNet`, batch norms folded.

    Args:
        config: one that `draws` is true of.
        weights: by their names in the weights file.

    Returns:
        An ``openvino.Model`` of any batch size.
    """
    ov = openvino()
    from openvino import opset13 as ops

    def conv(x: Any, name: str, stride: int = 1, *, norm: str = "") -> Any:
        kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if norm:
            gain = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
            kernel = kernel * gain[:, None, None, None]
            bias = (bias - weights[f"{norm}.running_mean"]) * gain + weights[f"{norm}.bias"]
        pad = [kernel.shape[-1] // 2] * 2
        x = ops.convolution(
            x, ops.constant(kernel.astype(np.float32)), [stride] * 2, pad, pad, [1, 1]
        )
        return ops.add(x, ops.constant(bias.astype(np.float32)[None, :, None, None]))

    def block(x: Any, name: str, stride: int = 1) -> Any:
        x = conv(x, f"{name}.0", stride, norm=f"{name}.1")
        return ops.prelu(x, ops.constant(np.array([_SLOPE], np.float32)))

    features = config.features
    shape = [-1, features.inputs, *config.grid_shape]
    images = ops.parameter(ov.PartialShape(shape), np.float32, name="images")
    images.output(0).get_tensor().set_names({"images"})
    x = block(images, "parts.entry", _step(features.entry_stride))
    skips = [x]
    for level, stride in enumerate(features.strides):
        x = block(block(x, f"parts.down.{level}.0", _step(stride)), f"parts.down.{level}.1")
        skips.append(x)
    for level in range(len(features.decoder)):
        skip = skips[-2 - level]
        sides = [side.get_length() for side in list(skip.get_output_partial_shape(0))[2:]]
        size = ops.constant(np.array(sides, np.int64))
        x = ops.interpolate(
            conv(x, f"parts.narrow.{level}"),
            size,
            "linear_onnx",
            "sizes",
            coordinate_transformation_mode="half_pixel",
            axes=ops.constant(np.array([2, 3], np.int64)),
        )
        x = block(ops.add(x, skip), f"parts.up.{level}")
    for index in range(features.refine):
        x = block(x, f"parts.refine.{index}")
    if features.subpixel > 1:
        x = ops.depth_to_space(block(x, "parts.sharpen"), "depth_first", features.subpixel)
    found = ops.softmax(conv(x, "parts.classify"), 1)
    found.output(0).get_tensor().set_names({"parts"})
    return ov.Model([ops.result(found)], [images], "parts")


def _step(stride: Stride) -> int:
    """One step for both axes."""
    return stride if isinstance(stride, int) else stride[0]

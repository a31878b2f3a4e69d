"""The package OpenVINO, and its compiled models, kept from one start to the next."""

import hashlib
import io
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.machine import processor
from facewarp.system.user_folders import cache_folder

_log = logging.getLogger(__name__)

_CONVERTER: Final = "openvino.tools.ovc"
_DIGEST_BYTES: Final = 32  # of SHA-256


def openvino() -> Any:
    """The package OpenVINO, its telemetry switched off by facewarp.system.privacy.

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
    """What a compiled model is known by: the contents of the files it is made from, and words.

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
    core = openvino().Core()
    if folder is None or not known_by:
        return core.compile_model(build(), "CPU", settings)
    machine = (str(openvino().__version__), processor(), sorted(settings.items()))
    file = folder / f"{digest_of((), known_by, machine)[:32]}.model"
    kept = _read(file)
    if kept is not None:
        try:
            return core.import_model(io.BytesIO(kept), "CPU", settings)
        except RuntimeError as error:
            _log.debug("%s: %s", file, error)
    compiled = core.compile_model(build(), "CPU", settings)
    _keep(file, compiled)
    return compiled


def _read(file: Path) -> bytes | None:
    """The content of a kept file; None where there is none, or it is not what was written."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, model = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(model).digest() == digest:
        return model
    _log.debug("%s is damaged", file)
    return None


def _keep(file: Path, compiled: Any) -> None:
    """Write a compiled model for the next start; where that fails, it is compiled again then."""
    try:
        model = compiled.export_model().getvalue()
        with written(file) as whole:
            whole.write_bytes(hashlib.sha256(model).digest() + model)
    except (FacewarpError, OSError, RuntimeError) as error:
        _log.debug("%s was not written: %s", file, error)

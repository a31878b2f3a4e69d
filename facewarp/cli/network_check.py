"""`facewarp doctor --network`: every command run under strace, and what it did on the network."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Final

from facewarp.errors import FacewarpError
from facewarp.system.network_trace import Trace, TracedCommand, find_strace

ENGINES_SECONDS: Final = 30.0
"""How long a loaded engine is watched: ONNX Runtime's telemetry goes out after some seconds."""

_MOST_S: Final = 600.0  # after which a command hangs

_LOAD_AND_WAIT: Final = """
import sys, time
import numpy as np
import facewarp
model = facewarp.load("face", engine=sys.argv[1])
image = np.random.default_rng(0).random(model.config.grid_shape, np.float32)
model.register(image, image)
time.sleep(float(sys.argv[2]))
"""


@dataclass(frozen=True)
class Probe:
    """A command to be watched.

    Attributes:
        name: for people.
        command: program and arguments.
        loopback: whether it has to serve this machine.
        mostly_waits: whether it runs beside others of which that is true.
    """

    name: str
    command: tuple[str, ...]
    loopback: bool = False
    mostly_waits: bool = False


@dataclass(frozen=True)
class Verdict:
    """A probe, and what it did."""

    probe: Probe
    trace: Trace

    @property
    def is_silent(self) -> bool:
        """Whether it spoke to nobody and wrote nothing elsewhere."""
        return self.trace.is_silent

    @property
    def fault(self) -> str | None:
        """Why the probe says nothing: it failed; None where it ran as it should."""
        if self.trace.code != 0:
            last = self.trace.said.strip().splitlines()[-1:] or ["it said nothing"]
            how = "did not end" if self.trace.code is None else f"exit code {self.trace.code}"
            return f"{how}: {last[0]}"
        if self.probe.loopback and self.trace.loopback == 0:
            return "it did not serve this machine"
        return None


def check_network(
    seconds: float = ENGINES_SECONDS,
    *,
    on_probe: Callable[[str], None] = lambda name: None,
    is_wanted: Callable[[Probe], bool] = lambda probe: True,
) -> list[Verdict]:
    """Run every command on small inputs and count its system calls.

    Args:
        seconds: how long live sessions and loaded engines are watched, once they have begun.
        on_probe: called with the name of each probe before it runs.
        is_wanted: of which probes; every one by default.

    Raises:
        FacewarpError: system calls can't be counted here.
    """
    find_strace()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="facewarp-network-") as place:
        folder = Path(place).resolve()
        home, out, scratch = folder / "home", folder / "out", folder / "tmp"
        for each in (home, out, scratch):
            each.mkdir()
        patients = drawn_patients(folder / "data")
        allowed = (home / ".cache" / "facewarp", out, scratch)

        def start(probe: Probe) -> TracedCommand:
            on_probe(probe.name)
            return TracedCommand(
                probe.command,
                folder=out,
                allowed=allowed,
                environment=new_user(home, scratch),
                most_s=_MOST_S,
            )

        wanted = filter(is_wanted, probes(out, patients, seconds))
        for _, some in groupby(wanted, lambda probe: probe.mostly_waits or probe.name):
            group = tuple(some)
            with ExitStack() as stack:
                running = [stack.enter_context(start(probe)) for probe in group]
                results = [command.result() for command in running]
            verdicts += map(Verdict, group, results)
    return verdicts


def probes(out: Path, patients: tuple[Path, Path], seconds: float) -> Iterator[Probe]:
    """Every command that works with data, and every engine that is installed.

    Args:
        out: where the commands write.
        patients: a cine as NIfTI, and a folder of annotated patients.
        seconds: how long what goes on by itself is watched.
    """
    from facewarp.core.engines.base import ENGINES, is_installed

    clip = str(Path(str(resources.files("facewarp.assets"))) / "demo" / "astronaut.mp4")
    cine, annotated = map(str, patients)

    def facewarp(*words: str | Path) -> tuple[str, ...]:
        return (sys.executable, "-m", "facewarp", *map(str, words))

    yield Probe("track", facewarp("track", clip, "--end", "2", "--out", out / "tracked.mp4"))
    yield Probe("cine", facewarp("cine", cine, "--out", out / "cine"))
    quickest = "openvino-int8" if is_installed("openvino-int8") else "torch"
    words: tuple[str | Path, ...] = ("--engine", quickest, "--calls", "10", "--no-video")
    yield Probe("bench", facewarp("bench", *words))  # every engine has a probe of its own
    yield Probe("doctor", facewarp("doctor"))
    formats = {"onnx": ("onnx", "onnxscript"), "openvino": ("openvino",), "pt2": ()}
    for name, needs in formats.items():
        if all(map(is_present, needs)):
            words = ("export", "--format", name, "--graph", "parts", "--out", out / f"model-{name}")
            yield Probe(f"export {name}", facewarp(*words))
    yield Probe("train", facewarp("train", "acdc", "--data", annotated, *_TINY, out / "run"))
    session = partial(Probe, mostly_waits=True)
    live = ("live", "--seconds", str(seconds))
    played = ("--source", clip, "--repeat", "--realtime")
    yield session("live --headless", facewarp(*live, "--headless", *played))
    if is_present("aiortc"):
        yield session("live --web", facewarp(*live, "--web", "--port", "0"), loopback=True)
    for name in ENGINES:
        if is_installed(name):
            loaded = (sys.executable, "-c", _LOAD_AND_WAIT, name, str(seconds))
            yield session(f"engine {name}", loaded)


_TINY: Final = (
    *("--steps", "2", "--workers", "1"),
    *("--set", "model.grid_shape=8,48,48", "--set", "model.input_shape=8,48,48"),
    *("--set", "model.spacing_mm=4,4,12", "--set", "model.field_shape=8,24,24"),
    *("--set", "view_shape=8,32,32", "--set", "batch=1", "--set", "checkpoint_every=2"),
    "--out",
)


def is_present(package: str) -> bool:
    """Whether a package is installed."""
    from importlib.util import find_spec

    return find_spec(package) is not None


def new_user(home: Path, scratch: Path) -> Mapping[str, str]:
    """Return a new user's environment: `CI`, which makes packages hold telemetry back, is not set.

    Args:
        home: the home folder.
        scratch: the folder of temporary files.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "FACEWARP_", "ORT_", "RAY_", "PYTEST_")) and name != "CI"
    }
    return kept | {
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",  # what an installer has done before
    }


def drawn_patients(folder: Path) -> tuple[Path, Path]:
    """Return a cine of a drawn heart as NIfTI, and annotated patients in ACDC's layout."""
    import nibabel as nib
    import numpy as np

    from facewarp.training.synthetic.acdc_folders import write_drawn_patient
    from facewarp.training.synthetic.beating_heart import BeatingHeart, beating_cine

    for number in (1, 2, 15, 18, 19):
        write_drawn_patient(folder / "acdc", number)
    spacing = (4.0, 4.0, 12.0)
    cine = beating_cine(BeatingHeart(), 6, (7, 64, 64), spacing, seed=1)
    gray = np.rint(600 * cine.images).astype(np.int16).T  # (X, Y, Z, T)
    image = nib.Nifti1Image(gray, np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))
    image.header["pixdim"][1:5] = (*spacing, 0.1)
    nib.save(image, folder / "cine.nii.gz")
    return folder / "cine.nii.gz", folder / "acdc"


def first_fault(verdicts: list[Verdict]) -> FacewarpError | None:
    """Return what is to be raised of a check: a probe that was not silent, or that failed."""
    loud = [verdict.probe.name for verdict in verdicts if not verdict.is_silent]
    if loud:
        return FacewarpError(
            f"not silent: {', '.join(loud)}",
            fix="Please report it with the table above, and facewarp doctor --json.",
        )
    for verdict in verdicts:
        if verdict.fault is not None:
            what = f"{verdict.probe.name} could not be watched: {verdict.fault}"
            return FacewarpError(what, fix="See facewarp doctor.")
    return None

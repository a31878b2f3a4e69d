"""`facewarp doctor`: check whether this machine has what facewarp needs."""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output, output_of
from facewarp.cli.network_check import check_network, first_fault
from facewarp.errors import FacewarpError
from facewarp.system.installation import EXTRAS, install_command, missing_extras
from facewarp.system.machine import has_avx2, processor
from facewarp.version import __version__

ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        name: what was looked at, e.g. `"torch"`.
        state: `"ok"`, `"absent"` (facewarp works without it) or `"broken"` (it does not).
        text: what was found, for people.
        facts: the same for programs.
    """

    name: str
    state: str
    text: str
    facts: dict[str, Any]


def doctor(
    ctx: typer.Context,
    network: Annotated[
        bool,
        typer.Option("--network", help="Prove that no command uses the network (Linux, strace)."),
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(
            min=1.0,
            help="With --network: how long live sessions and engines are watched, once begun.",
        ),
    ] = 30.0,
) -> None:
    """Check whether this machine has what facewarp needs.

    Looks at versions, processor, devices, display, what is not installed, and the files facewarp
    came with; reads a clip and writes one. Opens no camera and no connection. Exit code 1 if
    something facewarp needs is broken.

    --network runs every command on small inputs, cut off from all networks where the system
    allows that, and counts in its system calls what it tried to reach and where it wrote.

    Examples:
      facewarp doctor
      facewarp doctor --json
      facewarp doctor --network --seconds 5
    """
    output = output_of(ctx)
    if network:
        _prove_silence(output, seconds)
        return
    findings = examine()
    broken = [finding.name for finding in findings if finding.state == "broken"]
    facts = {finding.name: {"state": finding.state, **finding.facts} for finding in findings}
    output.emit_json({"ok": not broken, "findings": facts})
    marks = {"ok": "[green]ok[/]", "absent": "[yellow]--[/]", "broken": "[bold red]!![/]"}
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(marks[finding.state], finding.name, escape(finding.text))
    output.say(table)
    if broken:
        raise FacewarpError(
            f"facewarp cannot work here: {', '.join(broken)}",
            fix="The lines marked !! say why.",
        )


def _prove_silence(output: Output, seconds: float) -> None:
    """Run every command under strace and print what it did on the network and on disk."""
    verdicts = check_network(seconds, on_probe=lambda name: output.say(f"Watching {name} ..."))
    output.emit_json(
        {
            "silent": all(verdict.is_silent for verdict in verdicts),
            "commands": {
                verdict.probe.name: {
                    "silent": verdict.is_silent,
                    "failed": verdict.fault,
                    "internet_sockets": verdict.trace.sockets,
                    "loopback_sockets": verdict.trace.loopback,
                    "other_machines": list(verdict.trace.remote),
                    "lookups": verdict.trace.lookups,
                    "files_elsewhere": list(verdict.trace.files),
                    "isolated": verdict.trace.isolated,
                }
                for verdict in verdicts
            },
        }
    )
    table = Table(
        "command", "internet sockets", "look-ups", "files elsewhere", "this machine's own"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for verdict in verdicts:
        trace = verdict.trace
        counts = (trace.sockets, trace.lookups, len(trace.files), trace.loopback)
        table.add_row(escape(verdict.probe.name), *map(str, counts))
    output.say(table)
    if verdicts and not verdicts[0].trace.isolated:
        output.say("This system allows no empty network: what was counted was not stopped.")
    if fault := first_fault(verdicts):
        raise fault


def examine() -> list[Finding]:
    """Run every check; a check that fails to run is a finding itself, never an exception."""
    checks: dict[str, Callable[[str], Finding]] = {
        "facewarp": _facewarp,
        "machine": _machine,
        "torch": _torch,
        "engines": _engines,
        "tensorboard": _tensorboard,
        "extras": _extras,
        "video": _video,
        "face detector": _detector,
        "weights": _weights,
        "cache": _cache,
        "display": _display,
        "cameras": _cameras,
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(check(name))
        except Exception as error:  # noqa: BLE001 - a broken install can raise anything
            known = isinstance(error, FacewarpError)
            text = str(error) if known else " ".join(f"{type(error).__name__}: {error}".split())
            findings.append(Finding(name, "broken", text, {"error": text}))
    return findings


def _facewarp(name: str) -> Finding:
    where = str(Path(__file__).parents[1])
    facts = {"version": __version__, "python": platform.python_version(), "path": where}
    facts["executable"] = sys.executable
    return Finding(name, "ok", f"{__version__}, Python {facts['python']}, in {where}", facts)


def _machine(name: str) -> Finding:
    cores = os.cpu_count() or 1
    facts = {"platform": platform.platform(), "processor": processor(), "cores": cores}
    text = f"{facts['platform']}, {facts['processor']}, {cores} cores"
    return Finding(name, "ok", text, facts)


def _torch(name: str) -> Finding:
    import torch

    devices = {"cpu": processor()}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    facts = {"version": torch.__version__, "threads": torch.get_num_threads(), "devices": devices}
    text = f"{torch.__version__}, {facts['threads']} threads, devices: {', '.join(devices)}"
    return Finding(name, "ok", text, facts)


def _engines(name: str) -> Finding:
    from facewarp.core.engines.autotune import KNOWN, describe_choice, last_choice
    from facewarp.core.engines.base import ENGINES, is_installed

    installed = [engine for engine in ENGINES if is_installed(engine)]
    last = last_choice()
    text = ", ".join(installed)
    if KNOWN in installed and has_avx2():
        text += f"; auto takes {KNOWN} where a model has 8-bit weights"
    if last is not None:
        text += f"; auto took {last['engine']} ({describe_choice(last)})"
    return Finding(name, "ok", text, {"installed": installed, "auto": last})


def _tensorboard(name: str) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        text = f"not installed; {install_command('train')} brings it"
        return Finding(name, "absent", text, {"version": None})
    return Finding(name, "ok", version, {"version": version})


def _extras(name: str) -> Finding:
    lacking = missing_extras()
    facts = {
        extra: {"for": EXTRAS[extra], "lacks": packages, "install": install_command(extra)}
        for extra, packages in lacking.items()
    }
    if not lacking:
        return Finding(name, "ok", "all there", {"missing": facts})
    lines = [f"{extra}: {EXTRAS[extra]} ({fact['install']})" for extra, fact in facts.items()]
    text = "not installed, and what each would bring:\n" + "\n".join(lines)
    return Finding(name, "absent", text, {"missing": facts})


def _video(name: str) -> Finding:
    copied = _copied_clip()  # which imports OpenCV before PyAV, as its windows want

    import av

    found = [encoder for encoder in ENCODERS if encoder in av.codecs_available]
    version = metadata.version("av")
    facts = {"av": version, "h264_encoders": found, "frames_copied": copied}
    if not found:
        return Finding(name, "absent", f"PyAV {version}, without an H.264 encoder", facts)
    return Finding(name, "ok", f"PyAV {version}, H.264 by {', '.join(found)}", facts)


def _copied_clip() -> int:
    """Read the start of the demo clip and write it again; return the frames of the copy.

    Raises:
        FacewarpError: reading or writing fails.
    """
    from facewarp.media.sinks import open_sink
    from facewarp.media.sources import open_source, read_video

    clip = Path(str(resources.files("facewarp.assets"))) / "demo" / "astronaut.mp4"
    with tempfile.TemporaryDirectory(prefix="facewarp-") as folder:
        copy = Path(folder) / "copy.mp4"
        with open_source(clip, None, 0.2) as source, open_sink(copy, like=source) as sink:
            for frame in source:
                sink.write(frame)
        return sum(1 for _ in read_video(copy))


def _detector(name: str) -> Finding:
    from facewarp.face.detector import FaceDetector, usual_backend
    from facewarp.face.mediapipe_blazeface import refuse_reporting

    with FaceDetector():
        backend = usual_backend()
    facts: dict[str, Any] = {"backend": backend, "mediapipe": None}
    with suppress(metadata.PackageNotFoundError):
        facts["mediapipe"] = metadata.version("mediapipe")
    text = f"runs on {backend}"
    if facts["mediapipe"]:
        try:
            refuse_reporting()
            text += f"; --detector mediapipe would on MediaPipe {facts['mediapipe']}"
        except FacewarpError as error:
            text += f"; --detector mediapipe would not: {error.what}"
    return Finding(name, "ok", text, facts)


def _weights(name: str) -> Finding:
    from facewarp.core.weights import file_sha256, int8_weights, shipped_weights

    index = resources.files("facewarp.assets") / "weights" / "index.json"
    facts: dict[str, Any] = {}
    for model in json.loads(index.read_text("utf-8")):
        try:
            path = shipped_weights(model)
            int8 = int8_weights(path, file_sha256(path))
            facts[model] = {"ok": True, "file": str(path), "int8": int8 is not None}
        except FacewarpError as error:
            facts[model] = {"ok": False, "error": str(error)}
    bad = [str(entry["error"]) for entry in facts.values() if not entry["ok"]]
    names = [f"{model} (and 8-bit)" if facts[model].get("int8") else model for model in facts]
    text = "; ".join(bad) or f"{', '.join(names)}: complete, sha256 as recorded"
    return Finding(name, "broken" if bad else "ok", text, facts)


def _cache(name: str) -> Finding:
    from facewarp.core.network_cache import entries, size_of
    from facewarp.system.user_folders import cache_folder

    folder = cache_folder()
    if folder is None:
        text = "nothing can be kept, so networks are converted and engines timed at each start"
        return Finding(name, "absent", text, {"path": None})
    kept = entries(folder)
    size, ready = size_of(folder), sum(entry.nbytes for entry in kept)
    facts = {"path": str(folder), "bytes": size, "networks": len(kept), "network_bytes": ready}
    text = f"{folder}, {size / 1e6:.0f} MB: {len(kept)} networks made ready, {ready / 1e6:.0f} MB"
    return Finding(name, "ok", text, facts)


def _display(name: str) -> Finding:
    from facewarp.live.window.display import why_no_window

    reason = why_no_window()
    facts = {"present": reason is None, "reason": reason}
    if reason is None:
        return Finding(name, "ok", "present", facts)
    return Finding(name, "absent", f"no window can be opened: {reason}", facts)


def _cameras(name: str) -> Finding:
    """Return the cameras as far as known without opening one, and what each last delivered."""
    from facewarp.live.capture.camera_list import all_given, list_cameras

    given = {camera: str(last) for camera, last in all_given().items()}
    found = list_cameras() if sys.platform == "linux" else []  # elsewhere that may open them
    listed = {camera.name: camera.problem or given.get(camera.name) for camera in found}
    reported = listed | {camera: last for camera, last in given.items() if not found}
    texts = [f"{camera} ({last})" if last else camera for camera, last in reported.items()]
    facts = {"found": [camera.name for camera in found], "gave_last": given}
    text = ", ".join(texts) or "none found"
    return Finding(name, "ok" if reported else "absent", text, facts)

"""No command and no engine speaks to the network, counted in system calls."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from facewarp.cli.network_check import (
    Probe,
    Verdict,
    check_network,
    first_fault,
    new_user,
    probes,
)
from facewarp.system.network_trace import Trace, TracedCommand


def is_alone(probe: Probe) -> bool:
    """Whether it uses nothing that another probe has left in the cache."""
    return probe.name in ("cine", "train") or probe.name.startswith("export")


PARTS: dict[str, Callable[[Probe], bool]] = {
    "faces": lambda probe: not is_alone(probe),
    "hearts and exports": is_alone,
}
"""The probes in parts that workers share; each is in one, whatever it is called."""

NAMES = {
    *("track", "cine", "bench", "doctor", "export onnx", "export openvino", "export pt2", "train"),
    *("live --headless", "live --web"),
    *("engine torch", "engine onnx", "engine openvino", "engine openvino-int8"),
}


def verdict(code: int | None = 0, sockets: int = 0, *, serves: bool = False) -> Verdict:
    trace = Trace(code, sockets, 0, (), 0, (), True, "line\nwhat it said last")
    return Verdict(Probe("track", ("facewarp", "track"), loopback=serves), trace)


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(1200)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("part", PARTS)
def test_nothing_reaches_the_network_or_writes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv("CI", "true")  # which would hold telemetry back, if it were handed on
    verdicts = check_network(30, is_wanted=PARTS[part])
    assert verdicts
    for found in verdicts:
        trace = found.trace
        counts = (trace.sockets, trace.remote, trace.lookups, trace.files)
        assert counts == (0, (), 0, ()), found.probe.name
        assert found.fault is None, (found.probe.name, found.fault)
    assert first_fault(verdicts) is None


def test_every_probe_is_in_one_part(tmp_path: Path) -> None:
    every = list(probes(tmp_path, (tmp_path / "cine.nii.gz", tmp_path), 30.0))
    assert (
        {"track", "cine", "bench", "train", "live --headless", "engine torch"}
        <= {probe.name for probe in every}
        <= NAMES
    )
    for probe in every:
        assert sum(is_in(probe) for is_in in PARTS.values()) == 1, probe.name


RAY_TASK = """
import sys, time
import facewarp, ray
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[1])

@ray.remote
def work():
    import os
    import facewarp, onnxruntime
    time.sleep(8)  # it would report after some seconds, and leave an id in the user's cache
    return os.environ.get("ORT_DISABLE_TELEMETRY"), sys.modules.get("openvino_telemetry", "there")

print("told", *ray.get(work.remote()))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_task_of_ray_reports_nothing() -> None:
    """What Ray does itself, when a cluster begins, is left out: a cloud's address, its own key."""
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="fw-") as place:  # short: Ray's sockets lie below it
        home, scratch = Path(place, "home"), Path(place, "tmp")
        home.mkdir()
        scratch.mkdir()
        with TracedCommand(
            (sys.executable, "-c", RAY_TASK, str(scratch)),
            folder=scratch,
            allowed=(scratch, home / ".ray"),
            environment=new_user(home, scratch),
            most_s=250,
        ) as command:
            trace = command.result()
    assert trace.code == 0, trace.said
    assert "told 1 None" in trace.said
    assert trace.files == ()
    assert set(trace.remote) <= {"169.254.169.254", *name_servers()}


def name_servers() -> list[str]:
    lines = Path("/etc/resolv.conf").read_text("utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith("nameserver")]


def test_a_socket_is_a_fault_with_the_name_of_the_command() -> None:
    error = first_fault([verdict(), verdict(sockets=1)])
    assert error is not None
    assert "not silent: track" in str(error)


def test_a_command_that_fails_or_does_not_end_proves_nothing() -> None:
    error = first_fault([verdict(code=2)])
    assert error is not None
    assert "exit code 2: what it said last" in str(error)
    assert "did not end" in (verdict(code=None).fault or "")
    assert verdict().fault is None


def test_a_page_that_was_not_served_proves_nothing() -> None:
    assert "did not serve" in (verdict(serves=True).fault or "")

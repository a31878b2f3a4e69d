"""System calls are counted: sockets, look-ups and files, by a command and all its processes."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from facewarp.errors import FacewarpError
from facewarp.system.network_trace import Trace, TracedCommand, find_strace, read_trace

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def read(*lines: str, allowed: tuple[Path, ...] = ()) -> Trace:
    return read_trace(lines, allowed, Path("/work"))


def run(code: str, tmp_path: Path, most_s: float = 250) -> Trace:
    out = tmp_path / "out"
    out.mkdir()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-I", "-c", code]
    with TracedCommand(
        command, folder=out, allowed=[out], environment=environment, most_s=most_s
    ) as running:
        return running.result()


def test_sockets_of_the_internet_are_counted() -> None:
    trace = read(
        "7 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 3<socket:[11]>",
        "7 socket(AF_INET6, SOCK_STREAM, IPPROTO_IP <unfinished ...>",
        "8 socket(AF_UNIX, SOCK_STREAM, 0) = 4<socket:[12]>",
        "7 <... socket resumed>) = 5<socket:[13]>",
    )
    assert (trace.sockets, trace.loopback, trace.is_silent) == (2, 0, False)


def test_sockets_of_this_machine_alone_are_told_apart() -> None:
    trace = read(
        "7 socket(AF_INET6, SOCK_STREAM, IPPROTO_IP) = 3<socket:[11]>",
        '7 bind(3<socket:[11]>, {sa_family=AF_INET6, inet_pton(AF_INET6, "::1", &sin6_addr)}) = 0',
    )
    assert (trace.sockets, trace.loopback, trace.is_silent) == (0, 1, True)


@pytest.mark.parametrize("address", ["0.0.0.0", "10.1.2.3", "52.1.2.3"])
def test_serving_or_reaching_others_is_not_silent(address: str) -> None:
    trace = read(
        "7 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3<socket:[11]>",
        f'7 bind(3<socket:[11]>, {{sa_family=AF_INET, sin_addr=inet_addr("{address}")}}, 16) = 0',
    )
    assert trace.remote == (address,)
    assert not trace.is_silent


def test_names_looked_up_are_counted() -> None:
    trace = read('7 openat(AT_FDCWD</work>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>')
    assert (trace.lookups, trace.is_silent) == (1, False)


def test_files_elsewhere_are_named(tmp_path: Path) -> None:
    inside, home = tmp_path / "out", tmp_path / "home"
    trace = read(
        f'7 openat(AT_FDCWD</work>, "{inside}/a.mp4", O_WRONLY|O_CREAT, 0644) = 3',
        f'7 openat(5<{inside}>, "b.mp4", O_WRONLY|O_CREAT, 0644) = 3',
        f'7 mkdir("{home}/.config", 0777) = 0',
        f'7 openat(AT_FDCWD</work>, "{home}/none", O_WRONLY|O_CREAT, 0644) = -1 EACCES (x)',
        f'7 rename("{inside}/a", "{home}/id") = 0',
        '7 openat(AT_FDCWD</work>, "/dev/null", O_RDWR) = 3',
        f'7 mkdir("{tmp_path}", 0777) = -1 EEXIST (File exists)',
        allowed=(inside,),
    )
    assert trace.files == (f"{home}/.config", f"{home}/id")


@needs_strace
def test_a_command_that_does_nothing_is_silent(tmp_path: Path) -> None:
    trace = run("open('here', 'w').write('x'); print('done')", tmp_path)
    assert trace.is_silent, trace
    assert (trace.code, trace.said.strip()) == (0, "done")


@needs_strace
def test_what_a_child_of_a_command_does_is_seen(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    inner = (
        "import socket\n"
        f"open({str(elsewhere)!r}, 'w').close()\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "try: s.connect(('192.0.2.1', 9))\n"
        "except OSError: pass\n"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', {inner!r}])"
    trace = run(code, tmp_path)
    assert (trace.sockets, trace.remote) == (1, ("192.0.2.1",))
    assert trace.files == (str(elsewhere),)


@needs_strace
def test_a_look_up_is_seen_where_there_is_no_network(tmp_path: Path) -> None:
    code = "import socket\ntry: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    trace = run(code, tmp_path)
    if not trace.isolated:
        pytest.skip("this system allows no empty network")
    assert trace.lookups > 0


@needs_strace
def test_what_goes_on_by_itself_is_ended(tmp_path: Path) -> None:
    trace = run("import time; time.sleep(600)", tmp_path, most_s=1)
    assert trace.code is None


def test_without_strace_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FacewarpError, match="apt install strace"):
        find_strace()
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(FacewarpError, match="Linux only"):
        find_strace()


@needs_strace
def test_a_command_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    begun, over = tmp_path / "begun", tmp_path / "over"
    code = (
        "import pathlib, time\n"
        "try:\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        "    time.sleep(300)\n"
        f"except KeyboardInterrupt: pathlib.Path({str(over)!r}).touch()\n"
    )
    command = [sys.executable, "-I", "-c", code]
    environment = dict(os.environ)
    running = TracedCommand(
        command, folder=tmp_path, allowed=[], environment=environment, most_s=300
    )
    while not begun.exists():
        time.sleep(0.05)
    with pytest.raises(KeyboardInterrupt), running:
        raise KeyboardInterrupt
    assert over.exists()

"""What a command does on the network and on disk, counted from its system calls (Linux, strace)."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from facewarp.errors import FacewarpError
from facewarp.system.closing import Closing

_CALLS: Final = (
    "socket,connect,bind,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat"
)
# Without a network, even the one of this machine to itself has to be switched on.
_LOOPBACK_UP: Final = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
    fcntl.ioctl(it, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])
"""
_CALL = re.compile(r"(?:\d+\s+)?(\w+)\((.*)")
_PATH = re.compile(r'(?:<(/[^>]*)>, )?"((?:[^"\\]|\\.)*)"')  # beside what, and the path itself
_ADDRESS = re.compile(r'sin_addr=inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_DNS_PORT = "htons(53)"
_INODE = re.compile(r"<socket:\[(\d+)\]>")
_OF_SOCKETS: Final = ("socket", "connect", "bind", "sendto", "sendmsg", "sendmmsg")
_NAME_FILES: Final = ("/etc/hosts", "/etc/resolv.conf")  # read whenever a name is looked up
_NOT_ON_DISK: Final = ("/dev/", "/proc/", "/sys/")


@dataclass(frozen=True)
class Trace:
    """What a command and all its processes did.

    Attributes:
        code: Its exit code; None where it was ended after its time.
        sockets: Internet sockets made (IPv4 and IPv6), but for those of this machine with itself.
        loopback: Those: sockets that were given addresses of this machine and no other.
        remote: Addresses of other machines that it spoke to or tried to, or that it served.
        lookups: Names looked up.
        files: Files and folders made or opened for writing outside of the folders allowed.
        isolated: Whether it ran without a network, so that nothing could leave the machine.
        said: The end of what it printed.
    """

    code: int | None
    sockets: int
    loopback: int
    remote: tuple[str, ...]
    lookups: int
    files: tuple[str, ...]
    isolated: bool
    said: str

    @property
    def is_silent(self) -> bool:
        """Whether it spoke to no other machine, looked nothing up and wrote nothing elsewhere."""
        return not (self.sockets or self.remote or self.lookups or self.files)


class TracedCommand(Closing):
    """A command that runs under strace, without a network where the system lets one do that.

    It is ended where it is closed before its `result` is there.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        allowed: Folders in which it may write.
        environment: All of its environment.
        most_s: Seconds after which it is told to stop, as by Ctrl-C.

    Raises:
        FacewarpError: This is not Linux, or strace is not installed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        allowed: Sequence[Path],
        environment: Mapping[str, str],
        most_s: float,
    ) -> None:
        strace, prefix = find_strace(), _isolation()
        self._folder, self._allowed, self._isolated = folder, allowed, bool(prefix)
        self._place = tempfile.TemporaryDirectory(prefix="facewarp-trace-")
        self._log, self._said = (Path(self._place.name) / name for name in ("calls", "said"))
        traced = [strace, "-f", "-y", "--seccomp-bpf", "-qq", "-s", "4096", "-e", f"trace={_CALLS}"]
        traced += ["-e", "signal=none", "-o", str(self._log), "--", *command]
        self._end = monotonic() + most_s
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(
                [*prefix, *traced], cwd=folder, env=dict(environment),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def result(self) -> Trace:
        """Wait until it has ended, or has had its time, and return what it did."""
        code = _wait(self._process, max(self._end - monotonic(), 0.0))
        log = self._log
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        said = self._said.read_text("utf-8", "replace")[-2000:]
        return read_trace(
            *(lines, self._allowed, self._folder), code=code, isolated=self._isolated, said=said
        )

    def close(self) -> None:
        """End the command, if it still runs, and remove what was noted."""
        if self._process.poll() is None:
            _wait(self._process, 0.0)
        self._place.cleanup()


def find_strace() -> str:
    """Return the path of strace.

    Raises:
        FacewarpError: This is not Linux, or strace is not installed.
    """
    if not sys.platform.startswith("linux"):
        raise FacewarpError("system calls are counted on Linux only", sys.platform)
    strace = shutil.which("strace")
    if strace is None:
        fix = "Install it, e.g. on Debian and Ubuntu: apt install strace"
        raise FacewarpError("counting system calls needs strace, which is not installed", fix=fix)
    return strace


def read_trace(
    lines: Sequence[str],
    allowed: Sequence[Path],
    folder: Path,
    *,
    code: int | None = 0,
    isolated: bool = False,
    said: str = "",
) -> Trace:
    """Count what the lines that ``strace -f`` wrote tell of.

    Args:
        lines: Its lines.
        allowed: Folders in which the command may write.
        folder: Where the command began: relative paths are taken from there.
        code: For the result, as are the others.
        isolated: See above.
        said: See above.
    """
    sockets, lookups = _Sockets(), 0
    files: dict[str, None] = {}
    roots = [os.path.realpath(path) for path in allowed]
    for line in lines:
        sockets.follow(line)
        match = _CALL.match(line)
        if match is None:
            continue
        call, rest = match.groups()
        paths = bool(_PATH.search(rest)) and call not in _OF_SOCKETS
        if call in _OF_SOCKETS:
            lookups += _DNS_PORT in rest
        elif paths and call in ("open", "openat"):
            path = _path_of(rest, folder)
            lookups += path in _NAME_FILES
            if "O_WRONLY" in rest or "O_RDWR" in rest or "O_CREAT" in rest:
                files |= dict.fromkeys(_outside(path, rest, roots))
        elif paths:
            files |= dict.fromkeys(_outside(_path_of(rest, folder, last=True), rest, roots))
    own, remote = sockets.counted()
    count = len(sockets.known) - own
    return Trace(code, count, own, remote, lookups, tuple(files), isolated, said)


class _Sockets:
    """Internet sockets by their inodes, with the addresses that each was given."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self._pending: set[str] = set()  # processes within a call that makes one

    def follow(self, line: str) -> None:
        """Take one line of the trace in."""
        pid = line.split(maxsplit=1)[0] if line else ""
        inode = _INODE.search(line)
        if " socket(AF_INET" in f" {line}":
            if inode:
                self.known[inode[1]] = []
            elif "<unfinished" in line:
                self._pending.add(pid)
        elif "<... socket resumed>" in line and pid in self._pending:
            self._pending.discard(pid)
            if inode:
                self.known[inode[1]] = []
        elif inode and inode[1] in self.known and _CALL.match(line):
            self.known[inode[1]] += _addresses(line)

    def counted(self) -> tuple[int, tuple[str, ...]]:
        """How many are of this machine alone, and the addresses of others."""
        own = sum(bool(given) and not any(map(_is_remote, given)) for given in self.known.values())
        given = [address for addresses in self.known.values() for address in addresses]
        return own, tuple(dict.fromkeys(filter(_is_remote, given)))


def _addresses(rest: str) -> list[str]:
    return [four or six for four, six in _ADDRESS.findall(rest)]


def _is_remote(address: str) -> bool:
    plain = address.removeprefix("::ffff:")
    return not plain.startswith("127.") and plain != "::1"


def _path_of(rest: str, folder: Path, *, last: bool = False) -> str:
    beside, path = _PATH.findall(rest)[-1 if last else 0]
    return os.path.normpath(os.path.join(folder, beside, path))


def _outside(path: str, rest: str, roots: Sequence[str]) -> list[str]:
    """Return the path, if the call succeeded and it lies in none of the folders."""
    if " = -1 " in rest or path.startswith(_NOT_ON_DISK):
        return []
    real = os.path.realpath(path)
    inside = any(f"{real}{os.sep}".startswith(f"{root}{os.sep}") for root in roots)
    leads_there = any(f"{root}{os.sep}".startswith(f"{real}{os.sep}") for root in roots)
    return [] if inside or leads_there else [path]


def _isolation() -> list[str]:
    """Return the words that run a command without a network; none where that is forbidden."""
    unshare = shutil.which("unshare")
    for flags in (["-n"], ["-r", "-n"]):
        if unshare is None:
            break
        prefix = [unshare, *flags, sys.executable, "-I", "-c", _LOOPBACK_UP]
        done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return prefix
    return []


def _wait(process: "subprocess.Popen[bytes]", most_s: float) -> int | None:
    """Wait for the exit code; what takes longer gets Ctrl-C, and is killed if that fails."""
    try:
        return process.wait(most_s)
    except subprocess.TimeoutExpired:
        pass
    for number, patience_s in ((signal.SIGINT, 30.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
            break
        except subprocess.TimeoutExpired:
            continue
    return None

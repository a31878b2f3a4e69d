"""This checkout against another revision of it, side by side in one run.

    python benchmarks/against.py REV [--runs 10] [--only track,tracker] [--python PYTHON] [--json]

REV is checked out into the user's cache folder and installed there in an environment of its own,
with its own constraints (once: a minute or two and 2 GB); this checkout runs in the environment
that this script runs in. Both take turns, A B A B, in fresh processes, so that a machine whose
speed drifts does so for both. Printed are medians with minimum and maximum, and the ratio of each
pair of runs. Everything is measured through what both revisions have: the command line and the
public names of `facewarp`. Both have their bytecode, as an installation has.

Workloads: `register` (a crop, both ways, in a tracker that neither detects nor smooths), `tracker`
(a frame, all in), `track` (1280x720 with labels, file to file), `track-1080p` (with a texture),
`track-1080p-memory` (its peak), `live` (unpaced, with labels), `style` (a frame, style `full` at
640x480), `four` (a frame with four faces) and `import` (`import facewarp`). Of the faces of the
first two and of `four` the field onto the face is asked for, which this checkout computes only
then; `landmarks` is `tracker` without that. `plain-register`, `plain-tracker`, `plain-four`,
`plain-track`, `plain-track-1080p` and `plain-live` leave out what `--details off`, `--occlusion
off` and `--no-photometric` do, of a revision that has these: what c2f3f86 did, and no more.

Only where `--only` names them: those with `-cpu` after them, the processor time of the same, which
other load changes less (`track`, `plain-track`, `track-1080p`, `plain-track-1080p`, `live`,
`plain-live`), and `track-1080p-minutes`, the peak memory of a clip of two minutes: flat is what
holds no more of it than of ten seconds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from facewarp.system.machine import machine
from facewarp.system.user_folders import cache_folder

ROOT: Final = Path(__file__).resolve().parents[1]

_FRAMES: Final = """
import sys, json, time, itertools, inspect
from statistics import median
import numpy as np, cv2, facewarp
def clip(width, height, count):
    frames = itertools.islice((f.image for f in facewarp.read_video(sys.argv[1])), count)
    return [np.ascontiguousarray(cv2.resize(f, (width, height))) for f in frames]
def fields(faces):
    return [face.grid_field for face in faces]
has = inspect.signature(facewarp.FaceTracker).parameters
plain = {"details": False} if "details" in has else {}
def timed(call, items):
    times = []
    for item in items:
        began = time.perf_counter(); call(item); times.append(time.perf_counter() - began)
    print(json.dumps(1000 * median(times[len(times) // 4:])))
"""

_COMMAND: Final = """
import sys, json, time, subprocess, resource, tempfile, os
def called(*words):
    command = [sys.executable, "-m", "facewarp", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
def run(*words):
    began = time.perf_counter()
    called(*words)
    return time.perf_counter() - began
def used():
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken.ru_utime + taken.ru_stime
def processor(*words):
    began = used()
    called(*words)
    return used() - began
def plain(command):
    told = called(command, "--help")
    left_out = {"--details": ["off"], "--occlusion": ["off"], "--no-photometric": []}
    return [word for name, more in left_out.items() if name in told for word in (name, *more)]
def peak(*words):
    run(*words)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
out = tempfile.mkdtemp()
"""
_TRACK: Final = "'track', sys.argv[1], '--out', out + '/o.mp4', '-q'"
_PAINT: Final = _TRACK + ", '--effect', 'texture'"
_LIVE: Final = "'live', '--source', sys.argv[1], '--headless', '-q'"
_PLAIN_TRACK, _PLAIN_PAINT = (f"{words}, *plain('track')" for words in (_TRACK, _PAINT))
_PLAIN_LIVE: Final = f"{_LIVE}, *plain('live')"
_FULL_HD: Final = (1920, 1080)


def _printed(measure: str, words: str) -> str:
    """Python that prints what a measure says of a command."""
    return f"{_COMMAND}print(json.dumps({measure}({words})))"


@dataclass(frozen=True)
class Workload:
    """What is measured: Python that prints one number as JSON.

    Attributes:
        code: run with the clip's file as its argument.
        unit: of the number.
        size: (width, height) of the clip that it gets.
        times: how often the clip of ten seconds is repeated.
        asked: whether it is run only where it is named.
    """

    code: str
    unit: str
    size: tuple[int, int] = (1280, 720)
    times: int = 1
    asked: bool = False


def _tracked(options: str = "") -> str:
    """Python that times a tracker of one face, whose field onto it is asked for."""
    return f"""{_FRAMES}
clock = itertools.count()
with facewarp.FaceTracker(faces=1{options}) as tracker:
    timed(lambda frame: fields(tracker(frame, next(clock) / 30)), clip(1280, 720, 120))
"""


def _registered(options: str = "") -> str:
    """Python that times the registration of a crop, its field onto the face asked for."""
    return f"""{_FRAMES}
frames = clip(640, 480, 60)
with facewarp.FaceTracker(smooth=False, faces=1{options}) as tracker:
    face = next(f for frame in frames for f in tracker(frame, 0.0))
    timed(lambda frame: tracker.register(frame, face.crop).grid_field, frames * 2)
"""


def _four(options: str = "") -> str:
    """Python that times a tracker of four faces."""
    return f"""{_FRAMES}
frames = [np.tile(f, (2, 2, 1)) for f in clip(640, 360, 90)]
clock = itertools.count()
with facewarp.FaceTracker(faces=4{options}) as tracker:
    timed(lambda frame: fields(tracker(frame, next(clock) / 30)), frames)
"""


_NO_MORE: Final = ", **plain"  # options of a tracker that leaves out what c2f3f86 didn't do

WORKLOADS: Final = {
    "import": Workload(
        "import time, json; b = time.perf_counter(); import facewarp; "
        "print(json.dumps(1000 * (time.perf_counter() - b)))",
        "ms",
    ),
    "register": Workload(_registered(), "ms"),
    "plain-register": Workload(_registered(_NO_MORE), "ms"),
    "tracker": Workload(_tracked(), "ms"),
    "plain-tracker": Workload(_tracked(_NO_MORE), "ms"),
    "landmarks": Workload(
        _FRAMES
        + """
clock = itertools.count()
with facewarp.FaceTracker(faces=1) as tracker:
    timed(lambda frame: tracker(frame, next(clock) / 30), clip(1280, 720, 120))
""",
        "ms",
    ),
    "four": Workload(_four(), "ms"),
    "plain-four": Workload(_four(_NO_MORE), "ms"),
    "style": Workload(
        _FRAMES
        + """
frames = clip(640, 480, 24)
effect = facewarp.make_effect("style")
with facewarp.FaceTracker(faces=1) as tracker:
    faces = next(found for frame in frames if (found := tracker(frame, 0.0)))
    timed(lambda frame: effect(frame, faces, tracker.template), frames)
""",
        "ms",
    ),
    "track": Workload(_printed("run", _TRACK), "s"),
    "plain-track": Workload(_printed("run", _PLAIN_TRACK), "s"),
    "track-1080p": Workload(_printed("run", _PAINT), "s", _FULL_HD),
    "plain-track-1080p": Workload(_printed("run", _PLAIN_PAINT), "s", _FULL_HD),
    "track-1080p-memory": Workload(_printed("peak", _PAINT), "MB", _FULL_HD),
    "live": Workload(_printed("run", _LIVE), "s"),
    "plain-live": Workload(_printed("run", _PLAIN_LIVE), "s"),
    "track-cpu": Workload(_printed("processor", _TRACK), "s", asked=True),
    "plain-track-cpu": Workload(_printed("processor", _PLAIN_TRACK), "s", asked=True),
    "track-1080p-cpu": Workload(_printed("processor", _PAINT), "s", _FULL_HD, asked=True),
    "plain-track-1080p-cpu": Workload(
        _printed("processor", _PLAIN_PAINT), "s", _FULL_HD, asked=True
    ),
    "live-cpu": Workload(_printed("processor", _LIVE), "s", asked=True),
    "plain-live-cpu": Workload(_printed("processor", _PLAIN_LIVE), "s", asked=True),
    "track-1080p-minutes": Workload(_printed("peak", _PAINT), "MB", _FULL_HD, 12, asked=True),
}


@dataclass(frozen=True)
class Compared:
    """One workload's numbers, pair by pair.

    Attributes:
        name: of the workload.
        unit: of the numbers.
        here: this checkout's.
        there: the other revision's.
    """

    name: str
    unit: str
    here: list[float]
    there: list[float]

    @property
    def ratios(self) -> list[float]:
        """Here over there, of each pair of runs."""
        return [a / b for a, b in zip(self.here, self.there, strict=True)]


def environment_of(revision: str, python: str) -> tuple[str, Path]:
    """Check a revision out and install it once; returns its hash and its Python."""
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit(f"error: git knows no revision {revision!r} here. Name a commit or a tag.")
    commit = found.stdout.strip()
    cache = cache_folder()
    if cache is None:
        sys.exit("error: there is no cache folder to install in. Set XDG_CACHE_HOME.")
    place = cache / "against" / commit[:12]
    interpreter = place / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (place / "installed").is_file():
        return commit, interpreter
    shutil.rmtree(place, ignore_errors=True)
    (place / "source").mkdir(parents=True)
    print(f"installing {commit[:12]} into {place} (once) ...", file=sys.stderr)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=place / "source", input=archive.stdout, check=True)
    subprocess.run([python, "-m", "venv", str(place / "venv")], check=True)
    install = [str(interpreter), "-m", "pip", "install", "-q", "-c", "constraints.txt"]
    subprocess.run([*install, "torch"], cwd=place / "source", check=True)
    subprocess.run([*install, ".[live]"], cwd=place / "source", check=True)
    (place / "installed").touch()
    return commit, interpreter


def measured(interpreter: Path | str, workload: Workload, clip: Path) -> float:
    """Run a workload in a fresh process of an environment, and return its number."""
    environment = {**os.environ, "COLUMNS": "200"}  # of --help, in which options are looked for
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # REV's was compiled when it was installed
    if str(interpreter) != sys.executable:
        environment.pop("PYTHONPATH", None)  # it may lead to this checkout
    run = subprocess.run(
        [str(interpreter), "-c", workload.code, str(clip)],
        env=environment,
        cwd=clip.parent,  # not the checkout, whose folder would shadow what is installed
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        last = (run.stderr.strip() or "no message").splitlines()[-1]
        sys.exit(f"error: a run of {interpreter} failed: {last}")
    return float(json.loads(run.stdout.splitlines()[-1]))


def clip_of(size: tuple[int, int], folder: Path) -> Path:
    """Return the demo clip, played to and fro for ten seconds, at a size."""
    import av
    import cv2

    import facewarp

    path = folder / f"{size[0]}x{size[1]}.mp4"
    if path.is_file():
        return path
    frames = [frame.image for frame in facewarp.read_video(ROOT / "assets/demo/astronaut.mp4")]
    frames = (frames + frames[::-1])[:300]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in frames:
            side = min(size)
            canvas = cv2.copyMakeBorder(
                cv2.resize(frame, (side, side)),
                0, 0, (size[0] - side) // 2, size[0] - side - (size[0] - side) // 2,
                cv2.BORDER_REPLICATE,
            )  # fmt: skip
            container.mux(stream.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def repeated(clip: Path, times: int) -> Path:
    """Return a clip played several times over, its packets copied."""
    if times == 1:
        return clip
    import av

    path = clip.with_stem(f"{clip.stem}-{times}")
    if path.is_file():
        return path
    with av.open(str(clip)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        length = read.streams.video[0].duration
        for turn in range(times):
            read.seek(0)
            for packet in read.demux(video=0):
                if packet.dts is not None and packet.pts is not None:
                    packet.pts, packet.dts = packet.pts + turn * length, packet.dts + turn * length
                    packet.stream = stream
                    written.mux(packet)
    return path


def compare(there: Path, names: Sequence[str], runs: int, folder: Path) -> list[Compared]:
    """Measure workloads in turns, after one run of each that warms caches up."""
    found = []
    for name in names:
        workload = WORKLOADS[name]
        clip = repeated(clip_of(workload.size, folder), workload.times)
        pairs = [
            (measured(sys.executable, workload, clip), measured(there, workload, clip))
            for _ in range(runs + 1)
        ][1:]
        here, other = ([pair[side] for pair in pairs] for side in (0, 1))
        found.append(Compared(name, workload.unit, here, other))
        print(row_of(found[-1]), file=sys.stderr)
    return found


def row_of(compared: Compared) -> str:
    """Return a line of the table."""
    cells = [
        f"{median(values):.4g} ({min(values):.4g} to {max(values):.4g})"
        for values in (compared.here, compared.there)
    ]
    ratios = compared.ratios
    cells.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return f"| {compared.name}, {compared.unit} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", metavar="REV", help="a commit or tag of this repository")
    parser.add_argument("--runs", type=int, default=10)
    usual = ",".join(name for name, workload in WORKLOADS.items() if not workload.asked)
    parser.add_argument("--only", default=usual, help="workloads, comma-separated")
    parser.add_argument("--python", default=sys.executable, help="to build REV's environment with")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(WORKLOADS):
        parser.error(f"no workload {min(unknown)!r}; there are {', '.join(WORKLOADS)}")
    if given.runs < 1:
        parser.error("--runs is at least 1")
    commit, there = environment_of(given.revision, given.python)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(there, names, given.runs, Path(folder))
    if given.json:
        values = [{"name": r.name, "unit": r.unit, "here": r.here, "there": r.there} for r in rows]
        print(json.dumps({"machine": machine(), "revision": commit, "rows": values}))
        return
    print(f"{machine()}; {given.runs} runs in turns, medians (minimum to maximum)\n")
    print(f"| | here | {commit[:12]} | here / there |\n|---|---|---|---|")
    print("\n".join(map(row_of, rows)))


if __name__ == "__main__":
    main()

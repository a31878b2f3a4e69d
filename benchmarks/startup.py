"""How soon facewarp starts and how much memory it holds, beside an older commit, in turn.

    python benchmarks/startup.py [--against COMMIT] [--rounds N] [--engine NAME]

Three things, each round for this tree and then for the other one, in a process of its own:

- `import facewarp`,
- `facewarp track` of a clip of 1280 x 720, from the start of the process until the first frame is
  given to the writer of the video, and the processor time until then, which other load on the
  machine changes less,
- the resident memory of `facewarp live --headless` on that clip at camera pace, after some time.

The other tree is checked out under .cache and runs in the same environment. Medians are printed,
and this tree's as a ratio of the other's. One whole run of each that is not counted comes first: it
converts and compiles what is kept for the next start.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SIZE, RATE, FRAMES = (1280, 720), 30, 90
OLD = "c2f3f86"

_IMPORT = """
import time
began = time.perf_counter()
import facewarp
print(time.perf_counter() - began)
"""

# Says when the first frame is given to the writer, wherever a tree has that class, and ends.
_FIRST_FRAME = """
import importlib.abc, importlib.machinery, os, sys, time

NAMES = {f"facewarp.media.video{mark}writer" for mark in "._"}  # where trees have it

class Watched(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in NAMES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            write = module.VideoWriter.write
            def first(self, frame):
                write(self, frame)
                print("FIRST", time.monotonic(), time.process_time(), flush=True)
                os._exit(0)
            module.VideoWriter.write = first
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Watched())
sys.argv = ["facewarp", *sys.argv[1:]]
from facewarp.cli.app import main
main()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", default=OLD, help=f"the other commit (default: {OLD})")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60, help="of live before memory is read")
    parser.add_argument("--memory-rounds", type=int, help="default: as --rounds")
    parser.add_argument("--engine", default="openvino-int8")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip)
        trees = {"this tree": packaged(ROOT), asked.against: packaged(checked_out(asked.against))}
        track = ["track", str(clip), "--out", f"{folder}/out.mp4", "--engine", asked.engine]
        live = ["live", "--source", str(clip), "--realtime", "--repeat", "--headless"]
        live += ["--engine", asked.engine]
        memory = asked.rounds if asked.memory_rounds is None else asked.memory_rounds
        after = f"live after {asked.seconds:g} s"
        measures: list[tuple[tuple[str, ...], Callable[[Path], tuple[float, ...]], int]] = [
            (("import facewarp, s",), import_s, asked.rounds),
            (
                ("track to its first frame, s", "the same, processor s"),
                lambda tree: first_frame_s(tree, track),
                asked.rounds,
            ),
            (
                (f"{after}, MB", f"{after}, the most, MB"),
                lambda tree: resident_mb(tree, live, asked.seconds),
                memory,
            ),
        ]
        for tree in trees.values():
            _output([sys.executable, "-m", "facewarp", *track], tree)
        rows = [
            (name, *values, rounds)
            for names, measure, rounds in measures
            if rounds
            for name, values in zip(
                names, in_turn(measure, list(trees.values()), rounds), strict=True
            )
        ]
    if asked.json:
        keys = ("what", "this", "other", "rounds")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    table = Table("", *trees, "ratio", "rounds", title=f"medians, engine {asked.engine}")
    for name, this, other, rounds in rows:
        table.add_row(name, f"{this:.3f}", f"{other:.3f}", f"{this / other:.2f}", str(rounds))
    Console(width=100).print(table)


def in_turn(
    measure: Callable[[Path], tuple[float, ...]], trees: Sequence[Path], rounds: int
) -> list[list[float]]:
    """Of each value measured, the median of each tree; trees take turns, round by round."""
    values = [[measure(tree) for tree in trees] for _ in range(rounds)]
    return np.median(values, axis=0).T.tolist()


def import_s(tree: Path) -> tuple[float]:
    """Seconds that `import facewarp` takes."""
    return (float(_output([sys.executable, "-c", _IMPORT], tree)),)


def first_frame_s(tree: Path, words: Sequence[str]) -> tuple[float, float]:
    """Seconds until the first frame is given to the writer: that pass, and of processors."""
    began = time.monotonic()
    said = _output([sys.executable, "-c", _FIRST_FRAME, *words], tree)
    marked = [line for line in said.splitlines() if line.startswith("FIRST")]
    passed, spent = map(float, marked[0].split()[1:])
    return passed - began, spent


def resident_mb(tree: Path, words: Sequence[str], seconds: float) -> tuple[float, float]:
    """Resident memory of a command after some time, and the most until then, MB (Linux)."""
    command = [sys.executable, "-m", "facewarp", *words]
    process = subprocess.Popen(
        command, env=_environment(tree), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(seconds)
        status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    kilobytes = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in status.splitlines())
        if name in ("VmRSS", "VmHWM")
    }
    return kilobytes["VmRSS"] / 1000, kilobytes["VmHWM"] / 1000


def write_clip(path: Path) -> None:
    """Return the demo clip, enlarged to 1280 x 720 on gray."""
    source = resources.files("facewarp.assets").joinpath("demo/astronaut.mp4")
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index, frame in enumerate(read.decode(video=0)):
            if index == FRAMES:
                break
            image = frame.to_ndarray(format="rgb24")
            width = round(image.shape[1] * SIZE[1] / image.shape[0])
            picture = np.full((SIZE[1], SIZE[0], 3), 108, np.uint8)
            left = (SIZE[0] - width) // 2
            picture[:, left : left + width] = cv2.resize(image, (width, SIZE[1]))
            written.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        written.mux(stream.encode(None))


def checked_out(commit: str) -> Path:
    """Return the files of a commit, under .cache."""
    folder = ROOT / ".cache" / "startup" / commit
    if not folder.is_dir():
        folder.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def packaged(tree: Path) -> Path:
    """Make a folder in which a tree's parts lie as installed: training and assets within."""
    place = ROOT / ".cache" / "startup" / f"{tree.name}-tree"
    package = place / "facewarp"
    package.mkdir(parents=True, exist_ok=True)
    parts = [*(tree / "facewarp").iterdir(), tree / "training", tree / "assets"]
    for part in parts:
        link = package / part.name
        if part.name != "__pycache__" and not link.is_symlink():
            link.symlink_to(part)
    return place


def _environment(tree: Path) -> dict[str, str]:
    named = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    for name in ("FACEWARP_ENGINE", "PYTHONDONTWRITEBYTECODE"):  # an install has its bytecode
        named.pop(name, None)
    return named


def _output(command: Sequence[str], tree: Path) -> str:
    done = subprocess.run(command, env=_environment(tree), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:2])}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()

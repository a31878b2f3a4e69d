"""Time and memory of `facewarp cine` for a whole cine, from the file to the folder.

    python benchmarks/hearts/cine.py [--phases N] [--slices N] [--runs N] [--against REV] [--json]

The cine is a synthetic beating heart of known volumes, by default 30 phases of 10 slices of
256 x 216. With --against another revision of this repository takes turns with this checkout, in
fresh processes, and the ratios of each pair of runs are printed: see `benchmarks/against.py`, which
installs it. Times are of the whole command, memory is its peak.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from against import environment_of

from facewarp.core.weights import file_sha256, find_weights
from facewarp.system.machine import machine
from facewarp.training.synthetic.beating_heart import beating_cine

_RUN = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
command = [sys.executable, "-m", "facewarp", "--quiet", "cine", *sys.argv[1:]]
subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took = time.perf_counter() - began
print(json.dumps([took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        seconds: from start to end.
        cpu_seconds: of the processor.
        peak_mb: of memory.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def run(interpreter: Path | str, file: Path, out: Path, options: list[str]) -> Run:
    """Run the command in a fresh process of an environment."""
    environment = dict(os.environ)
    if str(interpreter) != sys.executable:
        environment.pop("PYTHONPATH", None)  # it may lead to this checkout
    command = [str(interpreter), "-c", _RUN, str(file), "--out", str(out), *options]
    found = subprocess.run(
        command, env=environment, cwd=file.parent, capture_output=True, text=True, check=False
    )
    if found.returncode:
        last = (found.stderr.strip() or "no message").splitlines()[-1]
        sys.exit(f"error: a run of {interpreter} failed: {last}")
    return Run(*json.loads(found.stdout.splitlines()[-1]))


def beating_file(folder: Path, phases: int, slices: int) -> Path:
    """Write the synthetic cine."""
    shape = (slices, 256, 216)
    made = beating_cine(phases=phases, shape=shape, spacing_mm=(1.4, 1.4, 10.0))
    image = nib.Nifti1Image(np.rint(500 * made.images.T).astype(np.int16), None)
    image.header.set_zooms((1.4, 1.4, 10.0, 0.03))
    image.header.set_xyzt_units("mm", "sec")
    file = folder / "beating.nii.gz"
    nib.save(image, file)
    return file


def main() -> None:
    """Make the cine, run the command, print time and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phases", type=int, default=30)
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--against", metavar="REV", help="a commit or tag of this repository")
    parser.add_argument("--python", default=sys.executable, help="to build REV's environment with")
    parser.add_argument("--options", default="", help="more options of the command, here alone")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error("--runs is at least 1")
    commit, there = (None, None)
    if given.against is not None:
        commit, there = environment_of(given.against, given.python)
    here, other = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = beating_file(folder, given.phases, given.slices)
        read, began = file.stat().st_size, time.perf_counter()
        for index in range(given.runs):
            out = folder / f"here{index}"
            here.append(run(sys.executable, file, out, given.options.split()))
            if there is not None:
                other.append(run(there, file, folder / f"there{index}", []))
            done = time.perf_counter() - began
            print(f"{index + 1} of {given.runs} runs, {done:.0f} s", file=sys.stderr)
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    sha256 = file_sha256(find_weights("heart"))
    if given.json:
        runs = {"here": list(map(asdict, here)), "there": list(map(asdict, other))}
        about = {"phases": given.phases, "slices": given.slices, "revision": commit}
        sizes = {"read_mb": read / 1e6, "written_mb": written / 1e6}
        print(json.dumps({**about, **sizes, **runs, "weights_sha256": sha256}))
        return
    print(
        f"facewarp cine, {given.phases} phases of {given.slices} slices, medians of {given.runs} "
        f"runs; {read / 1e6:.0f} MB read, {written / 1e6:.0f} MB written, weights {sha256[:8]}, "
        f"{machine()}\n"
    )
    print(f"| | here |{f' {commit[:12]} | here / there |' if commit else ''}")
    print(f"|---|---|{'---|---|' if commit else ''}")
    units = {"seconds": "s", "cpu_seconds": "s", "peak_mb": "MB"}
    names = {"seconds": "time", "cpu_seconds": "processor", "peak_mb": "peak memory"}
    for key, unit in units.items():
        ours, theirs = ([getattr(one, key) for one in runs] for runs in (here, other))
        row = f"| {names[key]}, {unit} | {median(ours):.1f} |"
        if theirs:
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            row += f" {median(theirs):.1f} | {median(ratios):.2f} |"
        print(row)


if __name__ == "__main__":
    main()

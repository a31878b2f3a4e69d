"""Time and memory of `facewarp cine` for a whole cine, from the file to the folder.

The cine is a synthetic beating heart of known volumes, by default 30 phases of 10 slices of
256 x 216. Run: python benchmarks/cine.py [--phases N] [--slices N] [--runs N] [--json]
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from facewarp.core.weights import file_sha256, find_weights
from facewarp.training.synthetic.beating_heart import beating_cine


def main() -> None:
    """Make the cine, run the command, print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phases", type=int, default=30)
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "beating.nii.gz"
        made = beating_cine(
            phases=options.phases, shape=(options.slices, 256, 216), spacing_mm=(1.4, 1.4, 10.0)
        )
        image = nib.Nifti1Image(np.rint(made.images.T).astype(np.int16), None)
        image.header.set_zooms((1.4, 1.4, 10.0, 0.03))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, file)
        read = file.stat().st_size
        seconds = []
        for run in range(options.runs):
            began = time.perf_counter()
            out = Path(folder) / f"out{run}"
            command = [sys.executable, "-m", "facewarp", "--quiet", "cine", str(file)]
            subprocess.run([*command, "--out", str(out)], check=True)
            seconds.append(time.perf_counter() - began)
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        "phases": options.phases,
        "slices": options.slices,
        "runs": options.runs,
        "seconds": statistics.median(seconds),
        "cpu_seconds": (usage.ru_utime + usage.ru_stime) / options.runs,
        "written_mb": written / 1e6,
        "read_mb": read / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "weights_sha256": file_sha256(find_weights("heart")),
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"facewarp cine, {result['phases']} phases of {result['slices']} slices: "
            f"{result['seconds']:.1f} s (median of {result['runs']}), "
            f"{result['cpu_seconds']:.1f} s of processor, {result['read_mb']:.0f} MB read, "
            f"{result['written_mb']:.0f} MB written, peak {result['peak_mb']:.0f} "
            f"MB, weights {result['weights_sha256'][:8]}, {result['machine']}"
        )


if __name__ == "__main__":
    main()

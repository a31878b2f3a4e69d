"""What a CUDA device does, against the CPU of the same machine, in one run of under five minutes.

    python benchmarks/gpu.py [--device cuda] [--calls 100] [--out gpu.json]

Needs torch and facewarp, no data and no network: faces are the shipped portrait, hearts are drawn.
Prints one JSON object:

- `parity`: the largest and the mean difference of the fields from those of the CPU, in px (voxels
  for hearts). fp16 with CUDA graphs for faces, fp32 for hearts.
- `register_ms`: a batch of crops registered both ways, by batch size.
- `tracker_ms`: `FaceTracker` on frames of 1920 x 1080, one face and eight.
- `training`: directed pairs a second of the preset `face`, in fp32 and in bfloat16.
- `heart`: seconds of a pair both ways and of a cine of 12 phases, read from its file.

Times are medians after a warm-up, the device synchronised. A part that fails is named with its
error and the others go on. `--device cpu` runs the same on the CPU.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import cv2
import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray

import facewarp
from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.pair_registration import register_volumes
from facewarp.core.model import load
from facewarp.face.crop import Crop
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.system.machine import machine
from facewarp.training.config.presets import PRESETS
from facewarp.training.dataloading.face_batches import FaceBatches
from facewarp.training.synthetic.beating_heart import beating_cine
from facewarp.training.synthetic.drawn_face import synthetic_faces
from facewarp.training.trainer import Trainer

Image = NDArray[np.uint8]

PORTRAIT = Path(str(resources.files("facewarp.assets"))) / "demo" / "portrait.png"
FULL_HD = (1080, 1920)
BATCHES = (1, 2, 4, 8)
CINE_PHASES = 12


class Benchmark:
    """The parts of the benchmark, on one device.

    Args:
        device: as torch names it.
        calls: timed calls of whatever takes milliseconds; what takes longer runs fewer times.
        seconds: limit of the time that one part spends on repeating.
    """

    def __init__(self, device: str, calls: int, seconds: float) -> None:
        self.device, self.calls, self.seconds = device, calls, seconds
        self.frame = next(iter(facewarp.read_video(PORTRAIT))).image
        with facewarp.FaceTracker(engine="torch") as tracker:
            (face,) = tracker(self.frame, 0.0)
        self.crops = [shifted(face.crop, step) for step in range(max(BATCHES))]

    def parity(self) -> dict[str, float]:
        """Differences of the face's fields from those of the CPU, crop px."""
        found = [self._registrar(device).register(self.frame, self.crops) for device in self._both]
        pairs = list(zip(*found, strict=True))
        differences = np.concatenate(
            [np.abs(a.grid_field - b.grid_field).ravel() for a, b in pairs]
            + [
                np.abs(a.grid_field_from_template - b.grid_field_from_template).ravel()
                for a, b in pairs
            ]
        )
        return {"largest_px": float(differences.max()), "mean_px": float(differences.mean())}

    def register_ms(self) -> dict[str, float]:
        """Milliseconds of a batch of crops, registered both ways."""
        registrar = self._registrar(self.device)
        return {
            str(size): 1000
            * self._time(lambda s=size: registrar.register(self.frame, self.crops[:s]))
            for size in BATCHES
        }

    def tracker_ms(self) -> dict[str, float]:
        """Milliseconds of a frame of 1920 x 1080 in `FaceTracker`, by the number of faces."""
        times = {}
        for faces in (1, 8):
            frame = crowd(self.frame, faces)
            options = {"faces": faces, "device": self.device, "engine": "torch"}
            with facewarp.FaceTracker(**options) as tracker:
                clock = iter(range(10**9))
                times[str(faces)] = 1000 * self._time(
                    lambda t=tracker, f=frame, c=clock: t(f, next(c) / 30)
                )
                found = len([face for face in tracker(frame, next(clock) / 30) if face.id >= 0])
            times[f"{faces}_found"] = float(found)
        return times

    def training(self, batch: int = 20) -> dict[str, float]:
        """Directed pairs a second of the preset `face`: whole optimisation steps."""
        batches = FaceBatches([synthetic_faces(np.random.default_rng(0), 8)], batch)
        rows = batches.batch(0)
        rates: dict[str, float] = {"batch": batch}
        for precision in ("float32", "bfloat16"):
            config = replace(PRESETS["face"], batch=batch, precision=precision)
            trainer = Trainer(config, batches, Path(tempfile.gettempdir()), {}, device=self.device)
            seconds = self._time(
                lambda t=trainer: t.train_step({key: value.clone() for key, value in rows.items()})
            )
            rates[f"{precision}_pairs_per_s"] = (1 + config.both_directions) * batch / seconds
        return rates

    def heart(self) -> dict[str, float]:
        """Seconds of a pair and of a cine, and the pair's difference from the CPU in voxels."""
        cine = beating_cine(phases=CINE_PHASES)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("cine.nii.gz", "ed.nii.gz", "es.nii.gz")]
            still = int(np.argmax(cine.contraction))
            for path, data in zip(
                paths, (cine.images, cine.images[0], cine.images[still]), strict=True
            ):
                write_nifti(path, data)
            ed, es = (read_volume(path) for path in paths[1:])
            models = [load("heart", device) for device in self._both]
            fields = [register_volumes(model, ed, es).found for model in models]
            return {
                "largest_vox": float(np.abs(fields[0] - fields[1]).max()),
                "pair_s": self._time(lambda: register_volumes(models[1], ed, es), warm_up=1),
                "cine_s": self._time(lambda: analyse_cine(paths[0], models[1]), warm_up=1),
            }

    def run(self) -> dict[str, Any]:
        """Every part; one that fails is named with its error."""
        parts: dict[str, Any] = {}
        for part in (self.parity, self.register_ms, self.tracker_ms, self.training, self.heart):
            began = perf_counter()
            try:
                parts[part.__name__] = part()
            except Exception as error:  # noqa: BLE001 - the other parts are still worth having
                parts[part.__name__] = {"error": f"{type(error).__name__}: {error}"}
            parts[part.__name__]["seconds"] = round(perf_counter() - began, 1)
            print(f"{part.__name__}: {parts[part.__name__]}", file=sys.stderr)
        return parts

    @property
    def _both(self) -> tuple[str, str]:
        return "cpu", self.device

    def _registrar(self, device: str) -> FaceRegistrar:
        return FaceRegistrar("average", "face", device, sure=0.8, engine="torch")

    def _time(self, call: Callable[[], object], warm_up: int = 2) -> float:
        """Median seconds of a call, the device synchronised, after some that warm up."""
        for _ in range(warm_up):
            call()
        times: list[float] = []
        began = perf_counter()
        while len(times) < self.calls and (not times or perf_counter() - began < self.seconds):
            self._synchronize()
            start = perf_counter()
            call()
            self._synchronize()
            times.append(perf_counter() - start)
        return median(times)

    def _synchronize(self) -> None:
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize(self.device)


def shifted(crop: Crop, step: int) -> Crop:
    """Return a crop moved by some px of the frame, so that no two crops of a batch are the same."""
    matrix = crop.matrix.copy()
    matrix[:, 2] += 2.0 * step
    return Crop(matrix, crop.shape)


def crowd(picture: Image, faces: int) -> Image:
    """One face in the middle of a frame of 1920 x 1080, or eight in two rows."""
    frame = np.full((*FULL_HD, 3), 127, np.uint8)
    rows, columns = (1, 1) if faces == 1 else (2, 4)
    side = min(FULL_HD[0] // rows, FULL_HD[1] // columns)
    small = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    for index in range(faces):
        top = index // columns * side
        left = index % columns * (FULL_HD[1] // columns)
        frame[top : top + side, left : left + side] = small
    return frame


def write_nifti(path: Path, data: NDArray[np.float32]) -> None:
    """Write ``([T,] D, H, W)`` as a short-axis stack of 1.5 x 1.5 x 10 mm."""
    image = nib.Nifti1Image(data.T, np.diag([-1.5, -1.5, 10.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header["pixdim"][4] = 0.07
    nib.save(image, path)


def main() -> None:
    """Print the JSON, and write it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--calls", type=int, default=100, help="timed calls of the quick parts")
    parser.add_argument("--seconds", type=float, default=10.0, help="limit for each timing")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("error: torch sees no CUDA device here. Use --device cpu to try the script.")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    about = {"device": name, "machine": machine(), "facewarp": facewarp.__version__}
    text = json.dumps(
        {**about, **Benchmark(given.device, given.calls, given.seconds).run()}, indent=1
    )
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()

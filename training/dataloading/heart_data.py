"""Patients for training, validation and test of a heart model, by number.

Of every 20 patients, who share a diagnosis, 1 to 14 are trained on and 15 to 17 choose the
weights. 18 to 20, MemWarp's validation patients, and 101 to 150, the challenge's test patients,
are read by ``facewarp eval`` alone; the last 30 % of each group, 15 to 20, are the test patients
of Ha et al., who therefore include the 15 that chose the weights and none that was trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facewarp.cardiac.io.patient import INFO, find_patients
from facewarp.cardiac.motion.model_grid import Array3
from facewarp.cardiac.parts import PART_NAMES
from facewarp.core.config import ModelConfig
from facewarp.errors import FacewarpError
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.heart_augmentation import HeartAugment
from facewarp.training.dataloading.heart_batches import HeartBatches
from facewarp.training.datasets.acdc import (
    HeartCase,
    HeartPatient,
    heart_case,
    number_in_group,
    patient_number,
)
from facewarp.training.datasets.hearts import load_patient

LAST_OF_TRAINING_SET = 100
TRAINED = range(1, 15)
HELD_OUT = range(15, 18)
MARGIN_MM = (20.0, 30.0, 30.0)  # on either side of a model's grid: views are shifted and turned
THICK = 3.0  # slices so many times as thick as a pixel is wide are scanned, not resampled


@dataclass
class HeartData:
    """The patients of a training run.

    Attributes:
        cases: patients trained on, on the model's grid and a margin around it.
        held_out: patients kept for validation, never trained on.
        name: of the folder they were read from.
        spacing_mm: of the cases' grid.
    """

    cases: list[HeartCase]
    held_out: list[HeartPatient] = field(default_factory=list)
    name: str = ""
    spacing_mm: Array3 = (1.0, 1.0, 1.0)

    @property
    def description(self) -> str:
        """One line: the folder, the patients' numbers and their count."""
        return f"{self.name}: {self.numbers} ({len(self.cases)} patients)"

    @property
    def numbers(self) -> str:
        """The numbers of the patients trained on, e.g. ``1-14, 21-34``."""
        return spans([patient_number(case.name) for case in self.cases])

    @property
    def size(self) -> int:
        """Number of patients trained on."""
        return len(self.cases)

    def batches(self, config: TrainConfig, workers: int) -> HeartBatches:
        """Return batches of random views of the patients."""
        shape = config.trained_model.grid_shape
        augment = HeartAugment.of_strength(config.augment)
        across, _, along = self.spacing_mm
        if along < THICK * across:  # many slices of the grid show one that was scanned
            step = round(10.0 * augment.slices / along)
            augment = replace(augment, breath_px=0.0, wobble_px=0.0, cut=0.0, slices=step)
        return HeartBatches(
            self.cases, config.batch, shape, augment, seed=config.seed, workers=workers
        )


def heart_training_data(folder: Path, model: ModelConfig, *, hold_out: bool = True) -> HeartData:
    """Read patients 1 to 14 of every 20 for training, 15 to 17 for validation.

    Args:
        folder: holds patients' folders, at any depth.
        model: the network, whose grid they are resampled to.
        hold_out: keep patients 15 to 17 of every 20 for validation; without it they aren't read.

    Raises:
        FacewarpError: there are no such patients, or one of them can't be read.
    """
    shape, spacing = heart_grid(model)
    folders = [p for p in patient_folders(folder) if patient_number(p.name) <= LAST_OF_TRAINING_SET]
    trained = [p for p in folders if number_in_group(p.name) in TRAINED]
    held_out = [p for p in folders if hold_out and number_in_group(p.name) in HELD_OUT]
    if not trained:
        fix = "Patients 1 to 14 of every 20 are trained on; folders are named patient001, ..."
        raise FacewarpError("there are no patients to train on", folder, fix)
    if hold_out and not held_out:
        what = "there are no patients to validate with: 15 to 17 of every 20"
        raise FacewarpError(what, folder, "Add some, or train with --no-validate.")
    wide = (
        shape[0] + 2 * round(MARGIN_MM[0] / spacing[2]),
        shape[1] + 2 * round(MARGIN_MM[1] / spacing[1]),
        shape[2] + 2 * round(MARGIN_MM[2] / spacing[0]),
    )
    return HeartData(
        [heart_case(load_patient(p), wide, spacing) for p in trained],
        [load_patient(p) for p in held_out],
        folder.resolve().name,
        spacing,
    )


def heart_grid(model: ModelConfig) -> tuple[tuple[int, int, int], Array3]:
    """Return shape (D, H, W) and spacing (x, y, z) of a heart model's grid.

    Raises:
        FacewarpError: it is no heart model.
    """
    if model.kind != "heart" or model.classes != PART_NAMES or len(model.spacing_mm) != 3:
        what = f"this is no heart model: {model.kind!r} with {model.n_classes} classes"
        raise FacewarpError(what, fix="Give a heart model, or the preset acdc or acdc-paper.")
    depth, height, width = model.grid_shape
    x, y, z = model.spacing_mm
    return (depth, height, width), (x, y, z)


def patient_folders(folder: Path) -> list[Path]:
    """Find patients' folders in a folder, at any depth, in the order of their numbers.

    Raises:
        FacewarpError: there is no such folder, it holds none, or the same patient twice.
    """
    if not folder.is_dir():
        raise FacewarpError("there is no such folder", folder, "Check the path.")
    found = find_patients(folder)
    if not found:
        what = "there are no patients here"
        raise FacewarpError(what, folder, f"It takes folders like patient001 with {INFO}.")
    names = [path.name for path in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        what = f"{twice[0]} is here more than once"
        raise FacewarpError(what, folder, "Give a folder that holds every patient once.")
    return sorted(found, key=lambda path: (patient_number(path.name), path.name))


def chosen_patients(folders: Sequence[Path], numbers: str) -> list[Path]:
    """Select the patients' folders that the user names.

    Args:
        folders: to select from.
        numbers: ``"all"``, or numbers and spans of them: ``"18-20,38,patient040"``.

    Raises:
        FacewarpError: no patient is named, or one that isn't there.
    """
    if numbers.strip().lower() == "all":
        return list(folders)
    known = {patient_number(path.name): path for path in folders}
    wanted: dict[int, None] = {}
    for item in numbers.split(","):
        ends = [end.strip().removeprefix("patient") for end in item.split("-")]
        if len(ends) > 2 or not all(end.isdecimal() for end in ends):
            fix = "Give all, or numbers like 18-20,38,40."
            raise FacewarpError(f"{item.strip()!r} names no patients", "--patients", fix)
        first, last = int(ends[0]), int(ends[-1])
        wanted |= dict.fromkeys(range(first, last + 1))
    absent = [number for number in wanted if number not in known]
    if absent or not wanted:
        what = f"there is no patient {spans(absent) or numbers!r}"
        raise FacewarpError(what, "--patients", f"There are {spans(list(known))}.")
    return [known[number] for number in wanted]


def spans(numbers: Sequence[int]) -> str:
    """Format numbers as spans: ``1-14, 21-34``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)

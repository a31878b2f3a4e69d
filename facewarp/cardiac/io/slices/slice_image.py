"""One picture of one slice, from whatever file, and what tells its place and time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.core.arrays import FloatArray

SAME_MM: Final = 0.2  # slices nearer than this are the same one
_PARALLEL: Final = 1e-3  # difference up to which two directions are the same
_SAME_SIZE: Final = 1e-3  # relative difference up to which two pixel spacings are the same
_COMPONENTS: Final = {
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "PHASE_MAP": "phase",
    "VELOCITY": "phase",
    "VELOCITY MAP": "phase",
    "VELOCITY_MAP": "phase",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
}


@dataclass(frozen=True, eq=False)
class SliceImage:
    """One picture of one slice.

    Attributes:
        file: where it is.
        frame: which of the file's pictures, from 0.
        shape: ``(H, W)``.
        spacing_mm: from column to column and from row to row.
        axes: ``(2, 3)`` directions of rows and of columns, in DICOM's world (LPS).
        place_mm: ``(3,)`` middle of its first pixel, LPS.
        series: what its series is told apart by.
        series_number: of its series; 0 where it is not told.
        title: what its series is called; "" where it is not told.
        study: what its examination is told apart by.
        patient: what its patient is told apart by, which nothing writes; "" where it is not told.
        component: ``"magnitude"``, or another one of a complex picture.
        acquisition: number of its acquisition; 0 where it is not told.
        uid: of the picture itself.
        trigger_ms: after the R wave; None where it is not told.
        temporal: its temporal position; None where it is not told.
        acquired_s: time of day; None where it is not told.
        number: what it is sorted by where nothing else is told.
        thickness_mm: of the slice; None where it is not told.
        gap_mm: from slice to slice, as told; None where it is not told.
        cycles_s: RR interval as told, by what tells it.
        slope: of the rescaling of its grey values; None where it is not told.
        precise: factor from its grey values to a scale that pictures share; None where it is not
            told.
        told_phases: how many phases its slice has, as told; 0 where it is not.
        told_pictures: how many pictures its acquisition has, as told; 0 where it is not.
    """

    file: Path
    frame: int
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    axes: FloatArray
    place_mm: FloatArray
    series: str = ""
    series_number: int = 0
    title: str = ""
    study: str = ""
    patient: str = ""
    component: str = "magnitude"
    acquisition: int = 0
    uid: str = ""
    trigger_ms: float | None = None
    temporal: float | None = None
    acquired_s: float | None = None
    number: float = 0.0
    thickness_mm: float | None = None
    gap_mm: float | None = None
    cycles_s: Mapping[str, float] = field(default_factory=dict)
    slope: float | None = None
    precise: float | None = None
    told_phases: int = 0
    told_pictures: int = 0

    @property
    def normal(self) -> FloatArray:
        """Direction at right angles to the picture, LPS, of length 1 whatever its axes' digits."""
        across = np.cross(self.axes[0], self.axes[1])
        return np.asarray(across / np.linalg.norm(across), dtype=np.float64)

    @property
    def middle_mm(self) -> FloatArray:
        """``(3,)`` middle of the picture, LPS."""
        height, width = self.shape
        half = np.array([width - 1, height - 1]) / 2 * self.spacing_mm
        return np.asarray(self.place_mm + half @ self.axes, dtype=np.float64)

    def has_grid_of(self, other: "SliceImage") -> bool:
        """Whether its pixels are as many, as large and run as another picture's."""
        alike = self.shape == other.shape
        alike = alike and np.allclose(self.spacing_mm, other.spacing_mm, rtol=_SAME_SIZE)
        return bool(alike and np.allclose(self.axes, other.axes, atol=_PARALLEL))

    def tilt_degrees(self, other: "SliceImage") -> float:
        """Angle between its plane and another picture's, whichever way they face."""
        cosine = abs(float(self.normal @ other.normal))
        return float(np.degrees(np.arccos(min(cosine, 1.0))))


def component_in(image_type: Iterable[object]) -> str:
    """Return which part of a complex picture an image type tells, as Siemens and Philips have it.

    Args:
        image_type: its values: original or derived, primary or secondary, and what is told besides.
    """
    kinds = [str(kind).upper() for kind in image_type][2:]
    return next((_COMPONENTS[kind] for kind in kinds if kind in _COMPONENTS), "magnitude")


def without_copies(images: Sequence[SliceImage], said: list[str]) -> list[SliceImage]:
    """Return the pictures, each once, where copies of one file lie side by side.

    Pictures of one UID that lie elsewhere or at another time are none: programs that take names
    out of files give all of a series one UID, too.
    """
    kept: dict[tuple[object, ...], SliceImage] = {}
    for image in images:
        place = tuple(np.round(image.place_mm, 3).tolist())
        time = image.trigger_ms, image.temporal, image.acquired_s, image.number
        kept.setdefault((image.uid or str(image.file), image.frame, *place, *time), image)
    copies = len(images) - len(kept)
    if copies:
        said.append(f"{copies} pictures are copies of others: each is taken once")
    return list(kept.values())


def by_position(images: Sequence[SliceImage]) -> list[list[SliceImage]]:
    """Return the pictures by slice, in the order along the normal."""
    normal = images[0].normal
    slices: list[list[SliceImage]] = []
    for image in sorted(images, key=lambda image: float(image.middle_mm @ normal)):
        at = float(image.middle_mm @ normal)
        if slices and abs(at - float(slices[-1][0].middle_mm @ normal)) < SAME_MM:
            slices[-1].append(image)
        else:
            slices.append([image])
    return slices

"""CineResult: a cine, and all that was found in it; SeenCine, what of it is known first."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.confidence import HeartConfidence
from facewarp.cardiac.motion.cycle_registration import Floats, Motion
from facewarp.cardiac.motion.evidence import Evidence
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.model_grid import gray_levels
from facewarp.cardiac.motion.quality import Quality
from facewarp.cardiac.quantification.indices import Indices
from facewarp.cardiac.quantification.strain import Strain, measure_strain
from facewarp.cardiac.quantification.strain_intervals import StrainIntervals
from facewarp.core.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class SeenCine:
    """What is seen of a cine, which is final before its motion is known: all that pictures show.

    Attributes:
        cine: the cine.
        turn: (3, 3) which of the volume's axes run across, down and along the stack.
        labels: see `CineResult`, as the others.
        ed: index of end-diastole.
        es: index of end-systole.
        volumes_ml: of each part in each phase.
    """

    cine: Cine
    turn: FloatArray
    labels: Labels
    ed: int
    es: int
    volumes_ml: FloatArray

    @cached_property
    def gray_levels(self) -> tuple[float, float]:
        """Gray values that pictures show black and white, see `model_grid.gray_levels`.

        Of every other row and column: all of them are copied, and a cine is large.
        """
        return gray_levels(self.cine.volume.data[..., ::2, ::2])


class Watcher(Protocol):
    """Is told what is final while a cine is still being analyzed, in this order."""

    def seen(self, seen: SeenCine) -> None:
        """Take labels, volumes and moments; never told where labels are carried by the motion."""

    def moved(self, cine: Cine, motion: Motion, phase: int) -> None:
        """Take the fields of one phase: those of the others may not be there yet."""

    def tracked(self, cine: Cine, motion: Motion) -> None:
        """Take the fields of all phases."""


@dataclass(frozen=True, eq=False)
class CineResult:
    """A cine, and all that was found in it.

    Attributes:
        cine: the cine.
        motion: the fields between end-diastole and every phase.
        labels: ``(T, D, H, W)`` uint8 part ids of every phase: the model's segmentation of its
            slices; or those of end-diastole, warped, where a reader made these or the model has no
            part network of slices.
        es: index of end-systole; that of end-diastole is ``motion.ed``.
        found_by: how ED and ES were told: ``"given"``, ``"Info.cfg"``, ``"labels"`` or
            ``"volume curve"``.
        labels_by: where the labels of end-diastole are from: a file, or ``"model"``.
        volumes_ml: ``(T, 4)`` volume of each part in each phase, by part id: the sum of its
            probabilities, or of warped labels their voxels.
        indices: the heart's indices.
        quality: how far to trust them.
        model: name of the model or path of its weights.
        model_sha256: hash of its weights.
        warnings: what the user should know, one sentence each.
        label_order: convention of the ids in a reader's labels: see
            `io.label_order`; "" for the model's own, and for one of no name.
        label_order_by: who says so: ``"given"``, ``"anatomy"``, ``"file name"``
            or, of DICOM, ``"names"``; "" likewise.
        parts_sha256: hash of the weights of the part network of slices; "" without.
        strain_intervals: of repeated measurements, see `strain_repeats`; None without.
        evidence: how other answers agree with the parts reported; None where a reader's labels
            are reported, or without a part network of slices.
        confidence: the Dice and the error of EF to be expected of that; None likewise, and where
            the weights carry no calibration.
        looks_apart_percent: ``(2, K)`` at end-diastole and end-systole, of each part, how much more
            the model sees in mirrored slices, percent of the part's volume at end-diastole; None
            without second looks. Where that is much, all phases were looked at from four sides
            (`motion.several_looks`).

    Example:
        >>> result = facewarp.analyse_cine("patient.nii.gz")
        >>> result.labels.shape == result.cine.volume.data.shape
        True
        >>> to_end_systole = result.field_mm(result.es)  # (3, D, H, W), from end-diastole
    """

    cine: Cine
    motion: Motion
    labels: Labels
    es: int
    found_by: tuple[str, str]
    labels_by: str
    volumes_ml: FloatArray
    indices: Indices
    quality: Quality
    model: str
    model_sha256: str
    warnings: tuple[str, ...]
    label_order: str = ""
    label_order_by: str = ""
    parts_sha256: str = ""
    strain_intervals: StrainIntervals | None = None
    evidence: Evidence | None = None
    confidence: HeartConfidence | None = None
    looks_apart_percent: FloatArray | None = None

    @property
    def ed(self) -> int:
        """Index of end-diastole."""
        return self.motion.ed

    @property
    def inputs(self) -> dict[str, str]:
        """What each input that a number depends on is from; "" where nothing tells it."""
        told = dict(self.cine.volume.origins)
        known = self.indices.heart_rate_bpm is not None
        told["heart rate"] = told.pop("RR interval", "") or ("span of phases" if known else "")
        if self.label_order_by:
            told["label order"] = f"{self.label_order or 'of no name'} by {self.label_order_by}"
        return {
            **told,
            "base and apex": "picture and orientation" if told.get("orientation") else "picture",
            "ED": self.found_by[0],
            "ES": self.found_by[1],
            "labels of ED": self.labels_by,
        }

    def field(self, phase: int, *, to_ed: bool = False) -> Floats:
        """Return a field on the volume's own grid.

        Args:
            phase: index of the phase.
            to_ed: the field that lives on the phase and points into end-diastole; otherwise the
                one that lives on end-diastole and points into the phase.

        Returns:
            ``(3, D, H, W)`` voxels of the volume, channels x, y, z.
        """
        found = self.motion.to_ed if to_ed else self.motion.from_ed
        return self.motion.grid.field_to_volume(found[phase])

    def field_mm(self, phase: int, *, to_ed: bool = False) -> Floats:
        """Return a field on the volume's own grid as `field`, in RAS mm."""
        return np.stack(list(self.components_mm(phase, to_ed=to_ed)))

    def components_mm(self, phase: int, *, to_ed: bool = False) -> Iterator[Floats]:
        """Yield x, y and z of `field_mm`, ``(D, H, W)`` each, made one after the other."""
        return field_components_mm(self.motion, self.cine.volume, phase, to_ed=to_ed)

    @cached_property
    def jacobian(self) -> Floats:
        """``(T, D, H, W)``: volume of the tissue of each voxel of ED in each phase against ED."""
        return np.stack([self.jacobian_of(phase) for phase in range(len(self.cine.frames))])

    @property
    def is_counted(self) -> bool:
        """Whether volumes are voxels of carried labels rather than sums of probabilities."""
        return self.labels_by != "model" or not self.parts_sha256

    def jacobian_of(self, phase: int) -> Floats:
        """Return what `jacobian` holds of one phase, ``(D, H, W)``: all of them fill memory."""
        return jacobian_on_volume(self.motion, phase)

    @cached_property
    def seen(self) -> SeenCine:
        """What of it pictures show."""
        turn = self.motion.grid.turn
        return SeenCine(self.cine, turn, self.labels, self.ed, self.es, self.volumes_ml)

    @cached_property
    def strain(self) -> Strain | None:
        """Strain of the left ventricle's wall; None where its labels at ED close around nothing."""
        return measure_strain(self.motion, self.labels[self.ed])


def field_components_mm(
    motion: Motion, volume: Volume, phase: int, *, to_ed: bool
) -> Iterator[Floats]:
    """Yield x, y and z of a phase's field on the volume's own grid, ``(D, H, W)`` each, RAS mm.

    Args:
        motion: of the heart; of this phase it has to be known.
        volume: the cine.
        phase: index of the phase.
        to_ed: see `CineResult.field`.
    """
    found = motion.to_ed if to_ed else motion.from_ed
    for component in motion.grid.in_unit(found[phase], volume.affine[:3, :3]):
        yield motion.grid.to_volume_grid(component, outside="edge")


def jacobian_on_volume(motion: Motion, phase: int) -> Floats:
    """Return what `CineResult.jacobian` holds of one phase, ``(D, H, W)``."""
    return motion.grid.to_volume_grid(motion.jacobian_of(phase), outside="edge")

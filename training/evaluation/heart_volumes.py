"""Evaluate the volumes that ``facewarp cine`` reports, against those of the true labels."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.cine import analyse
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.motion.confidence import HeartConfidence
from facewarp.cardiac.quantification.indices import Indices, Ventricle, indices, volumes_ml
from facewarp.core.metrics import mean_over_present
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.training.datasets.acdc import HeartPatient

log = logging.getLogger(__name__)

FEWEST_CORRELATED = 3
MEASURES = ("edv_ml", "esv_ml", "ef_percent")


@dataclass(frozen=True)
class HeartVolumes:
    """A patient's indices, true and found.

    Attributes:
        name: the patient's folder.
        group: the diagnosis.
        true: of the labels, at the volumes' own resolution.
        found: by the model, without labels; None where it found no heart.
        confidence: what the model expects of that; None without a calibration.
    """

    name: str
    group: str
    true: Indices
    found: Indices | None
    confidence: HeartConfidence | None = None

    def row(self) -> dict[str, float]:
        """Return the indices as columns of a table."""
        columns: dict[str, float] = {}
        for side in ("lv", "rv"):
            for measure in MEASURES:
                true, found = (of(one, side, measure) for one in (self.true, self.found))
                columns |= {f"{side}_{measure}_true": true, f"{side}_{measure}": found}
        true_g, found_g = mass_g(self.true), mass_g(self.found)
        columns |= {"lv_mass_g_true": true_g, "lv_mass_g": found_g}
        told = self.confidence
        columns["expected_dice"] = float("nan") if told is None else 100 * told.dice_mean
        columns["expected_ef_error"] = float("nan") if told is None else told.ef_error
        return columns


@dataclass(frozen=True)
class VolumeErrors:
    """Errors of volumes (ml) and of the ejection fraction (percentage points) over patients.

    Those without a prefix are of the left ventricle; the mass (g) is its wall's. A bias is the mean
    of found minus true; an error (``mae``) the mean of its size; the correlation is Pearson's.

    Attributes:
        n_volumes: patients in whom the model found a heart; others are left out.
        expected_dice, expected_ef_error: what the model expects of its own parts (percent) and of
            EF, mean over patients; NaN without a calibration.
    """

    n_volumes: int
    edv_mae_ml: float
    edv_bias_ml: float
    edv_correlation: float
    esv_mae_ml: float
    esv_bias_ml: float
    esv_correlation: float
    ef_mae: float
    ef_bias: float
    ef_correlation: float
    rv_edv_mae_ml: float
    rv_edv_bias_ml: float
    rv_esv_mae_ml: float
    rv_esv_bias_ml: float
    rv_ef_mae: float
    rv_ef_bias: float
    rv_ef_correlation: float
    mass_mae_g: float
    mass_bias_g: float
    expected_dice: float = float("nan")
    expected_ef_error: float = float("nan")

    @classmethod
    def of(cls, volumes: Sequence[HeartVolumes]) -> "VolumeErrors":
        """Summarise patients; NaN where there is nothing to summarise."""
        edv, esv, ef = (Agreement.of(volumes, "lv", measure) for measure in MEASURES)
        rv_edv, rv_esv, rv_ef = (Agreement.of(volumes, "rv", measure) for measure in MEASURES)
        told = [one.confidence for one in volumes if one.confidence is not None]
        mass = Agreement.between([(mass_g(one.true), mass_g(one.found)) for one in volumes])
        return cls(
            sum(one.found is not None for one in volumes),
            *(edv.mae, edv.bias, edv.correlation),
            *(esv.mae, esv.bias, esv.correlation),
            *(ef.mae, ef.bias, ef.correlation),
            *(rv_edv.mae, rv_edv.bias, rv_esv.mae, rv_esv.bias),
            *(rv_ef.mae, rv_ef.bias, rv_ef.correlation),
            *(mass.mae, mass.bias),
            100 * mean_over_present([one.dice_mean for one in told]),
            mean_over_present([one.ef_error for one in told]),
        )


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of one index with the truth, over patients.

    Attributes:
        true: (N,) of the labels, of the patients where both numbers are known.
        found: (N,) by the model.
    """

    true: NDArray[np.float64]
    found: NDArray[np.float64]

    @classmethod
    def of(cls, volumes: Sequence[HeartVolumes], side: str, measure: str) -> "Agreement":
        """Return the agreement of a ventricle (``"lv"`` or ``"rv"``) and one of `MEASURES`."""
        return cls.between(
            [(of(one.true, side, measure), of(one.found, side, measure)) for one in volumes]
        )

    @classmethod
    def between(cls, pairs: Sequence[tuple[float, float]]) -> "Agreement":
        """Return the agreement of pairs of a true number and one found; NaN is left out."""
        table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        true, found = table[np.isfinite(table).all(axis=1)].T
        return cls(true, found)

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.found - self.true).mean()) if self.true.size else float("nan")

    @property
    def bias(self) -> float:
        """Mean of found minus true."""
        return float((self.found - self.true).mean()) if self.true.size else float("nan")

    @property
    def limits(self) -> tuple[float, float]:
        """Bland and Altman's 95 % limits of agreement: bias plus and minus 1.96 deviations."""
        if self.true.size < 2:
            return float("nan"), float("nan")
        reach = 1.96 * float((self.found - self.true).std(ddof=1))
        return self.bias - reach, self.bias + reach

    @property
    def correlation(self) -> float:
        """Pearson's correlation; NaN for fewer than three patients or a constant side."""
        if self.true.size < FEWEST_CORRELATED or not self.true.std() or not self.found.std():
            return float("nan")
        return float(np.corrcoef(self.true, self.found)[0, 1])


def measure_volumes(patient: HeartPatient, model: Model, *, refined: bool = True) -> HeartVolumes:
    """Measure a patient as ``facewarp cine`` does, and by the true labels.

    The model gets the two labelled frames as a cine and nothing else: heart, segmentation of
    end-diastole and motion are its own, and the volumes come from the function that the command
    calls.
    """
    names = patient.name, patient.info.group
    true, found = true_indices(patient), found_result(patient, model, refined=refined)
    if found is None:
        return HeartVolumes(*names, true, None)
    return HeartVolumes(*names, true, found.indices, found.confidence)


def true_indices(patient: HeartPatient) -> Indices:
    """Return indices by the true labels, by counting voxels."""
    labels = np.stack([volume.data for volume in patient.labels])
    return indices(volumes_ml(labels, patient.labels[0].voxel_ml), 0, 1)


def found_result(patient: HeartPatient, model: Model, *, refined: bool = True) -> CineResult | None:
    """Return what the model finds; None where it finds no heart, or has no segmentation."""
    if not model.config.guided:
        return None
    try:
        return analyse(two_frames(patient), model, CineOptions(refined=refined))
    except FacewarpError as error:
        log.warning("no volumes of %s: %s", patient.name, error)
        return None


def two_frames(patient: HeartPatient) -> Cine:
    """Return end-diastole and end-systole as a cine of two phases, in their order."""
    order = np.argsort([patient.info.ed, patient.info.es])
    frames = sorted((patient.info.ed, patient.info.es))
    volume = replace(patient.images[0], data=patient.stacked()[order])
    return Cine(patient.name, patient.folder, volume, tuple(frames), patient.info, {})


def mass_g(found: Indices | None) -> float:
    """Return a patient's LV mass, NaN where unknown."""
    return float("nan") if found is None else found.lv_mass_g


def of(found: Indices | None, side: str, measure: str) -> float:
    """Return one of a patient's indices, NaN where unknown."""
    if found is None:
        return float("nan")
    ventricle: Ventricle = getattr(found, side)
    value = getattr(ventricle, measure)
    return float("nan") if value is None else float(value)

"""Fit how far a part network of slices draws the cavities' outlines too far in or out.

``python -m facewarp.training.release.ship edges heart-slices --data acdc --patients 1,6,11``
fits it on patients with labels and stores it in the weights; ``facewarp cine`` moves the outlines
by it where it tells volumes.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.cardiac.motion.heart_roi import HeartModel
from facewarp.cardiac.motion.orientation import find_heart_roi
from facewarp.cardiac.motion.slice_parts import EdgeOffsets, SliceParts, slice_parts, slices_beside
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import volumes_ml
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError
from facewarp.training.datasets.hearts import load_patient

FEWEST: Final = 10
"""Patients for a fit: one patient's outlines lie off by 0.3 mm, one standard deviation."""

log = logging.getLogger(__name__)


def fit_edges(model: HeartModel, folders: Sequence[Path], fitted_on: str) -> EdgeOffsets:
    """Fit the offsets that make the mean error of a cavity's outline vanish.

    An offset is an error of volume over the outline's length and the slices' thickness, mean of
    end-diastole and end-systole, then over patients. It is a length, so that patients on whose
    scans the network is surer than on others', because it was trained on them, tell it all the
    same; what they can't tell is an offset that comes with patients never seen.

    Args:
        model: a heart model with its part network of slices.
        folders: of patients with labels; not those that results are told of.
        fitted_on: which they are, in words.

    Raises:
        FacewarpError: too few patients, or no part network of slices.
    """
    slices = slices_beside(model)
    if slices is None:
        raise FacewarpError("this heart model has no part network of slices", fix="Ship one.")
    found = []
    for folder in folders:
        patient = load_patient(folder)
        volume = patient.images[0]
        truth = np.stack([labels.data for labels in patient.labels])
        try:
            roi = find_heart_roi(model, volume)
        except FacewarpError as error:
            log.warning("%s: %s", folder.name, error)
            continue
        seen = slice_parts(slices, replace(volume, data=patient.stacked()), roi)
        found.append(offsets_mm(seen, volumes_ml(truth, volume.voxel_ml)))
    if len(found) < FEWEST:
        what = f"{len(found)} patients are too few to fit where outlines lie"
        raise FacewarpError(what, fix=f"Give {FEWEST} or more.")
    lv, rv = np.mean(found, axis=0)
    return EdgeOffsets(round(float(lv), 3), round(float(rv), 3), fitted_on)


def offsets_mm(seen: SliceParts, true_ml: FloatArray) -> FloatArray:
    """Return by how much outlines would have to be moved outwards for the true volumes.

    Args:
        seen: parts of a patient's phases.
        true_ml: ``(T, K)`` true volumes by part id.

    Returns:
        ``(2,)`` mm, of the left and the right ventricle, means over phases.
    """
    asis, moved = (
        replace(seen, edges=EdgeOffsets(offset, offset)).volumes_ml() for offset in (0.0, 1.0)
    )
    parts = [HeartPart.LV, HeartPart.RV]
    missing, per_mm = (true_ml - asis)[:, parts], (moved - asis)[:, parts]
    offsets: FloatArray = (missing / np.maximum(per_mm, 1e-6)).mean(axis=0)
    return offsets

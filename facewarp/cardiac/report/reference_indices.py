"""What a reader's labels say of a heart, where they come with the cine."""

from typing import Any

import numpy as np

from facewarp.cardiac.cine import CineResult
from facewarp.cardiac.motion.labels import given_labels
from facewarp.cardiac.quantification.indices import Indices, indices, volumes_ml
from facewarp.errors import FacewarpError


def true_indices(result: CineResult) -> Indices | None:
    """The indices by a reader's labels of the same two phases, as ACDC's folders hold them.

    Returns:
        None where either phase has none, or they do not fit the cine.
    """
    cine = result.cine
    frames = [cine.frames[phase] for phase in (result.ed, result.es)]
    if not all(frame in cine.labels for frame in frames):
        return None
    try:
        labels = [given_labels(cine.labels[frame], cine.volume, 0) for frame in frames]
    except FacewarpError:
        return None
    volumes = volumes_ml(np.stack(labels), cine.volume.voxel_ml)
    return indices(volumes, 0, 1, result.indices.heart_rate_bpm)


def flat(found: dict[str, Any]) -> dict[str, float | None]:
    """``indices.json``'s indices, or those of the truth in it, as one level of names."""
    told: dict[str, float | None] = {}
    for side in ("lv", "rv"):
        for name in ("edv_ml", "esv_ml", "sv_ml", "ef_percent"):
            told[f"{side}_{name}"] = found[side][name]
    told["lv_mass_g"] = found["lv_mass_g"]
    return told

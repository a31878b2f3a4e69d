"""Strain measured again on perturbed copies of a cine: how much of it is chance."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from facewarp.cardiac.cine import analyse
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.motion.heart_roi import HeartModel
from facewarp.cardiac.perturbed_scan import perturbed
from facewarp.cardiac.quantification.strain import Strain
from facewarp.cardiac.quantification.strain_intervals import intervals_of
from facewarp.errors import FacewarpError

_SEED: Final = 1018


def with_strain_intervals(
    result: CineResult,
    model: HeartModel,
    copies: int,
    options: CineOptions | None = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> CineResult:
    """Measure strain on perturbed copies of a result's cine, and give it intervals.

    Each copy is segmented and registered anew; end-diastole and end-systole stay those of the
    result. The copies are the same every time.

    Args:
        result: of `cine.analyse`.
        model: that it was made with.
        copies: how many; two at least make an interval.
        options: that it was made with.
        progress: told the share of the work done, 0 to 1.
    """
    ed, es = result.cine.frames[result.ed], result.cine.frames[result.es]
    asked = replace(options or CineOptions(), ed=ed, es=es)
    found: list[Strain | None] = []
    for number in range(copies):
        rng = np.random.default_rng([_SEED, number])
        cine = replace(result.cine, volume=perturbed(result.cine.volume, rng))
        try:
            found.append(analyse(cine, model, asked).strain)
        except FacewarpError:  # a copy in which no heart is seen
            found.append(None)
        if progress:
            progress((number + 1) / copies)
    return replace(result, strain_intervals=intervals_of(result.strain, found))

"""The heart rate of a cine, and what speaks against it."""

from collections.abc import Sequence
from dataclasses import replace

from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.io.timing import is_cycle
from facewarp.cardiac.quantification.indices import beats, count_beats, is_open
from facewarp.core.arrays import FloatArray


def heart_rate(cine: Cine) -> float | None:
    """Beats a minute: by the RR interval told, else by the span of phases that cover the cycle."""
    volume = cine.volume
    if volume.cycle_s:
        return 60.0 / volume.cycle_s
    span = (volume.time_step_s or 0.0) * volume.phases
    return 60.0 / span if cine.is_whole and is_cycle(span) else None


def closed_as_seen(cine: Cine, lv_ml: FloatArray) -> Cine:
    """Return the cine, knowing whether its volume curve ends before the heartbeat does.

    Where times tell that the phases cover the RR interval, they are believed.

    Args:
        cine: the cine.
        lv_ml: ``(T,)`` size of the left ventricle in each phase, in any unit.
    """
    volume = cine.volume
    is_told = volume.cycle_s is not None and volume.time_step_s is not None
    early = cine.is_whole and not is_told and count_beats(lv_ml, False) == 1 and is_open(lv_ml)
    return replace(cine, ends_early=early)


def rate_by_curve(
    cine: Cine, lv_ml: FloatArray, given_bpm: float | None
) -> tuple[float | None, list[str]]:
    """Return the heart rate, and what is to be said of a cine of several beats or a part of one.

    Args:
        cine: the cine.
        lv_ml: ``(T,)`` volume of the left ventricle.
        given_bpm: what the user says, if anything.

    Returns:
        Beats a minute, None where nothing tells them; and warnings.
    """
    rate = given_bpm or heart_rate(cine)
    found = beats(lv_ml, cine.closes) if cine.is_whole else []
    by_span = given_bpm is None and cine.volume.cycle_s is None and rate is not None
    if len(found) > 1:
        return (None if by_span else rate), [_about_beats(found, lv_ml, by_span)]
    if not cine.ends_early:
        return rate, []
    said = (
        f"the left ventricle begins with {lv_ml[0]:.0f} ml and ends with {lv_ml[-1]:.0f} ml: the "
        "phases seem to cover a part of the heartbeat, so that "
    )
    if by_span:
        return None, [f"{said}their span tells no heart rate, see --heart-rate"]
    return rate, [f"{said}the cycle is not closed, and its end is not judged"]


def _about_beats(found: Sequence[tuple[int, int]], lv_ml: FloatArray, by_span: bool) -> str:
    """Return a sentence about several heartbeats, with the ejection fraction of each."""
    each = [100 * (1 - lv_ml[es] / lv_ml[ed]) for ed, es in found]
    listed = ", ".join(f"{one:.0f}" for one in each)
    said = (
        f"the volume curve has {len(found)} beats, as of real-time imaging, of ejection fractions "
        f"of {listed} %: volumes are of the one that begins fullest; motion and strain are of all "
        "of them: give the phases of one"
    )
    return f"{said}; the heart rate is not known from it, see --heart-rate" if by_span else said

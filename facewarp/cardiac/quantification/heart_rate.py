"""The heart rate of a cine, and what speaks against it."""

from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.io.timing import is_cycle
from facewarp.cardiac.quantification.indices import count_beats, is_open
from facewarp.core.arrays import FloatArray


def heart_rate(cine: Cine) -> float | None:
    """Beats a minute: by the RR interval told, else by the span of phases that cover the cycle."""
    volume = cine.volume
    if volume.cycle_s:
        return 60.0 / volume.cycle_s
    span = (volume.time_step_s or 0.0) * volume.phases
    return 60.0 / span if cine.is_whole and is_cycle(span) else None


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
    beats = count_beats(lv_ml, cine.closes) if cine.is_whole else 1
    by_span = given_bpm is None and cine.volume.cycle_s is None and rate is not None
    if beats == 1 and by_span and is_open(lv_ml):
        said = (
            f"the left ventricle begins with {lv_ml[0]:.0f} ml and ends with {lv_ml[-1]:.0f} ml: "
            "the phases seem to cover a part of the heartbeat, so that their span tells no heart "
            "rate, see --heart-rate"
        )
        return None, [said]
    if beats == 1:
        return rate, []
    said = f"the volume curve has {beats} beats, as of real-time imaging: motion and strain are of "
    said += "all of them; give the phases of one"
    if by_span:
        rate, said = None, said + "; the heart rate is not known from it, see --heart-rate"
    return rate, [said]

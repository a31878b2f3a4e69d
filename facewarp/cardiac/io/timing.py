"""Time of a cine: the step from phase to phase, the RR interval, and what contradicts them.

Order of trust
    RR interval: what the user gives; what the file tells (NominalInterval, RRIntervalTimeNominal,
    HeartRate); else the span of the phases, which is right for retrospective gating alone.
    Step: what the user gives; trigger times; the header's time step where it has a unit and is no
    repetition time.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from facewarp.errors import FacewarpError

CYCLE_S: Final = (0.3, 2.0)  # RR intervals of people: 200 to 30 beats a minute
HEART_RATES_BPM: Final = (10, 300)
"""What a user may say: wider than what people have, for hearts that are stimulated."""
TIME_STEPS_S: Final = (0.005, 0.5)
GRAVE: Final = 0.05  # relative difference of a volume or rate that must not be passed over
_GAP: Final = 1.8  # times the usual step, in which a phase may be missing
_LEAST_STEPS: Final = 4
_COVERED: Final = 0.9  # share of the RR interval from which phases count as a whole cycle

IN_SECONDS: Final = "trigger times are in seconds, not in milliseconds: they are taken so"
RATE_FIX: Final = "Say which is right: --heart-rate BPM (or --time-step MS)."


@dataclass(frozen=True)
class ReadOptions:
    """What the user knows better than the files.

    Attributes:
        spacing_mm: of the voxels along the file's x, y, z.
        time_step_s: from phase to phase.
        heart_rate_bpm: beats a minute.
        series: of several DICOM cines or NIfTI files, the one whose name or number this is.

    Raises:
        FacewarpError: a size, step or rate that no cine of a heart has, or in another unit.
    """

    spacing_mm: tuple[float, float, float] | None = None
    time_step_s: float | None = None
    heart_rate_bpm: float | None = None
    series: str | None = None

    def __post_init__(self) -> None:
        if self.spacing_mm is not None and not _are_sizes(self.spacing_mm):
            what = f"a spacing of {self.spacing_mm} mm is not three sizes of voxels"
            raise FacewarpError(what, fix="Give x, y and z of the file in mm, such as 1.4, 1.4, 8.")
        step, (least, most) = self.time_step_s, TIME_STEPS_S
        if step is not None and not least <= step <= most:
            what = f"a time step of {step:g} s, which is {1000 * step:g} ms, is none of a cine"
            fix = f"It takes {1000 * least:g} to {1000 * most:g} ms from phase to phase."
            raise FacewarpError(what, fix=fix)
        rate, (low, high) = self.heart_rate_bpm, HEART_RATES_BPM
        if rate is not None and not low <= rate <= high:
            what = f"no heart rate is {rate:g} beats a minute"
            raise FacewarpError(what, fix=f"Give {low} to {high}, or leave it to the files.")


@dataclass(frozen=True)
class Timing:
    """Time of a cine.

    Attributes:
        step_s: seconds from phase to phase; None where it is not known.
        step_from: what tells it; "" where nothing does.
        cycle_s: seconds from R wave to R wave, where something other than the phases tells it.
        cycle_from: what tells it; "" where nothing does.
        warnings: contradictions and gaps, one sentence each.
    """

    step_s: float | None = None
    step_from: str = ""
    cycle_s: float | None = None
    cycle_from: str = ""
    warnings: tuple[str, ...] = ()


def settle_timing(
    step_s: float | None,
    step_from: str,
    phases: int,
    cycles_s: Mapping[str, float],
    place: Path,
    options: ReadOptions,
) -> Timing:
    """Choose step and RR interval of a cine among what is told, and name what contradicts them.

    Args:
        step_s: seconds from phase to phase, as the pictures tell it; None where they do not.
        step_from: what tells it.
        phases: number of phases.
        cycles_s: seconds of the RR interval by what tells it, the most trusted first.
        place: the cine, for messages.
        options: what the user says.

    Raises:
        FacewarpError: two RR intervals told, or one and the span of the phases, give heart rates
            more than 5 % apart, and the user does not say which is right.
    """
    told = {name: value for name, value in cycles_s.items() if is_cycle(value)}
    warnings = [
        f"{name} says a heartbeat of {1000 * value:g} ms, which no heart has: it is not believed"
        for name, value in cycles_s.items()
        if value > 0 and not is_cycle(value)
    ]
    step, step_from, said = _step(step_s, step_from, options)
    warnings += said
    if options.heart_rate_bpm is not None:
        cycle, cycle_from = 60 / options.heart_rate_bpm, "--heart-rate"
        warnings += [
            f"--heart-rate says {options.heart_rate_bpm:g} beats a minute, {name} "
            f"{60 / value:.1f}: the first is used"
            for name, value in told.items()
            if abs(cycle / value - 1) > GRAVE
        ]
        return Timing(step, step_from, cycle, cycle_from, (*warnings, *_gap(step, phases, cycle)))
    if not told:
        if step is not None and not is_cycle(step * phases):
            what = f"{phases} phases of {1000 * step:.4g} ms ({step_from}) are no"
            if options.time_step_s is None:
                warnings.append(
                    f"{what} heartbeat: no time step and no heart rate are taken from them; give "
                    "--time-step or --heart-rate if they are known"
                )
                return Timing(warnings=tuple(warnings))
            warnings.append(f"{what} whole heartbeat: no heart rate is taken from them")
        return Timing(step, step_from, None, "", tuple(warnings))
    (cycle_from, cycle), *others = told.items()
    for name, other in others:
        if abs(other / cycle - 1) > GRAVE:
            what = (
                f"{cycle_from} says {60 / cycle:.1f} beats a minute ({1000 * cycle:.0f} ms), "
                f"{name} {60 / other:.1f}"
            )
            raise FacewarpError(what, place, RATE_FIX)
    span = None if step is None else step * phases
    if span is not None and span / cycle - 1 > GRAVE:
        what = (
            f"{phases} phases of {1000 * (step or 0):.1f} ms take {1000 * span:.0f} ms, longer "
            f"than the heartbeat of {1000 * cycle:.0f} ms that {cycle_from} tells"
        )
        raise FacewarpError(what, place, RATE_FIX)
    return Timing(step, step_from, cycle, cycle_from, (*warnings, *_gap(step, phases, cycle)))


def is_cycle(seconds: float) -> bool:
    """Whether an RR interval is one that people have."""
    return CYCLE_S[0] <= seconds <= CYCLE_S[1]


def in_seconds(step_s: float, phases: int) -> bool:
    """Whether a step that was taken for milliseconds makes a heartbeat in seconds alone."""
    return not is_cycle(step_s * phases) and is_cycle(1000 * step_s * phases)


def missing_phase(times: Sequence[float]) -> str:
    """Say where a step is much longer than the others; "" where there is none.

    Args:
        times: of the phases, or what counts them, in order.
    """
    steps = [later - earlier for earlier, later in pairwise(times)]
    if len(steps) < _LEAST_STEPS or max(steps) < _GAP * median(steps):
        return ""
    at = steps.index(max(steps))
    return (
        f"from {times[at]:g} to {times[at + 1]:g} is {max(steps) / median(steps):.1f} times the "
        "usual step: phases may be missing there"
    )


def covers_cycle(step_s: float | None, phases: int, cycle_s: float | None) -> bool:
    """Whether phases cover the whole heartbeat, as far as is told."""
    return step_s is None or cycle_s is None or step_s * phases >= _COVERED * cycle_s


def _are_sizes(given: object) -> bool:
    """Whether something that the user gave is three sizes, of whatever type."""
    if not isinstance(given, Collection) or len(given) != 3:
        return False
    return all(0 < size < math.inf for size in given)


def _step(
    step_s: float | None, step_from: str, options: ReadOptions
) -> tuple[float | None, str, list[str]]:
    given = options.time_step_s
    if given is None:
        return step_s, step_from if step_s else "", []
    said = []
    if step_s is not None and abs(step_s / given - 1) > GRAVE:
        said = [
            f"--time-step says {1000 * given:g} ms, {step_from} {1000 * step_s:.4g} ms: "
            "the first is used"
        ]
    return given, "--time-step", said


def _gap(step: float | None, phases: int, cycle: float) -> list[str]:
    if covers_cycle(step, phases, cycle):
        return []
    span = phases * (step or 0.0)
    return [
        f"the phases cover {100 * span / cycle:.0f} % of the heartbeat ({phases} of "
        f"{1000 * (step or 0):.4g} ms, {1000 * cycle:.0f} ms from R wave to R wave): the cycle is "
        "not closed, so its end is not judged"
    ]

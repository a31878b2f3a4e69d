"""What a phantom is made of: its heart, its scan, and how they are drawn from a seed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Final, Literal

import numpy as np

from facewarp.errors import FacewarpError
from facewarp.training.synthetic.phantom.anatomy import Chest
from facewarp.training.synthetic.phantom.motion import HeartMotion, Infarct
from facewarp.training.synthetic.phantom.scan import PhantomScan, ScanSettings

Base = Literal["aligned", "free"]

GENERATOR: Final = 1
"""Number of the formulas: phantoms of another number are not those of this program."""

#: Segments from the septum's middle over the anterior wall on: sixths, and quarters at the apex.
_SIXTHS: Final = (2, 1, 6, 5, 4, 3)
_QUARTERS: Final = (14, 13, 16, 15)
_WEAK: Final = 50.0  # percent; hearts that eject less are larger, and may have an infarct
_CYCLE: Final = (62.0, 38.0, 52.0, 28.0, 68.0, 45.0)


@dataclass(frozen=True)
class PhantomRecipe:
    """All that a phantom is made of: the same recipe gives the same files.

    Attributes:
        name: of the phantom and its folder.
        seed: of its texture and surroundings.
        motion: size and motion of its heart.
        scan: how it is scanned.
        infarct_segment: the AHA segment that does not contract; None for none.
    """

    name: str
    seed: int
    motion: HeartMotion
    scan: ScanSettings
    infarct_segment: int | None = None

    def scanner(self) -> PhantomScan:
        """Return the phantom in its scanner."""
        return PhantomScan(Chest(self.motion, self.seed), self.scan)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, from which `from_dict` makes it again."""
        return {"generator": GENERATOR, **asdict(self)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "PhantomRecipe":
        """Make a recipe of what `to_dict` gave and JSON has carried.

        Raises:
            KeyError, TypeError, ValueError: it is none, or one of other formulas.
        """
        if told["generator"] != GENERATOR:
            raise ValueError(f"made by formulas {told['generator']}, not {GENERATOR}")
        motion, scan = dict(told["motion"]), dict(told["scan"])
        if motion["infarct"] is not None:
            motion["infarct"] = Infarct(**_tuples(motion["infarct"]))
        return cls(
            str(told["name"]),
            int(told["seed"]),
            HeartMotion(**_tuples(motion)),
            ScanSettings(**_tuples(scan)),
            told["infarct_segment"],
        )


@dataclass(frozen=True)
class PhantomWishes:
    """What is asked of a set of phantoms; None for what the seed shall draw.

    Attributes:
        seed: of the set.
        ejection_fractions: percent, one phantom after another; () for a mixture of 28 to 68.
        infarct_segments: AHA segments, one phantom after another, 0 for none; () for one in every
            second heart that ejects less than 50 %.
        twist_degrees: rotation of the apex against the base.
        shortening_percent: loss of length, by which the base comes down; with ``base="aligned"``
            one slice if None.
        base: ``"aligned"``: the base lies between two slices at end-diastole and, one slice lower,
            at end-systole, so that no slice is half ventricle; ``"free"``: wherever it comes to
            lie, as in patients.
        phases: of the cine.
        slice_mm: distance and thickness of the slices; 8 to 10 by the seed.
        pixel_mm: in the slices.
        breath_mm: standard deviation of breath-hold shifts.
        noise: standard deviation of the noise, percent of the brightest blood.
    """

    seed: int = 0
    ejection_fractions: tuple[float, ...] = ()
    infarct_segments: tuple[int, ...] = ()
    twist_degrees: float | None = None
    shortening_percent: float | None = None
    base: Base = "aligned"
    phases: int = 20
    slice_mm: float | None = None
    pixel_mm: float = 1.4
    breath_mm: float = 0.8
    noise: float = 4.0


def draw_recipe(wishes: PhantomWishes, number: int) -> PhantomRecipe:
    """Draw one phantom of a set.

    Args:
        wishes: what is asked.
        number: of the phantom, from 1.

    Raises:
        FacewarpError: no heart of this kind ejects as much.
    """
    rng = np.random.default_rng([wishes.seed, number])
    told = wishes.ejection_fractions
    wanted = told[(number - 1) % len(told)] if told else _CYCLE[(number - 1) % len(_CYCLE)]
    ef = wanted + (0.0 if told else float(rng.uniform(-3, 3)))
    larger = 1 + 0.006 * max(_WEAK - ef, 0)
    radius, length, wall = (
        float(rng.uniform(low, high)) * factor
        for low, high, factor in ((22.5, 26.0, larger), (74, 84, larger), (8.0, 10.5, 1.0))
    )
    slice_mm = wishes.slice_mm or round(float(rng.uniform(8, 10)), 1)
    end = length + wall
    drawn = float(rng.uniform(0.9, 1.1)) * float(np.interp(ef, [15, 60], [0.05, 0.14]))
    offset = float(rng.uniform(0, 1))
    aligned = wishes.base == "aligned"
    shortening, first = (slice_mm / end, -slice_mm / 2) if aligned else (drawn, -slice_mm * offset)
    if wishes.shortening_percent is not None:
        shortening = wishes.shortening_percent / 100
    turned = float(rng.uniform(8, 13)) * float(np.interp(ef, [15, 60], [0.3, 1.0]))
    twist = turned if wishes.twist_degrees is None else wishes.twist_degrees
    segment = _segment(wishes, number, ef, rng)
    motion = HeartMotion(
        radius_mm=radius,
        length_mm=length,
        wall_mm=wall,
        ejection_fraction=ef,
        shortening=shortening,
        twist_degrees=(-0.35 * twist, 0.65 * twist),
        squeeze=float(np.interp(ef, [20, 60], [0.2, 0.42])),
        infarct=None if segment is None else infarct_of(segment),
    )
    name = f"phantom{number:03d}"
    try:
        _ = motion.narrowing
    except ValueError as error:
        fix = "Ask for an --ef nearer to a heart's, a smaller --infarct or other --shortening."
        raise FacewarpError(str(error), name, fix) from error
    across = round(210 / wishes.pixel_mm / 16) * 16
    scan = ScanSettings(
        phases=wishes.phases,
        shape=(ceil((end - first) / slice_mm) + 1, across, across),
        spacing_mm=(wishes.pixel_mm, wishes.pixel_mm, slice_mm),
        first_mm=first,
        roll_degrees=float(rng.uniform(-25, 25)),
        tilt_degrees=(float(rng.uniform(-2, 2)), float(rng.uniform(-2, 2))),
        center_mm=(float(rng.uniform(0, 12)), float(rng.uniform(-6, 6))),
        breath_mm=wishes.breath_mm,
        noise=0.8 * wishes.noise / 100,
        bias=float(rng.uniform(0.1, 0.4)),
        rr_s=round(float(rng.uniform(0.75, 1.05)), 3),
        seed=int(rng.integers(2**31)),
    )
    return PhantomRecipe(name, int(rng.integers(2**31)), motion, scan, segment)


def infarct_of(segment: int) -> Infarct:
    """Return the place of an AHA segment, 1 to 16."""
    level, third = min((segment - 1) // 6, 2), 1 / 3
    if level == 2:
        place = _QUARTERS.index(segment)
        degrees = (90.0 * place - 45, 90.0 * place + 45)
    else:
        place = _SIXTHS.index(segment - 6 * level)
        degrees = (60.0 * place, 60.0 * place + 60)
    return Infarct(degrees, (level * third, (level + 1) * third))


def _segment(wishes: PhantomWishes, number: int, ef: float, rng: np.random.Generator) -> int | None:
    drawn = int(rng.integers(1, 13))
    if wishes.infarct_segments:
        return wishes.infarct_segments[(number - 1) % len(wishes.infarct_segments)] or None
    return drawn if ef < _WEAK and number % 4 == 2 else None


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}

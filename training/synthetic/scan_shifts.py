"""Made shifts of scans: ten ways in which a cine can be unlike those a model learnt from.

Each is a pure function of a scan and a random generator, and leaves labels true: what moves the
heart moves its labels, what changes gray values alone does not.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.placement import orthonormal
from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

STRENGTHS: Final = ("mild", "middle", "strong")
CLEAN: Final = "clean"
_BLOOD: Final = (HeartPart.RV, HeartPart.LV)
_RANGE: Final = (1.0, 99.0)  # percentiles of gray values that a change of contrast keeps


@dataclass(frozen=True, eq=False)
class Scan:
    """Phases of a heart with labels, and where the voxels lie.

    Attributes:
        images: ``(T, D, H, W)`` float32, slices along the first spatial axis.
        labels: ``(T, D, H, W)`` uint8 part ids.
        affine: (4, 4) from voxels ``(x, y, z, 1)`` to RAS mm.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    affine: FloatArray

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of a step along x, y, z."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z


Apply = Callable[[Scan, float, np.random.Generator], Scan]


@dataclass(frozen=True)
class Shift:
    """One kind of made shift.

    Attributes:
        name: as the command line calls it.
        meaning: what happens to a scanner or file, and what the amounts are.
        unit: of the amounts.
        amounts: mild, middle, strong.
        apply: the shift.
        keeps_place: whether slices, their order and the axes stay as they are.
    """

    name: str
    meaning: str
    unit: str
    amounts: tuple[float, float, float]
    apply: Apply
    keeps_place: bool = True

    def __call__(self, scan: Scan, strength: str, seed: int = 0) -> Scan:
        """Shift a scan; the same seed and scan give the same result.

        Args:
            scan: the scan; it is not changed.
            strength: one of `STRENGTHS`.
            seed: of directions, places and noise.
        """
        amount = self.amounts[STRENGTHS.index(strength)]
        return self.apply(scan, amount, np.random.default_rng([seed, *self.name.encode()]))


def bias_field(scan: Scan, ratio: float, rng: np.random.Generator) -> Scan:
    """Multiply gray values by a smooth coil sensitivity, the same in every phase.

    An exponential fall along a random direction within the slices, and less through them; `ratio`
    is the brightest sensitivity over the darkest in the scan.
    """
    angle = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.cos(angle), np.sin(angle), rng.uniform(-0.4, 0.4)])
    depth, height, width = scan.images.shape[1:]
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in (width, height, depth)]
    x, y, z = (a * t for a, t in zip(axes, towards, strict=True))
    fall = x + y[:, None] + z[:, None, None]
    spread = float(np.ptp(fall)) or 1.0
    field = np.exp(np.log(ratio) * fall / spread).astype(np.float32)
    return replace(scan, images=scan.images * field)


def noise(scan: Scan, snr: float, rng: np.random.Generator) -> Scan:
    """Add Rician noise: the magnitude of a complex signal with Gaussian noise in both channels.

    `snr` is the mean signal of the blood over the standard deviation of the noise added.
    """
    sigma = blood_signal(scan) / snr
    both = rng.standard_normal((2, *scan.images.shape), np.float32) * np.float32(sigma)
    return replace(scan, images=np.hypot(scan.images + both[0], both[1]))


def ghosting(scan: Scan, share: float, rng: np.random.Generator) -> Scan:
    """Modulate the lines of k-space periodically, as breathing does: faint copies along y.

    Each of the two ghosts, a fraction of the field of view away on either side, has `share` of the
    signal.
    """
    height = scan.images.shape[2]
    every = int(rng.integers(3, 6))  # lines of a breath: ghosts are height / every apart
    wave = 1 + 2 * share * np.cos(2 * np.pi * np.arange(height) / every + rng.uniform(0, 2 * np.pi))
    lines = np.fft.fft(scan.images, axis=2) * wave[:, None]
    return replace(scan, images=np.abs(np.fft.ifft(lines, axis=2)).astype(np.float32))


def blur(scan: Scan, sigma_mm: float, rng: np.random.Generator) -> Scan:
    """Smooth within the slices, as motion during a long acquisition window does."""
    del rng
    x_mm, y_mm, _ = scan.spacing_mm
    sigma = (0, 0, sigma_mm / y_mm, sigma_mm / x_mm)
    return replace(scan, images=ndimage.gaussian_filter(scan.images, sigma))


def contrast(scan: Scan, exponent: float, rng: np.random.Generator) -> Scan:
    """Raise gray values to a power below 1: muscle comes nearer to blood, as in gradient echo.

    The 1st and 99th percentiles stay where they are.
    """
    del rng
    low, high = np.percentile(scan.images, _RANGE)
    share = (scan.images - low) / max(float(high - low), 1e-6)
    changed = low + (high - low) * np.clip(share, 0, None) ** exponent
    return replace(scan, images=changed.astype(np.float32))


def axes(scan: Scan, level: float, rng: np.random.Generator) -> Scan:
    """Store the same heart with other axes.

    Level 1 turns a slice by half a circle and reverses the slices, level 2 turns it by a quarter:
    in both the affine says so, and the heart stays where it is. Level 3 swaps rows and columns and
    the affine keeps silent, as files of bad converters do: the heart is mirrored in the world.
    """
    del rng
    if level < 2:
        return turned(scan, flips=(True, True, True))
    if level < 3:
        return turned(scan, swap=True, flips=(True, False, False))
    swapped = turned(scan, swap=True)
    lying = np.eye(4)
    lying[:3, :3] = orthonormal(scan.affine[:3, :3]) @ np.diag(swapped.spacing_mm)
    lying[:3, 3] = scan.affine[:3, 3]
    return replace(swapped, affine=lying)


def coverage(scan: Scan, level: float, rng: np.random.Generator) -> Scan:
    """Leave out slices that show the heart, and what lies beyond them.

    Level 1 ends the stack one labelled slice short of the apex, level 2 begins it one short of the
    base, level 3 two.
    """
    del rng
    shown = np.flatnonzero((scan.labels == HeartPart.LV).any(axis=(0, 2, 3)))
    at_apex, count = level < 2, max(1, round(level) - 1)
    low_end = at_apex == base_is_last(scan.labels)
    if len(shown) < count + 3:
        return scan
    kept = slice(int(shown[count]), None) if low_end else slice(0, int(shown[-1 - count]) + 1)
    return _slices(scan, kept)


def thick_slices(scan: Scan, times: float, rng: np.random.Generator) -> Scan:
    """Average slices to thicker ones, `times` as thick, without a gap.

    A voxel's label is the part with the largest share of it.
    """
    del rng
    depth = scan.images.shape[1]
    count = max(int(depth / times), 2)
    edges = (depth - count * times) / 2 + times * np.arange(count + 1)
    shares = _overlaps(edges, depth)
    images = np.einsum("kd,tdhw->tkhw", shares, scan.images, optimize=True)
    parts = [
        np.einsum("kd,tdhw->tkhw", shares, scan.labels == part, optimize=True) for part in HeartPart
    ]
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, 2] * ((edges[0] + edges[1] - 1) / 2)
    affine[:3, 2] *= times
    labels = np.argmax(parts, axis=0).astype(np.uint8)
    return Scan(images.astype(np.float32), labels, affine)


def slice_shift(scan: Scan, distance_mm: float, rng: np.random.Generator) -> Scan:
    """Move one slice that shows the left ventricle aside, as another breath-hold does.

    By whole voxels, in a random direction, in every phase; its labels move with it.
    """
    shown = np.flatnonzero((scan.labels == HeartPart.LV).any(axis=(0, 2, 3)))
    inner = shown[1:-1] if len(shown) > 2 else shown
    if not len(inner):
        return scan
    index, angle = int(rng.choice(inner)), rng.uniform(0, 2 * np.pi)
    x_mm, y_mm, _ = scan.spacing_mm
    step = round(distance_mm * np.sin(angle) / y_mm), round(distance_mm * np.cos(angle) / x_mm)
    images, labels = scan.images.copy(), scan.labels.copy()
    for phase in range(len(images)):
        images[phase, index] = _moved(images[phase, index], step)
        labels[phase, index] = _moved(labels[phase, index], step, fill=0)
    return replace(scan, images=images, labels=labels)


def coarse_matrix(scan: Scan, pixel_mm: float, rng: np.random.Generator) -> Scan:
    """Keep the middle of k-space alone, as a scan with pixels of `pixel_mm` would.

    Zero-filled to the file's pixels, as scanners write it: edges ring and details are gone.
    """
    del rng
    spectrum = np.fft.fft2(scan.images, axes=(2, 3))
    x_mm, y_mm, _ = scan.spacing_mm
    for axis, size_mm in ((2, y_mm), (3, x_mm)):
        frequency = np.abs(np.fft.fftfreq(scan.images.shape[axis], d=size_mm))
        keep = frequency <= 0.5 / pixel_mm
        spectrum *= keep[:, None] if axis == 2 else keep
    return replace(scan, images=np.abs(np.fft.ifft2(spectrum, axes=(2, 3))).astype(np.float32))


def blood_signal(scan: Scan) -> float:
    """Return the mean gray value of the ventricles' blood."""
    blood = np.isin(scan.labels, _BLOOD)
    return float(scan.images[blood].mean()) if blood.any() else float(scan.images.mean())


def turned(
    scan: Scan, *, swap: bool = False, flips: tuple[bool, bool, bool] = (False, False, False)
) -> Scan:
    """Store a scan with rows and columns swapped, then axes reversed, and the affine to match.

    Args:
        scan: the scan.
        swap: x becomes y, and y x.
        flips: whether x, y and z of the result are reversed.
    """
    images, labels, affine = scan.images, scan.labels, scan.affine.copy()
    if swap:
        images, labels = images.swapaxes(2, 3), labels.swapaxes(2, 3)
        affine = affine[:, [1, 0, 2, 3]]
    for axis, flipped in enumerate(flips):
        if flipped:
            last = images.shape[3 - axis] - 1
            images, labels = np.flip(images, 3 - axis), np.flip(labels, 3 - axis)
            affine[:3, 3] += last * affine[:3, axis]
            affine[:3, axis] *= -1
    return Scan(np.ascontiguousarray(images), np.ascontiguousarray(labels), affine)


def base_is_last(labels: NDArray[np.uint8]) -> bool:
    """Whether labels ``(T, D, H, W)`` show the base at the end: the heart is wider there."""
    areas = (labels > 0).sum(axis=(0, 2, 3))
    shown = np.flatnonzero(areas)
    half = len(shown) // 2
    return bool(half and areas[shown[-half:]].sum() > areas[shown[:half]].sum())


def _slices(scan: Scan, kept: slice) -> Scan:
    affine = scan.affine.copy()
    affine[:3, 3] += (kept.start or 0) * affine[:3, 2]
    images, labels = scan.images[:, kept], scan.labels[:, kept]
    return Scan(np.ascontiguousarray(images), np.ascontiguousarray(labels), affine)


def _overlaps(edges: FloatArray, depth: int) -> FloatArray:
    """Return the shares ``(K, D)`` that slices between edges have of thinner ones of width 1."""
    low, high = edges[:-1, None], edges[1:, None]
    thin = np.arange(depth)
    shares = np.clip(np.minimum(high, thin + 1) - np.maximum(low, thin), 0, None)
    result: FloatArray = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    return result


def _moved(image: NDArray[Any], step: tuple[int, int], fill: int | None = None) -> NDArray[Any]:
    """Move an image ``(H, W)`` by whole px (y, x); what comes in is `fill`, or its edge."""
    (y, x), (height, width) = step, image.shape
    rows, columns = np.arange(height) - y, np.arange(width) - x
    moved = image[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    if fill is not None:
        outside = ((rows < 0) | (rows >= height))[:, None] | (columns < 0) | (columns >= width)
        moved = np.where(outside, fill, moved)
    return moved.astype(image.dtype)


SHIFTS: Final = {
    shift.name: shift
    for shift in (
        Shift("bias", "coil sensitivity, brightest over darkest", "x", (1.5, 2.5, 4.0), bias_field),
        Shift("noise", "Rician noise, signal of blood over it", "SNR", (20, 10, 5), noise),
        Shift("ghosting", "two copies along y, share of signal", "", (0.1, 0.2, 0.35), ghosting),
        Shift("blur", "smoothed within slices, sigma", "mm", (1.0, 2.0, 3.0), blur),
        Shift("contrast", "muscle nearer to blood, exponent", "", (0.7, 0.5, 0.35), contrast),
        Shift("axes", "1 half, 2 quarter turn, 3 mirrored unsaid", "", (1, 2, 3), axes, False),
        Shift("coverage", "1 apex, 2 base, 3 base by 2 missing", "", (1, 2, 3), coverage, False),
        Shift("thick", "slices so much thicker", "x", (1.25, 1.5, 2.0), thick_slices, False),
        Shift("slice", "one slice moved aside", "mm", (5.0, 10.0, 15.0), slice_shift),
        Shift("matrix", "k-space cut to pixels of", "mm", (2.5, 3.5, 5.0), coarse_matrix),
    )
}
"""The kinds of shift, by name, in the order of the table."""


def chosen_shifts(names: list[str] | None) -> list[tuple[str, str]]:
    """Return pairs of kind and strength from `KIND` or `KIND:STRENGTH`, all without names.

    Raises:
        FacewarpError: a kind or strength is unknown.
    """
    if not names or names == ["all"]:
        return [(kind, strength) for kind in SHIFTS for strength in STRENGTHS]
    found: list[tuple[str, str]] = []
    for name in names:
        kind, _, strength = name.partition(":")
        if not kind:
            raise FacewarpError("no shift is named", "--shift", "Give names, or all.")
        if kind not in (*SHIFTS, "all"):
            fix = f"Choose from {', '.join(SHIFTS)}, or all."
            raise FacewarpError(f"no shift is called {kind!r}", "--shift", fix)
        if strength and strength not in STRENGTHS:
            fix = f"Choose from {', '.join(STRENGTHS)}."
            raise FacewarpError(f"no strength is called {strength!r}", "--shift", fix)
        kinds = SHIFTS if kind == "all" else [kind]
        found += [(one, s) for one in kinds for s in ([strength] if strength else STRENGTHS)]
    return list(dict.fromkeys(found))

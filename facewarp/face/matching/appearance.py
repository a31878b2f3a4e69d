"""Appearance of a tracked face: what tells it from another face after a cut or a loss.

Where a face is does not tell whose it is: a cut puts another person where one was, and of two who
left the nearer one to where somebody enters may be the other. The colors of a face on a small grid,
aligned by its landmarks, tell them apart within a clip. They are kept as long as the track is, and
nowhere else; they are no biometric: the same person in other light has other colors.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.image_formats import to_rgb
from facewarp.face.similarity import Affine, compose_affine, inverse

_SCALE: Final = 0.2  # of the template's px: a grid of 64 x 52
_EVERY: Final = 2  # of that grid's cells
_BLUR: Final = 1.2
_DARK: Final = 16.0  # gray value below which differences are noise
_CHROMA: Final = 2.0  # weight of color beside lightness
_MARGIN: Final = 0.1  # of the face's extent that is cut out around it
_CUT: Final = 0.02  # of the face's extent that may lie outside of the frame
_REACH: Final = (0.85, 1.0)  # of the landmarks' half width and height

#: Medians of the differences. Of 12 people, each in one clip of up to 11 s, 99.7 % of pairs of
#: frames are nearer than 0.25 and successive ones (0.12 s) than 0.15; of pairs of people all but
#: two of 66 are farther apart, 0.28 and more (docs/decisions/0139-faces-that-swap-places.md).
_OTHER: Final = 0.25
_OTHER_IN_ANY_LIGHT: Final = 0.14
ALIKE: Final = 0.06
"""Median difference that chance makes between two appearances of one person."""
_CELLS: Final = (16, 20)  # columns and rows of what a crop is compared with the last one on
_SUDDEN: Final = 0.1  # change of the gray crop from frame to frame, logarithm
_NOTED_EVERY_S: Final = 0.4
_FRAMES: Final = 3  # in a row that show another face: a flash of two frames is none
_GAP_S: Final = 0.25  # between frames, after which one that shows another face is enough
_HIDDEN: Final = 0.1  # of the face: so much less seen than before tells nothing of whose it is
_MUCH: Final = 0.8  # of the face is seen, below which much of it is hidden
_BOTH_FREE: Final = 0.25  # of the face, from which what is left of two tells whether they are one
_FREE: Final = 128  # of a matte's 255, from which a cell is free
_BESIDE: Final = np.ones((5, 5), np.uint8)  # cells around what hides a face that are left out too
_HIDDEN_S: Final = 5.0  # how long; then whatever hides it belongs to the face
_CUT_CHANGE: Final = 0.1  # median change of the crop, logarithm, that no hand makes in one frame

#: A light that changes at once leaves the fine structure as it is, and differs smoothly from the
#: one before. Pairs of people correlate by up to 0.89 (11 people, 216 pairs), the same face 0.3 s
#: later under other light mostly by 0.92 and more.
_RELIT: Final = 0.93
_SMOOTH_LIGHT: Final = 0.13  # median difference that no smooth light explains
_FINE: Final = (0.8, 5.0, 6.0)  # cells: least and largest structure, window of its contrast
_CLIPPED: Final = 250  # gray value from which nothing is told
_FEW: Final = 0.5  # share of clipped cells from which a face has no appearance
_TOO_DARK: Final = 24.0  # median gray value below which it has none


@dataclass(frozen=True, eq=False)
class Appearance:
    """Colors of a face.

    Attributes:
        colors: (N, 3) logarithm of lightness less its mean, red and blue against green.
        places: (N, 2) x, y of these on the grid, -1 to 1.
        structure: (M,) fine structure of lightness, of unit contrast everywhere.
        seen: share of the face that nothing hides, 1 where that is not known.
        free: (N,) which of the colors nothing hides; None where that is not known.
    """

    colors: NDArray[np.float32]
    places: NDArray[np.float32]
    structure: NDArray[np.float32]
    seen: float = 1.0
    free: NDArray[np.bool_] | None = None

    def distance(self, other: "Appearance") -> float:
        """Return the median difference: up to 0.2 within a clip, mostly more between people."""
        return float(np.median(np.abs(self.colors - other.colors).sum(axis=1)))

    def is_another(self, other: "Appearance") -> bool:
        """Return whether these are two people's, whatever the color of the light."""
        if self.distance(other) < _OTHER:
            return False
        apart = self.colors - other.colors
        apart -= np.median(apart, axis=0)
        if float(np.median(np.abs(apart).sum(axis=1))) <= _OTHER_IN_ANY_LIGHT:
            return False
        return not self._is_relit(other, apart)

    def is_another_where_free(self, other: "Appearance") -> bool:
        """Return whether what of both faces nothing hides are two people's; not if it is little."""
        if self.free is None or other.free is None:
            return False
        both = self.free & other.free
        if both.mean() < _BOTH_FREE:
            return False
        mine, its = (
            replace(one, colors=one.colors[both] - (*one.colors[both].mean(axis=0)[:1], 0, 0))
            for one in (self, other)
        )
        places = self.places[both]
        return replace(mine, places=places).is_another(replace(its, places=places))

    def is_relit(self, other: "Appearance") -> bool:
        """Return whether this is the other face with light from elsewhere."""
        apart = self.colors - other.colors
        return self._is_relit(other, apart - np.median(apart, axis=0))

    def _is_relit(self, other: "Appearance", apart: NDArray[np.float32]) -> bool:
        """Return whether this is the other face with light from elsewhere.

        Args:
            other: the face before.
            apart: (N, 3) difference of the colors.
        """
        if float(np.corrcoef(self.structure, other.structure)[0, 1]) < _RELIT:
            return False
        x, y = self.places.T
        smooth = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
        rest = apart - smooth @ np.linalg.lstsq(smooth, apart, rcond=None)[0]
        return float(np.median(np.abs(rest).sum(axis=1))) < _SMOOTH_LIGHT


@dataclass(frozen=True, eq=False)
class Matte:
    """What of a face nothing hides.

    Attributes:
        picture: (h, w) 255 where the face itself is seen, 0 where something hides it.
        landmarks: (68, 2) of the face, px of that.
    """

    picture: NDArray[np.uint8]
    landmarks: NDArray[np.float64]


class AppearanceReader:
    """Reads the appearance of faces.

    Args:
        landmarks: (68, 2) of the template, crop px.
    """

    def __init__(self, landmarks: NDArray[np.float64]) -> None:
        self._points = _SCALE * landmarks
        self._size = (round(_SCALE * CROP_SHAPE[1]), round(_SCALE * CROP_SHAPE[0]))
        low, high = self._points.min(axis=0), self._points.max(axis=0)
        half = (high - low) / 2
        middle = low + half * (1.0, 0.9)
        cells = np.stack(np.meshgrid(*(np.arange(n) for n in self._size)), axis=-1)
        places = ((cells - middle) / (half * _REACH)).astype(np.float32)
        self._fine = (places**2).sum(axis=-1) < 1
        self._inside = self._fine[::_EVERY, ::_EVERY]
        self._places = places[::_EVERY, ::_EVERY][self._inside]

    def __call__(
        self,
        image: NDArray[np.generic],
        landmarks: NDArray[np.float64],
        matte: Matte | None = None,
    ) -> Appearance | None:
        """Return the appearance of a face in a frame.

        None where the frame cuts the face, or most of it is clipped or as good as black.

        Args:
            image: H x W [x 1 to 4] frame.
            landmarks: (68, 2) of the face, frame px.
            matte: what of the face nothing hides, where that is known.
        """
        extent = np.ptp(landmarks, axis=0)
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        frame = np.array((image.shape[1], image.shape[0]))
        if extent.min() < 1 or (low < -_CUT * extent).any() or (high > frame + _CUT * extent).any():
            return None
        low = np.floor(low - _MARGIN * extent).astype(int).clip(0)
        high = np.ceil(high + _MARGIN * extent).astype(int).clip(low + 1, frame)
        part = to_rgb(image[low[1] : high[1], low[0] : high[0]])
        shrink = max(1.0, float((high - low).max()) / (2 * max(self._size)))
        size = tuple(max(1, round(n / shrink)) for n in part.shape[1::-1])
        small: NDArray[Any] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        aligned = self._aligned(small, (landmarks - low) * (np.array(size) / part.shape[1::-1]))
        shown = aligned[self._fine]
        if (shown.max(axis=1) >= _CLIPPED).mean() > _FEW or np.median(shown) < _TOO_DARK:
            return None
        light = np.log(aligned.astype(np.float32) + _DARK)
        structure = _structure(light.mean(axis=2))[self._fine]
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), _BLUR))[::_EVERY, ::_EVERY]
        red, green, blue = np.moveaxis(light[self._inside], -1, 0)
        gray = (red + green + blue) / 3
        gray = gray - gray.mean()
        colors = np.stack([gray, _CHROMA * (red - green), _CHROMA * (blue - green)], -1)
        seen, free = 1.0, None
        if matte is not None:
            shows = self._aligned(matte.picture, matte.landmarks)
            seen = float(shows[self._fine].mean()) / 255
            free = cv2.erode(shows, _BESIDE)[::_EVERY, ::_EVERY][self._inside] > _FREE
        return Appearance(colors, self._places, structure, seen, free)

    def _aligned(
        self, picture: NDArray[np.uint8], points: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Return a picture of a face, on the grid that these landmarks (68, 2) of it lie on."""
        ones = np.column_stack([points, np.ones(len(points))])
        matrix = np.linalg.lstsq(ones, self._points, rcond=None)[0].T
        aligned = cv2.warpAffine(picture, matrix, self._size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(aligned, np.uint8)


def _structure(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the fine structure of lightness, of unit contrast everywhere.

    Args:
        light: (h, w) logarithms.
    """
    least, largest, window = _FINE
    fine = cv2.GaussianBlur(light, (0, 0), least) - cv2.GaussianBlur(light, (0, 0), largest)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), window)) + 0.01
    return np.asarray(fine / contrast, np.float32)


_Seen = tuple[NDArray[np.float32], Affine]  # thumbnail and matrix of a crop


@dataclass
class AppearanceMemory:
    """The appearance that a track had last.

    Of a face that is hidden only that counts which was free before, and still is: a hand before it
    makes it no other one. Where all of the crop changed at once all of it counts, since a cut may
    show somebody with longer hair.

    Attributes:
        appearance: as noted last; None before.
        is_sudden: whether the crop seen last changed at once, or the appearance is due to be noted.
        has_jumped: whether the crop seen last changed at once.
    """

    appearance: Appearance | None = None
    is_sudden: bool = True
    has_jumped: bool = False
    _noted: float = -np.inf
    _doubts: int = 0
    _time: float = -np.inf
    _gap: float = 0.0
    _crop: _Seen | None = None
    _is_cut: bool = False  # since an appearance was noted

    def watch(self, gray: NDArray[np.uint8] | None, crop: Crop, time: float) -> None:
        """See the crop of the next frame: did it change at once?

        Args:
            gray: (320, 260) what the crop shows; None counts as changed.
            crop: where it is in the frame.
            time: of the frame, s.
        """
        before, self._crop = self._crop, None if gray is None else (_thumbnail(gray), crop.matrix)
        self._gap, self._time = time - self._time, time
        if before is None or self._crop is None:
            self.is_sudden, self.has_jumped = True, False
            return
        change = np.abs(_centered(before[0]) - _centered(self._crop[0]))
        self.has_jumped = float(change.mean()) > _SUDDEN
        if self.has_jumped and float(np.median(change)) > _CUT_CHANGE:
            self._is_cut = self._is_cut or _median_change(before, self._crop) > _CUT_CHANGE
        is_due = bool(self._doubts) or time - self._noted >= _NOTED_EVERY_S
        self.is_sudden = is_due or self._is_cut or self.has_jumped

    @property
    def doubted(self) -> bool:
        """Whether the last frame showed another face, be it for good or as a flash does."""
        return self._doubts > 0

    def note(self, appearance: Appearance | None, time: float) -> None:
        """Keep an appearance as the last one."""
        if appearance is not None:
            self.appearance, self._noted, self._doubts = appearance, time, 0
            self._time, self._is_cut = time, False

    def is_another(self, appearance: Appearance | None) -> bool:
        """Return whether an appearance is clearly not this track's."""
        if appearance is None or self.appearance is None:
            return False
        if self._is_hidden(appearance) or self._are_hidden(appearance):
            return appearance.is_another_where_free(self.appearance)
        return appearance.is_another(self.appearance)

    def tells(self, appearance: Appearance | None) -> bool:
        """Return whether an appearance can be another's: neither hidden nor in another light."""
        if appearance is None or self.appearance is None or self._is_hidden(appearance):
            return False
        return not appearance.is_relit(self.appearance)

    def _is_hidden(self, appearance: Appearance) -> bool:
        """Return whether something has come before the face, or has gone that was before it."""
        if self.appearance is None or self._is_cut:
            return False
        return abs(appearance.seen - self.appearance.seen) > _HIDDEN

    def _are_hidden(self, appearance: Appearance) -> bool:
        """Return whether something was before much of the face, and is."""
        if self.appearance is None or self._is_cut:
            return False
        return max(appearance.seen, self.appearance.seen) < _MUCH

    def has_changed(self, appearance: Appearance | None, time: float) -> bool:
        """Return whether a track shows another face for good; note its appearance if it does not.

        Args:
            appearance: in this frame.
            time: of it, s.
        """
        is_another = self.is_another(appearance)
        if appearance is not None and self._is_hidden(appearance) and not is_another:
            self._doubts = 0
            is_seen = self.appearance is None or appearance.seen > self.appearance.seen
            if is_seen or time - self._noted >= _HIDDEN_S:
                self.note(appearance, time)
            return False
        if not is_another:
            self.note(appearance, time)
            return False
        self._doubts += 1
        return self._doubts >= _FRAMES or self._gap >= _GAP_S

    def distance(self, appearance: Appearance | None) -> float:
        """Return how far an appearance is from this track's; 0 where one of them is not known."""
        if appearance is None or self.appearance is None:
            return 0.0
        return appearance.distance(self.appearance)

    def steps(self, appearance: Appearance | None) -> float:
        """Return how far an appearance is from this track's, in steps too large for chance.

        Appearances of one step are equally likely to be one person's.
        """
        return round(self.distance(appearance) / ALIKE)


def _thumbnail(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logarithm of a crop on 20 x 16 cells."""
    half, quarter = (130, 160), (65, 80)  # halvings are quick, other steps are not
    for size in (half, quarter, _CELLS):
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.log(gray.astype(np.float32) + np.float32(_DARK))


def _centered(light: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(light - light.mean(), np.float32)


def _median_change(before: _Seen, now: _Seen) -> float:
    """Change of most of a crop, whichever way the registration has turned it meanwhile."""
    (light, old), (shown, new) = before, now
    scale = np.divide(CROP_SHAPE[::-1], _CELLS)
    to_crop = np.column_stack([np.diag(scale), 0.5 * scale - 0.5])
    back = compose_affine(inverse(compose_affine(old, to_crop)), compose_affine(new, to_crop))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    there = cv2.warpAffine(light, back, _CELLS, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return float(np.median(np.abs(_centered(np.asarray(there, np.float32)) - _centered(shown))))

"""Hold a tracked face's lips and lids to where they are seen, from frame to frame.

The last of a face's filters. Where the control points are seen is smoothed in the face's own pose
by the same One-Euro filter as its shape. Where nothing can be seen (a hand, a head turned away, a
few pixels) the last correction fades out, and the map is that of the skin around.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from facewarp.face.details.correction import Correction, corrector_of
from facewarp.face.face import Face, FaceFilter
from facewarp.face.template.template import Template

_USUAL_S: Final = 1 / 30
_GAP_S: Final = 0.5  # between frames: the face may look another way by then
_TRUSTED: Final = 0.5
_TRUST_PX: Final = 0.2  # template px that trust counts as for its filter: it changes within 0.1 s


class ValueFilter(Protocol):
    """What smooths values from frame to frame, as `temporal.smoothing.OneEuroFilter` does."""

    def __call__(
        self, value: NDArray[np.floating], dt: float, unit: float = 1.0
    ) -> NDArray[np.floating]:
        """Filter the next values (..., n); `unit` is in sides of the face."""


class DetailRefinement:
    """Refine one face from frame to frame.

    Args:
        template: what the face is registered with.
        before: what filters it first; None takes it as registered.
        smoothing: makes what smooths heights; None for no smoothing.
    """

    def __init__(
        self,
        template: Template,
        before: FaceFilter | None = None,
        smoothing: Callable[[], ValueFilter] | None = None,
    ) -> None:
        self.before, self._smoothing = before, smoothing
        self._corrector = corrector_of(template.landmarks)
        self._filter: ValueFilter | None = None
        self._last: tuple[float, NDArray[np.float64], NDArray[np.float64]] | None = None
        self._forget()

    def reset(self) -> None:
        """Forget the past."""
        self._forget()
        if self.before is not None:
            self.before.reset()

    def take_over(self, other: FaceFilter | None) -> None:
        """Go on from what another refinement of the same face and template knows."""
        if isinstance(other, DetailRefinement):
            if self._filter is not None and other._filter is not None:
                self._filter, self._last = other._filter, other._last
            take_over = getattr(self.before, "take_over", None)
            if take_over is not None:
                take_over(other.before)

    def __call__(self, face: Face, time: float) -> Face:
        """Refine the face of the next frame.

        Args:
            face: as registered.
            time: the frame's, s.

        Returns:
            The face with other fields, landmarks and box, on the same crop; just as it comes where
            no detail network has seen it.
        """
        if self.before is not None:
            face = self.before(face, time)
        if face.details is None:
            return face
        seen = self._corrector.seen(face, face.details)
        if self._smoothing is not None:
            seen = self._smoothed(seen, time)
        return self._corrector.corrected(face, seen)

    def _forget(self) -> None:
        self._filter = None if self._smoothing is None else self._smoothing()
        self._last = None

    def _smoothed(self, seen: Correction, time: float) -> Correction:
        """Smooth moves and trust; moves that are not trusted stay as they were."""
        if self._last is not None and time - self._last[0] > _GAP_S:
            self._forget()
        moves, dt = seen.heights - seen.now[:, 1], _USUAL_S
        if self._last is not None:
            before, last, trust = self._last
            dt = time - before if time > before else _USUAL_S
            moves = np.where(seen.weights >= np.minimum(_TRUSTED, trust), moves, last)
        assert self._filter is not None
        values = np.concatenate([moves, _TRUST_PX * seen.weights])[:, None]
        filtered = self._filter(values, dt, 1 / self._corrector.side)[:, 0]
        smooth, trust = np.asarray(filtered, np.float64).reshape(2, -1)
        self._last = time, moves, trust / _TRUST_PX
        return replace(seen, heights=seen.now[:, 1] + smooth, weights=trust / _TRUST_PX)

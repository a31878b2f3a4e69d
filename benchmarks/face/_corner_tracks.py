"""Corners of the skin followed by pyramidal Lucas-Kanade, for `sliding.py`.

Corners are chosen in the first frame of a window and followed from frame to frame, forwards and
backwards; each place is then refined against the first frame, so that errors do not add up. They
are no ground truth: fast or flat skin yields none, and they are optical flow themselves.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points

Gray = NDArray[np.uint8]

_CORNERS = 150  # in one window
_LEAST = 12
_BACK_PX = 0.2  # from where a corner came from, when it is followed back
_REFINED_PX = 1.5  # a refinement that goes farther has found something else
_WINDOW = (21, 21)
_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005)


@dataclass(frozen=True)
class CornerTracks:
    """Corners followed over a window of frames.

    Attributes:
        first: index of the window's first frame.
        points: (T, N, 2) frame px.
    """

    first: int
    points: Points


def corner_tracks(frames: list[Gray], first: int, length: int, skin: Gray) -> CornerTracks | None:
    """Follow corners over frames ``first`` to ``first + length``; None where too few remain.

    Args:
        frames: of the clip.
        first: frame in which corners are chosen.
        length: steps to follow them over.
        skin: mask of that frame, > 0 where corners count.
    """
    start = cv2.goodFeaturesToTrack(frames[first], _CORNERS, 0.01, 5, mask=skin, blockSize=5)
    if start is None or len(start) < _LEAST:
        return None
    here = start.astype(np.float32)
    path = [here[:, 0]]
    alive = np.ones(len(here), bool)
    for index in range(first, first + length):
        there, ok, _ = _follow(frames[index], frames[index + 1], here)
        back, back_ok, _ = _follow(frames[index + 1], frames[index], there)
        alive &= (ok & back_ok)[:, 0] > 0
        alive &= np.linalg.norm(back - here, axis=-1)[:, 0] < _BACK_PX
        fine, fine_ok, _ = _follow(frames[first], frames[index + 1], start, there.copy(), levels=0)
        moved = np.linalg.norm(fine - there, axis=-1)[:, 0]
        alive &= (fine_ok[:, 0] > 0) & (moved < _REFINED_PX)
        here = np.where(alive[:, None, None], fine, there).astype(np.float32)
        path.append(here[:, 0])
    if alive.sum() < _LEAST:
        return None
    return CornerTracks(first, np.stack(path)[:, alive].astype(np.float64))


def _follow(
    before: Gray,
    after: Gray,
    points: NDArray[np.float32],
    guess: NDArray[np.float32] | None = None,
    levels: int = 3,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Follow points (N, 1, 2) from a frame to another."""
    flags = 0 if guess is None else cv2.OPTFLOW_USE_INITIAL_FLOW
    return cv2.calcOpticalFlowPyrLK(
        before,
        after,
        points,
        guess,
        winSize=_WINDOW,
        maxLevel=levels,
        criteria=_CRITERIA,
        flags=flags,
    )  # type: ignore[return-value]

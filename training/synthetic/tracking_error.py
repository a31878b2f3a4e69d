"""Error of tracked points against known motion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewarp.training.synthetic.known_motion import Motion


@dataclass(frozen=True)
class TrackedPoints:
    """Landmarks of one frame.

    Attributes:
        time_s: the frame's time.
        landmarks: (68, 2) frame px; None where the face was not tracked.
        frame_px_per_crop_px: scale of the crop the face was registered on.
    """

    time_s: float
    landmarks: NDArray[np.float64] | None
    frame_px_per_crop_px: float


@dataclass(frozen=True)
class PointError:
    """Distances between tracked and known positions, px of the 320 x 260 crop.

    Attributes:
        mean_px, median_px, p95_px: over all points of all frames in which the face was tracked.
        per_frame_px: mean over the points of each frame, NaN where it was not tracked.
        missed_frames: frames in which the face was not tracked.
    """

    mean_px: float
    median_px: float
    p95_px: float
    per_frame_px: list[float]
    missed_frames: int


def point_error(motion: Motion, frames: Sequence[TrackedPoints]) -> PointError:
    """Compare tracks with the known motion of the points tracked at rest.

    The reference points are the tracks of the frames at rest, averaged; their true positions
    later follow from the motion.

    Args:
        motion: of the clip; it begins at rest.
        frames: tracked frames of the clip, in order.

    Raises:
        ValueError: the face was tracked in no frame at rest.
    """
    still = [
        frame.landmarks
        for frame in frames
        if frame.landmarks is not None and _at_rest(motion, frame.time_s)
    ]
    if not still:
        raise ValueError("the face must be followed in at least one frame before it moves")
    rest = np.mean(still, axis=0)
    per_frame: list[NDArray[np.float64] | None] = []
    for frame in frames:
        if frame.landmarks is None:
            per_frame.append(None)
            continue
        known = motion.map_points(rest, frame.time_s)
        distance = np.linalg.norm(frame.landmarks - known, axis=1)
        per_frame.append(distance / frame.frame_px_per_crop_px)
    followed = np.concatenate([distance for distance in per_frame if distance is not None])
    return PointError(
        mean_px=float(followed.mean()),
        median_px=float(np.median(followed)),
        p95_px=float(np.percentile(followed, 95)),
        per_frame_px=[float("nan") if d is None else float(d.mean()) for d in per_frame],
        missed_frames=sum(distance is None for distance in per_frame),
    )


def _at_rest(motion: Motion, time_s: float) -> bool:
    """Whether nothing has moved yet at a time."""
    return all(time_s <= channel.times_s[0] for channel in motion.channels.values())

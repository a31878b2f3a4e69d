"""Jitter and lag of tracked faces: without smoothing, with ours, with MediaPipe's.

    python benchmarks/face/steadiness.py [--landmarker face_landmarker.task] [--engine NAME]
                                         [--json]

Jitter is the mean absolute second difference of points over time, in px of the 320 x 260 crop, on
the shipped portrait held still: with a camera's noise, with flickering exposure as well, and with
that again through H.264. Flicker is the share of the face's pixels whose part changes from one
frame to the next. Lag is the shift in time at which points that follow a known motion correlate
best with it, in frames of 1/30 s. "Points" are carried from template to frame, "labels" are where
the field from frame to template, which draws labels and textures, has the same points.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out
from _clips import FPS, REST_S, Image, motions, moved, portrait, still_clips, with_noise
from _landmarker import follow_landmarks

from facewarp.core.arrays import Points
from facewarp.core.model import load
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.face import Face
from facewarp.face.mediapipe_blazeface import without_native_chatter
from facewarp.face.template.template import Template
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.system.machine import machine
from facewarp.training.synthetic.demo_clip import Scene, demo_motion
from facewarp.training.synthetic.known_motion import Motion

SETTLED = 10  # frames after which a still clip counts
FACE_SIDE_PX = 160.0  # of the 320 px high crop: what "px of the crop" means for any tracker
LAGS = np.arange(-2.0, 6.01, 0.25)  # frames


@dataclass
class Result:
    """Results of one method on all clips; label entries stay empty without a field."""

    jitter_px: dict[str, float] = field(default_factory=dict)
    label_jitter_px: dict[str, float] = field(default_factory=dict)
    flicker_percent: dict[str, float] = field(default_factory=dict)
    lag_frames: dict[str, float] = field(default_factory=dict)
    label_lag_frames: dict[str, float] = field(default_factory=dict)
    error_px: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Followed:
    """Track of a clip by a method: (T, N, 2) frame px."""

    points: Points
    side_px: float
    labels: Points | None = None
    flicker_percent: float | None = None

    def in_crop_px(self, frame_px: Any) -> Any:
        """Convert lengths in the frame to px of the crop."""
        return frame_px * FACE_SIDE_PX / self.side_px


class Method(Protocol):
    """Track the face of a clip."""

    def __call__(self, frames: list[Image]) -> Followed:
        """Return the points of every frame."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--landmarker", type=Path, help="MediaPipe's face_landmarker.task")
    parser.add_argument("--model", default="face")
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    model = load(options.model, engine=options.engine)
    methods: dict[str, Method] = {
        "no smoothing": partial(follow, model=model, smooth=False),
        "ours": partial(follow, model=model, smooth=True),
    }
    if options.landmarker:
        methods["MediaPipe landmarker"] = partial(follow_landmarker, options.landmarker)
    results = {name: Result() for name in methods}
    rng = np.random.default_rng(20120505)
    picture = Scene(portrait()).frame(demo_motion(), 0.0)
    for clip, frames in still_clips(picture, rng):
        for name, method in methods.items():
            measure_still(method(frames), clip, results[name])
    for clip, motion in motions().items():
        frames = [
            with_noise(moved(picture, motion, i / FPS), rng) for i in range(motion.frame_count)
        ]
        for name, method in methods.items():
            measure_motion(method(frames), clip, motion, results[name])
    if options.json:
        found = {name: asdict(result) for name, result in results.items()}
        print(json.dumps({"machine": machine(), "model": model.sha256, "methods": found}))
    else:
        show(results, f"model {model.sha256[:12]}, {machine()}")


def measure_still(followed: Followed, clip: str, result: Result) -> None:
    """Measure jitter and flicker on a still clip."""
    result.jitter_px[clip] = followed.in_crop_px(jitter(followed.points[SETTLED:]))
    if followed.labels is not None and followed.flicker_percent is not None:
        result.label_jitter_px[clip] = followed.in_crop_px(jitter(followed.labels[SETTLED:]))
        result.flicker_percent[clip] = followed.flicker_percent


def measure_motion(followed: Followed, clip: str, motion: Motion, result: Result) -> None:
    """Measure lag and error on a clip of known motion."""
    result.lag_frames[clip] = lag(followed.points, motion)
    known = known_points(followed.points, motion)
    distance = np.linalg.norm(followed.points - known, axis=-1).mean()
    result.error_px[clip] = float(followed.in_crop_px(distance))
    if followed.labels is not None:
        result.label_lag_frames[clip] = lag(followed.labels, motion)


def jitter(points: Points) -> float:
    """Return the mean absolute second difference over time of points (T, N, 2)."""
    return float(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).mean())


def known_points(points: Points, motion: Motion, late_s: float = 0.0) -> Points:
    """Map the points found at rest by a motion with a delay."""
    rest = points[2 : round(REST_S * FPS)].mean(0)
    return np.stack([motion.map_points(rest, i / FPS - late_s) for i in range(len(points))])


def lag(points: Points, motion: Motion) -> float:
    """Return the lag of points (T, N, 2) behind a motion, fractional frames.

    Only points that move at least a third as far as the fastest are used.
    """
    reach = np.ptp(known_points(points, motion), axis=0).max(-1)
    moving = reach > reach.max() / 3
    found = centered(points[:, moving])
    likeness = []
    for late in LAGS:
        known = centered(known_points(points, motion, late / FPS)[:, moving])
        norms = np.linalg.norm(found) * np.linalg.norm(known)
        likeness.append(float((found * known).sum()) / float(norms))
    best = min(max(int(np.argmax(likeness)), 1), len(LAGS) - 2)
    before, top, after = likeness[best - 1 : best + 2]
    step = LAGS[1] - LAGS[0]
    return float(LAGS[best] + step * 0.5 * (before - after) / (before - 2 * top + after))


def centered(points: Points) -> Points:
    """Subtract the mean over time from points (T, N, 2)."""
    return points - points.mean(0)


# --- methods


def follow(frames: list[Image], *, model: Any, smooth: bool) -> Followed:
    """Track with `FaceTracker`."""
    faces: list[Face] = []
    with FaceTracker(model=model, faces=1, smooth=smooth) as tracker:
        template = tracker.template
        for index, frame in enumerate(frames):
            faces += tracker(frame, index / FPS)
    assert len(faces) == len(frames), "the face was not followed in every frame"
    points = np.stack([face.landmarks for face in faces])
    labels = np.stack([where_labels_are(face, template) for face in faces])
    maps = [part_map(face, template, faces[0]) for face in faces[SETTLED:]]
    changes = [
        (one != other).sum() / ((one > 0) | (other > 0)).sum() for one, other in pairwise(maps)
    ]
    return Followed(points, side_of(points), labels, 100 * float(np.mean(changes)))


def side_of(points: Points) -> float:
    """Return the side of the square around 68 landmarks at rest, frame px."""
    return float(np.ptp(points[2 : round(REST_S * FPS)].mean(0), axis=0).max())


def where_labels_are(face: Face, template: Template) -> Points:
    """Return the points of the frame that ``face.field`` maps to the landmarks, by Newton."""
    goal = template.landmarks
    here = face.crop.to_crop(face.landmarks)
    for _ in range(8):
        missing = goal - here - sampled(face.field, here)
        slopes = [
            (sampled(face.field, here + step) - sampled(face.field, here - step)) / 2
            for step in np.eye(2)
        ]
        matrix = np.stack(slopes, axis=-1) + np.eye(2)
        here = here + np.linalg.solve(matrix, missing[..., None])[..., 0].clip(-4, 4)
    return face.crop.to_frame(here)


def sampled(values: NDArray[np.float32], points: Points) -> Points:
    """Sample values (2, h, w) at points (N, 2), as (N, 2)."""
    x, y = (np.ascontiguousarray(axis, np.float32)[None] for axis in points.T)
    return np.stack([cv2.remap(one, x, y, cv2.INTER_LINEAR)[0] for one in values], axis=-1)


def part_map(face: Face, template: Template, first: Face) -> NDArray[np.uint8]:
    """Return the part of each pixel of the frame in the box of the first face."""
    x0, y0, x1, y1 = first.crop.frame_box((10**6, 10**6))
    inverse = cv2.invertAffineTransform(face.crop.matrix)
    inverse[:, 2] += inverse[:, :2] @ (x0, y0)
    y, x = np.indices(CROP_SHAPE, dtype=np.float32)
    flags = cv2.INTER_LINEAR
    matrix = cv2.invertAffineTransform(inverse)
    target = [
        cv2.warpAffine(one, matrix, (x1 - x0, y1 - y0), flags=flags, borderValue=-1)
        for one in (face.field[0] + x, face.field[1] + y)
    ]
    soft = [cv2.remap(part, *target, cv2.INTER_LINEAR) for part in template.probabilities]
    return np.argmax(soft, axis=0).astype(np.uint8)


def follow_landmarker(model: Path, frames: list[Image]) -> Followed:
    """Track with MediaPipe's face landmarker in video mode, with its own smoothing."""
    times = [index / FPS for index in range(len(frames))]
    points = np.array(follow_landmarks(model, frames, times, without_native_chatter))
    brow_to_chin = points[2 : round(REST_S * FPS)].mean(0)[[105, 152]]  # its mesh's numbers
    return Followed(points, float(np.linalg.norm(np.diff(brow_to_chin, axis=0))))


def show(results: dict[str, Result], title: str) -> None:
    """Print one table for still clips and one for motions."""
    console = Console()
    still = Table("still clip", "method", "jitter, px", "of labels", "parts change", title=title)
    moving = Table("motion", "method", "lag, frames", "of labels", "error, px")
    first = next(iter(results.values()))
    for clip in first.jitter_px:
        for name, r in results.items():
            flicker = _cell(r.flicker_percent.get(clip), "{:.3f} %")
            values = (r.jitter_px[clip], r.label_jitter_px.get(clip))
            still.add_row(clip, name, *(_cell(value, "{:.4f}") for value in values), flicker)
    for clip in first.lag_frames:
        for name, r in results.items():
            values = (r.lag_frames[clip], r.label_lag_frames.get(clip), r.error_px[clip])
            moving.add_row(clip, name, *(_cell(value, "{:.2f}") for value in values))
    console.print(still)
    console.print(moving)


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


if __name__ == "__main__":
    torch.set_num_threads(min(2, torch.get_num_threads()))
    main()

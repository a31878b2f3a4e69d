"""Does what is drawn stick to the skin? Slip and drift with and without photometric refinement.

    python benchmarks/face/sliding.py [CLIP...] [--landmarker face_landmarker.task] [--json]

Clips are those given, or of the folder `video` of $FACEWARP_DATA. Corners of the skin are followed
by pyramidal Lucas-Kanade over windows of 12 frames and of 2 s (`_corner_tracks.py`). Slip is the
distance a frame between where a corner goes and where a method carries the template point that was
under it, in px of the frame; drift is that distance over the whole window, in percent of the
distance of the outer corners of the eyes. "Paint" goes from frame to template, as textures do,
"mesh" from template to frame, as landmarks do. A similarity fitted to the corners themselves is
what a rigid face could reach: a bound, no rival. Skin that moves against the head by less than 1 %
of the eyes' distance within a window is still, by more than 4 % in expression. Corner tracks fail
on fast or flat skin and are optical flow themselves; clips made of the shipped photograph with
known motion, light that changes and a hand that passes are therefore measured too, where every
point of the skin is known; their error is against where each point was at the start, for those
that begin behind a hand (three starts each) at the start of the clip without it.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out
from _corner_tracks import CornerTracks, corner_tracks
from _landmarker import follow_landmarks, triangle_slip
from composed._skin_clips import MadeClip, made_clips

import facewarp
from facewarp.core.arrays import Points
from facewarp.core.model import Model, load
from facewarp.face.crop_fields import sample_field, upsample_field
from facewarp.face.face import Face, template_to_frame
from facewarp.face.mediapipe_blazeface import without_native_chatter
from facewarp.face.parts import FacePart
from facewarp.face.rendering.calm_skin import calm_skin, smoothed
from facewarp.face.similarity import fit_similarity
from facewarp.face.template.template import Template
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.system.machine import machine

WINDOW = 12  # frames
STILL, EXPRESSION = 0.01, 0.04  # motion against the head, in parts of the eyes' distance
REGIONS = ("nose", "brows", "jaw", "rest")
MADE: dict[str, dict[str, bool]] = {  # how `facewarp track` follows the face of a made clip
    "--no-photometric": {"photometric": False, "occlusion": True},
    "--occlusion off": {"photometric": True, "occlusion": False},
    "as it comes": {"photometric": True, "occlusion": True},
}


@dataclass(frozen=True)
class Clip:
    """Gray frames and their times, and a face in each, or None, by method."""

    name: str
    frames: list[NDArray[np.uint8]]
    times: list[float]
    faces: dict[str, list[Face | None]]


@dataclass(frozen=True)
class Slip:
    """What one method does at the corners of some windows; all (N,).

    Attributes:
        paint, mesh, bound: px a frame.
        drift: of the mesh, percent of the eyes' distance.
        motion: against the head, in parts of the eyes' distance.
        region: index into `REGIONS`.
    """

    paint: Points
    mesh: Points
    bound: Points
    drift: Points
    motion: Points
    region: Points


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--landmarker", type=Path, help="MediaPipe's face_landmarker.task")
    parser.add_argument("--model", default="face")
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--frames", type=int, default=130, help="how many of each clip")
    parser.add_argument(
        "--without-details", action="store_true", help="measure without the detail network too"
    )
    parser.add_argument("--no-made", action="store_true", help="leave the made clips out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = load(options.model, engine=options.engine)
    template = Template.load("average")
    found: dict[str, list[Slip]] = {}
    long: dict[str, list[Slip]] = {}
    for path in options.clips or own_clips():
        clip = followed(path, model, options.frames, without_details=options.without_details)
        step = next(iter(np.diff(clip.times[:2])), 1 / 30)
        for target, length in ((found, WINDOW), (long, round(2 / max(float(step), 1 / 120)))):
            windows = tracks_of(clip, template, length)
            for name, faces in clip.faces.items():
                slips = (slip_of(one, faces, template) for one in windows)
                target.setdefault(name, []).extend(slips)
        if options.landmarker:
            windows = tracks_of(clip, template, WINDOW)
            found.setdefault("MediaPipe", []).extend(
                landmarker_slips(options.landmarker, clip, windows, template)
            )
    rows = {name: summary(slips) for name, slips in found.items() if slips}
    drifts = {name: summary(slips)["drift"] for name, slips in long.items() if slips}
    made = {} if options.no_made else made_rows(model, template)
    title = f"model {model.sha256[:12]}, {machine()}"
    if options.json:
        print(json.dumps({"title": title, "slip": rows, "drift over 2 s": drifts, "made": made}))
    else:
        show(rows, drifts, made, title)


def own_clips() -> list[Path]:
    """Return the clips of $FACEWARP_DATA that show a face."""
    folder = Path(os.environ.get("FACEWARP_DATA", "")) / "video"
    return [p for p in sorted(folder.glob("*.m*")) if p.suffix != ".md" and "no_face" not in p.name]


def followed(path: Path, model: Model, most: int, *, without_details: bool = False) -> Clip:
    """Follow the face of a clip by the registration alone and with the refinement."""
    frames, times = [], []
    settings = {"--no-photometric": (False, True), "--photometric": (True, True)}
    if without_details:
        settings["without the detail network"] = (True, False)
    methods = {
        name: FaceTracker(
            model=model,
            faces=1,
            smooth=True,
            photometric=photometric,
            occlusion=False,
            details=details,
        )
        for name, (photometric, details) in settings.items()
    }
    faces: dict[str, list[Face | None]] = {name: [] for name in methods}
    for index, frame in enumerate(facewarp.read_video(path)):
        if index == most:
            break
        frames.append(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY))
        times.append(frame.time)
        for name, tracker in methods.items():
            there = [face for face in tracker(frame.image, frame.time) if face.state != "lost"]
            faces[name].append(there[0] if there else None)
    for tracker in methods.values():
        tracker.close()
    return Clip(path.name, frames, times, faces)


def tracks_of(clip: Clip, template: Template, length: int) -> list[CornerTracks]:
    """Corners of a clip's skin in successive windows in which all methods follow the face."""
    windows = []
    for first in range(0, len(clip.frames) - length, length if length == WINDOW else length // 2):
        span = slice(first, first + length + 1)
        if any(face is None for faces in clip.faces.values() for face in faces[span]):
            continue
        face = clip.faces["--no-photometric"][first]
        assert face is not None
        skin = skin_of(face, template, clip.frames[first].shape)
        found = corner_tracks(clip.frames, first, length, skin)
        if found is not None:
            windows.append(found)
    return windows


def skin_of(face: Face, template: Template, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Mask of a frame: skin well inside of the face, without eyes, lips and what hides it."""
    labels = template.labels
    inside = cv2.erode((labels > 0).astype(np.uint8), np.ones((13, 13)))
    eyes = np.isin(labels, (FacePart.EYE_LEFT, FacePart.EYE_RIGHT)).astype(np.uint8)
    mouth = (labels == FacePart.MOUTH).astype(np.uint8)
    inside[(cv2.dilate(eyes, np.ones((7, 7))) | cv2.dilate(mouth, np.ones((5, 5)))) > 0] = 0
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    field = upsample_field(face.grid_field)
    mask = cv2.remap(inside * 255, x + field[0], y + field[1], cv2.INTER_NEAREST)
    parts = [cv2.resize(part, (width, height)) for part in face.probabilities]
    seen_eyes = (parts[FacePart.EYE_LEFT] + parts[FacePart.EYE_RIGHT] > 0.3).astype(np.uint8)
    mask[(parts[FacePart.BACKGROUND] > 0.3) | (cv2.dilate(seen_eyes, np.ones((7, 7))) > 0)] = 0
    return np.asarray(
        cv2.warpAffine(mask, face.crop.matrix, shape[::-1], flags=cv2.INTER_NEAREST), np.uint8
    )


# --- slip


def slip_of(tracks: CornerTracks, faces: Sequence[Face | None], template: Template) -> Slip:
    """Slip and drift of a method at the corners of a window."""
    there = [face for face in faces[tracks.first : tracks.first + len(tracks.points)] if face]
    points = tracks.points
    eyes = eye_distance(there[0], template)
    q = [
        inverse_at(to_frame(face), p, to_template(face, p))
        for face, p in zip(there, points, strict=True)
    ]
    paint, mesh, bound = [], [], []
    for (before, after), (p, p_next), q_now in zip(
        pairwise(there), pairwise(points), q[:-1], strict=True
    ):
        mesh.append(length(template_to_frame(after, q_now) - p_next))
        painted = inverse_at(partial(to_template, after), to_template(before, p), p_next)
        paint.append(length(painted - p_next))
        bound.append(length(similar(p, p_next) - p_next))
    drift = 100 * length(template_to_frame(there[-1], q[0]) - points[-1]) / eyes
    moved = [length(similar(points[0], p) - p) / eyes for p in points[1:]]
    return Slip(
        *(np.mean(one, axis=0) for one in (paint, mesh, bound)),
        drift,
        np.max(moved, axis=0),
        regions_of(q[0], template),
    )


def to_template(face: Face, points: Points) -> Points:
    """Frame px to template px, by the field that paint uses."""
    in_crop = face.crop.to_crop(points)
    return in_crop + sample_field(smoothed(face.grid_field, _calm()), in_crop)


@cache
def _calm() -> NDArray[np.float32]:
    return calm_skin(Template.load("average"))


def to_frame(face: Face) -> Callable[[Points], Points]:
    """Template px to frame px, by the field that landmarks use."""
    return partial(template_to_frame, face)


def inverse_at(function: Callable[[Points], Points], goal: Points, start: Points) -> Points:
    """Points that a map takes to ``goal``, by Newton's method."""
    here = start
    for _ in range(6):
        missing = goal - function(here)
        slopes = [(function(here + e) - function(here - e)) / 2 for e in np.eye(2)]
        matrix = np.stack(slopes, axis=-1) + 1e-6 * np.eye(2)
        here = here + np.linalg.solve(matrix, missing[..., None])[..., 0].clip(-6, 6)
    return here


def similar(start: Points, end: Points) -> Points:
    """``start`` after the similarity that takes it closest to ``end``."""
    matrix = fit_similarity(start, end)
    return start @ matrix[:, :2].T + matrix[:, 2]


def length(vectors: Points) -> Points:
    """Euclidean norm along the last axis."""
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def eye_distance(face: Face, template: Template) -> float:
    """Distance of the outer corners of the eyes, frame px."""
    left, right = template_to_frame(face, template.landmarks[[36, 45]])
    return float(np.linalg.norm(right - left))


def regions_of(points: Points, template: Template) -> Points:
    """Region of template points (N, 2), as indices into `REGIONS`."""
    labels = template.labels
    x, y = points.round().astype(int).T
    there = labels[y.clip(0, labels.shape[0] - 1), x.clip(0, labels.shape[1] - 1)]
    region = np.full(len(points), REGIONS.index("rest"))
    region[points[:, 1] > template.landmarks[33, 1] + 6] = REGIONS.index("jaw")
    region[np.isin(there, (FacePart.BROW_LEFT, FacePart.BROW_RIGHT))] = REGIONS.index("brows")
    region[there == FacePart.NOSE] = REGIONS.index("nose")
    return region.astype(np.float64)


def summary(slips: Sequence[Slip]) -> dict[str, Any]:
    """Means over the corners of all windows."""
    paint, mesh, bound, drift, motion, region = (
        np.concatenate([getattr(one, name) for one in slips])
        for name in ("paint", "mesh", "bound", "drift", "motion", "region")
    )
    groups = {"all": motion >= 0, "still": motion < STILL, "expression": motion > EXPRESSION}
    groups |= {name: region == i for i, name in enumerate(REGIONS)}
    values: dict[str, Any] = {
        kind: {
            name: float(what[group].mean()) if group.any() else None
            for name, group in groups.items()
        }
        for kind, what in (("paint", paint), ("mesh", mesh), ("bound", bound))
    }
    values["drift"] = [float(np.median(drift)), float(np.percentile(drift, 90))]
    values["corners"] = len(paint)
    return values


# --- MediaPipe, and clips whose truth is known


def landmarker_slips(
    model: Path, clip: Clip, windows: Sequence[CornerTracks], template: Template
) -> list[Slip]:
    """Slip of MediaPipe's landmarker: its triangles carry the corners."""
    points = follow_landmarks(model, clip.frames, clip.times, without_native_chatter)
    slips = []
    for tracks in windows:
        span = points[tracks.first : tracks.first + len(tracks.points)]
        face = clip.faces["--no-photometric"][tracks.first]
        if face is None or any(one is None for one in span):
            continue
        mesh, drift = triangle_slip(span, tracks.points)
        eyes = eye_distance(face, template)
        moved = [length(similar(tracks.points[0], p) - p) / eyes for p in tracks.points[1:]]
        region = regions_of(to_template(face, tracks.points[0]), template)
        bound = np.mean([length(similar(p, n) - n) for p, n in pairwise(tracks.points)], axis=0)
        slips.append(Slip(mesh, mesh, bound, 100 * drift / eyes, np.max(moved, axis=0), region))
    return slips


def made_rows(model: Model, template: Template) -> dict[str, dict[str, list[float]]]:
    """Slip a frame and error of the skin on made clips, px of the crop, by clip and method."""
    x, y = np.meshgrid(np.arange(66, 200, 6.0), np.arange(80, 228, 6.0))
    skin = np.stack([x.ravel(), y.ravel()], axis=1)
    labels = template.labels[skin[:, 1].astype(int), skin[:, 0].astype(int)]
    skin = skin[np.isin(labels, (FacePart.FACE, FacePart.NOSE))]
    clips = made_clips()
    begun = next(clip for clip in clips if clip.begin)
    free = [tracked(begun.free(), model, name, most=10) for name in MADE]
    at_rest = {n: shown_at(skin, f)[2:].mean(0) for n, f in zip(MADE, free, strict=True)}
    rows: dict[str, dict[str, list[list[float]]]] = {}
    for clip in clips:
        for name in MADE:
            faces = tracked(clip, model, name)
            where = shown_at(skin, faces)
            scale = np.mean([face.crop.scale for face in faces])
            times = (clip.begin + np.arange(len(faces))) / clip.fps
            known = [
                clip.motion.map_points(clip.motion.unmap_points(p, before), after)
                for p, (before, after) in zip(where, pairwise(times), strict=False)
            ]
            rest = at_rest[name] if clip.begin else where[2:10].mean(0)
            truth = np.stack([clip.motion.map_points(rest, time) for time in times])
            slip = length(where[1:] - np.stack(known)).mean() / scale
            errors = length(where - truth).mean(1) / scale
            values = [float(slip), float(errors.mean()), float(errors[-5:].mean())]
            rows.setdefault(clip.name, {}).setdefault(name, []).append(values)
    return {
        clip: {name: np.mean(values, axis=0).tolist() for name, values in methods.items()}
        for clip, methods in rows.items()
    }


def tracked(clip: MadeClip, model: Model, method: str, most: int | None = None) -> list[Face]:
    """Track the face of a made clip by one of the methods of `MADE`."""
    faces = []
    with FaceTracker(model=model, faces=1, smooth=True, **MADE[method]) as tracker:
        for index, frame in enumerate(islice(clip.frames(), most)):
            found = tracker(frame, (clip.begin + index) / clip.fps)
            faces.append(next((face for face in found if face.state != "lost"), found[0]))
    return faces


def shown_at(skin: Points, faces: Sequence[Face]) -> Points:
    """Where points of the template are shown, (T, N, 2) frame px."""
    return np.stack([template_to_frame(face, skin) for face in faces])


def show(rows: dict[str, Any], drifts: dict[str, Any], made: dict[str, Any], title: str) -> None:
    """Print a table of slips, one of drifts and one of made clips."""
    console = Console()
    names = ("all", "still", "expression", *REGIONS)
    table = Table("px a frame", *names, "drift %, median", "90 %", title=title)
    for method, values in rows.items():
        for kind in ("mesh",) if method == "MediaPipe" else ("paint", "mesh"):
            cells = [_cell(values[kind][name]) for name in names]
            table.add_row(f"{method}, {kind}", *cells, *map(_cell, values["drift"]))
    if rows:
        first = next(iter(rows.values()))
        table.add_row("similarity (bound)", *(_cell(first["bound"][name]) for name in names))
        console.print(table, f"{first['corners']} corners")
        two = Table("drift over 2 s, % of the eyes' distance", "median", "90 %")
        for method, values in drifts.items():
            two.add_row(method, *map(_cell, values))
        console.print(two)
    known = Table("made clip", "method", "slip, px of the crop a frame", "error, px", "at the end")
    for name, methods in made.items():
        for method, values in methods.items():
            known.add_row(name, method, *map(_cell, values))
    if made:
        console.print(known)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()

"""Measure how far mouths and eyes open and shut, against annotated points and FaceMesh.

    python benchmarks/face/openings.py --landmarker face_landmarker.task
    python benchmarks/face/openings.py --photos helen/testset

The opening is the distance between the inner lips (points 62 and 66) over that of the outer eye
corners; an eye's height is the mean of its two over its width. With `--landmarker` the clips of
`$FACEWARP_DATA/video` (or those named) are tracked as `facewarp track` does, with the detail
network and without it, beside MediaPipe's FaceMesh in video mode, whose points are kept in
`--cache`. With `--photos` photographs with 68 annotated points are registered one by one. Slope and
correlation are ours over the reference's, of all frames together; FaceMesh is no ground truth.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out
from _landmarker import Landmarker

import facewarp
from facewarp.core.arrays import Points

Values = NDArray[np.float64]
OURS = {
    "corners": (36, 45),
    "lips": (62, 66),
    "eyes": ((36, 39, 37, 41, 38, 40), (42, 45, 43, 47, 44, 46)),
}
MESH = {
    "corners": (33, 263),
    "lips": (13, 14),
    "eyes": ((33, 133, 160, 144, 158, 153), (362, 263, 385, 380, 387, 373)),
}
SHUT_MOUTH, SHUT_EYE = 0.015, 0.12  # of the reference: what counts as shut
OPEN_MOUTH = 0.15


def measured(points: Points, names: dict) -> Values:
    """Return the mouth's opening and both eyes' heights, (3,)."""

    def apart(pair: tuple[int, ...]) -> float:
        return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))

    unit = max(apart(names["corners"]), 1e-6)
    eyes = [
        (apart(eye[2:4]) + apart(eye[4:6])) / 2 / max(apart(eye[:2]), 1e-6) for eye in names["eyes"]
    ]
    return np.array([apart(names["lips"]) / unit, *eyes])


@dataclass
class Compared:
    """What was measured of one clip, or of all photographs.

    Attributes:
        name: of the clip.
        reference: (N, 3) by FaceMesh or by hand.
        found: (N, 3) ours, by setting.
    """

    name: str
    reference: Values
    found: dict[str, Values]


def clips(arguments: argparse.Namespace, settings: dict[str, dict]) -> Iterator[Compared]:
    """Track clips with each setting, beside FaceMesh."""
    folder = Path(os.environ["FACEWARP_DATA"]) / "video"
    paths = [Path(p) for p in arguments.clips] or sorted(folder.glob("*.m*"))
    for path in paths:
        theirs = by_facemesh(path, arguments)
        found: dict[str, Values] = {}
        for setting, options in settings.items():
            rows = np.full((len(theirs), 3), np.nan)
            with facewarp.FaceTracker(
                faces=1,
                smooth=True,
                photometric=True,
                occlusion=False,
                in_pipeline=True,
                **options,
            ) as tracker:
                for i, frame in enumerate(facewarp.read_video(path)):
                    if i >= len(theirs):
                        break
                    faces = [f for f in tracker(frame.image, frame.time) if f.state != "lost"]
                    if faces:
                        rows[i] = measured(faces[0].landmarks, OURS)
            found[setting] = rows
        counts = np.isfinite(theirs).all(1)
        for rows in found.values():
            counts &= np.isfinite(rows).all(1)
        if counts.sum() >= 20:
            yield Compared(
                path.stem, theirs[counts], {name: rows[counts] for name, rows in found.items()}
            )


def by_facemesh(path: Path, arguments: argparse.Namespace) -> Values:
    """FaceMesh's measurements of a clip's frames, (N, 3); NaN where it finds no face."""
    kept = Path(arguments.cache) / f"{path.stem}.npy" if arguments.cache else None
    if kept is not None and kept.is_file():
        return np.load(kept)[: arguments.frames]
    landmarker, rows = Landmarker(arguments.landmarker, video=True), []
    for frame in facewarp.read_video(path):
        if len(rows) >= arguments.frames:
            break
        found = landmarker(frame.image, frame.time)
        rows.append(np.full(3, np.nan) if found is None else measured(found[0], MESH))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, np.array(rows))
    return np.array(rows)


def photographs(folder: Path, settings: dict[str, dict]) -> Compared:
    """Register photographs with annotated points, one by one."""
    from facewarp.training.datasets.helen import read_pts

    true, found = [], {name: [] for name in settings}
    trackers = {
        name: facewarp.FaceTracker(faces=1, **options) for name, options in settings.items()
    }
    for path in sorted(folder.glob("*.pts")):
        picture = next(path.parent.glob(f"{path.stem}.[jp][pn]*g"))
        image = np.ascontiguousarray(cv2.imread(str(picture))[..., ::-1])
        points = read_pts(path)
        rows = {}
        for name, tracker in trackers.items():
            tracker.reset()
            faces = tracker(image, 0.0)
            near = [f for f in faces if np.linalg.norm(f.landmarks - points, axis=1).mean() < 20]
            if near:
                rows[name] = measured(near[0].landmarks, OURS)
        if len(rows) == len(settings):
            true.append(measured(points, OURS))
            for name, row in rows.items():
                found[name].append(row)
    for tracker in trackers.values():
        tracker.close()
    return Compared("photographs", np.array(true), {n: np.array(v) for n, v in found.items()})


def fitted(true: Values, found: Values) -> tuple[float, float]:
    """Slope and correlation of values over the reference's."""
    slope = float(np.polyfit(true, found, 1)[0])
    return slope, float(np.corrcoef(true, found)[0, 1])


def report(every: list[Compared], settings: dict[str, dict]) -> None:
    """Print a table of all clips together, and one of each clip's correlations."""
    reference = np.concatenate([one.reference for one in every])
    mouth, eyes = reference[:, 0], reference[:, 1:].ravel()
    shut, wide, closed = mouth < SHUT_MOUTH, mouth > OPEN_MOUTH, eyes < SHUT_EYE
    print(
        f"{len(reference)} frames; {shut.sum()} with a shut mouth, "
        f"{wide.sum()} with an open one, {closed.sum()} shut eyes"
    )
    print("\n| | mouth: slope | r | shut | open (reference) | eyes: slope | r | shut (reference) "
          "| open (reference) |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name in settings:
        found = np.concatenate([one.found[name] for one in every])
        ours, lids = found[:, 0], found[:, 1:].ravel()
        slope, r = fitted(mouth, ours)
        eye_slope, eye_r = fitted(eyes, lids)
        print(f"| {name} | {slope:.2f} | {r:.3f} | {middle(ours[shut])} | "
              f"{middle(ours[wide])} ({middle(mouth[wide])}) | {eye_slope:.2f} | {eye_r:.3f} | "
              f"{middle(lids[closed])} ({middle(eyes[closed])}) | "
              f"{middle(lids[eyes > 0.25])} ({middle(eyes[eyes > 0.25])}) |")  # fmt: skip
    if len(every) < 2:
        return
    print(
        "\n| clip | " + " | ".join(f"{n}: mouth range, r | lids range, r" for n in settings) + " |"
    )
    print("|---|" + "---|---|" * len(settings))
    columns: list[list[tuple[float, float] | None]] = []
    for one in every:
        row = []
        for name in settings:
            found = one.found[name]
            row.append(ranged(one.reference[:, 0], found[:, 0], 0.03))
            row.append(ranged(one.reference[:, 1:].mean(1), found[:, 1:].mean(1), 0.08))
        columns.append(row)
        print("| " + " | ".join([one.name, *map(told, row)]) + " |")
    medians = [
        tuple(np.median([pair for pair in column if pair is not None], axis=0).tolist())
        for column in zip(*columns, strict=True)
    ]
    print("| median | " + " | ".join(map(told, medians)) + " |")


def told(pair: tuple[float, ...] | None) -> str:
    """Return a ratio and a correlation, as text."""
    return "–" if pair is None else f"{pair[0]:.2f}, {pair[1]:.3f}"


def ranged(true: Values, found: Values, least: float) -> tuple[float, float] | None:
    """Ratio of how far values move, and their correlation; None where the reference is still."""
    spread = [float(np.ptp(np.percentile(v, (2, 98)))) for v in (true, found)]
    if spread[0] < least:
        return None
    return spread[1] / spread[0], float(np.corrcoef(true, found)[0, 1])


def middle(values: Values) -> str:
    """Return the median, as text."""
    return f"{np.median(values):.3f}" if len(values) else "–"


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", help="clips; $FACEWARP_DATA/video if none")
    parser.add_argument("--landmarker", help="face_landmarker.task")
    parser.add_argument("--photos", type=Path, help="a folder of NAME.jpg and NAME.pts")
    parser.add_argument("--cache", help="folder for FaceMesh's measurements")
    parser.add_argument("--frames", type=int, default=360, help="frames of a clip at most")
    parser.add_argument("--settings", nargs="+", default=["without", "with"])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    choices = {"without": {"details": False}, "with": {}}
    settings = {name: choices[name] for name in arguments.settings}
    weights = Path(facewarp.__file__).parent / "assets" / "weights" / "face" / "details.safetensors"
    if weights.is_file():
        print(f"detail network {hashlib.sha256(weights.read_bytes()).hexdigest()[:8]}")
    if arguments.photos:
        report([photographs(arguments.photos, settings)], settings)
    if arguments.landmarker:
        report(list(clips(arguments, settings)), settings)


if __name__ == "__main__":
    main()

"""Compare expression values with MediaPipe's, and fit what they are computed from.

    python benchmarks/face/expressions.py --landmarker face_landmarker.task
    python benchmarks/face/expressions.py mesh --landmarker ... --photos helen/trainset celebamask
    python benchmarks/face/expressions.py fit  --landmarker ... --photos helen/trainset celebamask
    python benchmarks/face/expressions.py scale --landmarker ...
    python benchmarks/face/expressions.py fit --values brow --every 2 --landmarker ... --photos ...

Without a word, clips of `$FACEWARP_DATA/video` are tracked and each value's rank correlation with
MediaPipe's blendshape of the same name is printed, frame by frame within a clip; clips in which
MediaPipe's own value moves less than `--least` say nothing and are left out. `mesh` measures where
the vertices of MediaPipe's face mesh lie in the average template, `fit` fits the weights of the
values; both write to assets/head, from photographs alone. `scale` then stretches each value to move
as far as MediaPipe's on the clips, which changes no rank. With `--values` only those are fitted
that begin so. `--as-tracked` compares what `facewarp track` writes, whose faces are smoothed and
held to the skin, in place of faces as registered; `--part` takes every other clip alone, so that
what is chosen on one part can be reported on the other. The landmarker is Google's
`face_landmarker.task` (Apache-2.0); it is not part of facewarp, and MediaPipe's Python package runs
it here and nowhere else.
"""

import argparse
import hashlib
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out
from _landmarker import Landmarker

import facewarp
from facewarp.face.crop_fields import sample_field
from facewarp.face.expressions.arkit import BY_GAZE, EXPRESSIONS, UNSEEN, ExpressionModel
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.expressions.measures import NAMES, FaceMeasure, mirrored
from facewarp.face.expressions.pose import Camera, PoseSolver, landmark_positions
from facewarp.face.template.template import Template

HEAD = Path(__file__).parents[2] / "assets" / "head"
GROUPS = {
    "jaw": ("jawOpen",),
    "blinks": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "brows": (
        "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight",
    ),
}  # fmt: skip
RIDGE = 0.1  # of the measurements' variance
BROW_RIDGE = 0.2
MOST_GAIN = 2.5


def photographs(
    folders: list[str], landmarker: Landmarker, every: int
) -> Iterator[tuple[Any, ...]]:
    """Yield image, tracked face, points, values and rotation of every photograph with a face."""
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.jpg"))[::every]
    with facewarp.FaceTracker(faces=1, smooth=False) as tracker:
        for path in paths:
            image = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
            found = landmarker(image)
            tracker.reset()
            faces = [face for face in tracker(image, 0.0) if face.state == "tracking"]
            if found is None or not faces:
                continue
            yield image, faces[0], *found


def measure_mesh(arguments: argparse.Namespace) -> None:
    """Measure where MediaPipe's vertices lie in the average template; write assets/head."""
    vertices, triangles = canonical_mesh(arguments.landmarker)
    template, places = Template.load("average"), []
    landmarker = Landmarker(arguments.landmarker, video=False)
    for _, face, points, _, rotation in photographs(arguments.photos, landmarker, arguments.every):
        yaw = np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2]))
        if abs(yaw) < 12 and face.confidence > 0.7:
            inside = face.crop.to_crop(points[:468])
            places.append(inside + sample_field(face.grid_field, inside))
    found = np.array(places)
    mirror = [
        int(np.square(vertices[:, :3] * (-1, 1, 1) - v).sum(1).argmin()) for v in vertices[:, :3]
    ]
    axis = template.landmarks[27:31, 0].mean()
    median = np.median(found, axis=0)
    flipped = np.column_stack([2 * axis - median[mirror, 0], median[mirror, 1]])
    median = (median + flipped) / 2
    spread = np.median(np.linalg.norm(found - median, axis=-1), axis=0)
    halves = [np.median(found[part::2], axis=0) for part in (0, 1)]
    eyes = float(np.linalg.norm(np.subtract(*template.landmarks[[36, 45]])))
    np.savez_compressed(
        HEAD / "face_mesh.npz",
        points=median,
        uv=vertices[:, 3:].astype(np.float64),
        xyz=vertices[:, :3].astype(np.float64),
        triangles=triangles.astype(np.int32),
        spread_px=spread,
    )
    print(f"{len(found)} photographs; outer eye corners {eyes:.1f} px apart")
    print(f"a vertex's place on one face: median {np.median(spread):.2f} px off, 90 % "
          f"{np.percentile(spread, 90):.2f}, worst {spread.max():.2f}")  # fmt: skip
    apart = np.linalg.norm(np.subtract(*halves), axis=-1)
    print(
        f"halves of the photographs differ by {np.median(apart):.2f} px, at most {apart.max():.2f}"
    )


def fit(arguments: argparse.Namespace) -> None:
    """Fit the values' weights to MediaPipe's on photographs; write assets/head.

    Ridge regression, each value from the measurements of its own part of the face. Photographs
    hardly show winks and crooked smiles; half of each face, joined with half of the mean one, tells
    the sides apart. Most photographs show brows at rest, so that a few raised ones would decide:
    brows are fitted to normal scores, the ranks of MediaPipe's values on a bell curve.
    """
    x, y = measured_photographs(arguments)
    count = len(x)
    swap = [EXPRESSIONS.index(other_side(name)) for name in EXPRESSIONS]
    x, y = np.concatenate([x, mirrored(x)]), np.concatenate([y, y[:, swap]])
    mean, base = x.mean(0), y.mean(0)
    target = np.where(np.char.startswith(EXPRESSIONS, "brow"), normal_scores(y), y)
    whole = x - mean, target - target.mean(0)
    halves = [
        (whole[0] * share_of(NAMES, side), whole[1] * share_of(EXPRESSIONS, side))
        for side in ("left", "right")
    ]
    z, wanted = (np.concatenate([part[k] for part in (whole, *halves)]) for k in (0, 1))
    scale = whole[0].std(0)
    z = z / scale
    weights = np.zeros((len(EXPRESSIONS), len(NAMES)))
    for row_, name in enumerate(EXPRESSIONS):
        used = uses(name)
        own = z[:, used]
        ridge = BROW_RIDGE if name.startswith("brow") else RIDGE
        gram = own.T @ own / len(own) + ridge * np.eye(own.shape[1])
        fitted = np.linalg.solve(gram, own.T @ wanted[:, row_] / len(own))
        weights[row_, used] = fitted / scale[used]
    told = whole[0] @ weights.T
    gain = np.minimum(y.std(0) / np.maximum(told.std(0), 1e-9), MOST_GAIN)
    still = np.isin(EXPRESSIONS, [*UNSEEN, *BY_GAZE]) | (y.std(0) < 1e-3)
    weights = np.where(still, 0, gain)[:, None] * weights
    base = np.where(still, 0, base)
    if arguments.values:
        kept = ExpressionModel.load()
        others = ~np.char.startswith(EXPRESSIONS, arguments.values)
        base = base + weights @ (kept.mean - mean)
        weights = np.where(others[:, None], kept.weights, weights)
        base, mean = np.where(others, kept.base, base), kept.mean
    np.savez_compressed(
        HEAD / "expressions.npz",
        weights=weights.astype(np.float32),
        base=base.astype(np.float32),
        mean=mean.astype(np.float32),
        names=np.array(EXPRESSIONS),
        measures=np.array(NAMES),
    )
    print(f"{count} photographs, each also mirrored and halved; no weights: "
          f"{', '.join(np.array(EXPRESSIONS)[still])}")  # fmt: skip


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Map each column of values (N, K) to a normal distribution by its ranks."""
    from scipy.stats import norm, rankdata

    return np.asarray(norm.ppf((rankdata(values, axis=0) - 0.5) / len(values)))


def measured_photographs(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return measurements (N, M) and MediaPipe's values (N, 52), from --cache where it is there."""
    if arguments.cache and Path(arguments.cache).is_file():
        with np.load(arguments.cache) as kept:
            return kept["x"], kept["y"]
    template = Template.load("average")
    solver, measure = PoseSolver(template), FaceMeasure(template)
    measured, wanted = [], []
    landmarker = Landmarker(arguments.landmarker, video=False)
    for image, face, _, values, _ in photographs(arguments.photos, landmarker, arguments.every):
        camera = Camera((image.shape[1], image.shape[0]))
        pose = solver.solve(face, camera)
        if pose is not None:
            measured.append(measure(face, pose, camera))
            wanted.append([values.get(name, 0.0) for name in EXPRESSIONS])
    x, y = np.array(measured), np.array(wanted)
    if arguments.cache:
        np.savez(arguments.cache, x=x, y=y)
    return x, y


def side_of(name: str) -> str | None:
    """Return the subject's side, left or right, that a measurement or value is of; None for both.

    Parts are called after the image's sides.
    """
    if name[1:].isdigit():
        place = landmark_positions()[int(name[1:]), 0]
        return None if abs(place) < 0.3 else ("left" if place > 0 else "right")
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return None
    if name.endswith(("Left", "Right")):
        return "left" if name.endswith("Left") else "right"
    return {"left": "right", "right": "left"}.get(name.rpartition("_")[2])


def share_of(names: tuple[str, ...], side: str) -> np.ndarray:
    """Return how much of each measurement or value a half face shows: all, half or nothing."""
    return np.array([{None: 0.5, side: 1.0}.get(side_of(name), 0.0) for name in names])


def uses(name: str) -> np.ndarray:
    """Return the indices of the measurements that a value is computed from."""
    side = side_of(name)

    def own(points: range) -> list[int]:
        return [p for p in points if side is None or side_of(f"x{p}") in (side, None)]

    if name.startswith(("eye", "brow")):
        points, parts = [*own(range(17, 28)), *own(range(36, 48))], ("eye", "brow")
        if name.startswith("brow"):
            points += range(28, 36)
    else:
        points, parts = [*range(2, 15), *range(27, 36), *range(48, 68)], ("mouth",)
    return np.array(
        [
            index
            for index, measure in enumerate(NAMES)
            if (measure[1:].isdigit() and int(measure[1:]) in points)
            or (
                any(f"_{part}" in measure for part in parts)
                and (side is None or side_of(measure) in (side, None))
            )
        ]
    )


def other_side(name: str) -> str:
    """Return the name of a value in the mirrored face."""
    return name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")


def scale(arguments: argparse.Namespace) -> None:
    """Stretch each value's weights so that it moves as far as MediaPipe's on clips.

    The field follows an eye that shuts, or a jaw, less than all the way; ranks are the same. Brows
    are left alone: fitted to normal scores they move far enough, and further they end at 0 and 1.
    """
    ratios: dict[str, list[float]] = {}
    for _, x, y in measured_clips(arguments):
        told = np.array([ExpressionModel.load().values(one, None) for one in x])
        for index, name in enumerate(EXPRESSIONS):
            ours, theirs = (np.ptp(np.percentile(v[:, index], (3, 97))) for v in (told, y))
            if theirs >= arguments.least and name not in BY_GAZE | UNSEEN and ours > 0.02:
                pair = name.replace("Left", "").replace("Right", "")
                ratios.setdefault(pair, []).append(float(theirs / ours))
    path = HEAD / "expressions.npz"
    with np.load(path) as kept:
        arrays = dict(kept)
    for index, name in enumerate(EXPRESSIONS):
        pair = name.replace("Left", "").replace("Right", "")
        if len(ratios.get(pair, ())) >= 2 and not name.startswith("brow"):
            factor = float(np.clip(np.median(ratios[pair]), 1.0, MOST_GAIN))
            arrays["weights"][index] *= factor
            print(f"{name} x {factor:.2f}")
    np.savez_compressed(path, **arrays)


def measured_clips(arguments: argparse.Namespace) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, measurements (N, M) and MediaPipe's values (N, 52) of every clip."""
    if arguments.cache and Path(arguments.cache).is_file():
        with np.load(arguments.cache) as kept:
            clips, x, y = kept["c"], kept["X"], kept["Y"]
        for name in np.unique(clips):
            yield str(name), x[clips == name], y[clips == name]
        return
    for path in sorted((Path(os.environ["FACEWARP_DATA"]) / "video").glob("*.m*")):
        landmarker, x, y = Landmarker(arguments.landmarker, video=True), [], []
        with facewarp.FaceTracker(faces=1, in_pipeline=True) as tracker:
            solver, measure = PoseSolver(tracker.template), FaceMeasure(tracker.template)
            for frame in facewarp.read_video(path):
                if len(x) >= arguments.frames:
                    break
                camera = Camera(frame.image.shape[1::-1])
                found = landmarker(frame.image, frame.time)
                faces = [f for f in tracker(frame.image, frame.time) if f.state != "lost"]
                pose = solver.solve(faces[0], camera) if faces else None
                if found is not None and pose is not None:
                    x.append(measure(faces[0], pose, camera))
                    y.append([found[1].get(name, 0.0) for name in EXPRESSIONS])
        if len(x) >= 20:
            yield path.stem, np.array(x), np.array(y)


def compare(arguments: argparse.Namespace) -> None:
    """Print rank correlations with MediaPipe's values on clips."""
    from scipy.stats import spearmanr

    folder = Path(os.environ["FACEWARP_DATA"]) / "video"
    correlations: dict[str, list[tuple[str, float]]] = {name: [] for name in EXPRESSIONS}
    turned = []
    frames = 0
    begin, step = {"all": (0, 1), "even": (0, 2), "odd": (1, 2)}[arguments.part]
    for path in sorted(folder.glob("*.m*"))[begin::step]:
        ours, theirs, angles = follow(path, arguments)
        frames += len(ours)
        if len(ours) < 20:
            continue
        for index, name in enumerate(EXPRESSIONS):
            low, high = np.percentile(theirs[:, index], (3, 97))
            if high - low >= arguments.least and np.ptp(ours[:, index]) > 0:
                rank = spearmanr(ours[:, index], theirs[:, index])[0]
                correlations[name].append((path.stem, float(rank)))
        off = angles[0] - angles[1]
        turned.append(np.median(np.abs(off - np.median(off, axis=0)), axis=0))
    model = hashlib.sha256((HEAD / "expressions.npz").read_bytes()).hexdigest()[:8]
    print(f"{frames} frames; clips where MediaPipe's value moves by {arguments.least} or more; "
          f"weights of the values {model}")  # fmt: skip
    print("\n| | clips | mean | median | worst |\n|---|---|---|---|---|")
    for group, names in GROUPS.items():
        row(group, [rank for name in names for _, rank in correlations[name]])
    print("\n| value | clips | mean | median | worst |\n|---|---|---|---|---|")
    for name in EXPRESSIONS:
        row(name, [rank for _, rank in correlations[name]])
    pitch, yaw, roll = np.median(turned, axis=0)
    print(f"\nhead, median difference from MediaPipe's about the clip's own: pitch {pitch:.1f}, "
          f"yaw {yaw:.1f}, roll {roll:.1f} degrees")  # fmt: skip


def follow(path: Path, arguments: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Return our values and MediaPipe's (N, 52), and both heads' angles (2, N, 3), of a clip."""
    landmarker = Landmarker(arguments.landmarker, video=True)
    ours, theirs, angles = [], [], []
    steady = arguments.as_tracked
    with facewarp.FaceTracker(
        faces=1, in_pipeline=True, smooth=steady, photometric=steady, occlusion=False
    ) as tracker:
        expressions = ExpressionTracker(tracker.template)
        for frame in facewarp.read_video(path):
            if len(ours) >= arguments.frames:
                break
            found = landmarker(frame.image, frame.time)
            told = expressions(frame.image, tracker(frame.image, frame.time), frame.time)
            if found is None or not told:
                continue
            _, values, m = found
            ours.append(told[0].values)
            theirs.append([values.get(name, 0.0) for name in EXPRESSIONS])
            theirs_deg = np.degrees(
                [np.arcsin(-m[1, 2]), np.arctan2(m[0, 2], m[2, 2]), np.arctan2(m[1, 0], m[1, 1])]
            )
            angles.append((told[0].pose.angles_deg, theirs_deg))
    return np.array(ours), np.array(theirs), np.array(angles).transpose(1, 0, 2) if angles else None


def row(name: str, ranks: list[float]) -> None:
    """Print a line of a table."""
    if ranks:
        print(f"| {name} | {len(ranks)} | {np.mean(ranks):.2f} | {np.median(ranks):.2f} "
              f"| {min(ranks):.2f} |")  # fmt: skip
    else:
        print(f"| {name} | 0 | – | – | – |")


def canonical_mesh(landmarker: str) -> tuple[np.ndarray, np.ndarray]:
    """Read MediaPipe's canonical face out of a landmarker: (468, 5) x y z u v, and triangles."""
    with zipfile.ZipFile(landmarker) as bundle:
        data = bundle.read("geometry_pipeline_metadata_landmarks.binarypb")
    (mesh,) = (value for number, value in fields(data) if number == 1)
    inside = list(fields(mesh))
    numbers = np.frombuffer(b"".join(value for field, value in inside if field == 3), "<f4")
    corners = np.array([value for field, value in inside if field == 4])
    return numbers.reshape(-1, 5), corners.reshape(-1, 3)


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield field numbers and values of a protocol buffer message."""

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    at = 0
    while at < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or number()
        yield key >> 3, data[at : at + size]
        at += size


def main() -> None:
    """Parse the arguments and do what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "what", nargs="?", default="compare", choices=("compare", "mesh", "fit", "scale")
    )
    parser.add_argument("--landmarker", required=True, help="face_landmarker.task")
    parser.add_argument("--photos", nargs="+", default=[], help="folders of photographs")
    parser.add_argument("--cache", help="keep what `fit` measures in this .npz file")
    parser.add_argument("--every", type=int, default=1, help="take every nth photograph")
    parser.add_argument("--frames", type=int, default=360, help="frames of a clip at most")
    parser.add_argument("--values", default="", help="fit those that begin so alone")
    parser.add_argument("--as-tracked", action="store_true", help="smooth faces as `track` does")
    parser.add_argument("--part", choices=("all", "even", "odd"), default="all", help="which clips")
    parser.add_argument("--least", type=float, default=0.2, help="least motion of a value")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    HEAD.mkdir(exist_ok=True)
    {"compare": compare, "mesh": measure_mesh, "fit": fit, "scale": scale}[arguments.what](
        arguments
    )


if __name__ == "__main__":
    main()

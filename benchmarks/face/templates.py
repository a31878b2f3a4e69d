"""Own template against the average: error on the demo's known motion, and confidence.

    python benchmarks/face/templates.py [VIDEO...]

On the demo clip the own template is built of the portrait that the clip was made from, which is the
best that an own template can be. On further clips it is built of the frame seen best among the
first hundred, and what is compared is confidence and jitter: the mean absolute second difference of
the landmarks, in px of the crop, without smoothing. It counts true movement too, which is the same
for both.
"""

import argparse
import platform
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from facewarp import FaceTracker, Template, load, read_video
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.template_building.from_photo import OwnFace, find_face
from facewarp.face.tracking.registration import FaceRegistrar, crop_around
from facewarp.face.tracking.track import TrackerConfig
from facewarp.training.synthetic.known_motion import load_motion
from facewarp.training.synthetic.tracking_error import TrackedPoints, point_error

DEMO = Path(str(resources.files("facewarp.assets"))) / "demo"
LIMIT = 200
SEEN = 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path, metavar="VIDEO", help="further clips")
    clips = parser.parse_args().clips
    model = load("face")
    print(f"{platform.processor() or platform.machine()}, weights {str(model.sha256)[:8]}")
    print(f"{'clip':28} {'template':8} {'frames':>6} {'confidence':>10} {'jitter':>7} {'error':>7}")
    portrait = next(iter(read_video(DEMO / "portrait.png"))).image
    for path in [DEMO / "astronaut.mp4", *clips]:
        is_demo = path.parent == DEMO
        try:
            own = own_template(model, [portrait] if is_demo else first_frames(path))
        except FacewarpError as error:
            print(f"{path.name:28} {error}")
            continue
        for name, template in (("average", Template.load("average")), ("own", own)):
            row = follow(model, template, path, is_demo)
            error = "" if row["error"] is None else f"{row['error']:7.2f}"
            print(
                f"{path.name:28} {name:8} {row['frames']:6} {row['confidence']:10.3f} "
                f"{row['jitter']:7.2f} {error}"
            )


def first_frames(path: Path) -> list[np.ndarray]:
    """Every tenth of the first frames."""
    images = []
    for frame in read_video(path):
        if frame.index >= SEEN:
            break
        if frame.index % 10 == 0:
            images.append(frame.image)
    return images


def own_template(model: Model, pictures: list[np.ndarray]) -> Template:
    """Build a template of the face in the image of the highest confidence."""
    fitter = FaceRegistrar("average", model, "cpu", TrackerConfig().sure)
    best: OwnFace | None = None
    for picture in pictures:
        try:
            face = OwnFace.taken("own", picture, find_face(picture), fitter)
        except FacewarpError:
            continue
        if best is None or face.confidence > best.confidence:
            best = face
    if best is None:
        raise FacewarpError("no frame makes a template")
    return best.template


def follow(model: Model, template: Template, path: Path, is_demo: bool) -> dict[str, Any]:
    """Track a clip's first face with a template."""
    tracked, confidences, crops = [], [], []
    points: list[np.ndarray | None] = []
    with FaceTracker(template, model, faces=1) as tracker:
        for frame in read_video(path):
            if not is_demo and frame.index >= LIMIT:
                break
            faces = [face for face in tracker(frame.image, frame.time) if face.state != "lost"]
            if not faces:
                points.append(None)
                tracked.append(TrackedPoints(frame.time, None, 1.0))
                continue
            face = faces[0]
            points.append(face.landmarks)
            crops.append(crop_around(face.landmarks).scale)
            confidences.append(face.confidence)
            tracked.append(TrackedPoints(frame.time, face.landmarks, face.crop.scale))
    triples = [
        np.abs(a - 2 * b + c).mean()
        for a, b, c in zip(points, points[1:], points[2:], strict=False)
        if a is not None and b is not None and c is not None
    ]
    error = None
    if is_demo:
        error = point_error(load_motion(DEMO / "motion.json"), tracked).mean_px
    return {
        "frames": len(confidences),
        "confidence": float(np.mean(confidences)) if confidences else float("nan"),
        "jitter": float(np.mean(triples)) / float(np.mean(crops)) if triples else float("nan"),
        "error": error,
    }


if __name__ == "__main__":
    main()

"""How much the matte of what hides a face changes from frame to frame of clips.

    python benchmarks/face/matte_changes.py CLIP ... [--model MODEL] [--engine NAME] [--frames N]

Each clip's first face is followed without any matte, so that all networks see the same crops.
Mattes are held steady as a tracker does, and compared point by point of the template: mean absolute
change, and the mean share of the face that is called hidden, in percent of the face.
"""

import argparse
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model, load
from facewarp.errors import FacewarpError
from facewarp.face.crop_fields import GRID_SHAPE
from facewarp.face.occlusion.network import OCCLUSION, OcclusionNetwork
from facewarp.face.occlusion.steady import SteadyMatte, seen_of_template
from facewarp.face.parts import FacePart
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Frame
from facewarp.media.sources import read_video


def changes(model: Model, frames: Iterable[Frame]) -> tuple[int, float, float] | None:
    """Measure a clip.

    Args:
        model: an occlusion network.
        frames: of the clip.

    Returns:
        How many frames show a face, mean change and mean share hidden in percent; None where no
        face is followed from one frame to the next.
    """
    network, changed, hidden = OcclusionNetwork(model), [], []
    with FaceTracker(faces=1, occlusion=False) as tracker:
        steady = SteadyMatte(tracker.template, tracker.config.sure)
        face = 1 - np.asarray(tracker.template.probabilities[FacePart.BACKGROUND], np.float32)
        weight = cv2.resize(face, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA)
        before: NDArray[np.float32] | None = None
        for frame in frames:
            found = tracker(frame.image, frame.time)
            if not found:
                before = None
                continue
            seen = seen_of_template(steady(network(frame.image, found)[0], frame.time))
            hidden.append(float(np.average(1 - seen, weights=weight)))
            if before is not None:
                changed.append(float(np.average(np.abs(seen - before), weights=weight)))
            before = seen
    if not changed:
        return None
    return len(hidden), 100 * float(np.mean(changed)), 100 * float(np.mean(hidden))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+", help="videos of a face")
    parser.add_argument("--model", default=OCCLUSION, help="a shipped name or a weights file")
    parser.add_argument("--engine", default="openvino-int8", help="what runs the network")
    parser.add_argument("--frames", type=int, default=70, help="of each clip, at most")
    given = parser.parse_args()
    means = []
    try:
        model = load(given.model, engine=given.engine)
        print(f"{given.model} {(model.sha256 or '')[:8]}, {given.engine}; percent of the face")
        for clip in given.clips:
            found = changes(model, islice(read_video(clip), given.frames))
            if found is None:
                print(f"{clip.name}: no face is followed")
                continue
            means.append(found[1])
            print(f"{clip.name}: {found[0]} frames, change {found[1]:.2f}, hidden {found[2]:.2f}")
    except FacewarpError as error:
        sys.exit(f"error: {error}")
    if means:
        print(f"mean change of {len(means)}: {np.mean(means):.3f}")


if __name__ == "__main__":
    main()

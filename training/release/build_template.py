"""Build the shipped average face by groupwise registration of the training photographs.

    python -m facewarp.training.release.build_template --data DIR --out assets/templates/average.npz

DIR holds ``trainset/`` and ``afw/`` (NAME.jpg with NAME.pts). Each photograph is levelled by its
eyes, cropped by its landmarks and averaged together with its mirror image.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import load
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.parts import FacePart, mirrored_points
from facewarp.face.template.template import Template
from facewarp.face.template_building.groupwise import Member, average_face
from facewarp.training.datasets.helen import load_helen
from facewarp.training.datasets.landmark_masks import part_masks
from facewarp.training.datasets.photo import FacePhoto

MARGIN = 2.0  # the crop's height in sides of the square around the landmarks, as in tracking

log = logging.getLogger(__name__)


def member_of(photo: FacePhoto) -> Member:
    """Crop a photograph with landmarks, levelled, as the tracker crops faces."""
    assert photo.landmarks is not None
    crop = Crop.around_points(photo.landmarks, margin=MARGIN)
    landmarks = crop.to_crop(photo.landmarks)
    return Member(
        image=crop.extract(photo.image),
        color=crop.extract(photo.color()),
        labels=part_masks(landmarks, CROP_SHAPE),
        landmarks=landmarks,
    )


def first_shape(members: Sequence[Member]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return soft part labels of the mirror-symmetric mean of the landmarks, and that mean."""
    points = [member.landmarks for member in members if member.landmarks is not None]
    mean = np.mean(points, axis=0)
    mean = (mean + mirrored_points(mean, CROP_SHAPE[1])) / 2
    labels = part_masks(mean, CROP_SHAPE)
    onehot = (labels[None] == np.arange(len(FacePart))[:, None, None]).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(part, (0, 0), 1.0) for part in onehot])
    return soft / soft.sum(0, keepdims=True), mean


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the template and save it."""
    parser = argparse.ArgumentParser(prog="python -m facewarp.training.release.build_template")
    parser.add_argument("--data", type=Path, required=True, help="folder with trainset/ and afw/")
    parser.add_argument("--out", type=Path, required=True, help="template to write, .npz")
    parser.add_argument("--model", default="face", help="model name or weights file")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=int, default=None, help="use only so many photographs")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    photos = [p for part in ("trainset", "afw") for p in load_helen(options.data / part)]
    photos = photos[: options.limit]
    members = [member_of(photo) for photo in photos]
    start, _ = first_shape(members)
    model = load(options.model)
    average = average_face(model, members, start, options.rounds)
    for number, drift in enumerate(average.drift_px, start=1):
        log.info("round %d: the shape was %.3f px from the mean shape", number, drift)
    origin = {
        "method": "groupwise registration of photographs and their mirror images",
        "photographs": len(members),
        "rounds": options.rounds,
        "drift_px": [round(value, 4) for value in average.drift_px],
        "weights_sha256": model.sha256,
        "command": "python -m facewarp.training.release.build_template",
    }
    template = Template.of_parts(
        options.out.stem,
        average.color,
        average.image,
        average.probabilities,
        average.landmarks,
        origin,
    )
    template.save(options.out)
    log.info("wrote %s", options.out)


if __name__ == "__main__":
    main()

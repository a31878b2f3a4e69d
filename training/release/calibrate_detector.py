"""Calibrate the map from the face detector's box and keypoints to the square of 68 landmarks.

``python -m facewarp.training.release.calibrate_detector TRAIN_FOLDER... --test FOLDER`` prints the
coefficients that ``facewarp.face.detector`` holds. Folders hold NAME.jpg with NAME.pts.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import bounding_square
from facewarp.face.detector import Detection, FaceDetector
from facewarp.face.similarity import rotation
from facewarp.training.datasets.helen import list_images, read_pts


def detected(folders: Iterable[str | Path]) -> Iterator[tuple[Detection, NDArray[np.float64]]]:
    """Detect the face in each photograph, with its landmarks (68, 2); leave out undetected ones."""
    with FaceDetector() as detector:
        for folder in folders:
            for path in list_images(Path(folder)):
                landmarks = read_pts(path.with_suffix(".pts"))
                center, side = bounding_square(landmarks)
                image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
                for found in detector.detect(image, thorough=None):
                    if np.linalg.norm(found.center - center) < side / 3:
                        yield found, landmarks
                        break


def calibrate(pairs: Iterable[tuple[Detection, NDArray[np.float64]]]) -> list[NDArray[np.float64]]:
    """Fit weights of ``Detection.square_features`` for the square's x (5), y and side (7 each)."""
    sideways, upright, targets = [], [], []
    for found, landmarks in pairs:
        center, side = bounding_square(landmarks, found.roll)
        x, y = (center - found.center) @ rotation(found.roll) / found.side
        mirrored_sign, unchanged = found.square_features()
        sideways.append(mirrored_sign)
        upright.append(unchanged)
        targets.append((x, y, side / found.side))
    x, y, sides = np.array(targets).T
    return [_ridge(sideways, x), _ridge(upright, y), _ridge(upright, sides)]


def _ridge(features: list[NDArray[np.float64]], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve ridge regression: the keypoints of a face are highly correlated."""
    system = np.array(features)
    damping = 1e-5 * len(system) * np.eye(system.shape[1])
    weights = np.linalg.solve(system.T @ system + damping, system.T @ target)
    return np.asarray(weights, dtype=np.float64)


def errors(pairs: Iterable[tuple[Detection, NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Return errors (N, 2), shares of the true side: distance of centers, difference of sides."""
    rows = []
    for found, landmarks in pairs:
        center, side = bounding_square(landmarks, found.roll)
        guess, guessed_side = found.square()
        rows.append((np.linalg.norm(guess - center) / side, abs(guessed_side / side - 1)))
    return np.array(rows)


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--test", type=Path, required=True)
    arguments = parser.parse_args()
    for name, weights in zip(
        ("x", "y", "side"), calibrate(detected(arguments.folders)), strict=True
    ):
        sys.stdout.write(f"{name}: {np.array2string(weights, precision=4, separator=', ')}\n")
    measured = errors(detected([arguments.test])) * 100
    for name, column in zip(("center", "side"), measured.T, strict=True):
        median, worst = np.percentile(column, [50, 95])
        sys.stdout.write(f"{name}: median {median:.1f} %, 95th percentile {worst:.1f} %\n")
    sys.stdout.write(f"faces: {len(measured)} (with the coefficients in the detector's code)\n")


if __name__ == "__main__":
    main()

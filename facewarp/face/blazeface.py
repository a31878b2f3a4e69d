"""BlazeFace on small pictures: the network, its anchors and non-maximum suppression.

BlazeFace (Bazarevsky et al., 2019, arXiv:1907.05047), the short-range model, sees a square of
128 x 128 px and finds the faces that fill about a sixth of it or more. MediaPipe made it and its
own pipeline is the reference (`mediapipe_blazeface`); here the same file runs on what is installed
anyway, OpenVINO or else OpenCV, and gives the same boxes.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError

Floats = NDArray[np.float32]

MODEL: Final = "detector/face_detection_short_range.tflite"
SIZE: Final = 128
"""Side of the pictures that the network sees, px."""
WINDOW: Final = 2 * SIZE
"""Side of the windows that sightings count in, px: the network sees every other one of these."""

_SAME: Final = 0.3  # intersection over union from which two boxes are of one face, as MediaPipe's
_HALF: Final = 127.5  # pixels come as -1..1
_LEVELS: Final = ((8, 2), (16, 6))  # px of the cells of the anchors' grids, and anchors a cell
_OUTPUTS: Final = ("regressors", "classificators")


@dataclass(frozen=True, eq=False)
class Sighting:
    """What the network reports of one face, in px of the window, 256 a side.

    Attributes:
        center: (2,) center of the square from brows to chin.
        side: side of that square.
        score: 0..1.
        keypoints: (6, 2) eye at the image's left, eye at its right, tip of the nose, mouth, ear at
            the image's left, ear at its right (of an upright face).
    """

    center: NDArray[np.float64]
    side: float
    score: float
    keypoints: NDArray[np.float64]

    @classmethod
    def of_box(
        cls, left_top: Sequence[int], size: Sequence[int], score: float, keypoints: NDArray[Any]
    ) -> "Sighting":
        """Sighting by a box in whole px from its outer edge, and keypoints as shares of a window.

        MediaPipe gives boxes so, and the landmarks' square was fitted to such boxes.
        """
        return cls(
            center=np.array(left_top, np.float64) + np.array(size) / 2 - 0.5,
            side=sum(size) / 2,
            score=score,
            keypoints=np.asarray(keypoints, np.float64) * WINDOW - 0.5,
        )


class FaceNetwork(Protocol):
    """What finds faces in small pictures; `look` may be called from any thread."""

    def look(self, pictures: Iterable[NDArray[np.uint8]]) -> list[list[Sighting]]:
        """Find the faces of each of some RGB pictures (128, 128, 3), best first."""

    def warm_up(self) -> None:
        """Prepare what `look` needs, so that its first call need not."""

    def close(self) -> None:
        """Free what runs the network. Twice is harmless."""


_Outputs = tuple[Floats, Floats]  # regressors (A, 16), logits (A,), of all anchors of a picture
_Run = Callable[[Iterable[NDArray[np.uint8]]], list[_Outputs]]


class BlazeFace:
    """The network on OpenVINO or OpenCV.

    Args:
        min_score: sightings that score less are not reported.
        backend: `"openvino"` or `"opencv"`.
    """

    def __init__(self, min_score: float, backend: str) -> None:
        self._min_score = min_score
        self._run: _Run = _openvino() if backend == "openvino" else _opencv()

    def look(self, pictures: Iterable[NDArray[np.uint8]]) -> list[list[Sighting]]:
        """Find the faces of each of some RGB pictures (128, 128, 3), best first."""
        return [
            decode(regressors, logits, self._min_score)
            for regressors, logits in self._run(pictures)
        ]

    def warm_up(self) -> None:
        """Compile the network."""
        self._run([np.zeros((SIZE, SIZE, 3), np.uint8)])

    def close(self) -> None:
        """Nothing is held that others don't use."""


def decode(regressors: Floats, logits: Floats, min_score: float) -> list[Sighting]:
    """Decode the network's outputs: boxes about anchors, thresholded, overlapping ones blended.

    Args:
        regressors: (896, 16) center, size and six keypoints, in px from each anchor.
        logits: (896,) of the scores.
        min_score: least score.

    Returns:
        The sightings, best first.
    """
    scores = 1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))
    kept = np.flatnonzero(scores >= min_score)
    if not len(kept):
        return []
    return _sightings(regressors[kept], scores[kept], _anchors()[kept])


def _sightings(values: Floats, scores: NDArray[np.float64], anchors: Floats) -> list[Sighting]:
    """Blend overlapping boxes, weighted by their scores, the best first (MediaPipe's weighted NMS).

    Args:
        values: (N, 16) regressors.
        scores: (N,) 0..1.
        anchors: (N, 2) as shares of the picture.
    """
    places = values.reshape(-1, 8, 2) / np.float32(SIZE)
    center, half = places[:, 0] + anchors, places[:, 1] / 2
    boxes = np.concatenate([center - half, center + half], axis=1)
    keypoints = places[:, 2:] + anchors[:, None]
    order = np.argsort(-scores, kind="stable")
    found = []
    while len(order):
        best = order[0]
        same = _overlap(boxes[best], boxes[order]) > _SAME
        share = scores[order[same]] / scores[order[same]].sum()
        x0, y0, x1, y1 = (WINDOW * (share @ boxes[order[same]])).tolist()
        points = np.tensordot(share, keypoints[order[same]], 1)
        size = [min(int(x1 - x0), WINDOW), min(int(y1 - y0), WINDOW)]
        found.append(
            Sighting.of_box([max(int(x0), 0), max(int(y0), 0)], size, float(scores[best]), points)
        )
        order = order[~same]
    return found


def _overlap(box: Floats, others: Floats) -> Floats:
    """(N,) intersection over union of a box and others (N, 4)."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    area = shared.clip(min=0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    return np.asarray(area / (areas + (box[2:] - box[:2]).prod() - area))


@lru_cache(maxsize=1)
def _anchors() -> Floats:
    """(896, 2) centers of the anchors as shares of the picture: two a cell of 8 px, six of 16."""
    levels = []
    for cell_px, count in _LEVELS:
        along = (np.arange(SIZE // cell_px, dtype=np.float32) + np.float32(0.5)) * np.float32(
            cell_px / SIZE
        )
        x, y = np.meshgrid(along, along)
        levels.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(count, axis=0))
    return np.concatenate(levels)


def _path() -> Path:
    return Path(str(files("facewarp.assets"))) / MODEL


@lru_cache(maxsize=1)
def _openvino() -> _Run:
    """Return the network on OpenVINO, on one core: a window is too little for more of them."""
    lock, requests = threading.Lock(), list[Any]()

    def run(pictures: Iterable[NDArray[np.uint8]]) -> list[_Outputs]:
        found: list[_Outputs] = []
        for picture in pictures:
            with lock:
                if not requests:
                    requests.append(_request())
                regressors, logits = (found[0].copy() for found in requests[0](picture[None]))
            found.append((regressors, logits[:, 0]))
        return found

    return run


def _request() -> Any:
    """Compile the network for windows of 128 x 128 px."""
    from facewarp.core.engines.openvino_models import BoundRequest, digest_of, one_core_model

    known_by = digest_of([_path(), Path(__file__)])
    return BoundRequest(one_core_model(known_by, _openvino_model), _OUTPUTS)


def _openvino_model() -> Any:
    """Return the network of bytes 0..255."""
    from facewarp.core.engines.openvino_models import core, openvino

    ov = openvino()
    from openvino.preprocess import PrePostProcessor

    model = core().read_model(str(_path()))
    model.reshape([1, SIZE, SIZE, 3])
    steps = PrePostProcessor(model)
    steps.input(0).tensor().set_element_type(ov.Type.u8)
    steps.input(0).preprocess().convert_element_type(ov.Type.f32).mean(_HALF).scale(_HALF)
    return steps.build()


@lru_cache(maxsize=1)
def _opencv() -> _Run:
    """Return the network on OpenCV, which takes one picture at a time."""
    # OpenCV 5's new engine gives only one of the network's two outputs.
    classic = {"engine": cv2.dnn.ENGINE_CLASSIC} if hasattr(cv2.dnn, "ENGINE_CLASSIC") else {}
    try:
        net = cv2.dnn.readNetFromTFLite(str(_path()), **classic)
    except cv2.error as error:
        raise FacewarpError(
            f"OpenCV can't read the face detector: {error}",
            MODEL,
            "Install openvino or mediapipe, or a newer opencv-contrib-python.",
        ) from error
    lock = threading.Lock()

    def one(picture: NDArray[np.uint8]) -> _Outputs:
        net.setInput(cv2.dnn.blobFromImage(picture, 1 / _HALF, mean=(_HALF,) * 3))
        regressors, logits = net.forward(list(_OUTPUTS))
        return regressors[0], logits[0, :, 0]

    def run(pictures: Iterable[NDArray[np.uint8]]) -> list[_Outputs]:
        with lock:
            return [one(picture) for picture in pictures]

    return run

"""Region proposals: a small network that says where in a frame small faces may be.

It looks at the whole frame at a few sizes, for a tenth of what BlazeFace would take, and need not
be right: BlazeFace looks at what it proposes. It is trained by `facewarp.training.proposals.train`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.boxes import overlap, square_at
from facewarp.face.search.windows import Pyramid
from facewarp.system.machine import has_bfloat16

Floats = NDArray[np.float32]

MODEL: Final = "detector/face_proposals.onnx"

CELL_PX: Final = 8
"""Side of the cells that the network tells apart, px."""
MIDDLE_PX: Final = 16.0
"""Side of a face's box whose size it gives as 0; it sees those of 10 to 27 px."""
MEAN: Final = 127.5
"""Pixels come as -1 to 1."""

_LONGER_PX: Final = 640  # of the largest picture that it sees
_SHORTEST_PX: Final = 80  # of the longer side of the smallest
_LEAST_SCORE: Final = 0.12
_MOST: Final = 24
_SAME: Final = 0.45  # intersection over union from which two proposals are one
_SMALLEST_PX: Final = 15.0  # of the frame: what is narrower has no features to register

_Run = Callable[[NDArray[np.uint8]], Floats]


@dataclass(frozen=True, eq=False)
class Proposal:
    """A place where a face may be.

    Attributes:
        center: (2,) of its box, px of the frame.
        side: of its box, px of the frame.
        score: 0..1.
    """

    center: NDArray[np.float64]
    side: float
    score: float


class ProposalNetwork:
    """The network on OpenVINO or OpenCV; may be called from any thread.

    Args:
        backend: `"openvino"` or `"opencv"`.
    """

    def __init__(self, backend: str) -> None:
        self._run: _Run = _openvino() if backend == "openvino" else _opencv()

    def __call__(self, pyramid: Pyramid) -> list[Proposal]:
        """Propose places of a frame, best first."""
        found: list[Proposal] = []
        for picture, scale in _pictures(pyramid):
            found += decode(self._run(picture), scale)
        return _suppressed(found)

    def warm_up(self) -> None:
        """Compile the network."""
        self._run(np.zeros((64, 64, 3), np.uint8))


def _pictures(pyramid: Pyramid) -> list[tuple[NDArray[np.uint8], float]]:
    """Return the frame at the sizes that the network sees, and frame px per px of each."""
    longer = max(pyramid.shape)
    level = 0
    while longer / 2 ** (level + 1) >= _LONGER_PX:
        level += 1
    image = pyramid.level(level)
    if max(image.shape[:2]) > _LONGER_PX:
        image = _resized(image, _LONGER_PX / max(image.shape[:2]))
    shown = []
    while True:
        shown.append((image, longer / max(image.shape[:2])))
        if max(image.shape[:2]) < 2 * _SHORTEST_PX or min(image.shape[:2]) < 2 * CELL_PX:
            return shown
        image = _resized(image, 0.5)


def _resized(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = [max(1, round(length * scale)) for length in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def decode(found: Floats, scale: float) -> list[Proposal]:
    """Decode what the network says of a picture: the cells that score more than those around.

    Args:
        found: (4, rows, columns) logits, x and y of the center from the cell's middle in cells,
            log2 of the side over `MIDDLE_PX`.
        scale: frame px per px of the picture.
    """
    logits = found[0]
    around = cv2.dilate(logits, np.ones((3, 3), np.uint8))
    least = np.log(_LEAST_SCORE / (1 - _LEAST_SCORE))
    rows, columns = np.nonzero((logits >= around) & (logits > least))
    proposals = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        logit, x, y, size = found[:, row, column].tolist()
        cell = np.array([column, row])
        # Pixel centers lie at whole numbers, in the picture and in the frame.
        place = ((cell + 0.5 + (x, y)) * CELL_PX * scale) - 0.5
        side = MIDDLE_PX * 2.0 ** min(max(size, -2.0), 2.0) * scale
        if side >= _SMALLEST_PX:
            proposals.append(Proposal(place, side, float(1 / (1 + np.exp(-logit)))))
    return proposals


def _suppressed(found: list[Proposal]) -> list[Proposal]:
    """Return the best of those that are of one face, at most `_MOST`."""
    kept: list[tuple[Proposal, tuple[float, float, float, float]]] = []
    for proposal in sorted(found, key=lambda one: -one.score):
        box = square_at(proposal.center, proposal.side)
        if not any(overlap(box, other) > _SAME for _, other in kept):
            kept.append((proposal, box))
            if len(kept) == _MOST:
                break
    return [proposal for proposal, _ in kept]


def _path() -> Path:
    return Path(str(files("facewarp.assets"))) / MODEL


@lru_cache(maxsize=1)
def _openvino() -> _Run:
    """Return the network on OpenVINO, compiled when first needed, for pictures of any size."""
    lock, requests = threading.Lock(), list[Any]()

    def run(picture: NDArray[np.uint8]) -> Floats:
        with lock:
            if not requests:
                requests.append(_request())
            requests[0].infer([np.ascontiguousarray(picture[None])], share_inputs=True)
            found: Floats = requests[0].get_tensor("found").data[0].copy()
            return found

    return run


def _request() -> Any:
    from facewarp.core.engines.openvino_models import digest_of, one_core_model

    known_by = digest_of([_path(), Path(__file__)])
    precision: Literal["bf16", "f32"] = "bf16" if has_bfloat16() else "f32"
    return one_core_model(known_by, _openvino_model, precision).create_infer_request()


def _openvino_model() -> Any:
    """Return the network of bytes 0..255 (1, H, W, 3)."""
    from facewarp.core.engines.openvino_models import core, openvino

    ov = openvino()
    from openvino.preprocess import PrePostProcessor

    model = core().read_model(str(_path()))
    model.reshape([1, 3, -1, -1])
    steps = PrePostProcessor(model)
    steps.input(0).tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input(0).preprocess().convert_element_type(ov.Type.f32).mean(MEAN).scale(MEAN)
    steps.input(0).model().set_layout(ov.Layout("NCHW"))
    return steps.build()


@lru_cache(maxsize=1)
def _opencv() -> _Run:
    """Return the network on OpenCV."""
    try:
        net = cv2.dnn.readNetFromONNX(str(_path()))
    except cv2.error as error:
        raise FacewarpError(
            f"OpenCV can't read the network that proposes faces: {error}",
            MODEL,
            "Install openvino, or a newer opencv-contrib-python.",
        ) from error
    lock = threading.Lock()

    def run(picture: NDArray[np.uint8]) -> Floats:
        with lock:
            net.setInput(cv2.dnn.blobFromImage(picture, 1 / MEAN, mean=(MEAN,) * 3))
            return np.asarray(net.forward()[0], np.float32).copy()

    return run

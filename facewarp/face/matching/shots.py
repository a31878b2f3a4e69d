"""Does a frame go on from the one before? What is smoothed over time starts anew after a cut."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.matching.face_memory import FaceMemory

if TYPE_CHECKING:
    from facewarp.face.face import Face

_JUMP: Final = 0.6  # of a face's side, after which it counts as another shot
_CUT: Final = 36.0  # mean change of brightness in the frame that is a cut, levels


class Shots:
    """Tells for each face whether the frame before showed it in the same shot."""

    def __init__(self) -> None:
        self._last: FaceMemory[tuple[NDArray[np.float64], NDArray[np.uint8]]] = FaceMemory()

    def forget(self) -> None:
        """Begin a new shot with the next frame."""
        self._last.clear()

    def goes_on(self, frame: NDArray[np.uint8], face: "Face") -> bool:
        """Return whether a face of the next frame (H, W, 3) goes on; not if its id is below 0."""
        if face.id < 0:
            return False
        step = max(1, min(frame.shape[:2]) // 12)
        look = frame[step // 2 :: step, step // 2 :: step, 1].copy()
        center = np.add(face.box[:2], face.box[2:]) / 2
        last = self._last.get(face.id)
        self._last.put(face.id, (center, look))
        if last is None or last[1].shape != look.shape:
            return False
        side = max(face.box[2] - face.box[0], face.box[3] - face.box[1], 1.0)
        moved = float(np.linalg.norm(center - last[0])) / side
        changed = float(np.abs(look.astype(np.int16) - last[1]).mean())
        return moved <= _JUMP and changed <= _CUT

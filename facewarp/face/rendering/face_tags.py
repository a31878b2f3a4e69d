"""Tags of faces: id, state and confidence."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import place
from facewarp.drawing.palette import INK, STATE_COLORS
from facewarp.drawing.text import text_height_px, text_label

if TYPE_CHECKING:
    from facewarp.face.face import Face


_DIM = 0.6  # opacity of the tag of a face that is not followed well
_FOREHEAD = 0.3  # of the height of the landmarks' box, by which the tag stays clear of the brows


def draw_tag(frame: NDArray[np.uint8], face: "Face", pixel_aspect: float = 1.0) -> None:
    """Write a face's tag above its box, in place, kept inside of the frame.

    Args:
        frame: (H, W, 3).
        face: Whose tag it is.
        pixel_aspect: Width of a pixel over its height: letters look the same on all.
    """
    tag = for_pixels(tag_label(face, frame.shape), pixel_aspect)
    top = face.box[1] - _FOREHEAD * (face.box[3] - face.box[1])
    place(frame, tag, round(face.box[0]), round(top) - tag.shape[0])


def for_pixels(label: NDArray[np.uint8], pixel_aspect: float) -> NDArray[np.uint8]:
    """Return a label (h, w, 4) drawn for square pixels, as wide on pixels of another shape."""
    if pixel_aspect == 1:
        return label
    size = max(1, round(label.shape[1] / pixel_aspect)), label.shape[0]
    return np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_AREA), np.uint8)


def tag_label(face: "Face", frame_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Render id, state and confidence of a face as a label, dim unless its state is tracking."""
    if face.state == "tracking":
        words = f"{face.confidence:.0%}"
    elif face.state == "lost":
        words = "lost"
    else:
        words = f"{face.state} {face.confidence:.0%}"
    return text_label(
        (f"#{face.id}  {words}",),
        text_height_px(frame_shape),
        dot=STATE_COLORS.get(face.state, INK),
        opacity=1.0 if face.state == "tracking" else _DIM,
    )

"""Convert images to the formats the face pipeline takes: gray, RGB."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError


def to_gray(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert any image that a file or a camera delivers to gray.

    Colour is weighted 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); alpha is ignored.

    Args:
        image: HxW, or HxWxC with C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA; bool, uint8, uint16
            (full range 0..65535) or float (range 0..1, slight overshoot is clipped).

    Returns:
        HxW uint8.
    """
    color = _to_uint8(_without_alpha(image))
    if color.shape[2] == 1:
        return color[:, :, 0]
    return np.asarray(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY), np.uint8)


def to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert whatever `to_gray` takes to RGB, HxWx3 uint8; a copy only where necessary."""
    color = _to_uint8(_without_alpha(image))
    if color.shape[2] == 1:
        return np.repeat(color, 3, axis=2)
    return color


def check_picture(image: NDArray[Any]) -> None:
    """Check that an array has a shape that `to_gray` takes.

    Raises:
        FacewarpError: it has not, or is no array.
    """
    if not hasattr(image, "ndim"):
        fix = "numpy.asarray makes an array of a picture of Pillow."
        if image is None:
            fix = "OpenCV's imread returns None for a file that it cannot read."
        what = f"expected a picture as an array, got {type(image).__name__}"
        raise FacewarpError(what, fix=fix)
    has_channels = image.ndim == 3 and 1 <= image.shape[2] <= 4
    if (image.ndim != 2 and not has_channels) or 0 in image.shape:
        raise FacewarpError(f"expected a picture HxW or HxWxC with C up to 4, got {image.shape}")


def _without_alpha(image: NDArray[Any]) -> NDArray[Any]:
    check_picture(image)
    if image.ndim == 2:
        image = image[:, :, None]
    return np.ascontiguousarray(image[:, :, : 3 if image.shape[2] >= 3 else 1])


def _to_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.bool_:
        return image.astype(np.uint8) * np.uint8(255)
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if not np.issubdtype(image.dtype, np.floating):
        raise FacewarpError(f"pictures of {image.dtype} are not read", fix="Convert it to uint8.")
    if not np.isfinite(image).all() or image.min() < -0.5 or image.max() > 1.5:
        raise FacewarpError(
            "a picture of floats must be finite and within 0..1",
            fix="Divide by its maximum, or convert it to uint8.",
        )
    return (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)

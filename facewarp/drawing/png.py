"""Write PNG files."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.system.atomic_files import written


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 RGB as PNG, whole or not at all."""
    with written(path) as temporary:
        temporary.write_bytes(png_bytes(image))


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) uint8 RGB as PNG."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    assert done
    return bytes(data.tobytes())

"""Textures painted for MediaPipe's canonical face, carried into the space of our own.

What face filters of AR studios are painted on is the layout of MediaPipe's canonical face mesh, a
square image. Each of its triangles is carried to where the same triangle lies in the average
template (`facewarp.face.template.head_mesh`), the foremost on top.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.template.head_mesh import HeadMesh

PREFIX: Final = "mediapipe:"
"""Before the name of a texture's file: it is painted for MediaPipe's canonical face."""

_SCALE: Final = 4  # px of a texture per px of the template
_FEATHER_PX: Final = 1.5  # template px over which the mesh's outline fades


def from_mediapipe(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Warp a texture from MediaPipe's layout into the average template's.

    Args:
        rgba: (h, w, 4) uint8, straight alpha, of any size; it covers texture coordinates 0..1,
            from the top left.

    Returns:
        (1280, 1040, 4) uint8, straight alpha; transparent beside the mesh.
    """
    x, y, inside = uv_maps()
    height, width = rgba.shape[:2]
    pixels = rgba.astype(np.float32)
    pixels[..., :3] *= pixels[..., 3:] / 255  # colours of transparent pixels must not bleed
    columns, rows = (x * width - 0.5).astype(np.float32), (y * height - 0.5).astype(np.float32)
    method = cv2.INTER_LINEAR
    warped = cv2.remap(pixels, columns, rows, method, borderMode=cv2.BORDER_REPLICATE)
    color = warped[..., :3] / np.maximum(warped[..., 3:], 1) * 255
    alpha = warped[..., 3] * inside
    return np.rint(np.dstack([color.clip(0, 255), alpha])).astype(np.uint8)


def uv_maps() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Return MediaPipe's texture coordinates at every px of a texture of ours.

    Returns:
        u and v (1280, 1040), 0..1, and how far inside the mesh a px lies, 0..1.
    """
    mesh = HeadMesh.load()
    shape = _SCALE * CROP_SHAPE[0], _SCALE * CROP_SHAPE[1]
    places = (mesh.points + 0.5) * _SCALE - 0.5
    maps = np.full((2, *shape), 0.5)
    covered = np.zeros(shape, np.uint8)
    depth = mesh.xyz[mesh.triangles, 2].mean(axis=1)
    for index in np.argsort(depth):  # the foremost last
        corners = mesh.triangles[index]
        _fill(maps, covered, places[corners], mesh.uv[corners])
    soft = cv2.GaussianBlur(covered.astype(np.float32), (0, 0), _FEATHER_PX * _SCALE)
    return maps[0], maps[1], np.clip(2 * soft - 1, 0, 1) * covered


def _fill(
    maps: NDArray[np.float64],
    covered: NDArray[np.uint8],
    places: NDArray[np.float64],
    uv: NDArray[np.float64],
) -> None:
    """Write a triangle's texture coordinates into the maps, in place."""
    low = np.floor(places.min(0)).astype(int).clip(0)
    high = np.ceil(places.max(0)).astype(int) + 1
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    base, first, second = places[0], places[1] - places[0], places[2] - places[0]
    area = first[0] * second[1] - first[1] * second[0]
    if abs(area) < 1e-6 or not x.size:
        return
    dx, dy = x - base[0], y - base[1]
    a = (dx * second[1] - dy * second[0]) / area
    b = (first[0] * dy - first[1] * dx) / area
    slack = 0.5 / max(1.0, np.sqrt(abs(area)))  # no gaps along shared edges
    inside = (a >= -slack) & (b >= -slack) & (a + b <= 1 + slack)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    inside = inside[: covered[window].shape[0], : covered[window].shape[1]]
    for channel in (0, 1):
        value = uv[0, channel] + a * (uv[1] - uv[0])[channel] + b * (uv[2] - uv[0])[channel]
        maps[channel][window][inside] = value[: inside.shape[0], : inside.shape[1]][inside]
    covered[window][inside] = 1

"""Pictures of a phantom: a contact sheet of its slices, and a film of three of them."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.plots.figures import slice_table
from facewarp.cardiac.plots.movie import write_movie
from facewarp.cardiac.plots.short_axis_view import HeartView
from facewarp.core.arrays import ImageArray

_SHARES: Final = (0.2, 0.5, 0.8)  # of the heart's slices, shown in the film
_HEIGHT: Final = 190


def phantom_sheet(volume: Volume, labels: NDArray[np.uint8], es: int, title: str) -> ImageArray:
    """Render each slice at end-diastole and end-systole with its true outlines."""
    return slice_table(HeartView(volume, labels, np.eye(3), 150), {"ED": 0, "ES": es}, title)


def phantom_film(path: Path, volume: Volume, labels: NDArray[np.uint8]) -> None:
    """Write a film: a basal, a middle and an apical slice, above plain and below with outlines."""
    view = HeartView(volume, labels, np.eye(3), _HEIGHT)
    shown = view.heart_slices
    chosen = [shown[round(share * (len(shown) - 1))] for share in _SHARES]
    frames = []
    for phase in range(volume.phases):
        rows = [
            np.concatenate([view.picture(phase, z, outlines=on) for z in chosen], axis=1)
            for on in (False, True)
        ]
        frames.append(np.ascontiguousarray(np.concatenate(rows)))
    write_movie(path, frames, volume.time_step_s or 0.05)

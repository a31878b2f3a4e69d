"""Tracks as a Nuke script: a Tracker4 and a CornerPin2D for each face, to paste or to open.

Nuke counts px from the lower left corner of the picture; the middle of the first pixel is at 0.5.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from facewarp.face.track_export.shot import LANDMARK_NAMES, FaceTrack, Points, Shot, runs

# The columns of a Tracker4's table, as Nuke writes them: type, flags, width, name.
_COLUMNS: Final = (
    "5 1 20 enable e", "3 1 75 name name", "2 1 58 track_x track_x", "2 1 58 track_y track_y",
    "2 1 63 offset_x offset_x", "2 1 63 offset_y offset_y", "4 1 27 T T", "4 1 27 R R",
    "4 1 27 S S", "2 0 45 error error", "1 1 0 error_min error_min", "1 1 0 error_max error_max",
    *(f"1 1 0 {box}_{side} {box}_{side}" for box in ("pattern", "search") for side in "xyrt"),
    "2 1 0 key_track key_track",
    *(f"2 1 0 key_{box}_{side} key_{box}_{side}" for box in ("search", "track") for side in "xyrt"),
    "2 1 0 key_centre_offset_x key_centre_offset_x",
    "2 1 0 key_centre_offset_y key_centre_offset_y",
)  # fmt: skip
_BOXES: Final = "-32 -32 32 32 -22 -22 22 22"
_UNUSED: Final = 11  # columns at the end of a row that only Nuke's own tracking fills


def nuke_script(shot: Shot) -> str:
    """Write a shot as Nuke nodes."""
    nodes = [f"# {shot.source.name}: faces tracked by facewarp, frames {shot.first} to {shot.last}"]
    for place, track in enumerate(shot.tracks):
        nodes += [_tracker(shot, track, 120 * place), _corner_pin(shot, track, 120 * place)]
    return "\n".join(nodes) + "\n"


def _tracker(shot: Shot, track: FaceTrack, x: int) -> str:
    points = np.stack(track.points)[:, : len(LANDMARK_NAMES)]
    rows = "\n".join(
        _row(shot, track, name, points[:, place]) for place, name in enumerate(LANDMARK_NAMES)
    )
    columns = "\n".join(f"{{ {column} 1 }}" for column in _COLUMNS)
    return (
        "Tracker4 {\ninputs 0\n"
        f"tracks {{ {{ 1 {len(_COLUMNS)} {len(LANDMARK_NAMES)} }}\n{{ {columns}\n}}\n"
        f"{{\n{rows}\n}}\n}}\n"
        f"reference_frame {track.numbers[0]}\n"
        f"name {track.name}_landmarks\nxpos {x}\nypos 0\n}}"
    )


def _row(shot: Shot, track: FaceTrack, name: str, points: Points) -> str:
    x, y = _axes(shot, points)
    first = track.numbers[0]
    zero = f"{{curve K x{first} 0}}"
    return (
        f' {{ {_present(shot, track)} "{track.name} {name}" {_curve(track.numbers, x)} '
        f"{_curve(track.numbers, y)} {zero} {zero} 1 0 0 {{curve x{first} 0}} 0 0 {_BOXES} "
        + " ".join(["{}"] * _UNUSED)
        + " }"
    )


def _corner_pin(shot: Shot, track: FaceTrack, x: int) -> str:
    corners = np.stack(track.corners)
    # Nuke's order: lower left, lower right, upper right, upper left
    lines = []
    for number, place in enumerate((2, 3, 1, 0), start=1):
        across, up = _axes(shot, corners[:, place])
        moving = f"{_curve(track.numbers, across)} {_curve(track.numbers, up)}"
        lines.append(f"to{number} {{{moving}}}")
        lines.append(f"from{number} {{{across[0]:.4f} {up[0]:.4f}}}")
    body = "\n".join(lines)
    label = f"sticks to {track.name} from frame {track.numbers[0]}"
    return (
        f'CornerPin2D {{\ninputs 0\n{body}\nlabel "{label}"\n'
        f"name {track.name}_plane\nxpos {x}\nypos 80\n}}"
    )


def _axes(shot: Shot, points: Points) -> tuple[Points, Points]:
    """X and y of points (N, 2) as Nuke counts them."""
    return points[:, 0] + 0.5, shot.size[1] - (points[:, 1] + 0.5)


def _curve(numbers: Sequence[int], values: Points) -> str:
    """Write keys; a frame's number only where it does not follow the one before."""
    keys = []
    for start, end in runs(numbers):
        keys.append(f"x{numbers[start]}")
        keys += [f"{value:.4f}" for value in values[start:end]]
    return "{curve " + " ".join(keys) + "}"


def _present(shot: Shot, track: FaceTrack) -> str:
    """Write the curve that switches a track on where its face is there; K holds values."""
    keys = [] if track.numbers[0] == shot.first else [f"x{shot.first} 0"]
    for start, end in runs(track.numbers):
        keys.append(f"x{track.numbers[start]} 1")
        if track.numbers[end - 1] != shot.last:
            keys.append(f"x{track.numbers[end - 1] + 1} 0")
    return "{curve K " + " ".join(keys) + "}"

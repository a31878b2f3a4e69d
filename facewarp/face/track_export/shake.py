"""Outlines of the parts as a Shake Shape File, which Silhouette and other roto programs import.

The format (`shake_shape_data 4.0`) is that of Apple Shake's SDK: text, positions in px from the
lower left corner of the picture, twelve numbers a point: the point, its incoming and its outgoing
handle, and the same three of the soft edge, which here lies on the shape.
"""

from collections.abc import Iterator

import numpy as np

from facewarp.face.track_export.outlines import handles
from facewarp.face.track_export.shot import FaceTrack, Points, Shot


def shake_shapes(shot: Shot) -> str:
    """Write the parts of a shot's faces as animated shapes; a lost face has no keys."""
    shapes = [
        line
        for track in shot.tracks
        for place in range(len(shot.outlines))
        for line in _shape(shot, track, place)
    ]
    count = len(shot.tracks) * len(shot.outlines)
    return "\n".join(["shake_shape_data 4.0", f"num_shapes {count}", *shapes, ""])


def _shape(shot: Shot, track: FaceTrack, place: int) -> Iterator[str]:
    outline = shot.outlines[place]
    yield f"shape_name {track.name}_{outline.name}"
    yield from ("closed 1", "visible 1", "locked 0", "tangents 1", "edge_shape 0")
    yield f"num_vertices {len(outline.points)}"
    yield f"num_key_times {len(track.numbers)}"
    for number, shapes in zip(track.numbers, track.outlines, strict=True):
        points = _upward(shapes[place], shot.size[1])
        middle = points.mean(0)
        yield f"key_time {number}"
        yield f"center_x {middle[0]:.3f}"
        yield f"center_y {middle[1]:.3f}"
        for channel in "rgba":
            yield f"color_{channel} 1"
        out = handles(points)
        bezier = np.concatenate([points, points - out, points + out], -1)
        told = np.concatenate([bezier, bezier], -1).ravel()
        yield "vertex_data " + " ".join(f"{value:.3f}" for value in told)


def _upward(points: Points, height: int) -> Points:
    """Return px from the lower left corner, pixel centers at halves."""
    return np.stack([points[:, 0] + 0.5, height - points[:, 1] - 0.5], -1)

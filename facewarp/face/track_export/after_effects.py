"""Tracks as the text that After Effects has on the clipboard: a corner pin and point controls.

Select a layer and paste. After Effects counts px from the upper left corner of the picture, and
frames from 0.
"""

from collections.abc import Iterator
from typing import Final

from facewarp.face.track_export.shot import LANDMARK_NAMES, FaceTrack, Points, Shot

_CORNERS: Final = "ADBE Corner Pin #1\tADBE Corner Pin-{:04d}"
_POINT: Final = "ADBE Point Control #{}\tADBE Point Control-0001"


def after_effects_text(shot: Shot, track: FaceTrack) -> str:
    """Write one face of a shot as keyframe data.

    Args:
        shot: the clip.
        track: the face; the frames without it have no keys.
    """
    width, height = shot.size
    head = [
        "Adobe After Effects 8.0 Keyframe Data",
        "",
        f"\tUnits Per Second\t{float(shot.rate):.6g}",
        f"\tSource Width\t{width}",
        f"\tSource Height\t{height}",
        f"\tSource Pixel Aspect Ratio\t{shot.pixel_aspect:.6g}",
        f"\tComp Pixel Aspect Ratio\t{shot.pixel_aspect:.6g}",
        "",
    ]
    lines = list(head)
    for corner in range(4):
        name = _CORNERS.format(corner + 1)
        lines += _block(shot, track, name, [corners[corner] for corners in track.corners])
    for place in range(len(LANDMARK_NAMES)):
        name = _POINT.format(place + 1)
        lines += _block(shot, track, name, [points[place] for points in track.points])
    return "\r\n".join([*lines, "End of Keyframe Data", ""])


def _block(shot: Shot, track: FaceTrack, name: str, points: list[Points]) -> Iterator[str]:
    assert shot.first is not None
    yield f"Effects\t{name}"
    yield "\tFrame\tX pixels\tY pixels\t"
    for number, (x, y) in zip(track.numbers, points, strict=True):
        yield f"\t{number - shot.first}\t{x + 0.5:.4f}\t{y + 0.5:.4f}\t"
    yield ""

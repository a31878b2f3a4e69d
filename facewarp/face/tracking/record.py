"""Track records: one row per face and frame of `--data`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.media.frames import Frame


def record_of(frame: "Frame", face: "Face") -> dict[str, Any]:
    """A face of a frame as one record of track data."""
    named = {} if frame.path is None else {"file": frame.path.name}
    return {
        "frame": frame.index,
        "time_s": frame.time,
        "face": face.id,
        "state": face.state,
        "confidence": face.confidence,
        "box": face.box,
        "landmarks": face.landmarks,
        "folds_percent": face.folds_percent,
        **named,
    }

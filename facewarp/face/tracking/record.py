"""Track records: one row per face and frame of `--data`, and one for a frame without a face."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.media.frames import Frame


def record_of(frame: "Frame", face: "Face") -> dict[str, Any]:
    """Return a face of a frame as one record of track data."""
    named = {} if frame.file is None else {"file": frame.file}
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


def records_of(frame: "Frame", faces: Sequence["Face"]) -> list[dict[str, Any]]:
    """Return a frame's faces as records; without any, one that says so: its face is None."""
    if not faces:
        return [{"frame": frame.index, "time_s": frame.time, "face": None, "file": frame.file}]
    return [record_of(frame, face) for face in faces]

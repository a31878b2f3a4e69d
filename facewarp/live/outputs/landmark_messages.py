"""Encode the faces of a frame as messages to other programs: JSON and Open Sound Control.

JSON is one object a frame::

    {"frame": 12, "time_s": 0.4, "width": 1280, "height": 720, "file": "talk.mp4", "faces": [
      {"face": 0, "state": "tracking", "confidence": 0.97, "box": [x0, y0, x1, y1],
       "landmarks": [[x, y], ... 68], "folds_percent": 0.0}]}

``file`` is there where the frames come from a file. A face has the keys of `--data`, and frame,
time and file have its names too (`facewarp.media.track_records`).

OSC is one bundle a frame, to be acted on at once::

    /facewarp/frame      INDEX TIME_S WIDTH HEIGHT FACES        i f i i i
    /facewarp/face       ID STATE CONFIDENCE X0 Y0 X1 Y1        i s f f f f f
    /facewarp/landmarks  ID X0 Y0 X1 Y1 ... X67 Y67             i and 136 f

and one more for each face whose expression is computed::

    /facewarp/head         ID PITCH YAW ROLL X Y Z              i and 6 f, degrees and cm
    /facewarp/gaze         ID LEFT_PITCH LEFT_YAW RIGHT_PITCH RIGHT_YAW    i and 4 f, degrees
    /facewarp/expressions  ID BROWDOWNLEFT ... TONGUEOUT        i and 52 f, `EXPRESSIONS`

``json://`` has them as ``"head"``, ``"gaze"`` and ``"expressions"`` of each face, beside its
landmarks; a face then needs a datagram of about 2500 bytes.

Coordinates are px of the camera's image, whether or not the image shown is mirrored; a frame
without a face is a message too. A datagram holds no more than a network takes in one piece, so a
frame's faces may come in several, each complete in itself; JSON then numbers them, ``"part": 1,
"parts": 2``.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.face.expressions.expression_tracker import Expression
from facewarp.live.interfaces import Record
from facewarp.live.protocols import osc
from facewarp.media.frames import Frame

DATAGRAM_BYTES: Final = 1400
"""What a datagram holds at most, if one face does not need more: Ethernet's 1500 less what IPv6,
tunnels and VPNs put before it."""

_HEAD_BYTES: Final = 140  # of a JSON object around its faces, at most
_DECIMALS: Final = {"confidence": 4, "box": 1, "landmarks": 1, "folds_percent": 3}

T = TypeVar("T")


def json_line(frame: Frame, records: Sequence[Record]) -> str:
    """Return the faces of a frame as one JSON object on one line, without its end."""
    return _json({**_head(frame), "faces": [_face(frame, record) for record in records]})


def json_datagrams(
    frame: Frame, records: Sequence[Record], expressions: Sequence[Expression] = ()
) -> list[bytes]:
    """Return the faces of a frame as UTF-8 JSON objects, in as many datagrams as needed.

    Args:
        frame: its index, time and size are sent.
        records: its faces.
        expressions: of these faces, by their ids.
    """
    told = {one.face: _expression(one) for one in expressions}
    faces = [_json({**_face(frame, record), **told.get(record["face"], {})}) for record in records]
    room = DATAGRAM_BYTES - _HEAD_BYTES - len(json.dumps(frame.file or ""))
    parts = list(_packed(faces, room, len)) or [[]]
    datagrams = []
    for number, part in enumerate(parts, start=1):
        head = _json({**_head(frame), "part": number, "parts": len(parts)})
        datagrams.append(f'{head[:-1]},"faces":[{",".join(part)}]}}'.encode())
    return datagrams


def osc_datagrams(
    frame: Frame, records: Sequence[Record], expressions: Sequence[Expression] = ()
) -> list[bytes]:
    """Return the faces of a frame as OSC bundles, to be acted on at once.

    Args:
        frame: its index, time and size are sent.
        records: its faces.
        expressions: of these faces; each in a bundle of its own.
    """
    height, width = frame.image.shape[:2]
    start = osc.message(
        "/facewarp/frame", frame.index, float(frame.time), width, height, len(records)
    )
    faces = []
    for record in records:
        number, points = int(record["face"]), np.asarray(record["landmarks"], float).ravel()
        box = [float(value) for value in record["box"]]
        confidence = float(record["confidence"])
        faces.append(
            (
                osc.message("/facewarp/face", number, str(record["state"]), confidence, *box),
                osc.message("/facewarp/landmarks", number, *points.tolist()),
            )
        )
    room = DATAGRAM_BYTES - len(start) - 20
    parts = list(_packed(faces, room, lambda face: sum(len(one) + 4 for one in face))) or [[]]
    bundles = [osc.bundle([start, *(one for face in part for one in face)]) for part in parts]
    return [*bundles, *map(_osc_expression, expressions)]


def _osc_expression(expression: Expression) -> bytes:
    pose, number = expression.pose, expression.face
    left, right = expression.gaze_deg
    head = (*pose.angles_deg, *pose.translation_cm.tolist())
    return osc.bundle(
        [
            osc.message("/facewarp/head", number, *head),
            osc.message("/facewarp/gaze", number, *left, *right),
            osc.message("/facewarp/expressions", number, *expression.values.tolist()),
        ]
    )


def _packed(items: Sequence[T], room: int, size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Group items in order: up to `room` bytes, or one item that needs more."""
    group: list[T] = []
    used = 0
    for item in items:
        size = size_of(item) + 1
        if group and used + size > room:
            yield group
            group, used = [], 0
        group.append(item)
        used += size
    if group:
        yield group


def _head(frame: Frame) -> dict[str, Any]:
    height, width = frame.image.shape[:2]
    return {
        "frame": frame.index,
        "time_s": round(float(frame.time), 4),
        "width": width,
        "height": height,
        **({} if frame.file is None else {"file": frame.file}),
    }


def _face(frame: Frame, record: Record) -> dict[str, Any]:
    """Return what is sent of a face: its record without frame and time, numbers rounded."""
    left_out = {"frame", "time_s"} if frame.path else {"frame", "time_s", "file"}
    return {
        name: _plain(value, _DECIMALS.get(name, 4))
        for name, value in record.items()
        if name not in left_out
    }


def _expression(expression: Expression) -> dict[str, Any]:
    pitch, yaw, roll = (round(angle, 2) for angle in expression.pose.angles_deg)
    left, right = ([round(angle, 2) for angle in eye] for eye in expression.gaze_deg)
    values = zip(EXPRESSIONS, np.round(expression.values, 4).tolist(), strict=True)
    return {
        "head": {
            "pitch": pitch,
            "yaw": yaw,
            "roll": roll,
            "place_cm": np.round(expression.pose.translation_cm, 2).tolist(),
        },
        "gaze": {"left": left, "right": right},
        "calibrated": expression.calibrated,
        "expressions": dict(values),
    }


def _plain(value: Any, decimals: int) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if np.isfinite(value).all():
            return np.round(value, decimals).tolist()
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item, decimals) for item in value]
    if isinstance(value, float):
        return round(value, decimals) if np.isfinite(value) else None
    return value


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

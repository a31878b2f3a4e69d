"""Face memory: what is carried over from frame to frame for each face, within a bound."""

from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

MOST_FACES: Final = 64
"""Faces that are remembered; of more, those that were seen last."""


class FaceMemory(Generic[Value]):
    """A least-recently-used cache by face id, of `MOST_FACES` entries.

    Faces that are not followed, whose id is below 0, are never remembered.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Value] = {}

    def __len__(self) -> int:
        """Return how many faces are remembered."""
        return len(self._kept)

    def get(self, face_id: int) -> Value | None:
        """Return what is remembered of a face; None if nothing is."""
        return self._kept.get(face_id)

    def put(self, face_id: int, value: Value) -> None:
        """Remember something of a face in place of what was."""
        if face_id < 0:
            return
        self._kept.pop(face_id, None)
        self._kept[face_id] = value
        if len(self._kept) > MOST_FACES:
            del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Forget all faces."""
        self._kept.clear()

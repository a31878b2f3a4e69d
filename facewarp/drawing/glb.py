"""Binary glTF 2.0: arrays and JSON in one file."""

import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.version import __version__

FLOAT, UINT32 = 5126, 5125
ARRAY_BUFFER, ELEMENT_BUFFER = 34962, 34963
_SIZES: Final = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}


class GlbFile:
    """Collects arrays, and packs them with the JSON that names them.

    Attributes:
        binary: of all arrays.
        views: glTF's bufferViews.
        accessors: glTF's accessors.
    """

    def __init__(self) -> None:
        self.binary = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, raw: bytes, target: int | None = None) -> int:
        """Store bytes on a multiple of four; return the index of their view."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": len(self.binary),
            "byteLength": len(raw),
        }
        if target is not None:
            view["target"] = target
        self.binary += raw
        self.views.append(view)
        return len(self.views) - 1

    def accessor(
        self, values: NDArray[Any], target: int | None = None, *, bounds: bool = False
    ) -> int:
        """Store an array of float32 or uint32, (N,), (N, 2) or (N, 3); return its index."""
        found: dict[str, Any] = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": UINT32 if values.dtype == np.uint32 else FLOAT,
            "count": len(values),
            "type": _SIZES[1 if values.ndim == 1 else values.shape[1]],
        }
        if bounds:
            columns = values.reshape(len(values), -1)
            found["min"] = columns.min(axis=0).tolist()
            found["max"] = columns.max(axis=0).tolist()
        self.accessors.append(found)
        return len(self.accessors) - 1

    def pack(self, scene: dict[str, Any]) -> bytes:
        """Return the whole file.

        Args:
            scene: glTF's JSON but for asset, buffers, views and accessors.
        """
        self.binary += b"\0" * (-len(self.binary) % 4)
        held = {
            "asset": {"version": "2.0", "generator": f"facewarp {__version__}"},
            **scene,
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.binary)}],
        }
        text = json.dumps(held, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(self.binary)
        return (
            struct.pack("<4sII", b"glTF", 2, size)
            + struct.pack("<I4s", len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(self.binary), b"BIN\0")
            + bytes(self.binary)
        )

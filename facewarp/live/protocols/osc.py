"""Encode messages and bundles of Open Sound Control 1.0.

Everything is big endian and padded to multiples of four bytes; of the types there are 32-bit
integers, 32-bit floats and strings (https://opensoundcontrol.stanford.edu/spec-1_0.html).
"""

import struct
from collections.abc import Sequence

Argument = int | float | str

_IMMEDIATELY = struct.pack(">II", 0, 1)


def message(address: str, *arguments: Argument) -> bytes:
    """Encode an OSC message.

    Args:
        address: its address pattern, such as `/facewarp/face`.
        arguments: int becomes `i`, float `f`, str `s`.
    """
    tags, data = ",", b""
    for argument in arguments:
        if isinstance(argument, str):
            tags, data = tags + "s", data + _string(argument)
        elif isinstance(argument, int):
            tags, data = tags + "i", data + struct.pack(">i", argument)
        else:
            tags, data = tags + "f", data + struct.pack(">f", argument)
    return _string(address) + _string(tags) + data


def bundle(messages: Sequence[bytes]) -> bytes:
    """Encode an OSC bundle whose time tag is "immediately".

    A time tag says when a receiver is to act. Receivers keep to it: with the sender's clock in it,
    one whose own clock is behind holds every bundle back by the difference.

    Args:
        messages: what it holds.
    """
    head = b"#bundle\0" + _IMMEDIATELY
    return head + b"".join(struct.pack(">i", len(one)) + one for one in messages)


def _string(text: str) -> bytes:
    data = text.encode("utf-8", "replace").replace(b"\0", b"") + b"\0"
    return data + bytes(-len(data) % 4)

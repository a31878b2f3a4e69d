"""Encode messages and bundles of Open Sound Control 1.0.

Everything is big endian and padded to multiples of four bytes; of the types there are 32-bit
integers, 32-bit floats and strings (https://opensoundcontrol.stanford.edu/spec-1_0.html).
"""

import struct
from collections.abc import Sequence

Argument = int | float | str

_UNIX_IN_NTP_S = 2_208_988_800  # from 1900, where NTP's seconds begin, to 1970


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


def bundle(messages: Sequence[bytes], unix_time: float) -> bytes:
    """Encode an OSC bundle.

    Args:
        messages: what it holds.
        unix_time: seconds since 1970, written as the bundle's NTP time tag.
    """
    seconds = int(unix_time // 1)
    fraction = min(int((unix_time - seconds) * (1 << 32)), (1 << 32) - 1)
    head = b"#bundle\0" + struct.pack(">II", seconds + _UNIX_IN_NTP_S, fraction)
    return head + b"".join(struct.pack(">i", len(one)) + one for one in messages)


def _string(text: str) -> bytes:
    data = text.encode("utf-8", "replace").replace(b"\0", b"") + b"\0"
    return data + bytes(-len(data) % 4)

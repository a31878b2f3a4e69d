"""Whether a file ends where its container ends, for kinds that tell no length to compare with.

A transport stream has no index and no length; ASF, Ogg and YUV4MPEG2 tell one that FFmpeg does not
pass on of a file that was cut. What is looked at is the last bytes, and the header of ASF.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

_TAIL_BYTES: Final = 4 << 20
_SYNC: Final = 0x47
_PACKET_SIZES: Final = (188, 192, 204)  # bare, with a time before it (M2TS), with a checksum after
_TIME_BYTES: Final = {192: 4}
_PAYLOAD: Final = 184
_PACKETS_SEEN: Final = 8
_DECODERS_TELL: Final = frozenset({"h264", "mpeg1video", "mpeg2video"})
_PICTURES_ALONE: Final = ("yuv4mpegpipe", "dv")  # nothing but pictures of one size
_ASF_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEADER_BYTES: Final = 1 << 16
_OGG_END: Final = 4


def early_end(
    path: Path, container: InputContainer, stream: VideoStream, last: "Packet[VideoStream] | None"
) -> str | None:
    """Return what tells that a file that was read to its end was cut short; None if nothing does.

    Args:
        path: the file.
        container: the same, open.
        stream: its pictures.
        last: their last packet.
    """
    name, size = container.format.name, path.stat().st_size
    if name == "asf":
        return _end_of_asf(_head(path), size)
    if name in _PICTURES_ALONE and last is not None and last.pos is not None:
        end = last.pos + last.size
        if end > size:
            return f"its last picture has {size - last.pos} of {last.size} bytes"
        return f"{size - end} bytes of a picture follow" if end < size else None
    if name not in ("mpegts", "ogg"):
        return None
    tail = _tail(path, size)
    if name == "ogg":
        return _end_of_ogg(tail)
    pids = [one.id for one in container.streams if one.type in ("audio", "video")]
    untold = stream.id if stream.codec_context.name not in _DECODERS_TELL else None
    return end_of_transport_stream(tail, pids, untold)


def end_of_transport_stream(tail: bytes, pids: Sequence[int], untold: int | None) -> str | None:
    """Return what tells that the end of an MPEG transport stream (ISO/IEC 13818-1) was cut off.

    Sound tells the length of each piece, and the last one is to be whole. Pictures mostly don't:
    theirs fills its last packet up with stuffing, but for one in 184 that fits by chance. So that
    is asked of codecs only whose decoders don't tell that a picture is incomplete.

    Args:
        tail: the last bytes of the file.
        pids: of the streams that count.
        untold: that of pictures whose decoder tells nothing, if it is one of them.
    """
    found = _packets_of(tail)
    if found is None:
        return None
    packets, rest = found
    if rest:
        return f"it ends after {rest} bytes of a packet"
    for pid in pids:
        told, length, is_open = _last_piece([p for p in packets if _pid(p) == pid])
        if told is not None and length < told:
            return f"the last piece of stream {pid:#x} has {length} of {told} bytes"
        if told == 0 and is_open and pid == untold:
            return "its last picture goes on where it ends"
    return None


def _packets_of(tail: bytes) -> tuple[list[bytes], int] | None:
    """Return the packets (188 bytes each) of the end of a file, and how many bytes follow them."""
    for size in _PACKET_SIZES:
        before = _TIME_BYTES.get(size, 0)
        for rest in range(min(size, len(tail))):
            starts = range(len(tail) - rest - size, -1, -size)
            seen = starts[:_PACKETS_SEEN]
            if len(seen) > 1 and all(tail[start + before] == _SYNC for start in seen):
                bodies = [tail[s + before : s + before + 188] for s in reversed(starts)]
                return [body for body in bodies if body[0] == _SYNC], rest
    return None


def _last_piece(packets: Sequence[bytes]) -> tuple[int | None, int, bool]:
    """Return what the last PES packet says to hold, what it holds, and whether it may go on.

    Bytes after its field of the length: 0 where it tells none, None where it has no beginning here.
    """
    length, is_open = 0, False
    for number, packet in enumerate(reversed(packets)):
        payload = _payload(packet)
        length += len(payload)
        if number == 0:
            is_open = len(payload) == _PAYLOAD
        if packet[1] & 0x40 and payload[:3] == b"\0\0\1":
            return int.from_bytes(payload[4:6]), length - 6, is_open
    return None, length, is_open


def _pid(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def _payload(packet: bytes) -> bytes:
    if not packet[3] & 0x10:
        return b""
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _end_of_asf(head: bytes, size: int) -> str | None:
    """Compare the size of an ASF file with the one in its file properties object."""
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return None
    told, flags = struct.unpack_from("<Q", head, at + 40)[0], head[at + 88]
    is_broadcast = bool(flags & 1)
    return f"it has {size} of {told} bytes" if size < told and not is_broadcast else None


def _end_of_ogg(tail: bytes) -> str | None:
    """Look whether each stream of an Ogg file (RFC 3533) has its page that is marked as the last.

    Streams without a page in these bytes ended before, or are told by nobody.
    """
    ended: dict[bytes, bool] = {}
    at = tail.find(b"OggS")
    while at >= 0 and at + 27 <= len(tail):
        serial = tail[at + 14 : at + 18]
        ended[serial] = ended.get(serial, False) or bool(tail[at + 5] & _OGG_END)
        at = tail.find(b"OggS", at + 27)
    return None if all(ended.values()) else "the page that ends it is missing"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_ASF_HEADER_BYTES)


def _tail(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read()

"""The shape of pixels in Matroska and WebM: PyAV writes none, so it is put in afterwards.

H.264 and HEVC tell it in their own pictures; VP9, AV1 and ProRes do not. FFmpeg's muxer leaves some
room after the list of what lies where (SeekHead). The description of the tracks grows into it, so
that nothing behind moves: a few hundred bytes are written anew. See RFC 8794 and RFC 9559.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

_SEGMENT, _SEEK_HEAD, _SEEK, _VOID = 0x18538067, 0x114D9B74, 0x4DBB, 0xEC
_SEEK_ID, _SEEK_POSITION = 0x53AB, 0x53AC
_INFO, _TRACKS, _TRACK, _VIDEO, _CRC = 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0xBF
_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT, _UNIT = 0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2
_MOVED: Final = (_INFO, _TRACKS)  # what lies between the room and the end of the tracks
_HEAD_BYTES: Final = 1 << 16
_LEAST_VOID: Final = 9  # bytes: with a length of 8 bytes, as FFmpeg writes it


@dataclass
class _Element:
    key: int
    start: int
    body: bytes

    def coded(self) -> bytes:
        return _coded(self.key, self.body)


def write_aspect(path: Path, aspect: Fraction) -> bool:
    """Tell the shape of pixels in a finished file.

    Args:
        path: a Matroska or WebM file as FFmpeg writes it.
        aspect: width of a pixel over its height, as it is stored.

    Returns:
        Whether it is told now: not if the file is built otherwise.
    """
    with path.open("r+b") as file:
        head = file.read(_HEAD_BYTES)
        try:
            start, changed = _changed(head, aspect)
        except (IndexError, KeyError, OverflowError, StopIteration, ValueError):
            return False
        file.seek(start)
        file.write(changed)
    return True


def _changed(head: bytes, aspect: Fraction) -> tuple[int, bytes]:
    """Return where a segment's contents begin, and those up to the end of its tracks, anew."""
    begin = next(one.start for one in _elements(head, 0) if one.key == _SEGMENT)
    begin += _header_size(head, begin)
    parts: list[_Element] = []
    for one in _elements(head, begin):
        parts.append(one)
        if one.key == _TRACKS:
            break
    if [one.key for one in parts] != [_SEEK_HEAD, _VOID, _INFO, _TRACKS]:
        raise ValueError
    seek, void, info, tracks = parts
    end = tracks.start + len(tracks.body) + _header_size(head, tracks.start)
    described = _with_crc(_TRACKS, _described(tracks.body, aspect))
    growth = len(described) - (end - tracks.start)
    room = len(void.body) - growth
    if room < 0 or info.start - void.start < _LEAST_VOID:
        raise ValueError
    moved = _with_crc(_SEEK_HEAD, _positions(seek.body, growth))
    gap = _key(_VOID) + (room | 1 << 56).to_bytes(8) + bytes(room)
    kept = head[info.start : tracks.start]
    changed = moved + gap + kept + described
    if len(changed) != end - begin:
        raise ValueError
    return begin, changed


def _described(tracks: bytes, aspect: Fraction) -> bytes:
    """Return the tracks, the pictures' one with the size at which they are shown."""
    done, found = b"", False
    for track in _elements(tracks, 0):
        children = list(_elements(track.body, 0)) if track.key == _TRACK else []
        if found or not any(one.key == _VIDEO for one in children):
            done += track.coded()
            continue
        found = True
        parts = (
            _coded(_VIDEO, _shown(one.body, aspect)) if one.key == _VIDEO else one.coded()
            for one in children
        )
        done += _coded(_TRACK, b"".join(parts))
    if not found:
        raise ValueError
    return done


def _shown(video: bytes, aspect: Fraction) -> bytes:
    """Return a description of pictures with the size at which they are shown, in pixels."""
    parts = list(_elements(video, 0))
    told = {one.key: int.from_bytes(one.body) for one in parts}
    # With both eyes' pictures in one, FFmpeg tells the size of one eye's.
    width = told.get(_SHOWN_WIDTH, told[_WIDTH]) * aspect
    height = Fraction(told.get(_SHOWN_HEIGHT, told[_HEIGHT]))
    if width.denominator != 1 and (height / aspect).denominator == 1:
        width, height = width / aspect, height / aspect
    sizes = {_SHOWN_WIDTH: round(width), _SHOWN_HEIGHT: round(height), _UNIT: 0}
    kept = b"".join(one.coded() for one in parts if one.key not in sizes)
    return kept + b"".join(
        _coded(key, size.to_bytes(max(1, (size.bit_length() + 7) // 8)))
        for key, size in sizes.items()
    )


def _positions(seek_head: bytes, growth: int) -> bytes:
    """Return the list of what lies where, with what moves by some bytes to the front."""
    done = b""
    for seek in _elements(seek_head, 0):
        if seek.key != _SEEK:
            done += seek.coded()
            continue
        found = {one.key: one.body for one in _elements(seek.body, 0)}
        place = found[_SEEK_POSITION]
        if int.from_bytes(found[_SEEK_ID]) in _MOVED:
            place = (int.from_bytes(place) - growth).to_bytes(len(place))
        done += _coded(_SEEK, _coded(_SEEK_ID, found[_SEEK_ID]) + _coded(_SEEK_POSITION, place))
    return done


def _with_crc(key: int, body: bytes) -> bytes:
    """Return an element; its checksum, if it has one, is that of what follows it."""
    first = next(_elements(body, 0))
    if first.key == _CRC:
        rest = body[len(first.coded()) :]
        body = _coded(_CRC, zlib.crc32(rest).to_bytes(4, "little")) + rest
    return _coded(key, body)


def _elements(data: bytes, start: int) -> Iterator[_Element]:
    """Yield the elements that follow one another in some bytes."""
    while start < len(data):
        key, key_size = _number(data, start, keep_mark=True)
        size, size_size = _number(data, start + key_size)
        body = start + key_size + size_size
        if body + size > len(data) and key != _SEGMENT:
            raise ValueError
        yield _Element(key, start, data[body : body + size])
        start = body + size


def _header_size(data: bytes, start: int) -> int:
    _, key_size = _number(data, start, keep_mark=True)
    return key_size + _number(data, start + key_size)[1]


def _number(data: bytes, start: int, *, keep_mark: bool = False) -> tuple[int, int]:
    """Return a number of variable length, with or without the bit that tells it, and its bytes."""
    size = 9 - data[start].bit_length()
    value = int.from_bytes(data[start : start + size])
    return value if keep_mark else value & ((1 << 7 * size) - 1), size


def _coded(key: int, body: bytes) -> bytes:
    size = next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1)
    return _key(key) + (len(body) | 1 << 7 * size).to_bytes(size) + body


def _key(key: int) -> bytes:
    return key.to_bytes((key.bit_length() + 7) // 8)

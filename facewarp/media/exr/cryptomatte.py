"""Cryptomatte 1.2: ids of objects as hashes of their names, with their coverage of each pixel.

Source: Friedman, Jones, "Fully automatic ID mattes with support for motion blur and transparency",
SIGGRAPH 2015 posters, and the specification published with it (version 1.2.0). The hash is
MurmurHash3 of 32 bits (Appleby), seed 0.
"""

import json
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

_RANKS: Final = (("R", "G"), ("B", "A"))  # channels of a layer: id and coverage of two ranks

_MASK: Final = 0xFFFF_FFFF


def murmur3(data: bytes, seed: int = 0) -> int:
    """Hash bytes by MurmurHash3_x86_32."""
    c1, c2 = 0xCC9E2D51, 0x1B873593
    value = seed & _MASK
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        value ^= _mixed(int.from_bytes(data[at : at + 4], "little"), c1, c2)
        value = (_rotated(value, 13) * 5 + 0xE6546B64) & _MASK
    if len(data) > whole:
        value ^= _mixed(int.from_bytes(data[whole:], "little"), c1, c2)
    value ^= len(data)
    value = ((value ^ value >> 16) * 0x85EBCA6B) & _MASK
    value = ((value ^ value >> 13) * 0xC2B2AE35) & _MASK
    return value ^ value >> 16


def _mixed(block: int, c1: int, c2: int) -> int:
    return (_rotated(block * c1 & _MASK, 15) * c2) & _MASK


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & _MASK


def id_bits(name: str) -> int:
    """Return the bits of a name's id: its hash, made no zero, denormal, infinity or NaN."""
    bits = murmur3(name.encode())
    if bits >> 23 & 255 in (0, 255):
        bits ^= 1 << 23
    return bits


def id_of(name: str) -> np.float32:
    """Return a name's id as the number that pixels hold."""
    return np.uint32(id_bits(name)).view(np.float32)


def attributes(layer: str, names: list[str]) -> dict[str, str]:
    """Return the attributes of a file's header, manifest included.

    Args:
        layer: name of the layer, such as "face_id"; its channels are `face_id00.R` and so on.
        names: of all objects in it.
    """
    key = f"cryptomatte/{murmur3(layer.encode()):08x}"[: len("cryptomatte/") + 7]
    manifest = {name: f"{id_bits(name):08x}" for name in names}
    return {
        f"{key}/name": layer,
        f"{key}/hash": "MurmurHash3_32",
        f"{key}/conversion": "uint32_to_float32",
        f"{key}/manifest": json.dumps(manifest, separators=(",", ":")),
    }


def channels(
    layer: str, coverage: Mapping[str, NDArray[np.floating]], shape: tuple[int, int]
) -> dict[str, NDArray[np.float32]]:
    """Rank objects by their coverage of each pixel.

    Args:
        layer: name of the layer.
        coverage: of each object, (h, w), 0..1.
        shape: (h, w), for no object.

    Returns:
        Channels (h, w) float32: two ranks a layer, as many layers as there are objects for.
    """
    if not coverage:
        return {}
    names = list(coverage)
    ids = np.array([id_of(name) for name in names], np.float32)
    shares = np.stack([np.asarray(coverage[name], np.float32) for name in names])
    order = np.argsort(-shares, axis=0, kind="stable")
    ranked = np.take_along_axis(shares, order, axis=0)
    made: dict[str, NDArray[np.float32]] = {}
    for rank in range(len(names) + len(names) % 2):
        number, place = divmod(rank, 2)
        covered = ranked[rank] if rank < len(names) else np.zeros(shape, np.float32)
        found = ids[order[rank]] if rank < len(names) else np.zeros(shape, np.float32)
        first, second = _RANKS[place]
        made[f"{layer}{number:02d}.{first}"] = np.where(covered > 0, found, 0).astype(np.float32)
        made[f"{layer}{number:02d}.{second}"] = np.ascontiguousarray(covered)
    return made

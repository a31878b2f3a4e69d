"""What a DICOM file's pixels hold, white on black."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.slices.dicom_tags import tag_value, whole

_PACKED: Final = 12  # bits of a pixel, without filling up to whole bytes


class OverflowingPixelsError(ValueError):
    """Pixels that are larger than the bits in which the header says that they are stored."""


def stored_values(data: Any) -> NDArray[Any]:
    """Decode a file's pixels, white on black, by its modality table where it has one.

    Args:
        data: the file's data set, with its pixels, which are not rescaled.

    Raises:
        OverflowingPixelsError: they do not fit the bits that the header tells.
    """
    from pydicom.pixels import apply_modality_lut

    native = not data.file_meta.TransferSyntaxUID.is_encapsulated
    if native and whole(data, "BitsAllocated", 16) == _PACKED:
        _unpack(data)
    stored: NDArray[Any] = data.pixel_array
    _check_bits(data)
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        stored = _inverted(stored, data)
    return np.asarray(apply_modality_lut(stored, data)) if has_table(data) else stored


def has_table(data: Any) -> bool:
    """Whether a table, in place of slope and intercept, tells what stored values mean."""
    return bool(tag_value(data, "ModalityLUTSequence"))


def _unpack(data: Any) -> None:
    """Give pixels of 12 bits, two in three bytes, 16 bits each; libraries read whole bytes alone.

    Raises:
        ValueError: they are fewer than the header says.
    """
    count = whole(data, "Rows") * whole(data, "Columns") * (whole(data, "NumberOfFrames", 1) or 1)
    packed = np.frombuffer(data.PixelData, np.uint8)[: (count + 1) // 2 * 3]
    first, middle, last = packed.astype(np.uint16).reshape(-1, 3).T
    pairs = np.stack([first | (middle & 15) << 8, middle >> 4 | last << 4], axis=1)
    data.PixelData, data.BitsAllocated = pairs.ravel()[:count].astype("<u2").tobytes(), 16


def _check_bits(data: Any) -> None:
    """Refuse unsigned pixels that run on into bits above those stored, which every reader cuts off.

    Their values would begin at 0 again. Of others these bits tell nothing, and overlays may lie in
    them: a picture with them is then rougher than the picture without.
    """
    stored, allocated = whole(data, "BitsStored", 0), whole(data, "BitsAllocated", 0)
    native = not data.file_meta.TransferSyntaxUID.is_encapsulated
    signed = bool(whole(data, "PixelRepresentation", 0))
    if not native or signed or allocated not in (8, 16) or not 0 < stored < allocated:
        return
    order = "<" if data.original_encoding[1] is not False else ">"
    raw = np.frombuffer(data.PixelData, f"{order}u{allocated // 8}").astype(np.int32)
    if raw.size == 0 or raw.max() < 1 << stored:
        return
    row = whole(data, "Columns", raw.size)
    rough, cut_rough = (
        int(np.abs(np.diff(values[: values.size // row * row].reshape(-1, row))).sum())
        for values in (raw, raw & ((1 << stored) - 1))
    )
    if rough < cut_rough or whole(data, "HighBit", stored - 1) != stored - 1:
        raise OverflowingPixelsError(f"values up to {raw.max()}, but {stored} bits stored")


def _inverted(stored: NDArray[Any], data: Any) -> NDArray[Any]:
    """White on black, by the range that the bits can hold: the same in all phases."""
    total = -1 if whole(data, "PixelRepresentation", 0) else 2 ** whole(data, "BitsStored", 16) - 1
    return np.asarray(total - stored.astype(np.int64))

"""Alpha of plates: colors multiplied by it, as OpenEXR has them, made straight, and back."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint16] | NDArray[np.float32]
"""(..., 3) values of a plate; alpha is (...) of the same type."""

_WHOLE = 65_535


def is_multiplied(spec: Any, path: Path) -> bool:
    """Return whether the colors of a plate with alpha are multiplied by it.

    Those of OpenEXR are; TIFF tells it of each file (associated alpha); PNG never.

    Args:
        spec: OpenImageIO's, of a file opened without having its alpha multiplied.
        path: of the file.
    """
    suffix = path.suffix.lower()
    tells = spec.getattribute("oiio:UnassociatedAlpha")
    return suffix == ".exr" or (suffix in (".tif", ".tiff") and not tells)


def straight(codes: Codes, alpha: Codes) -> Codes:
    """Return colors as they are without their alpha; those under an alpha of 0 as they are."""
    share = _share(alpha)
    seen = (share > 0) & (share < 1)
    if not seen.any():
        return codes
    values = codes.astype(np.float32)
    np.divide(values, share[..., None], out=values, where=seen[..., None])
    return _like(codes, values, seen)


def multiplied(codes: Codes, alpha: Codes) -> Codes:
    """Return straight colors multiplied by their alpha; the inverse of `straight`."""
    share = _share(alpha)
    return _like(codes, codes.astype(np.float32) * share[..., None], share < 1)


def _share(alpha: Codes) -> NDArray[np.float32]:
    share = alpha.astype(np.float32)
    return share / np.float32(_WHOLE) if alpha.dtype == np.uint16 else share


def _like(codes: Codes, values: NDArray[np.float32], where: NDArray[np.bool_]) -> Codes:
    """Return values in the type of codes, which stay as they are elsewhere."""
    if codes.dtype == np.uint16:
        values = np.rint(values).clip(0, _WHOLE)
    result = codes.copy()
    np.copyto(result, values.astype(codes.dtype), where=where[..., None])
    return result

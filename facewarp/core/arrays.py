"""Types of NumPy arrays that many modules share, and arrays held in half their memory.

Each signature says shape and unit.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ImageArray = NDArray[np.uint8]
"""(h, w) gray or (h, w, 3) RGB, 0 to 255."""
Points = NDArray[np.float64]
"""(N, 2) points x, y in px."""

_MOST: Final = 32767  # of 16-bit integers


class PackedArrays:
    """Arrays of one shape in half their memory: 16-bit steps, of a size of each array's own.

    It is read as the float32 array that they make together, and rounds by half a step, 1/65534 of
    an array's largest value. An array is written whole.

    Args:
        count: of the arrays, which are 0 at first.
        shape: of each.

    Attributes:
        shape: of all of them, ``(count, *shape)``.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self.shape = (count, *shape)
        self._steps = np.zeros(self.shape, dtype=np.int16)
        self._sizes = np.zeros(count, dtype=np.float32)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """Read what numbers and slices choose."""
        sizes = np.asarray(self._sizes[index[0] if isinstance(index, tuple) else index])
        found = self._steps[index].astype(np.float32)
        found *= sizes.reshape(*sizes.shape, *[1] * (found.ndim - sizes.ndim))
        return np.asarray(found, dtype=np.float32)

    def __setitem__(self, index: int, values: NDArray[np.floating]) -> None:
        largest = max(float(values.max()), -float(values.min()))
        size = np.float32(largest / _MOST) if largest > 0 else np.float32(1)
        self._sizes[index] = size
        self._steps[index] = np.rint(values / size)

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        found = self[:]
        return found if dtype is None else found.astype(dtype)

"""Screened Poisson equation on a fixed mask: factorized once, solved often."""

import numpy as np
from numpy.typing import NDArray


class ScreenedPoisson:
    """Solves ``v - l^2 lap v = d`` inside a mask, with v = d outside of it.

    v is d without what is smaller than about l, except that it meets d along the mask's edge.

    Args:
        mask: (h, w), where to solve.
        length_px: l, px of the mask.
    """

    def __init__(self, mask: NDArray[np.bool_], length_px: float) -> None:
        # SciPy takes a sixth of a second to import, and few programs that draw ever solve.
        from scipy.sparse import coo_matrix
        from scipy.sparse.linalg import splu

        inside = mask.copy()
        inside[[0, -1]] = inside[:, [0, -1]] = False
        self._inside = inside
        count = int(inside.sum())
        index = np.full(mask.shape, -1)
        index[inside] = np.arange(count)
        rows, columns = np.nonzero(inside)
        near = [(rows + dy, columns + dx) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
        square = length_px**2
        numbers = np.arange(count)
        data = [np.full(count, 1 + 4 * square)]
        at: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = [(numbers, numbers)]
        edges: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        for place in near:
            other = index[place]
            known = other >= 0
            data.append(np.full(int(known.sum()), -square))
            at.append((numbers[known], other[known]))
            outside = np.ravel_multi_index(place, mask.shape)[~known]
            edges.append((numbers[~known], outside))
        ends, outside = (np.concatenate(side) for side in zip(*edges, strict=True))
        self._from_edges = coo_matrix(
            (np.full(len(ends), square, np.float32), (ends, outside)), shape=(count, mask.size)
        ).tocsr()
        matrix = coo_matrix(
            (np.concatenate(data), tuple(np.concatenate(side) for side in zip(*at, strict=True))),
            shape=(count, count),
        )
        # Symmetric and positive definite: with an ordering for that, and without pivots, factors
        # hold two thirds of the numbers, and single precision is far below a code.
        self._solver = None
        if count:
            self._solver = splu(
                matrix.tocsc().astype(np.float32),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )

    def __call__(self, d: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the solution for d (h, w, c), same shape."""
        out = np.array(d, np.float32)
        if self._solver is None:
            return out
        flat = out.reshape(-1, d.shape[-1])
        right = flat[self._inside.ravel()] + self._from_edges @ flat
        out[self._inside] = self._solver.solve(right)
        return out

"""The discrete cosine transform of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cosines"]


def cosines(side: int) -> NDArray[np.float32]:
    """The orthonormal basis B of DCT-II, a row for each frequency: B x Bᵀ are the coefficients of a block x."""
    k = np.arange(side)
    basis = np.cos(np.pi / (2 * side) * (2 * k + 1) * k[:, None]) * np.sqrt(2 / side)
    basis[0] /= np.sqrt(2)
    matrix: NDArray[np.float32] = basis.astype(np.float32)
    return matrix

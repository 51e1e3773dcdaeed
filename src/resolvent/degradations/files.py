"""Read the plane of numbers, a kernel or a mask, that a degradation names by its path."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError


def read_plane(path: str, key: str | None = None) -> NDArray[np.float64]:
    """Read a two-dimensional array.

    Args:
        path: A .npy file, a .npz file, or a picture, of which the mean of the channels is taken, in [0, 1].
        key: Which array of a .npz file; None where there is but one.

    Raises:
        InputError: The file cannot be read, lacks the key, or holds no two-dimensional array of numbers.
    """
    if Path(path).suffix.lower() not in (".npy", ".npz"):
        from resolvent.image import read_image

        return np.asarray(read_image(path).pixels.mean(-1), np.float64)
    try:
        with Path(path).open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                if key is None and len(loaded.files) == 1:
                    key = loaded.files[0]
                if key not in loaded.files:
                    raise InputError(f"{path}: no array {key!r}; give key=, one of {', '.join(loaded.files)}")
                loaded = loaded[key]
        plane = np.asarray(loaded, np.float64)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a readable NumPy file ({error}); write it with numpy.save") from error
    if plane.ndim != 2 or not plane.size:
        raise InputError(f"{path}: has shape {plane.shape}: must be (H, W); save one plane")
    return plane

"""libvips: its errors and logs kept in hand, its images laid over numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import ResolventError

__all__ = ["DTYPES", "OPERATIONS", "load", "over", "seeking", "session"]

OPERATIONS = {"jpeg": "jpeg", "png": "png", "webp": "webp", "tiff": "tiff", "avif": "heif", "gif": "gif"}
"""Formats that libvips handles, and what its loaders and savers call them."""

DTYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}

Guard = Callable[[Callable[..., Any], object], Callable[..., Any]]


@cache
def load() -> Any:
    """Import pyvips, and keep it from filling memory and stderr."""
    import pyvips

    pyvips.cache_set_max(0)  # it would keep whole inputs
    # libvips's own warnings are logged by pyvips; GObject's, of a damaged file's sizes, would go to stderr
    critical_or_warning = 1 << 3 | 1 << 4
    pyvips.glib_lib.g_log_set_handler(b"GLib-GObject", critical_or_warning, pyvips._log_handler_cb, pyvips.ffi.NULL)
    return pyvips


@contextmanager
def session(wrong: Callable[[str], ResolventError]) -> Iterator[Guard]:
    """Turn an error of libvips into one of ours, made by `wrong` from one line.

    Yields what guards a callback, ``guarded(call, failed)``: libvips gets `failed` in the place of an exception, and
    that is raised when libvips has returned.
    """
    pyvips = load()
    caught: list[BaseException] = []

    def guarded(call: Callable[..., Any], failed: object) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            try:
                return call(*arguments)
            except (OSError, MemoryError, KeyboardInterrupt) as error:
                caught.append(error)
                return failed

        return run

    pyvips.vips_lib.vips_error_clear()
    try:
        yield guarded
    except (pyvips.Error, UnicodeDecodeError) as error:  # the latter from a message that quotes the file
        if not caught:
            lines = [line for line in getattr(error, "detail", "").splitlines() if "bad seek" not in line]
            raise wrong(re.sub(r"^\w+: ", "", lines[0]) if lines else "it is damaged") from None
    if caught:
        raise caught[0]


def seeking(file: BinaryIO) -> Callable[[int, int], int]:
    """Make the callback that seeks in an open file; where a damaged file points outside it, libvips is told so."""

    def seek(offset: int, whence: int) -> int:
        try:
            return file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1

    return seek


def over(data: NDArray[Any], alpha: NDArray[Any] | None, scale: tuple[float, float], depth: int) -> Any:
    """Lay a libvips image over arrays without copying them.

    Args:
        data: (H, W, C), uint8, uint16 or float32.
        alpha: (H, W) of the same type, or None; becomes the last band.
        scale: Values of `data` that become 0 and the largest integer where it is rounded; what is outside is clipped.
        depth: 8, 16 or 32 bits; what has more is rounded to it as it is read.
    """
    top = 1.0 if data.dtype == np.float32 else float(np.iinfo(data.dtype).max)
    image = _plane(data, scale, depth)
    if alpha is not None:
        image = image.bandjoin(_plane(alpha[..., None], (0.0, top), depth))
    gray = data.shape[2] == 1
    deep = {"ushort": "grey16" if gray else "rgb16", "float": "b-w" if gray else "scrgb"}
    return image.copy(interpretation=deep.get(image.format, "b-w" if gray else "srgb"))


def _plane(array: NDArray[Any], scale: tuple[float, float], depth: int) -> Any:
    rows, columns, bands = array.shape
    name = next(name for name, kind in DTYPES.items() if kind == array.dtype)
    image = load().Image.new_from_memory(np.ascontiguousarray(array), columns, rows, bands, name)
    if array.itemsize * 8 <= depth:
        return image
    low, high = scale
    factor = (2**depth - 1) / (high - low)
    return image.linear(factor, -low * factor).rint().cast("uchar" if depth == 8 else "ushort")

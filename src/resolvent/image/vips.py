"""libvips: its errors and logs as exceptions, and its images over NumPy arrays."""

from __future__ import annotations

import atexit
import re
import threading
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

DTYPES = {
    **{"uchar": np.uint8, "char": np.int8, "ushort": np.uint16, "short": np.int16, "uint": np.uint32, "int": np.int32},
    **{"float": np.float32, "double": np.float64},
}
"""libvips's names of types."""

Guard = Callable[[Callable[..., Any], object], Callable[..., Any]]

_LOCK = threading.Lock()  # libvips has one error buffer and one log for all threads
_WARNINGS: list[str] = []
_KEPT: list[Any] = []  # callbacks that libvips may call as long as the program runs


@cache
def load() -> Any:
    """Import pyvips without its cache, and collect its warnings, which need not be UTF-8, instead of printing them."""
    import pyvips

    pyvips.cache_set_max(0)  # it would keep whole inputs
    critical_or_warning, every = 1 << 3 | 1 << 4, 0xFC

    def collect(_domain: Any, level: int, message: Any, _data: Any) -> None:
        if level & critical_or_warning:
            _WARNINGS.append(pyvips.ffi.string(message).decode("utf-8", "replace"))

    handler = pyvips.ffi.callback("GLogFunc", collect)
    # GObject's, of a damaged file's sizes, would go to stderr
    for domain, levels in ((b"VIPS", every), (b"GLib-GObject", critical_or_warning)):
        number = pyvips.glib_lib.g_log_set_handler(domain, levels, handler, pyvips.ffi.NULL)
        atexit.register(pyvips.glib_lib.g_log_remove_handler, domain, number)
    _KEPT.append(handler)
    return pyvips


@contextmanager
def session(wrong: Callable[[str], ResolventError]) -> Iterator[Guard]:
    """Turn an error of libvips into one of ours, made by `wrong` from one line.

    Yields what guards a callback, ``guarded(call, failed)``: libvips gets `failed` in the place of an exception, and
    that is raised when libvips has returned. Sessions of several threads take turns.
    """
    pyvips = load()
    caught: list[BaseException] = []

    def guarded(call: Callable[..., Any], failed: object) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            try:
                return call(*arguments)
            except BaseException as error:  # noqa: BLE001 - C would drop it
                caught.append(error)
                return failed

        return run

    with _LOCK:
        complaints()
        try:
            yield guarded
        except (pyvips.Error, UnicodeDecodeError) as error:  # the latter from a message that quotes the file
            if not caught:
                lines = _lines(getattr(error, "detail", "")) or complaints()
                raise wrong(lines[0] if lines else "it is damaged") from None
    if caught:
        raise caught[0]


def complaints() -> list[str]:
    """Take the errors that libvips did not stop for, and its warnings, a line each, since this was last called."""
    pyvips = load()
    stored = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer()).decode("utf-8", "replace")
    lines = _lines(stored) + list(_WARNINGS)
    pyvips.vips_lib.vips_error_clear()
    _WARNINGS.clear()
    return lines


def _lines(text: str) -> list[str]:
    lines = (re.sub(r"^\w+: ", "", line.strip(), count=1) for line in text.splitlines())
    return [line for line in lines if line and "bad seek" not in line]


def seeking(file: BinaryIO) -> Callable[[int, int], int]:
    """Make the callback that seeks in an open file; -1 where a damaged file points outside it."""

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

"""Read the metadata of a WebP that libvips does not. Source: Google, WebP Container Specification."""

from __future__ import annotations

import io
from typing import BinaryIO

from resolvent.image.found import SHORT, Check, Found

__all__ = ["examine"]

_KNOWN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}


def examine(file: BinaryIO, _check: Check) -> Found:
    """Read what libvips does not of an open WebP."""
    found = Found()
    size = file.seek(0, io.SEEK_END)
    file.seek(4)
    declared = 8 + int.from_bytes(file.read(4), "little")
    if 0 < declared - size <= SHORT:
        file.seek(0)
        found.whole = io.BytesIO(file.read() + bytes(declared - size))
        found.warnings.append("its end is missing: the last pixels may be wrong")
    at, others = 12, []
    while at + 8 <= min(declared, size):
        file.seek(at)
        kind, length = file.read(4), int.from_bytes(file.read(4), "little")
        if kind not in _KNOWN and kind.isascii():
            others.append(kind.decode().strip())
        at += 8 + length + length % 2
    if others:
        found.leave_out(f"its WebP chunks {', '.join(dict.fromkeys(others))}")
    return found

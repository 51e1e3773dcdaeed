"""Read the comments of a GIF, and complete one that lacks its end.

Source: CompuServe, Graphics Interchange Format 89a.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from resolvent.image.found import Check, Found
from resolvent.image.png import text_chunk

__all__ = ["examine"]

_TRAILER, _IMAGE, _EXTENSION, _COMMENT = b"\x3b", b"\x2c", b"\x21", b"\xfe"


def examine(file: BinaryIO, _check: Check) -> Found:
    """Read what libvips does not of an open GIF: comments, and whether only its end is missing."""
    found = Found()
    file.seek(10)
    _skip_colors(file)
    comments: list[bytes] = []
    file.seek(2, io.SEEK_CUR)
    while (kind := file.read(1)) in (_IMAGE, _EXTENSION):
        if kind == _IMAGE:
            file.seek(8, io.SEEK_CUR)
            _skip_colors(file)
            file.seek(1, io.SEEK_CUR)
            content = _blocks(file)
        else:
            label = file.read(1)
            content = _blocks(file)
            if label == _COMMENT and content:
                comments.append(content)
        if content is None:
            return found
    if kind == b"":
        file.seek(0)
        found.whole = io.BytesIO(file.read() + _TRAILER)
        found.warnings.append("its end is missing: the last pixels may be wrong")
    found.fields["text"] = tuple(text_chunk("Comment", comment) for comment in comments)
    return found


def _skip_colors(file: BinaryIO) -> None:
    """Skip the color table that a byte of flags announces."""
    flags = (file.read(1) or b"\0")[0]
    file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, io.SEEK_CUR)


def _blocks(file: BinaryIO) -> bytes | None:
    """Read blocks up to the empty one that ends them; None if the file ends before."""
    parts = []
    while (size := file.read(1)) not in (b"", b"\0"):
        parts.append(file.read(size[0]))
    return b"".join(parts) if size else None

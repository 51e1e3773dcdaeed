"""Errors and warnings of decoders: each means damage, unless it is known not to concern the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from resolvent.errors import InputError

__all__ = ["PILLOW_ERRORS", "StrayBytes", "damaged", "judged"]

PILLOW_ERRORS = (
    *(SyntaxError, EOFError, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError, AttributeError),
    struct.error,
)
"""What Pillow and pillow-heif raise for a damaged file, besides OSError."""

_ASIDE = (  # TIFF tags that do not say how pixels are stored
    "XResolution|YResolution|ResolutionUnit|Orientation|DateTime|Software|Artist|Copyright|Make|Model|HostComputer"
    "|ImageDescription|DocumentName|PageName|XMLPacket|RichTIFFIPTC|Photoshop|ICC Profile|XPosition|YPosition"
    "|PageNumber|EXIFIFDOffset|GPSIFDOffset|SubIFD|MinSampleValue|MaxSampleValue|SMinSampleValue|SMaxSampleValue"
)

_HARMLESS = re.compile(
    "|".join(
        (
            r"tags are not sorted in ascending order",
            r"(Unknown|unknown) (field with tag|tag)",
            r"custom tag \d+ \(Tag \d+\) is TIFF_SETGET_UNDEFINED",
            r'missing required "StripByteCounts" field, calculating from imagelength',
            rf'"({_ASIDE})"',
            r"^(iCCP|cHRM|gAMA|sRGB|cICP|pHYs|bKGD|sBIT|hIST|sPLT|oFFs|sCAL|pCAL|tIME|eXIf|[tzi](TX|EX)t): (?!CRC)",
            r"known incorrect sRGB profile",
            r"Too much image data|Extra compressed data",
        )
    )
)
"""Warnings about tags and chunks that do not concern the pixels; those are read, or named as lost, elsewhere."""


class StrayBytes(str):
    """A warning about bytes outside of any segment."""


_MILD = {
    r"(\d+) extraneous bytes before marker": (StrayBytes, r"holds \1 bytes outside of any segment: it may be damaged"),
    r"^(?!tRNS)([a-z]\w{3}): CRC error": (str, r"the check sum of its \1 is wrong: it may be damaged"),
}
"""The pixels are there, and every other program shows them."""


def damaged(reason: object) -> InputError:
    """Make the error for a file that cannot be decoded."""
    line = " ".join(str(reason).split()).rstrip(".") or "it is damaged"
    return InputError(
        f"it cannot be decoded: {line}; use an intact copy, or save it again from a program that opens it"
    )


def judged(complaints: Iterable[str]) -> list[str]:
    """Turn a decoder's complaints into warnings.

    Raises:
        InputError: One of them means that pixels are lost.
    """
    warnings: dict[str, None] = {}
    for line in complaints:
        mild = next(
            (kind(match.expand(text)) for form, (kind, text) in _MILD.items() if (match := re.search(form, line))), None
        )
        if mild:
            warnings[mild] = None
        elif not _HARMLESS.search(line):
            raise damaged(line)
    return list(warnings)

"""The formats: one loader and one saver for each, and no other can be reached.

libvips (through pyvips) decodes and encodes JPEG, PNG, WebP, TIFF and AVIF, and decodes GIF; Pillow does BMP;
pillow-heif, where it is installed, HEIC. An error here says what is wrong, and its caller with which file.
"""

from __future__ import annotations

import re

from resolvent.errors import FormatError

__all__ = ["DEPTHS", "FORMATS", "KINDS", "LONGEST", "OPAQUE", "QUALITY", "RAW", "raw_error", "sniff"]

FORMATS: dict[str, tuple[str, ...]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "gif": (".gif",),
    "bmp": (".bmp", ".dib"),
    "heif": (".heic", ".heif", ".hif"),
}
"""The formats that are read, and their file name extensions."""

KINDS = {extension: kind for kind, extensions in FORMATS.items() for extension in extensions}
"""The format of each extension."""

RAW = (".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".sr2", ".srf", ".orf", ".rw2", ".raf", ".pef", ".srw",
       ".3fr", ".iiq", ".kdc", ".dcr", ".x3f", ".rwl")  # fmt: skip
"""Extensions of cameras' raw files, which are not read."""

DEPTHS = {"jpeg": 8, "png": 16, "webp": 8, "tiff": 32, "avif": 16, "bmp": 8, "heif": 16}
"""The formats that are written, and the most bits of a sample; of 16, AVIF keeps 12 and HEIF 10."""

LONGEST = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "heif": 16_384}
"""The most pixels a side of the formats that have such a limit, in the format or in its encoder."""

OPAQUE = {"jpeg", "bmp"}
"""The formats that are written without alpha."""

QUALITY = 95
"""Quality of a lossy output, 1 to 100; 100 is lossless for WebP, AVIF and HEIF."""


_RAW = {
    rb"(II\*\0|MM\0\*).{4}CR\x02\x00": "Canon CR2",
    rb".{6}HEAPCCDR": "Canon CRW",
    rb".{4}ftypcrx ": "Canon CR3",
    rb"FUJIFILMCCD-RAW": "Fujifilm RAF",
    rb"\0MRM": "Minolta MRW",
    rb"IIR[OS]|MMOR": "Olympus ORF",
    rb"IIU\0": "Panasonic RW2",
    rb".{8}(IIIITwaR|MMMMRawT)": "Phase One IIQ",
    rb"FOVb": "Sigma X3F",
}
"""Beginnings of cameras' raw files."""


def raw_error(name: str) -> FormatError:
    """Make the error for the raw data of a camera."""
    return FormatError(f"it is a camera's raw file ({name}): develop it first, in any raw converter, and give the TIFF")


def sniff(head: bytes) -> str | None:
    """Name the format that the first bytes of a file announce; None for any that is not read.

    Raises:
        FormatError: They announce a camera's raw file. Those that begin as any TIFF does are recognized later.
    """
    for start, name in _RAW.items():
        if re.match(start, head, re.DOTALL):
            raise raw_error(name)
    signatures = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"BM": "bmp"}
    signatures |= dict.fromkeys((b"GIF87a", b"GIF89a"), "gif")
    signatures |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff")
    for signature, kind in signatures.items():
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":  # ISO base media: the size of this box, its name, then brands of four bytes
        box = head[8 : int.from_bytes(head[:4], "big")]
        brands = {box[at : at + 4] for at in range(0, len(box), 4)}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}:
            return "heif"
    return None

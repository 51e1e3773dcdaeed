"""Input is bounded before it is decoded, and what cannot be read is one line that names the file."""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from resolvent.errors import FormatError, InputError
from resolvent.image import FORMATS, Limits, encode_image, read_image
from tests.image.samples import PALETTE, SOURCES, WRITTEN, full, saved, texture, tiff


def png_header(width: int, height: int) -> bytes:
    """A PNG of 45 bytes that claims a size."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data + end


def resized(data: bytes, at: int, form: str, *sizes: int) -> bytes:
    """The same file, its size field overwritten."""
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *sizes)
    return bytes(changed)


BMP = saved(Pillow.fromarray(texture()), "BMP")
GIF = saved(PALETTE, "GIF")
JPEG = saved(Pillow.fromarray(texture()), "JPEG")
TIFF = tiff(texture(), photometric="rgb", metadata=None)
NAN = texture(dtype=np.float32)
NAN[3, 4, 1] = np.nan


INFINITE = texture(channels=4, dtype=np.float32)
INFINITE[3, 4, 3] = np.inf


BAD = {
    "empty.png": (b"", "it is empty"),
    "text.jpg": (b"this is no image\n" * 50, "not a supported image format; give one of jpeg, png"),
    "encrypted.png": (np.random.default_rng(0).bytes(5000), "not a supported image format"),
    "archive.tif": (b"PK\x03\x04" + bytes(500), "not a supported image format"),
    "vector.svg": (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "not a supported image format"),
    "document.pdf": (b"%PDF-1.7\n" + bytes(500), "not a supported image format"),
    "signature only.png": (b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
    "signature only.jpg": (b"\xff\xd8\xff", "cannot be decoded"),
    "bomb.png": (png_header(50_000, 50_000), "50000 x 50000 are 2500.0 megapixels, more than 250"),
    "bomb.bmp": (resized(BMP, 18, "<ii", 50_000, 50_000), "2500.0 megapixels"),
    "bomb.gif": (
        resized(resized(GIF, 6, "<HH", 60_000, 60_000), GIF.index(b"\x2c\0\0\0\0") + 5, "<HH", 60_000, 60_000),
        "3600.0 megapixels",
    ),
    "bomb.jpg": (resized(JPEG, JPEG.index(b"\xff\xc0") + 5, ">HH", 60_000, 60_000), "3600.0 megapixels"),
    "colors.tif": (tiff(texture(dtype=np.uint16), photometric="cielab"), "its colors are LABS of short; convert"),
    "integers.tif": (tiff(texture(channels=1)[..., 0].astype(np.uint64)), "samples are unsigned, of 64 bits; convert"),
    "complex.tif": (tiff(texture(channels=1)[..., 0].astype(np.complex128)), "are complex, of 128 bits; convert"),
    "channels.tif": (tiff(texture(channels=4).repeat(2, 2), photometric="rgb"), "8 channels; convert"),
    "nan.tif": (tiff(NAN, photometric="rgb"), "holds NaN"),
    "infinite.tif": (tiff(INFINITE, photometric="rgb", extrasamples=["unassalpha"]), "holds NaN or inf"),
    "strips.tif": (TIFF[:8] + bytes(len(TIFF) - 8), "cannot be decoded"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_one_line_that_names_them(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"^the input: .*({reason})"):
        read_image(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [*WRITTEN, "gif"])
def test_truncated_files_are_refused(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = GIF if kind == "gif" else encode_image(full(), kind)
    path = tmp_path / f"cut{FORMATS[kind][0]}"
    for size in (len(data) // 10, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"^\S+: it cannot be decoded: [^\n]+; use an intact copy, or save"):
            read_image(path)
    assert capfd.readouterr().err == ""


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path, "it is not a file"),
        (tmp_path / "missing.png", "no such file"),
        (tmp_path / "a.png" / "b.png", "no such file|Not a directory"),
        ("nul\0.png", "NUL"),
    ]:
        with pytest.raises(InputError, match=reason):
            read_image(path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_pipes_do_not_hang_and_unreadable_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="it is not a file"):
        read_image(tmp_path / "pipe.png")
    path = tmp_path / "locked.png"
    path.write_bytes(JPEG)

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(InputError, match=r"locked.png: it cannot be read: Permission denied"):
        read_image(path)


def test_read_errors_of_the_disk_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    monkeypatch.setattr(io, "BytesIO", Failing)
    with pytest.raises(InputError, match="it cannot be read: Input/output error"):
        read_image(SOURCES["tiled.tif"][0] + bytes(9000))


def test_limits_can_be_set() -> None:
    data = SOURCES["tiled.tif"][0]
    assert read_image(data, Limits(megapixels=0.00208)).width == 52
    with pytest.raises(InputError, match=r"52 x 40 are 0.0 megapixels, more than 0.00207; raise that limit"):
        read_image(data, Limits(megapixels=0.00207))
    with pytest.raises(InputError, match=r"more than 0.001 megabytes; raise that limit"):
        read_image(data, Limits(megabytes=0.001))
    assert read_image(data, Limits(megabytes=len(data) / 1e6)).height == 40


def test_limits_come_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvips

    def decoded(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pyvips.Image, "write_to_memory", decoded)
    for kind in ("jpeg", "png", "webp", "tiff", "avif"):
        with pytest.raises(InputError, match="megapixels"):
            read_image(encode_image(full(), kind), Limits(megapixels=0.001))


def test_the_name_does_not_decide(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(Pillow.fromarray(texture()), "PNG"))
    image = read_image(path)
    assert (image.format, image.path) == ("png", path)
    assert image.warnings == ("is PNG, although its name ends in .jpg",)


@pytest.mark.parametrize("content", [b"II*\0" + bytes(200), b"unknown to anybody"])
def test_a_raw_file_is_told_by_its_name_too(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "IMG 1.CR2"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"it is a camera's raw file \(CR2\): develop it first"):
        read_image(path)

"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import resolvent.image
from resolvent.errors import OutputError, UsageError
from resolvent.image import FORMATS, Image, read_image, write_image
from tests.image.samples import WRITTEN, full, texture


@pytest.mark.parametrize("name", ["plain.png", "naïve Füße 写真.tif", "with space [1].jpg", "%20;&'\".webp"])
def test_any_name(name: str, tmp_path: Path) -> None:
    image = full()
    write_image(image, tmp_path / name)
    assert read_image(str(tmp_path / name)).data.shape == image.data.shape
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not Unicode")
def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_image(full(), path)
    np.testing.assert_array_equal(read_image(path).data, texture())


def test_overwriting_has_to_be_allowed(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"photo.png: exists; choose another name, or give overwrite=True"):
        write_image(full(), path)
    assert path.read_bytes() == b"precious"
    write_image(full(), path, overwrite=True)
    np.testing.assert_array_equal(read_image(path).data, texture())
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), UsageError("no"), MemoryError()]
)
def test_a_failed_write_leaves_nothing(failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: io.BytesIO, *_: object) -> None:
        file.write(b"half of it")
        raise failure

    monkeypatch.setattr(resolvent.image.files, "encode", fail)
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"precious")
    expected = OutputError if isinstance(failure, OSError) else type(failure)
    for path, overwrite in [(tmp_path / "new.png", False), (kept, True)]:
        with pytest.raises(expected):
            write_image(full(), path, overwrite=overwrite)
    assert [each.name for each in tmp_path.iterdir()] == ["kept.png"]
    assert kept.read_bytes() == b"precious"


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_full_disk(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import resource

    image = Image.from_array(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large") as caught:
            write_image(image, tmp_path / f"out{FORMATS[kind][0]}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, struct.error, ZeroDivisionError])
def test_what_is_raised_within_an_encoder_is_not_lost(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr("resolvent.image.encode._embedded", fail)
    with pytest.raises(error):
        write_image(full(), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    encode = resolvent.image.files.encode

    def appear(*arguments: object) -> None:
        encode(*arguments)
        path.write_bytes(b"precious")

    monkeypatch.setattr(resolvent.image.files, "encode", appear)
    with pytest.raises(OutputError, match="File exists"):
        write_image(full(), path)
    assert path.read_bytes() == b"precious"
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_image(full(), tmp_path / "photo.png")
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    write_image(full(), tmp_path / "photo.png")
    (tmp_path / "other").touch()
    assert (tmp_path / "photo.png").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path, overwrite in [
        (tmp_path / "missing" / "out.png", False),
        (tmp_path / "file" / "out.png", False),
        (tmp_path / "folder.png", False),
        (tmp_path / "folder.png", True),
    ]:
        with pytest.raises(OutputError, match=f"^{path}: ") as caught:
            write_image(full(), path, overwrite=overwrite)
        assert "\n" not in str(caught.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="not as root")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_image(full(), tmp_path / "out.png")
    tmp_path.chmod(0o700)


def test_an_image_too_large_for_the_format(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out.webp: the webp encoder refuses: "):
        write_image(Image.from_array(np.zeros((1, 16384), np.uint8)), tmp_path / "out.webp")
    assert list(tmp_path.iterdir()) == []

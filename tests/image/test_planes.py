"""Pages, planes and samples of unusual kinds are read as what they are, or named."""

from __future__ import annotations

import io
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from resolvent.errors import InputError
from resolvent.image import encode_image, read_image, unsupported, write_image
from tests.image.kept import PIXELS, REAL, SRGB, again, chunk, opened, png, saved, tiff

# --- pages, planes and sizes of pixels --------------------------------------------------------------------------------


def test_the_description_of_a_stack_promises_no_lost_slices() -> None:
    stack = PIXELS[None, ..., 0].repeat(5, 0)
    file = io.BytesIO()
    tifffile.imwrite(
        file, stack, imagej=True, resolution=(7.692, 7.692), metadata={"unit": "um", "spacing": 0.5, "axes": "ZYX"}
    )
    image = read_image(file.getvalue())
    assert image.warnings[0] == "holds 5 images: only the first is used"
    for written, factor in ((image, 1), (image.with_data(image.data.repeat(2, 0).repeat(2, 1)), 2)):
        data = encode_image(written, "tiff")
        with tifffile.TiffFile(io.BytesIO(data)) as other:
            assert other.is_imagej
            assert other.imagej_metadata["unit"] == "um"
            assert not {"images", "slices", "hyperstack"} & other.imagej_metadata.keys()
            page = other.pages[0]
            np.testing.assert_array_equal(other.asarray(), written.data[..., 0])
            x, below = page.tags["XResolution"].value
            assert x / below == pytest.approx(7.692 * factor, abs=1e-3)
            assert page.tags["ResolutionUnit"].value == 1
    assert unsupported(image, "png") == ("png cannot hold its pixel size: left out",)


def test_a_tiff_without_resolution_gets_none() -> None:
    for data in (tiff(), tiff(resolution=(1, 1), resolutionunit="none"), saved(PIXELS, "PNG")):
        written = encode_image(read_image(data), "tiff")
        assert "dpi" not in opened(written).info
        assert read_image(written).metadata.dpi is None
        with tifffile.TiffFile(io.BytesIO(written)) as file:
            assert file.pages[0].tags["ResolutionUnit"].value == 1
    with tifffile.TiffFile(
        io.BytesIO(encode_image(read_image(tiff(resolution=(300, 300), resolutionunit="inch")), "tiff"))
    ) as file:
        assert file.pages[0].tags["XResolution"].value[0] / file.pages[0].tags["XResolution"].value[1] == 300
        assert file.pages[0].tags["ResolutionUnit"].value == 2


def test_previews_are_no_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(PIXELS, photometric="rgb")
        writer.write(PIXELS[::2, ::2], photometric="rgb", subfiletype=1)
        writer.write(PIXELS, photometric="rgb")
    assert read_image(file.getvalue()).warnings[0] == "holds 2 images: only the first is used"


def test_pixels_per_unknown_unit_are_an_aspect_ratio() -> None:
    data = png(chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)))
    assert read_image(data).metadata.dpi is None
    for kind in ("png", "jpeg", "tiff"):
        assert again(data, kind).metadata.density == (2, 1)
    assert chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)) in encode_image(read_image(data), "png")
    square = read_image(png(chunk(b"pHYs", struct.pack(">IIB", 3, 3, 0))))
    assert (square.metadata.dpi, square.metadata.density) == (None, None)


def test_a_late_animation_is_seen() -> None:
    long = chunk(b"iTXt", b"Comment\0\0\0\0\0" + b"y" * 5000)
    image = read_image(png(long, chunk(b"acTL", struct.pack(">II", 2, 0))))
    assert image.warnings == ("holds an animation: only its still image is used",)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_sample_that_is_no_transparency_is_no_alpha(channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 256, (24, 32, channels), np.uint8)
    kind = {"photometric": "minisblack" if channels == 2 else "rgb", "planarconfig": "contig"}
    image = read_image(tiff(values, extrasamples=["unspecified"], **kind))
    assert image.alpha is None
    np.testing.assert_array_equal(image.data, values[..., :-1])
    np.testing.assert_array_equal(image.extra, values[..., -1])
    assert image.warnings == ()
    clear = read_image(tiff(values, extrasamples=["unassalpha"], **kind))
    np.testing.assert_array_equal(clear.alpha, values[..., -1])
    assert clear.extra is None
    assert clear.warnings == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [2, 4])
def test_an_extra_plane_is_kept_in_a_tiff_of_its_size(channels: int, dtype: type) -> None:
    values = (np.random.default_rng(1).random((24, 32, channels)) * 255).astype(dtype)
    kind = {"photometric": "minisblack" if channels == 2 else "rgb", "planarconfig": "contig"}
    turned = [(274, "H", 1, 6, True)]
    image = read_image(tiff(values, extrasamples=["unspecified"], extratags=turned, **kind))
    upright = np.rot90(values, -1)
    np.testing.assert_array_equal(image.extra, upright[..., -1])
    written = encode_image(image, "tiff")
    np.testing.assert_array_equal(read_image(written).extra, upright[..., -1])
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        assert file.pages[0].extrasamples == (0,)
        if dtype != np.float32:  # whose predictor tifffile does not read
            np.testing.assert_array_equal(file.asarray(), upright)
    assert unsupported(image, "tiff") == ()
    assert "png holds no extra plane: left out" in unsupported(image, "png")
    assert read_image(encode_image(image, "png")).alpha is None
    larger = image.with_data(image.data.repeat(2, 0).repeat(2, 1))
    assert larger.extra is None
    assert larger.warnings == ("its extra plane, of another size: left out",)


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (REAL, np.float32),
        (REAL.astype(">f8"), np.float32),
        ((REAL * 30_000).astype(np.int16), np.uint16),
        ((REAL * 30_000 - 9000).astype(np.int16), np.float32),
        ((REAL * 200 - 100).astype(np.int8), np.float32),
        ((REAL * 60_000).astype(np.uint32), np.uint16),
        ((REAL * 9e6 - 1e6).astype(np.int32), np.float32),
        ((REAL * 9e6).astype(np.uint32)[..., 0], np.float32),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_unusual_samples_are_read(values: np.ndarray, read: type, compression: str | None) -> None:
    image = read_image(tiff(values, compression=compression))
    assert image.data.dtype == read
    np.testing.assert_array_equal(image.data.squeeze(), values.astype(read))
    rounded = ", rounded" if values.dtype.kind == "f" else ""
    assert image.warnings == (f"its samples are {values.dtype.newbyteorder('=')}, read as {np.dtype(read)}{rounded}",)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_packed_bits_are_read(bits: int, channels: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, (7, 9, channels), np.uint16)
    rows = (values.reshape(7, -1, 1) >> np.arange(bits)[::-1] & 1).astype(np.uint8).reshape(7, -1)
    data = np.packbits(rows, axis=1).tobytes()
    entries = {256: 9, 257: 7, 258: bits, 259: 1, 262: 1 if channels == 1 else 2, 273: 400, 277: channels, 278: 7}
    entries |= {279: len(data)}
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    image = read_image(head.ljust(400, b"\0") + data)
    np.testing.assert_array_equal(image.data, values)


def test_packed_bits_without_pixels_are_refused() -> None:
    data = bytearray(tiff(REAL))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        at = file.pages[0].tags["ImageWidth"].valueoffset
    data[at : at + 2] = bytes(2)
    with pytest.raises(InputError, match="holds no pixels"):
        read_image(bytes(data))


def test_cielab_is_converted() -> None:
    lab = ImageCms.profileToProfile(
        Pillow.fromarray(PIXELS // 4 + 90), SRGB, ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    file = io.BytesIO()
    lab.save(file, "TIFF")
    image = read_image(file.getvalue())
    assert np.abs(image.data.astype(int) - (PIXELS // 4 + 90)).max() <= 3
    assert image.warnings == ("converted from CIELAB to sRGB",)


# --- raw files --------------------------------------------------------------------------------------------------------


RAWS = {
    "dng": tiff(extratags=[(50706, 1, 4, b"\1\4\0\0", True)]),
    "cfa": tiff(PIXELS[..., 0], photometric=32803, extratags=[(271, 2, 6, "NIKON\0", True)]),
    "linear": tiff(photometric=34892),
    "cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    "cr3": struct.pack(">I", 24) + b"ftypcrx " + bytes(100),
    "orf": b"IIRO\x08\0\0\0" + bytes(100),
    "rw2": b"IIU\0\x18\0\0\0" + bytes(100),
    "raf": b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "iiq": b"II*\0\x08\0\0\0IIIITwaR" + bytes(100),
}


@pytest.mark.parametrize("name", RAWS)
def test_raw_files_are_told_to_be_developed(name: str) -> None:
    with pytest.raises(InputError, match=r"camera's raw file \(.+\): develop it first"):
        read_image(RAWS[name])


def test_a_raw_behind_a_preview_is_told_too() -> None:
    """As NEF and ARW are: a thumbnail first, the mosaic in a directory below it."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(PIXELS, photometric="rgb", subfiletype=1, subifds=1, extratags=[(271, 2, 5, "SONY\0", True)])
        writer.write(PIXELS[..., 0], photometric=32803)
    with pytest.raises(InputError, match=r"raw file \(Sony\)"):
        read_image(file.getvalue())
    with pytest.raises(InputError, match="only a preview of another"):
        read_image(tiff(subfiletype=1))


# --- who may read it, and images made of arrays -----------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_who_may_not_read_the_photograph_may_not_read_the_result(mode: int, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(png())
    ordinary = stat.S_IMODE(source.stat().st_mode)
    source.chmod(mode)
    write_image(read_image(source), tmp_path / "out.png")
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == ordinary & mode

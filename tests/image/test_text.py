"""Text, IPTC, GeoTIFF and other tags are carried where the format can hold them, and named where it cannot."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import IptcImagePlugin

from resolvent.image import encode_image, read_image, unsupported
from resolvent.image.jpeg import SEGMENT
from tests.image.kept import PIXELS, again, chunk, jpeg, opened, png, saved, segment, tiff

TEXTS = (
    b"tEXtTitle\0a cat",
    b"zTXtparameters\0\0" + zlib.compress(b"steps: 20"),
    b"iTXtAuthor\0\0\0de\0Autor\0" + "Zoé".encode(),
    b"tEXtComment\0taken on the roof",
)


def test_text_of_png_stays_and_is_named_elsewhere() -> None:
    data = png(
        *(chunk(text[:4], text[4:]) for text in TEXTS[:2]), late=b"".join(chunk(t[:4], t[4:]) for t in TEXTS[2:])
    )
    image = read_image(data)
    assert unsupported(image, "png") == ()
    assert again(data, "png").metadata.text == TEXTS
    assert opened(encode_image(image, "png")).text == opened(data).text
    assert unsupported(image, "jpeg") == ("jpeg cannot hold its text (Title, parameters, Author): left out",)
    assert opened(encode_image(image, "jpeg")).info["comment"] == b"taken on the roof"


@pytest.mark.parametrize("comment", [b"plain", "Füße".encode(), "Füße".encode("latin-1")])
def test_comments_of_jpeg(comment: bytes) -> None:
    data = jpeg(segment(0xFE, comment))
    assert opened(encode_image(read_image(data), "jpeg")).info["comment"] == comment
    expected = comment.decode("latin-1" if b"\xfc" in comment else "utf-8")
    assert opened(encode_image(read_image(data), "png")).text["Comment"] == expected
    assert unsupported(read_image(data), "webp") == ("webp cannot hold its text (Comment): left out",)


def test_comments_of_gif() -> None:
    data = saved(PIXELS, "GIF", comment=b"taken on the roof")
    assert opened(encode_image(read_image(data), "png")).text["Comment"] == "taken on the roof"


IPTC = b"".join(
    b"\x1c\x02" + struct.pack(">BH", tag, len(text)) + text for tag, text in [(80, b"Zoe"), (120, b"A cat.")]
)


RESOURCES = b"8BIM\4\4\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
THUMBNAIL = b"8BIM\4\x0c\0\0" + struct.pack(">I", 4) + b"old!"


@pytest.mark.parametrize("source", ["jpeg", "tiff iptc", "tiff photoshop"])
def test_iptc_is_carried_by_jpeg_and_tiff(source: str) -> None:
    data = {
        "jpeg": lambda: jpeg(segment(0xED, b"Photoshop 3.0\0" + THUMBNAIL + RESOURCES)),
        "tiff iptc": lambda: tiff(extratags=[(33723, 7, len(IPTC), IPTC, True)]),
        "tiff photoshop": lambda: tiff(extratags=[(34377, 7, len(RESOURCES), RESOURCES, True)]),
    }[source]()
    image = read_image(data)
    assert image.warnings == ()
    for kind in ("jpeg", "tiff"):
        written = encode_image(image, kind)
        assert IptcImagePlugin.getiptcinfo(opened(written)) == {(2, 80): b"Zoe", (2, 120): b"A cat."}
        assert b"old!" not in written
        assert read_image(written).warnings == ()
        assert unsupported(image, kind) == ()
    assert unsupported(image, "webp") == ("webp cannot hold its IPTC: left out",)


def test_long_iptc_spans_segments() -> None:
    long = b"8BIM\4\4\0\0" + struct.pack(">I", 100_000) + bytes(range(250)) * 400
    parts = [segment(0xED, b"Photoshop 3.0\0" + long[at : at + 60_000]) for at in range(0, len(long), 60_000)]
    assert again(jpeg(*parts), "jpeg").metadata.iptc == long
    assert len(long) > SEGMENT


GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (8.0, 4.0, 0.0, 440_720.0, 3_751_320.0, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32611), True),
    (42113, 2, 2, "0\0", True),
]


def test_geotiff_tags_stay_true() -> None:
    image = read_image(tiff(extratags=GEO))
    assert image.warnings == ()
    assert unsupported(image, "tiff") == ()
    assert unsupported(image, "png") == ("png cannot hold its GeoTIFF tags: left out",)
    twice = image.with_data(image.data.repeat(2, 0).repeat(2, 1))
    for written, factor in ((image, 1), (twice, 2)):
        with tifffile.TiffFile(io.BytesIO(encode_image(written, "tiff"))) as file:
            tags = {tag: file.pages[0].tags[tag].value for tag in (33550, 33922, 34735, 42113)}
        assert tags[33550] == (0.5 / factor, 0.5 / factor, 0.0)
        assert tags[33922] == (8.0 * factor, 4.0 * factor, 0.0, 440_720.0, 3_751_320.0, 0.0)
        assert tags[34735] == (1, 1, 0, 1, 3072, 0, 1, 32611)


def test_what_says_where_something_is_does_not_survive_turning() -> None:
    """GeoTIFF tags are named; of Photoshop's resources, the paths go."""
    path = b"8BIM\x07\xd0\0\0" + struct.pack(">I", 26) + bytes(26)
    turned = [(274, 3, 1, 6, True), (34377, 7, len(RESOURCES + path), RESOURCES + path, True)]
    upright = read_image(tiff(extratags=turned[1:]))
    assert upright.metadata.iptc == RESOURCES + path
    image = read_image(tiff(extratags=[*GEO, *turned]))
    np.testing.assert_array_equal(image.data, np.rot90(PIXELS, -1))
    assert (image.metadata.geo, image.metadata.iptc) == (None, RESOURCES)
    assert image.warnings == ("its GeoTIFF tags, of a picture that had yet to be turned: left out",)


def test_a_description_of_many_images_is_named() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS[None, ..., 0].repeat(3, 0), ome=True, metadata={"axes": "ZYX"})
    image = read_image(file.getvalue())
    assert image.warnings[1] == "its OME description, which is of all its images: left out"
    assert b"<OME" not in encode_image(image, "tiff")


def test_other_tags_and_segments_are_named() -> None:
    strange = tiff(extratags=[(65000, 3, 1, 7, True), (37724, 7, 4, b"lays", True)])
    assert read_image(strange).warnings == ("its Photoshop layers: left out", "its TIFF tags 65000: left out")
    thermal = jpeg(segment(0xE1, b"FLIR\0\1\0\0heat"), segment(0xEB, b"JP\0\1\0\0\0\1jumbc2pa"))
    assert read_image(thermal).warnings == (
        "its APP1 segment FLIR: left out",
        "its APP11 segment content credentials (C2PA): left out",
    )
    assert read_image(png(chunk(b"caBX", b"c2pa"))).warnings == ("its PNG chunks caBX: left out",)

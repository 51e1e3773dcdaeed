"""The quality of a JPEG is read from its tables."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvent.image.jpeg_header import jpeg_header
from tests.diagnosis.pictures import DISK, jpeg


def jpeg_quality(source):
    header = jpeg_header(source)
    return header and header.quality


def jpeg_chroma(source):
    header = jpeg_header(source)
    return header and header.chroma


def luminance_table(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.array(picture.quantization[0])


@pytest.mark.parametrize("quality", range(1, 101))
def test_quality_of_libjpeg_is_exact(quality):
    assert jpeg_quality(jpeg(quality)) == quality


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": bytes(60_000)}, {"icc_profile": bytes(150_000)}])
def test_quality_wherever_the_tables_stand(options, tmp_path):
    path = tmp_path / "ä b.jpg"
    path.write_bytes(jpeg(83, **options))
    assert jpeg_quality(path) == 83


@pytest.mark.parametrize(("subsampling", "share"), [("4:4:4", 1), ("4:2:2", 0.5), ("4:2:0", 0.25)])
def test_chroma_that_a_file_keeps(subsampling, share, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(90, subsampling=subsampling, exif=bytes(60_000), progressive=True))
    assert jpeg_chroma(path) == share
    assert jpeg_chroma(path.read_bytes()) == share


def test_no_chroma_without_a_jpeg_and_all_of_it_in_gray():
    whole = jpeg(50)
    assert jpeg_chroma(cv2.imencode(".jpg", DISK[..., 0])[1].tobytes()) == 1
    assert jpeg_chroma(b"") is None
    frame = whole.index(b"\xff\xc0")
    assert jpeg_chroma(whole[:frame] + b"\xff\xff\xff" + whole[frame:]) == jpeg_chroma(whole) == 0.25
    table = whole.index(b"\xff\xdb")
    assert jpeg_quality(whole[:table] + b"\xff" + whole[table:]) == 50
    assert jpeg_chroma(whole[: whole.index(b"\xff\xc0") + 8]) is None


def test_quality_of_gray_and_of_another_encoder():
    assert jpeg_quality(cv2.imencode(".jpg", DISK[..., 0], [cv2.IMWRITE_JPEG_QUALITY, 37])[1].tobytes()) == 37
    assert jpeg_quality(cv2.imencode(".jpg", DISK, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()) == 92


def test_another_table_gets_the_nearest_quality():
    tables = [[16 if i % 2 else 15 for i in range(64)]] * 2
    near = [abs(luminance_table(jpeg(quality)) - tables[0]).sum() for quality in range(1, 101)]
    assert jpeg_quality(jpeg(qtables=tables)) == 1 + int(np.argmin(near))


def test_no_quality_without_a_table():
    png = io.BytesIO()
    PIL.Image.new("L", (8, 8)).save(png, "PNG")
    whole = jpeg(50)
    assert jpeg_quality(png.getvalue()) is None
    assert jpeg_quality(b"") is None
    assert jpeg_quality(whole[: whole.index(b"\xff\xdb") + 10]) is None


@given(st.binary(max_size=200))
def test_quality_of_anything_is_a_quality_or_none(data):
    assert jpeg_quality(b"\xff\xd8" + data) in {None, *range(1, 101)}
    assert jpeg_quality(b"\xff\xd8\xff\xdb" + data) in {None, *range(1, 101)}
    assert (jpeg_chroma(b"\xff\xd8\xff\xc0" + data) or 1) > 0

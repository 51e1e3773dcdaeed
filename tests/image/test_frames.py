"""One page or frame of a file that holds several."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from resolvent.batch.many import restore_many
from resolvent.batch.pipe import restore_piped
from resolvent.errors import InputError, UsageError
from resolvent.image import read_image

FRAMES = np.random.default_rng(7).integers(0, 256, (3, 24, 32, 3), np.uint8)


def animation(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    first, *others = map(Pillow.fromarray, FRAMES)
    first.save(file, kind, save_all=True, append_images=others, **options)
    return file.getvalue()


def pages(**options: object) -> bytes:
    """Pages of different sizes and types, a preview and a mask between them."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        writer.write(FRAMES[0], photometric="rgb", extratags=[(315, "s", 0, "one", True)])
        writer.write(FRAMES[0, ::2, ::2], photometric="rgb", subfiletype=1)
        writer.write(
            FRAMES[1, ..., 0].astype(np.uint16) * 257, photometric="minisblack", extratags=[(315, "s", 0, "two", True)]
        )
        writer.write(FRAMES[2, :10], photometric="rgb", compression="deflate", resolution=(300, 300), resolutionunit=2)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_a_page_of_a_tiff_is_read_with_its_own_tags(options: dict[str, object]) -> None:
    data = pages(**options)
    one, two, three = (read_image(data, frame=frame) for frame in (1, 2, 3))
    np.testing.assert_array_equal(one.data, FRAMES[0])
    np.testing.assert_array_equal(two.data, FRAMES[1, ..., :1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(three.data, FRAMES[2, :10])
    assert b"two" in two.metadata.exif
    assert b"one" not in two.metadata.exif
    assert [image.metadata.dpi for image in (one, two, three)] == [None, None, (300, 300)]
    assert one.warnings == ("holds 3 images: only the first is used",)
    assert three.warnings == ("holds 3 images: only number 3 is used",)


@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"lossless": True}), ("GIF", {})])
def test_a_frame_of_an_animation_is_read(kind: str, options: dict[str, object]) -> None:
    data = animation(kind, **options)
    with Pillow.open(io.BytesIO(data)) as other:
        for frame in (1, 2, 3):
            other.seek(frame - 1)
            image = read_image(data, frame=frame)
            np.testing.assert_array_equal(image.data, np.asarray(other.convert("RGB")))
            assert image.warnings[0].startswith("holds 3 images: only ")


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (pages(), "3 images, and no frame 4 (--frame 4); give 1 to 3"),
        (animation("WEBP"), "3 images, and no frame 4 (--frame 4); give 1 to 3"),
        (animation("GIF"), "3 images, and no frame 4 (--frame 4); give 1 to 3"),
        (animation("PNG"), "one image that can be read, and no frame 4 (--frame 4); give 1 to 1"),
    ],
    ids=["tiff", "webp", "gif", "png"],
)
def test_a_frame_that_is_not_there_is_one_error(data: bytes, held: str) -> None:
    with pytest.raises(InputError) as error:
        read_image(data, frame=4)
    assert str(error.value) == f"the input: it holds {held}"
    with pytest.raises(UsageError, match="frame 0: must be at least 1"):
        read_image(data, frame=0)


def test_a_frame_that_needs_no_restoring_is_written_alone(tmp_path) -> None:
    source = tmp_path / "a.tif"
    source.write_bytes(pages())
    (result,) = restore_many(source, tmp_path / "b.tif", strength=0, frame=3).results
    assert result.warnings == ("holds 3 images: only number 3 is used",)
    _, piped = restore_piped(source, strength=0, frame=3)
    for data in ((tmp_path / "b.tif").read_bytes(), piped):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            assert len(file.pages) == 1
            np.testing.assert_array_equal(file.asarray(), FRAMES[2, :10])
    restore_many(source, tmp_path / "whole.tif", strength=0)
    assert (tmp_path / "whole.tif").read_bytes() == source.read_bytes()


def test_a_batch_names_a_frame_that_is_wrong(tmp_path) -> None:
    source = tmp_path / "a.tif"
    source.write_bytes(pages())
    (result,) = restore_many(source, tmp_path / "b.tif", frame=4).results
    assert result.status == "failed"
    assert "no frame 4 (--frame 4); give 1 to 3" in result.reasons[0]
    with pytest.raises(UsageError, match="frame 0: must be at least 1"):
        restore_many(source, tmp_path / "b.tif", frame=0)

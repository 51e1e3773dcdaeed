"""The values that count as black and white are those that the picture uses; what lies far outside is left as it is."""

import numpy as np
import pytest

from resolvent.image import Image, encode_image, read_image, unsupported
from resolvent.image.value_range import full_range, used_range


def scene(height=96, width=128, channels=3):
    """Soft waves in [0, 1] that reach both ends."""
    rows, columns = np.mgrid[:height, :width]
    waves = [0.5 + 0.5 * np.sin(rows / (17 + c)) * np.cos(columns / (13 - c)) for c in range(channels)]
    return np.stack(waves, 2).astype(np.float32)


def noise(shape, sigma, seed=0):
    return sigma * np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize(
    ("top", "bits"), [(200, 8), (255, 8), (1000, 10), (1732, 12), (4095, 12), (4096, 14), (16383, 14)]
)
def test_bits_that_are_used_of_16(top, bits):
    data = np.rint(top * scene(channels=1)).astype(np.uint16)
    data[0, 0] = top
    known = used_range(data)
    assert (known.low, known.high) == (0, 2**bits - 1)
    assert f"uses {bits} of its 16 bits" in known.note
    image = Image.from_array(data)
    np.testing.assert_allclose(image.pixels, data / (2**bits - 1), rtol=1e-6)
    np.testing.assert_array_equal(image.quantize(image.pixels), data)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint8, 30), (np.uint16, 65535), (np.uint16, 20000)])
def test_whole_range_of_a_type(dtype, top):
    known = used_range(np.rint(top * scene()).astype(dtype))
    assert known == full_range(np.dtype(dtype))
    assert known.note == ""


def test_a_hot_pixel_does_not_take_more_bits():
    data = np.rint(3000 * scene(channels=1)).astype(np.uint16)
    data[40, 50] = 60_000
    image = Image.from_array(data)
    assert image.value_range.high == 4095
    assert "1 of 12288 values above are kept as they are" in image.value_range.note
    assert image.pixels.max() == 1
    assert np.argwhere(image.value_range.outliers(data)).tolist() == [[40, 50, 0]]
    data[40, 50:60] = 60_000
    assert used_range(data).high == 65535


@pytest.mark.parametrize("sigma", [0, 0.02, 0.1, 0.3, 1.0])
def test_floats_from_0_to_1_with_noise_are_read_as_they_are(sigma):
    data = scene() + noise((96, 128, 3), sigma)
    image = Image.from_array(data)
    assert (image.value_range.low, image.value_range.high, image.value_range.note) == (0, 1, "")
    np.testing.assert_array_equal(image.pixels, data)


@pytest.mark.parametrize("sigma", [0, 2, 5])
@pytest.mark.parametrize("top", [255, 4095, 65535])
def test_floats_up_to_the_largest_integer(top, sigma):
    data = top * (scene() + noise((96, 128, 3), sigma / 255))
    image = Image.from_array(data)
    assert (image.value_range.low, image.value_range.high) == (0, top)
    assert f"{top:.4g} are black to white" in image.value_range.note
    np.testing.assert_allclose(image.pixels, data / top, atol=1e-6)


def test_one_bright_spot_does_not_darken_the_rest():
    data = scene()
    data[40, 50] = 100
    image = Image.from_array(data)
    assert (image.value_range.low, image.value_range.high) == (0, 1)
    assert "3 of 36864 values outside of" in image.value_range.note
    assert image.pixels.max() == pytest.approx(1.1, abs=0.01)
    assert image.value_range.outliers(data).sum() == 3
    rest = np.ones(data.shape, bool)
    rest[40, 50] = False
    np.testing.assert_array_equal(image.pixels[rest], data[rest])


def test_counts_above_a_pedestal():
    """A telescope: 950 to 1200, and one hot pixel."""
    data = 1000 + 150 * scene(channels=1) + noise((96, 128, 1), 20)
    data[3, 5] = 60_000
    known = used_range(data)
    assert 800 < known.low < data.min()
    assert data[data < 50_000].max() < known.high < 1400
    assert (known.floor, known.ceiling) == (known.low, known.high)
    assert "1 of 12288 values outside" in known.note


@pytest.mark.parametrize("share", [0.002, 0.03])
def test_lamps_in_a_room(share):
    """Values 400 times as bright as the rest, in so large a part of the picture."""
    data = 1.8 * scene()
    side = round((share * 96 * 128) ** 0.5)
    data[20 : 20 + side, 30 : 30 + side] = 800
    known = used_range(data)
    assert known.low == pytest.approx(0, abs=0.2)
    assert known.high == pytest.approx(1.8, rel=0.15)


def test_a_bright_subject_before_noise_is_no_outlier():
    """The sky's own noise is not what the picture is read by."""
    data = 0.05 + noise((96, 128, 1), 0.01)
    data[30:60, 30:60] += 3 * scene(30, 30, 1)
    known = used_range(data)
    assert known.high > 2.5


@pytest.mark.parametrize("value", [0.0, 0.7, 1.0, 5.0, 200.0, -3.0])
def test_one_value_everywhere(value):
    image = Image.from_array(np.full((5, 7), value))
    assert np.isfinite(image.pixels).all()
    np.testing.assert_allclose(image.quantize(image.pixels), value, rtol=1e-6, atol=1e-6)
    assert Image.from_array(np.full((1, 1), value)).pixels.shape == (1, 1, 1)


def test_a_mask_of_few_marks():
    data = np.zeros((40, 40), np.float32)
    data[3, 4] = 1000
    known = used_range(data[..., None])
    assert known.high > known.low


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4", "<f4", ">f8"])
def test_either_byte_order(dtype):
    values = np.rint(60_000 * scene())
    values = values / 65535 if np.dtype(dtype).kind == "f" else values
    image = Image.from_array(values.astype(dtype))
    assert image.data.dtype.isnative
    np.testing.assert_allclose(image.data, values, rtol=1e-6)


def test_only_a_sample_of_a_large_picture_is_looked_at():
    data = np.tile(5 * scene(128, 128), (9, 8, 1))
    known = used_range(data)
    small = used_range(5 * scene(128, 128))
    assert (known.low, known.high) == pytest.approx((small.low, small.high), abs=0.1)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp"])
def test_twelve_bits_keep_their_brightness_in_formats_of_eight(kind):
    ramp = np.linspace(0, 4095, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint16)
    image = Image.from_array(ramp)
    written = read_image(encode_image(image, kind, quality=95))
    if kind == "png":
        np.testing.assert_array_equal(written.data, ramp)
        return
    np.testing.assert_allclose(written.data.astype(float), ramp / 4095 * 255, atol=6)
    np.testing.assert_allclose(np.asarray(image.to_pil()).astype(float), ramp / 4095 * 255, atol=1)


def test_outliers_that_rounding_clips_are_said():
    ramp = np.linspace(0, 4095, 128 * 128).reshape(128, 128).astype(np.uint16)
    ramp[5, 5] = 60000
    image = Image.from_array(ramp)
    assert "its values outside of 0 to 4095 are clipped" in unsupported(image, "jpeg")
    assert read_image(encode_image(image, "jpeg")).data[5, 5, 0] > 200


@pytest.mark.parametrize(("value", "low", "high"), [(1.3, 0, 1.3), (5, 0, 5), (-3, -3, 1)])
def test_floats_that_are_all_alike(value, low, high):
    known = used_range(np.full((40, 40, 1), value, np.float32))
    assert (known.low, known.high) == pytest.approx((low, high))


def test_one_channel_beyond_1_counts():
    """A red sunset: each channel has medians of its own."""
    data = 0.4 * scene()
    data[..., 0] *= 10
    assert used_range(data).high == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("shape", [(5, 1, 1), (1, 5, 1), (1, 1, 3)])
def test_a_row_a_column_or_a_pixel_has_a_range(shape):
    assert used_range(np.full(shape, 0.5, np.float32)).note == ""


def test_a_note_tells_of_the_range_and_of_what_lies_outside():
    data = 1000 + 150 * scene(channels=1) + noise((96, 128, 1), 20)
    data[3, 5] = 60_000
    first, second = used_range(data).note.split("; ")
    assert first.startswith("values from ")
    assert second.startswith("1 of 12288 values outside of ")
    assert used_range(scene()).note == ""

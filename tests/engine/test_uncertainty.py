from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image as Picture

import resolvent
from resolvent.engine.options import make_request
from resolvent.engine.plan import make_plan
from resolvent.engine.run import run
from resolvent.engine.uncertainty import Uncertainty
from resolvent.errors import UsageError
from resolvent.image import Image, read_image
from resolvent.models.export import write
from resolvent.models.registry import read_card

RNG = np.random.default_rng(0)


@pytest.fixture
def calibrated(headed):
    """The small model with a map that says 4.48 gray levels (e^1.5) everywhere, and factors 1 and 2."""
    model = onnx.load(headed)
    write(model, replace(read_card(headed), uncertainty={"factor": 1.0, "wide": 2.0, "images": 200}), headed)
    return headed


def noisy(shape=(48, 72, 3), sigma=20.0):
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / 16
    return (0.5 + 0.2 * np.sin(y + x))[..., None] + RNG.normal(size=shape) * sigma / 255


def restoration(image, **options):
    image = image if isinstance(image, Image) else Image.from_array(image)
    return run(image, make_plan(image, make_request(uncertainty=True, **options)), judge=False)


WIDTH = np.exp(1.5) * np.log(10)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_widths_are_those_of_the_map_in_gray_levels(calibrated, dtype, channels):
    """One half of a step of rounding is added; alpha and gray change nothing."""
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    values = (noisy((48, 72, channels)).clip(0, 1) * top).astype(dtype)
    found = restoration(values, model=calibrated, sigma=20).uncertainty
    rounding = 0 if dtype == np.float32 else 127.5 / top
    assert found.half_width.shape == (48, 72)
    assert found.half_width == pytest.approx(WIDTH + rounding, abs=0.01)


def test_the_image_is_the_same_with_and_without(calibrated):
    values = (noisy().clip(0, 1) * 255).astype(np.uint8)
    plain = resolvent.restore(values, model=calibrated, sigma=20)
    assert np.array_equal(restoration(values, model=calibrated, sigma=20).image.data, plain)


def test_blending_widens_by_as_much_as_it_moves(calibrated):
    values = noisy().clip(0, 1).astype(np.float32)
    full = restoration(values, model=calibrated, sigma=20).image.pixels
    half = restoration(values, model=calibrated, sigma=20, strength=0.5)
    moved = 255 * 0.5 * np.abs(full - values).max(axis=2)
    assert half.uncertainty.half_width == pytest.approx(WIDTH + moved, abs=0.01)
    assert moved.max() > 1


def test_no_width_wraps_around(calibrated):
    write(
        onnx.load(calibrated), replace(read_card(calibrated), uncertainty={"factor": 900.0, "wide": 900.0}), calibrated
    )
    assert (restoration(noisy().clip(0, 1), model=calibrated, sigma=20).uncertainty.steps == 65535).all()


def test_steps_are_those_of_the_range_that_is_used(calibrated):
    values = (noisy().clip(0, 1) * 4095).astype(np.uint16)
    found = restoration(values, model=calibrated, sigma=20).uncertainty
    assert found.half_width == pytest.approx(WIDTH + 127.5 / 4095, abs=0.004)


def test_next_to_no_noise_is_not_off_by_a_share(calibrated):
    clean = Image.from_array((noisy((160, 160, 3), sigma=0.0) * 255).astype(np.uint8))
    assert not restoration(clean, model=calibrated, sigma=0.25).plan.wide


@pytest.mark.parametrize(("sigma", "wide"), [(20, False), (None, False), (5, True), (25, True), (60, True)])
def test_a_level_that_is_not_the_measured_one_takes_the_wide_factor(calibrated, sigma, wide):
    image = Image.from_array((noisy((160, 160, 3)).clip(0, 1) * 255).astype(np.uint8))
    found = restoration(image, model=calibrated, sigma=sigma)
    assert found.plan.wide == wide
    assert np.median(found.uncertainty.half_width) == pytest.approx(WIDTH * (1 + wide) + 0.5, abs=0.01)
    assert ("wide" in str(found.uncertainty)) == wide


def test_tiles_leave_no_seam(calibrated):
    values = noisy((264, 320, 3)).clip(0, 1).astype(np.float32)
    whole, tiled = (restoration(values, model=calibrated, sigma=20, tile=tile) for tile in (None, 32))
    assert tiled.uncertainty.half_width == pytest.approx(whole.uncertainty.half_width, abs=0.01)
    assert tiled.plan.tiles > whole.plan.tiles


@pytest.mark.parametrize(("quality", "told"), [(60, False), (98, True)])
def test_where_jpeg_may_hide_noise_there_is_no_map(calibrated, tmp_path, quality, told):
    """Of three photographs of a camera with noise of 4 to 6 gray levels, measured as 0.0 to 0.7, a third was within."""
    smooth = (noisy((160, 160, 3), sigma=0.0) * 255).astype(np.uint8)
    Picture.fromarray(smooth).save(tmp_path / "a.jpg", quality=quality)
    found = restoration(read_image(tmp_path / "a.jpg"), model=calibrated, sigma=20)
    assert (found.uncertainty is not None) == told
    assert any(reason.startswith(f"no map of errors: JPEG {quality} may hide") for reason in found.reasons) != told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "nlm", "degradation": "noise:sigma=20"}, "uncertainty and method"),
        ({"repair": True}, "uncertainty and repair"),
        ({"scale": 2}, "uncertainty and scale 2: unknown after"),
        ({"model": "denoise-white"}, "'denoise-white': its file holds no map of errors that is calibrated"),
        ({"model": "denoise", "runtime": "torch"}, "uncertainty and runtime torch"),
    ],
)
def test_what_has_no_map_is_refused_before_any_work(options, said):
    with pytest.raises(UsageError, match=said):
        make_request(uncertainty=True, **options)


def test_what_is_left_as_it_is_has_no_map(calibrated):
    values = noisy().clip(0, 1).astype(np.float32)
    assert restoration(values, model=calibrated, sigma=20, strength=0.0).uncertainty is None


def test_it_says_in_a_sentence_what_it_means():
    steps = np.full((100, 100), 256 * 9, np.uint16)
    steps[:5] = 256 * 25
    found = Uncertainty(steps, "on average over photographs")
    assert str(found) == (
        "9 of 10 pixels are within ±w of the truth, w 9 of 255 at the median, 20 or more in the red areas (5 %); "
        "on average over photographs"
    )
    assert found.to_json() == {
        "median": 9.0, "percentile_90": 9.0, "red_share": 0.05, "basis": "on average over photographs",
    }  # fmt: skip
    assert "red" not in str(Uncertainty(steps[5:], ""))

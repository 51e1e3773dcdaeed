import numpy as np
import PIL.Image
import pytest

import resolvent
from resolvent.batch.many import restore_many
from resolvent.engine.restore import plan
from resolvent.engine.run import run
from resolvent.errors import InputError
from resolvent.image import Image, read_image


def page(side=96):
    """A page of black and white, (side, side)."""
    rows, columns = np.mgrid[:side, :side]
    return np.where((rows // 5 + columns // 7) % 3 == 0, 0, 255).astype(np.uint8)


def scene(sigma=0.0, shape=(128, 128, 3)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    clean = 0.5 + 0.2 * np.sin(rows / 9)[..., None] * np.cos((columns[..., None] + np.arange(shape[2])) / 11)
    return (clean + sigma / 255 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def eight_bits(values):
    return Image.from_array(np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8))


def test_a_page_of_1_bit_is_left_alone():
    image = Image.from_array(page())
    chosen = plan(image)
    assert chosen.unchanged
    assert "1 bit" in chosen.reasons[0]
    assert run(image, chosen).image is image
    bits = PIL.Image.fromarray(page()).convert("1")
    back = resolvent.restore(bits)
    assert back.mode == "1"
    assert back.tobytes() == bits.tobytes()


def test_the_file_of_a_page_of_1_bit_is_copied(tmp_path):
    source = tmp_path / "page.tif"
    PIL.Image.fromarray(page()).convert("1").save(source, compression="group4")
    (result,) = restore_many([source], tmp_path / "out.tif").results
    assert result.status == "unchanged"
    assert (tmp_path / "out.tif").read_bytes() == source.read_bytes()


def test_a_model_that_is_named_makes_a_page_gray_and_says_so(model_file):
    chosen = plan(Image.from_array(page()), model=model_file, sigma=5)
    assert not chosen.unchanged
    assert "black and white only: the result is gray" in chosen.reasons


def test_the_range_in_use_is_among_the_reasons(model_file):
    dim = Image.from_array(np.rint(3000 * scene()).astype(np.uint16))
    for options in ({}, {"model": model_file}):
        assert any("uses 12 of its 16 bits" in reason for reason in plan(dim, **options).reasons)


def test_gray_is_among_the_reasons(model_file):
    equal = eight_bits(scene(10, (128, 128, 1)).repeat(3, 2))
    assert "its channels are equal: restored as gray" in plan(equal, model=model_file).reasons
    assert len(plan(eight_bits(scene(10)), model=model_file).reasons) == 2


def test_a_noise_level_beyond_the_picture_is_refused(model_file):
    dim = Image.from_array((26 + 6 * (page() > 0)).astype(np.uint8))
    with pytest.raises(InputError, match=r"the image: sigma 18: must be at most the 6\.0 gray levels that its values"):
        plan(dim, model=model_file, sigma=18)
    assert not plan(dim, model=model_file, sigma=5).unchanged


def test_a_picture_of_one_color_is_left_alone_whatever_noise_is_told(model_file):
    image = Image.from_array(np.full((64, 64, 3), 128, np.uint8))
    chosen = plan(image, model=model_file, sigma=50)
    assert chosen.unchanged
    assert chosen.reasons == ("all pixels are alike: there is no noise to remove",)


@pytest.mark.parametrize(("there", "told", "warned"), [(0, 25, True), (10, 50, True), (20, 25, False), (10, 12, False)])
def test_an_overstated_noise_level_is_warned_of(model_file, there, told, warned):
    chosen = plan(eight_bits(scene(there)), model=model_file, sigma=told)
    assert chosen.sigma == told
    assert any("is given, " in reason for reason in chosen.reasons) == warned


def test_reasons_come_once_where_two_steps_are_planned():
    chosen = plan(Image.from_array(page()), scale=2)
    assert not chosen.unchanged
    assert chosen.first is None
    assert len(set(chosen.reasons)) == len(chosen.reasons)
    assert "black and white only: the result is gray" in chosen.reasons


@pytest.mark.parametrize(
    "values",
    [
        page(),
        page()[..., None].repeat(3, 2),
        np.dstack([page(), page(), page(), np.full((96, 96), 200, np.uint8)]),
        np.full((40, 40, 3), 77, np.uint8),
        np.full((40, 40), 3000, np.uint16),
        np.full((40, 40), 1e4),
        np.full((40, 40, 3), 0.5, ">f4"),
    ],
)
def test_what_is_left_alone_is_the_very_input(values):
    assert plan(Image.from_array(values)).unchanged
    out = resolvent.restore(values)
    assert out.dtype == values.dtype
    np.testing.assert_array_equal(out, values)
    assert not np.shares_memory(out, values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("factor", [1, 1000])
def test_strength_zero_is_the_input_whatever_its_range(dtype, factor, tmp_path):
    values = scene(10)
    values = values * factor if dtype == np.float32 else np.rint(4000 * values / (1 + 15 * (dtype == np.uint8)))
    values = values.astype(dtype)
    np.testing.assert_array_equal(resolvent.restore(values, strength=0), values)
    path = tmp_path / "a.tif"
    resolvent.write_image(Image.from_array(values), path)
    np.testing.assert_array_equal(resolvent.restore(path, strength=0).data, values)
    np.testing.assert_array_equal(read_image(path).data, values)

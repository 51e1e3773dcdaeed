import numpy as np
import pytest
from scipy import ndimage

from resolvent.errors import InputError
from resolvent.inference.stitch import Box, Runner
from resolvent.inference.tiles import reflected


def picture(height, width):
    return np.random.default_rng(height * width).random((1, 3, height, width), np.float32)


def assemble(session, x, tile):
    """The blocks put together; each pixel must come once."""
    s = session.card.scale
    y = np.full((3, s * x.shape[2], s * x.shape[3]), np.nan, np.float32)
    for box, values in Runner(session).blocks(lambda box: x[:, :, *box.slices()], *x.shape[2:], tile):
        assert np.isnan(y[:, *box.slices(s)]).all()
        y[:, *box.slices(s)] = values
    return y


def whole(function, x):
    height, width = x.shape[2:]
    padding = ((0, 0), (0, 0), (8, reflected(height, 8) - height - 8), (8, reflected(width, 8) - width - 8))
    return function(np.pad(x, padding, mode="reflect"))[0, :, 8 : 8 + height, 8 : 8 + width]


@pytest.mark.parametrize("tile", [16, 17, 24, 40, 512])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 300), (64, 64), (131, 97), (200, 161)])
def test_tiles_are_invisible(fake, functions, tile, height, width):
    x = picture(height, width)
    session = fake(functions.window, halo=15)
    y = assemble(session, x, tile)
    expected = whole(functions.window, x)
    assert np.abs(y - expected).max() <= 1e-5
    assert np.abs(expected - x).max() > 0.05 or x.size == 3
    assert len(set(session.shapes)) == 1
    if max(height, width) > tile + 2 * 24:
        assert len(session.shapes) > 1


def test_missing_context_would_show(fake, functions):
    x = picture(131, 97)
    y = assemble(fake(functions.window, halo=0), x, 24)
    assert np.abs(y - whole(functions.window, x)).max() > 1 / 255


@pytest.mark.parametrize("tile", [16, 40, 512])
def test_enlarging_model_keeps_the_geometry(fake, functions, tile):
    x = picture(70, 91)
    y = assemble(fake(functions.doubled, scale=2, halo=4), x, tile)
    assert np.abs(y - functions.doubled(x)[0]).max() <= 1e-6


def test_tile_that_runs_out_of_memory_is_run_in_smaller_ones(fake, functions):
    def limited_window(x):
        return functions.window(functions.limited(100 * 100)(x))

    x = picture(210, 190)
    session = fake(limited_window, halo=15)
    y = assemble(session, x, 96)
    assert np.abs(y - whole(functions.window, x)).max() <= 1e-5
    failed = [shape for shape in session.shapes if shape[0] * shape[1] > 100 * 100]
    assert failed == session.shapes[:1]  # once known, the limit is kept to


def test_out_of_memory_on_the_smallest_tile_is_an_error(fake, functions):
    with pytest.raises(InputError, match="out of memory on a tile of"):
        assemble(fake(functions.limited(50), halo=15), picture(100, 100), 48)


def test_box_slices():
    assert Box(1, 2, 3, 5).slices(2) == (slice(2, 6), slice(4, 10))


@pytest.mark.parametrize("tile", [16, 512])
def test_a_network_sees_the_image_reflected_at_its_borders(fake, tile):
    """Convolutions pad with zeros: a mean over 3x3 pixels darkens a white border by a third."""

    def mean(x):
        return ndimage.uniform_filter(x, (1, 1, 3, 3), mode="constant")

    white = np.ones((1, 3, 41, 59), np.float32)
    assert mean(white)[0, :, 0].max() < 0.7
    np.testing.assert_allclose(assemble(fake(mean, halo=1), white, tile), 1, atol=1e-6)
    x = picture(41, 59)
    expected = ndimage.uniform_filter(x, (1, 1, 3, 3), mode="mirror")[0]
    np.testing.assert_allclose(assemble(fake(mean, halo=1), x, tile), expected, atol=1e-6)

"""What is hidden by transparency takes the nearest color that can be seen."""

import numpy as np
import pytest

from resolvent.engine.visible import visible_colors
from resolvent.image import Image
from resolvent.inference.stitch import Box


def located(alpha):
    """A picture whose red is the row of each pixel, and whose green is the column."""
    rows, columns = np.indices(alpha.shape)
    return Image.from_array(np.stack([rows, columns, 0 * rows, alpha], 2).astype(np.uint8))


@pytest.mark.parametrize("box", [(0, 0, 50, 60), (12, 16, 29, 41), (0, 40, 9, 60), (45, 0, 50, 7), (20, 20, 21, 21)])
@pytest.mark.parametrize("halo", [0, 3, 8])
def test_hidden_pixels_take_the_nearest_color_within_twice_the_halo(box, halo):
    """By the definition: the distance to what was taken is the least to any visible pixel around the box."""
    alpha = (np.random.default_rng(halo).random((50, 60)) < 0.01) * np.uint8(1)
    box = Box(*box)
    taken = np.rint(255 * visible_colors(located(alpha), box, halo)[..., :2]).astype(int)
    rows, columns = np.nonzero(alpha)
    near = (rows >= box.top - 2 * halo) & (rows < box.bottom + 2 * halo)
    near &= (columns >= box.left - 2 * halo) & (columns < box.right + 2 * halo)
    places = np.indices(alpha.shape)[:, box.top : box.bottom, box.left : box.right].transpose(1, 2, 0)
    if not near.any():
        np.testing.assert_array_equal(taken, places)
        return
    seen = np.stack([rows, columns], 1)[near]
    least = np.square(places[:, :, None] - seen).sum(-1).min(-1)
    np.testing.assert_array_equal(np.square(taken - places).sum(-1), least)
    assert alpha[taken[..., 0], taken[..., 1]].all()


@pytest.mark.parametrize("alpha", [0, 1, 255])
def test_a_picture_that_is_hidden_or_seen_as_a_whole_is_read_as_it_is(alpha):
    image = located(np.full((20, 30), alpha, np.uint8))
    np.testing.assert_array_equal(visible_colors(image, Box(3, 4, 15, 22), 4), image.read(3, 4, 15, 22))

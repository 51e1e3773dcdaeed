import numpy as np
import pytest
from scipy import ndimage

from resolvent.engine.visible import nearest_true


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (17, 1), (24, 31), (40, 9)])
@pytest.mark.parametrize("share", [0.002, 0.05, 0.5, 1.0])
def test_nearest_pixel_is_as_near_as_scipy_s(shape, share):
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random(shape) < share
        mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
        rows, columns = nearest_true(mask)
        assert mask[rows, columns].all()
        distance = np.hypot(*(np.indices(shape) - np.stack([rows, columns])))
        np.testing.assert_allclose(distance, ndimage.distance_transform_edt(~mask), rtol=0, atol=1e-9)


def test_between_two_as_near_it_is_the_same_one_wherever_the_image_is_cut():
    mask = np.random.default_rng(1).random((30, 41)) < 0.2
    whole, part = nearest_true(mask), nearest_true(mask[5:, 7:])
    near = np.hypot(*(np.indices(mask.shape) - np.stack(whole)))[10:-5, 12:-5] < 5
    for axis, offset in enumerate((5, 7)):
        np.testing.assert_array_equal(whole[axis][10:-5, 12:-5][near], part[axis][5:-5, 5:-5][near] + offset)

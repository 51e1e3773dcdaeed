"""What tests of degradations share."""

import numpy as np
import pytest
from scipy import ndimage


@pytest.fixture
def image():
    """(37, 50, 3), smooth and noisy at once."""
    rng = np.random.default_rng(3)
    values = ndimage.gaussian_filter(rng.random((37, 50, 3)), (2, 2, 0)) * 3 - 1 + 0.1 * rng.random((37, 50, 3))
    return np.clip(values, 0, 1).astype(np.float32)

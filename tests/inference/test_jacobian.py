from dataclasses import dataclass

import numpy as np
import pytest

from resolvent.inference.jacobian import HALO, JacobianSession, places
from resolvent.inference.stitch import Box, Runner
from resolvent.models.card import ModelCard

CARD = ModelCard(
    name="linear", task="denoise", summary="", network="", arguments={}, degradation="", noise_level=True, multiple=1,
    halo=1,
)  # fmt: skip


@dataclass
class Linear:
    """Each pixel times ``own``, plus the pixel to its left times ``left``; the Jacobian's diagonal is ``own``."""

    own: float | np.ndarray
    left: float = 0.0
    card: ModelCard = CARD

    def run(self, x):
        colors = x[:, :3]
        return (self.own * colors + self.left * np.roll(colors, 1, axis=3)).astype(np.float32)


def variance(session, image, sigma, tile=512, **options):
    """(H, W), put together from tiles."""
    found = np.empty(image.shape[1:])

    def read(box):
        level = np.full((1, *image[0, *box.slices()].shape), sigma / 255)
        return np.concatenate([image[:, *box.slices()], level, places(box)[None]])[None].astype(np.float32)

    runner = Runner(JacobianSession(session, sigma, **options), channels=1, halo=HALO)
    for box, values in runner.blocks(read, *image.shape[1:], tile):
        found[box.slices()] = values[-1]
    return found


@pytest.fixture
def image():
    return np.random.default_rng(0).random((3, 60, 84))


@pytest.mark.parametrize("gray", [False, True])
def test_of_a_denoiser_that_scales_each_pixel_it_is_exact(image, gray):
    """That is the best one for pixels N(0, s²) apart, s² = 3 σ², whose posterior has the variance 3/4 σ²."""
    found = variance(Linear(0.75), image, 20.0, probes=1, gray=gray)
    assert found == pytest.approx(0.75 * (20 / 255) ** 2, rel=1e-3)


def test_what_neighbors_add_averages_out(image):
    found = variance(Linear(0.2, 0.3), image, 20.0, probes=16, gray=False) / (20 / 255) ** 2
    assert found.mean() == pytest.approx(0.2, abs=0.002)
    assert found.std() == pytest.approx(0.3 / np.sqrt(16 * 3 * 25), rel=0.2)


def test_tiles_agree(image):
    session = Linear(0.2, 0.3)
    whole, tiled = (variance(session, image, 20.0, tile, probes=2, gray=False) for tile in (512, 16))
    assert tiled == pytest.approx(whole, abs=1e-7)


def test_without_noise_there_is_nothing_to_doubt(image):
    assert not variance(Linear(0.75), image, 0.0, probes=1, gray=False).any()


def test_every_place_of_a_period_has_its_own_signs():
    numbers = places(Box(500, 40, 530, 600))
    assert numbers[12, 0] == 40
    assert len(np.unique(numbers[:, :512])) == 30 * 512
    assert np.array_equal(numbers[:, :48], numbers[:, 512:])

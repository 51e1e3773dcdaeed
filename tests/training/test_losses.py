import numpy as np
import pytest
import torch

from resolvent.training.objectives.losses import LOSSES, bce_dice, charbonnier, largest_channel


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"bce-dice"}))
def test_each_is_a_mean_that_the_clean_image_keeps_low(name):
    clean = torch.rand((2, 3, 6, 5), generator=torch.Generator().manual_seed(0))
    worse = clean + 0.2 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    loss = LOSSES[name]
    assert loss(clean, clean) < 0.2 * loss(worse, clean)
    torch.testing.assert_close(loss(worse.repeat(2, 1, 1, 2), clean.repeat(2, 1, 1, 2)), loss(worse, clean))


def test_charbonnier_by_hand():
    values = charbonnier(torch.tensor([[0.003]]), torch.tensor([[0.0]]), 4e-3)
    assert float(values) == pytest.approx(5e-3)


def test_largest_channel_by_hand_and_its_slope():
    restored = torch.tensor([0.5, 0.52, 0.1]).reshape(1, 3, 1, 1).requires_grad_()
    clean = torch.tensor([0.6, 0.5, 0.1]).reshape(1, 3, 1, 1)
    shares = np.exp(np.array([0.5, 0.52, 0.1]) / 0.01)
    shares /= shares.sum()
    loss = largest_channel(restored, clean, 0.01, 0.004)
    assert float((loss - charbonnier(restored, clean)).detach()) == pytest.approx(-0.004 * np.log(shares[0]), rel=1e-4)
    (slope,) = torch.autograd.grad(loss - charbonnier(restored, clean), restored)
    np.testing.assert_allclose(slope.flatten(), 0.4 * (shares - [1, 0, 0]), atol=1e-6)


def test_equal_channels_count_as_the_first():
    gray = torch.full((1, 3, 2, 2), 0.5)
    reddish, bluish = (gray + 0.01 * torch.eye(3)[i].reshape(1, 3, 1, 1) for i in (0, 2))
    assert largest_channel(reddish, gray) < largest_channel(bluish, gray)


def test_cross_entropy_and_dice_by_hand():
    predicted, mask = torch.tensor([0.9, 0.2, 0.5, 0.1]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    entropy = -np.mean(np.log([0.9, 0.8, 0.5, 0.9]))
    dice = (2 * (0.9 + 0.5) + 1) / (1.7 + 2 + 1)
    assert float(bce_dice(predicted, mask)) == pytest.approx(entropy + 0.5 * (1 - dice), rel=1e-5)
    assert float(bce_dice(mask, mask)) == pytest.approx(0, abs=1e-6)

import numpy as np
import pytest
import torch

from resolvent.errors import UsageError
from resolvent.networks import build
from resolvent.networks.uncertainty import UncertaintyHead, features_of, laplace_loss


@pytest.mark.parametrize(("scale", "fold"), [(1, 1), (1, 2), (2, 1), (4, 1), (3, 1)])
def test_there_is_one_scale_for_each_restored_value(scale, fold):
    network = build("unet-small", widths=(8, 8), blocks=(1, 1), fold=fold, scale=scale).eval()
    x = torch.rand(2, 3, 16, 24)
    restored, features = features_of(network, x)
    b = UncertaintyHead(8, scale=scale, fold=fold)(features, x, restored)
    assert b.shape == restored.shape == (2, 3, 16 * scale, 24 * scale)
    assert torch.equal(restored, network(x))
    assert b.detach().numpy() * 255 == pytest.approx(np.e**1.5, rel=1e-5)


def test_features_too_coarse_are_refused():
    with pytest.raises(UsageError, match="fold 4"):
        UncertaintyHead(8, fold=4)


def test_loss_is_least_at_the_mean_absolute_error():
    """Of all constant b, the maximum-likelihood scale of Laplace errors is their mean magnitude."""
    error = torch.from_numpy(np.random.default_rng(0).laplace(scale=0.03, size=(1, 3, 64, 64)))
    target = torch.zeros_like(error)
    scales = torch.linspace(0.02, 0.04, 201)
    losses = [laplace_loss(torch.full_like(error, scale.item()), error, target) for scale in scales]
    assert scales[int(np.argmin(losses))].item() == pytest.approx(error.abs().mean().item(), abs=1e-4)


def test_it_sees_the_contrast_of_the_result_and_what_was_changed():
    """Without features, a flat image and one that was changed give other statistics."""
    head = UncertaintyHead(8)
    flat, textured = torch.full((1, 3, 32, 32), 0.5), torch.rand(1, 3, 32, 32)
    still, changed = head._statistics(flat, flat), head._statistics(flat, flat + 0.1)
    assert not torch.allclose(still, changed)
    assert not torch.allclose(head._statistics(textured, textured)[:, 6], still[:, 6])

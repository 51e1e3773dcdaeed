import dataclasses

import pytest
import torch

from resolvent.networks import build
from resolvent.training.optimizers import Muon, build_optimizers, orthogonalize, set_rate


@pytest.mark.parametrize("shape", [(6, 6), (4, 20), (20, 4)])
def test_orthogonalize_keeps_the_singular_vectors_and_evens_the_values(shape):
    """The polar factor U V' from an independent decomposition; the iteration ends within 0.35 of it."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalize(matrix)
    rotated = u.T @ result @ v.T
    assert torch.allclose(rotated, torch.diag(rotated.diag()), atol=1e-4)
    assert (rotated.diag() - 1).abs().max() < 0.35
    assert values.max() / values.min() > 1.5


def test_muon_takes_one_step_of_nesterov_momentum():
    """From zero momentum the update is parallel to the gradient, so that its polar factor is the gradient's."""
    weight = torch.nn.Parameter(torch.zeros(3, 2, 2, 2))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    optimizer = Muon([weight], lr=0.1)
    optimizer.step()
    expected = -0.1 * orthogonalize(weight.grad.flatten(1)).view(weight.shape)
    assert torch.allclose(weight, expected, atol=5e-3)
    assert torch.allclose(optimizer.state[weight]["momentum"], 0.05 * weight.grad)


def test_head_tail_and_biases_are_adamw_s(recipe):
    network = build("unet-small", **recipe.arguments)
    adamw, muon = build_optimizers(dataclasses.replace(recipe, optimizer="muon"), network)
    names = {id(p): name for name, p in network.named_parameters()}
    hidden = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    rest = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert hidden | rest == set(names.values())
    assert not hidden & rest
    assert {"head.weight", "tail.weight"} <= rest
    assert all(name.endswith("weight") for name in hidden)
    assert "encoder.0.0.conv1.weight" in hidden
    set_rate([adamw, muon], 0.5)
    assert (adamw.param_groups[0]["lr"], muon.param_groups[0]["lr"]) == (recipe.learning_rate / 2, 0.005)

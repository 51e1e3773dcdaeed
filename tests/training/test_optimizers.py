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


def test_settings_of_a_recipe_reach_the_optimizers(recipe):
    changed = dataclasses.replace(recipe, optimizer="muon", betas=(0.8, 0.9), epsilon=1e-6, weight_decay=0.02)
    adamw, muon = build_optimizers(changed, build("unet-small", **recipe.arguments))
    group = adamw.param_groups[0]
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.8, 0.9), 1e-6, 0.02)
    assert muon.param_groups[0]["weight_decay"] == 0.02


def test_kernels_of_one_shape_are_updated_as_if_each_were_alone():
    generator = torch.Generator().manual_seed(2)
    values = [torch.randn(4, 2, 3, 3, generator=generator) for _ in range(3)]
    together, alone = ([torch.nn.Parameter(value.clone()) for value in values] for _ in range(2))
    for weight, value in zip([*together, *alone], 2 * values, strict=True):
        weight.grad = value.flip(0) ** 2
    Muon(together, lr=0.1, weight_decay=0.1).step()
    for weight in alone:
        Muon([weight], lr=0.1, weight_decay=0.1).step()
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a, b, atol=1e-6)

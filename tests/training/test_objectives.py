"""Every objective: its loss falls, its gradient flows, and a run that was killed ends as if it had not been."""

import dataclasses
import inspect
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from resolvent.errors import UsageError
from resolvent.plugins import import_entry
from resolvent.training import checkpoint
from resolvent.training.callbacks import Callback
from resolvent.training.loop import has_left_its_range, train
from resolvent.training.objectives import OBJECTIVES, build, check_objective
from resolvent.training.objectives.adversarial import Means
from resolvent.training.objectives.base import Batch
from resolvent.training.objectives.comparator import load_comparator
from resolvent.training.objectives.noisy import Neighbor2Neighbor, choose_neighbors, neighbors
from resolvent.training.runs import branch

NOISY = [name for name, entry in OBJECTIVES.items() if entry.photographs != "clean"]
IMAGES = sorted(set(OBJECTIVES) - {"bce-dice"})


class Stop(Callback):
    def step(self, step, *_):
        if step == 5:
            raise InterruptedError


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_settings_are_those_of_the_class(name):
    entry = OBJECTIVES[name]
    assert check_objective(name, {}) == {}
    built = build(name, {})
    owner = built.compare.func if "loss" in entry.arguments else import_entry(entry.entry, name)
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(owner).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    assert {key: setting.default for key, setting in entry.settings.items()} == defaults


@pytest.mark.parametrize("name", IMAGES)
def test_the_loss_falls_on_a_tiny_set_and_its_gradient_is_finite(name):
    generator = torch.Generator().manual_seed(0)
    waves = torch.linspace(0, 6, 32)
    clean = (0.5 + 0.3 * torch.sin(waves[:, None] + waves)).expand(2, 3, 32, 32).contiguous()
    first, second = (clean + 0.1 * torch.randn(clean.shape, generator=generator) for _ in range(2))
    target = {"clean": clean, "noisy": first, "bursts": second}[OBJECTIVES[name].photographs]
    sigma = torch.full((2,), 25.5)
    batch = Batch(target, torch.cat([first, torch.full((2, 1, 32, 32), 0.1)], 1), sigma)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))
    objective = build(name, {})
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)

    def predict(inputs, *, precise=False):
        return inputs[:, :3] + network(inputs)

    losses = []
    for step in range(80):
        torch.manual_seed(step)
        loss, restored, parts = objective(predict, batch, step / 80)
        optimizer.zero_grad()
        loss.backward()
        assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())
        optimizer.step()
        assert all(math.isfinite(part.item()) for part in parts.values())
        losses.append(loss.item())
    objective.update(batch, restored, lambda module: None)  # a discriminator that learns would move the goal
    assert all(torch.isfinite(value).all() for value in objective.state_dict().values())
    assert all(map(math.isfinite, losses))
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_sure_is_the_error_of_gray_photographs_too():
    """Their noise is the same in all channels: the mean of these is the identity, whose error is the variance."""
    generator = torch.Generator().manual_seed(0)
    clean = (0.5 + 0.2 * torch.sin(torch.linspace(0, 9, 64))).expand(4, 3, 64, 64)
    noisy = clean + 25 / 255 * torch.randn(4, 1, 64, 64, generator=generator)
    batch = Batch(noisy, noisy, torch.full((4,), 25.0))
    for smooth in (False, True):

        def predict(inputs, *, precise=False, smooth=smooth):
            mean = inputs.mean(1, keepdim=True).expand_as(inputs)
            return nn.functional.avg_pool2d(mean, 5, 1, 2, count_include_pad=False) if smooth else mean

        torch.manual_seed(0)
        loss = build("sure", {})(predict, batch, 0.5).loss
        assert loss.item() == pytest.approx((predict(noisy) - clean).square().mean().item(), abs=4e-4)


def test_the_halves_of_r2r_are_independent_for_gray_photographs():
    noise = 25 / 255 * torch.randn(2, 1, 200, 200, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    seen = []

    def predict(inputs, *, precise=False):
        seen.append(inputs)
        return torch.zeros_like(inputs)

    torch.manual_seed(1)
    alpha = 0.5
    loss = build("r2r", {})(predict, Batch(noise, noise, torch.full((2,), 25.0)), 0.5).loss
    (inputs,) = seen
    target = noise - (inputs - noise) / alpha**2
    assert loss.item() == pytest.approx(target.square().mean().item(), rel=1e-4)
    assert abs((inputs.mean(1) * target.mean(1)).mean().item()) < 0.01 * inputs.var().item() ** 0.5 * 25 / 255


def test_a_loss_that_may_be_below_0_has_no_spikes():
    state = checkpoint.State(1, "", "", "", "", {}, step=10**6, running=1e-4)
    assert has_left_its_range(0.01, state)
    assert not has_left_its_range(0.01, state, bounded=False)
    assert has_left_its_range(math.nan, state, bounded=False)
    assert {name for name in IMAGES if not build(name, {}).bounded} == {"sure"}


@pytest.mark.parametrize(
    ("name", "settings", "least"),
    [
        ("adversarial", {}, 24), ("adversarial", {"layers": 5}, 96), ("perceptual", {"layers": 1}, 6),
        ("noise2void", {"radius": 16}, 17), ("noise2self", {"period": 8}, 32), ("l1", {}, 1),
    ],
)  # fmt: skip
def test_a_patch_that_is_too_small_is_refused(name, settings, least, recipe):
    if least > 1:
        with pytest.raises(UsageError, match=f"must be {least} or more for objective = {name}"):
            dataclasses.replace(recipe, objective=name, objective_settings=settings, patch=least - least % 2 - 2)
    image = torch.rand(2, 3, least, least)
    build(name, settings)(lambda inputs, precise=False: inputs * 1.0, Batch(image, image, torch.ones(2)), 0.5)


def test_means_are_those_of_all_processes():
    means = Means(2)

    def average(module):
        for parameter in module.parameters():
            parameter.grad.add_(1)

    assert means.update(torch.tensor([1.0, 3.0]), average).tolist() == [2, 4]
    assert means.value.tolist() == [2, 4]
    means.update(torch.tensor([2.0, 3.0]), average)
    assert means.value.tolist() == pytest.approx([2.02, 4])


@pytest.mark.parametrize("name", IMAGES)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(name, recipe, photographs, bursts, tmp_path):
    recipe = dataclasses.replace(recipe, objective=name, budget="8 steps", gray=0.0)
    folder = photographs if OBJECTIVES[name].photographs == "clean" else bursts
    train(recipe, folder, tmp_path / "whole", threads=1, checkpoint_every=0)
    with pytest.raises(InterruptedError):
        train(recipe, folder, tmp_path / "cut", threads=1, checkpoint_every=0, watch=Stop())
    train(recipe, folder, tmp_path / "cut", threads=1, resume=True, checkpoint_every=0)
    (whole, book), (cut, _) = (checkpoint.load(tmp_path / run / "last.safetensors") for run in ("whole", "cut"))
    assert book["step"] == 8
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    assert any(key.startswith("objective-optimizer/") for key in whole) == (name in ("perceptual", "adversarial"))


@pytest.mark.parametrize("name", sorted(set(NOISY) - {"noise2void", "noise2self"}))
def test_noisy_photographs_alone_teach_a_network_to_denoise(name, recipe, bursts, photograph, tmp_path):
    """Noise of 25 is 20.2 dB; the clean scenes are used to measure alone."""
    clean = tmp_path / "clean"
    clean.mkdir()
    for i in range(20, 23):
        Image.fromarray(photograph(i, 64, 64)).save(clean / f"{i}.png")
    recipe = dataclasses.replace(
        recipe, objective=name, validation=("noise:sigma=25",), budget="150 steps", batch=4, learning_rate=4e-3,
        arguments={**recipe.arguments, "widths": [16, 16, 16]}, patch=64, ema=0.95,
    )  # fmt: skip
    result = train(recipe, bursts, tmp_path / "run", validation=clean, threads=1)
    assert result.psnr["noise:sigma=25"] > 21.7
    assert result.recipe.gray == 0  # which would be another noise level


def test_without_clean_photographs_another_noisy_image_is_predicted(recipe, bursts, tmp_path):
    recipe = dataclasses.replace(recipe, budget="2 steps")
    neighboring = train(dataclasses.replace(recipe, objective="neighbor2neighbor"), bursts, tmp_path / "a", threads=1)
    assert set(neighboring.psnr) == {"neighboring pixels"}
    shots = train(dataclasses.replace(recipe, objective="noise2noise"), bursts, tmp_path / "b", threads=1)
    assert set(shots.psnr) == {"another shot"}
    assert shots.inputs["another shot"] == pytest.approx(20 * math.log10(255 / (25 * math.sqrt(2))), abs=0.5)
    assert shots.photographs == 8  # whole bursts are held out


def test_what_grows_over_the_budget_goes_on_in_a_branch(recipe, bursts, tmp_path, monkeypatch):
    shares = []

    class Watched(Neighbor2Neighbor):
        def forward(self, predict, batch, share):
            shares.append(share)
            return super().forward(predict, batch, share)

    monkeypatch.setattr("resolvent.training.objectives.noisy.Neighbor2Neighbor", Watched)
    recipe = dataclasses.replace(recipe, objective="neighbor2neighbor", schedule="constant", warmup=0.0)
    trunk, run = tmp_path / "trunk", tmp_path / "run"
    with pytest.raises(InterruptedError):
        train(
            dataclasses.replace(recipe, budget="10 steps"), bursts, trunk, threads=1, watch=Stop(), checkpoint_every=0
        )
    assert checkpoint.load_book(trunk / "last.safetensors")["step"] == 4
    assert shares == pytest.approx([i / 10 for i in range(5)])
    shares.clear()
    cooled = branch(trunk, run, "4 steps")
    with pytest.raises(InterruptedError):
        train(cooled, bursts, run, threads=1, watch=Stop(), resume=True)  # before a checkpoint of its own
    train(cooled, bursts, run, threads=1, resume=True)
    assert shares == pytest.approx([0.4, 0.4, 0.55, 0.7, 0.85])


def test_neighbors_touch_and_are_two():
    y = torch.arange(64.0).reshape(1, 1, 8, 8)
    first, second = neighbors(y, choose_neighbors(y, torch.Generator().manual_seed(0)))
    apart = (first - second).abs().flatten().tolist()
    assert set(apart) == {1.0, 8.0}
    blocks = (first // 16).int(), (first % 8 // 2).int()
    assert torch.equal(blocks[0][0, 0], torch.arange(4)[:, None].expand(4, 4).int())
    assert torch.equal(blocks[1][0, 0], torch.arange(4).expand(4, 4).int())


def test_sure_estimates_the_mean_squared_error_of_a_linear_filter():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand((64, 3, 32, 32), generator=generator) * 0.2 + 0.4
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    kernel = torch.full((3, 1, 3, 3), 1 / 9)

    def predict(inputs, *, precise=False):
        return nn.functional.conv2d(nn.functional.pad(inputs, (1, 1, 1, 1), mode="circular"), kernel, groups=3)

    torch.manual_seed(0)
    loss, restored, _ = build("sure", {"sigma": 25.5})(predict, Batch(noisy, noisy), 0.0)
    true = (restored - clean).square().mean().item()
    assert loss.item() == pytest.approx(true, rel=0.03)
    plain = (restored - noisy).square().mean().item()
    assert abs(plain - true) > 0.3 * true


@pytest.mark.parametrize("name", ["noise2void", "noise2self"])
def test_what_is_hidden_is_not_seen(name):
    """The loss is on pixels that the network does not get: for a network that copies, it is not zero."""
    y = torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    loss, restored, _ = build(name, {})(lambda inputs, *, precise=False: inputs[:, :3], Batch(y, y), 0.0)
    changed = (restored != y).any(1)
    assert 0.005 < changed.float().mean() < 0.15
    assert loss.item() > 0.03


def test_the_two_images_of_r2r_have_independent_noise():
    sigma = 0.1
    noise = sigma * torch.randn((8, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    seen = []

    def predict(inputs, *, precise=False):
        seen.append(inputs)
        return torch.zeros_like(inputs[:, :3])

    torch.manual_seed(1)
    inputs = torch.cat([noise, torch.full((8, 1, 64, 64), sigma)], 1)
    loss, *_ = build("r2r", {"alpha": 0.5})(predict, Batch(noise, inputs, torch.full((8,), 25.5)), 0.0)
    assert loss.item() == pytest.approx(sigma**2 * (1 + 4), rel=0.03)  # y - z / alpha
    assert seen[0][:, :3].std().item() == pytest.approx(sigma * math.sqrt(1.25), rel=0.02)
    assert seen[0][0, 3, 0, 0].item() == pytest.approx(sigma * math.sqrt(1.25))


def test_features_are_further_apart_the_more_a_patch_is_blurred():
    clean = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    comparator = load_comparator()
    blurred = [nn.functional.avg_pool2d(nn.functional.pad(clean, (k,) * 4, "reflect"), 2 * k + 1, 1) for k in (1, 2, 4)]
    distances = torch.stack([comparator.distance(x, clean) for x in (clean, *blurred)])
    assert (distances[0] == 0).all()
    assert (distances.diff(dim=0) > 0).all()


def test_a_recipe_names_its_objective_and_files_of_before_its_loss(recipe):
    data = recipe.to_json()
    data["loss"] = data.pop("objective")
    assert type(recipe).from_json(data) == recipe
    with pytest.raises(UsageError, match="neighbor2neighbor"):
        dataclasses.replace(recipe, objective="neighbor2neighbour")
    with pytest.raises(UsageError, match="gamma"):
        dataclasses.replace(recipe, objective="neighbor2neighbor", objective_settings={"gama": 1})
    with pytest.raises(UsageError, match="must be even"):
        dataclasses.replace(recipe, objective="neighbor2neighbor", patch=33)

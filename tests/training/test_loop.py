import contextlib
import dataclasses
import json

import pytest
import torch
from PIL import Image

from resolvent.errors import InputError, TrainingError, UsageError
from resolvent.training import checkpoint, loop
from resolvent.training.callbacks import Callback, RunCallback
from resolvent.training.data import Shard
from resolvent.training.loop import schedule, train
from resolvent.training.objectives.base import Objective
from resolvent.training.objectives.losses import LOSSES
from resolvent.training.optimizers import Muon
from resolvent.training.runs import branch, resumed_recipe
from resolvent.training.validation import validation_examples


class StopError(Exception):
    pass


class StopAt(Callback):
    def __init__(self, at):
        self.at = at

    def step(self, step, *_):
        if step == self.at:
            raise StopError


def weights(result):
    return {name: value.clone() for name, value in result.network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_training_beats_its_input(recipe, photographs, tmp_path):
    """Noise of sigma 30 is 20 log10(255/30) = 18.6 dB; a hundred updates of a tiny network must gain more than 1.5."""
    arguments = {**recipe.arguments, "widths": [16, 16, 16]}
    recipe = dataclasses.replace(recipe, arguments=arguments, batch=4, budget="100 steps", learning_rate=5e-3)
    result = train(recipe, photographs, tmp_path, threads=1)
    assert result.psnr["noise:sigma=30"] > 20.1
    assert (result.steps, result.photographs) == (100, 4)


def test_same_seed_same_weights_and_another_seed_others(recipe, photographs, tmp_path):
    recipe = dataclasses.replace(recipe, budget="6 steps")
    first = weights(train(recipe, photographs, tmp_path / "a", threads=1))
    assert same(first, weights(train(recipe, photographs, tmp_path / "b", threads=1)))
    other = dataclasses.replace(recipe, seed=1)
    assert not same(first, weights(train(other, photographs, tmp_path / "c", threads=1)))


@pytest.mark.parametrize(
    ("network", "optimizer"), [("unet-small", "adamw"), ("unet-small", "muon"), ("seed_unet-lite", "adamw")]
)
def test_killed_and_resumed_ends_as_if_it_had_not_been(recipe, photographs, tmp_path, network, optimizer, monkeypatch):
    """Stopped between checkpoints: the lost updates are made again, alike, dropout included."""
    recipe = dataclasses.replace(recipe, budget="8 steps", optimizer=optimizer)
    if network.startswith("seed"):
        monkeypatch.setitem(loop.networks.NETWORKS, network, tiny_seed())
        recipe = dataclasses.replace(
            recipe, network=network, arguments={}, degradation="blur:sigma=1..2", validation=("blur:sigma=1",)
        )
    train(recipe, photographs, tmp_path / "whole", threads=1, checkpoint_every=0)
    with pytest.raises(StopError):
        train(recipe, photographs, tmp_path / "cut", threads=1, checkpoint_every=0, watch=StopAt(5))
    train(recipe, photographs, tmp_path / "cut", threads=1, resume=True, checkpoint_every=0)
    (whole, book), (cut, _) = (checkpoint.load(tmp_path / run / "last.safetensors") for run in ("whole", "cut"))
    assert book["step"] == 8
    assert set(whole) == set(cut)
    assert same(whole, cut)


def tiny_seed():
    return dataclasses.replace(loop.networks.NETWORKS["seed_unet-lite"], entry=f"{__name__}:TinySeed", arguments={})


class TinySeed(torch.nn.Module):
    """Dropout and nothing heavy."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.dropout = torch.nn.Dropout(0.3)

    def forward(self, x):
        return x + self.conv(self.dropout(x))


def test_run_is_not_overwritten_and_not_resumed_with_another_recipe(recipe, photographs, tmp_path):
    recipe = dataclasses.replace(recipe, budget="1 steps")
    train(recipe, photographs, tmp_path, threads=1)
    with pytest.raises(UsageError, match="--resume"):
        train(recipe, photographs, tmp_path, threads=1)
    with pytest.raises(UsageError, match="another batch"):
        train(dataclasses.replace(recipe, batch=3), photographs, tmp_path, threads=1, resume=True)


def test_a_longer_budget_goes_on(recipe, photographs, tmp_path):
    train(dataclasses.replace(recipe, budget="2 steps"), photographs, tmp_path, threads=1)
    longer = train(dataclasses.replace(recipe, budget="4 steps"), photographs, tmp_path, threads=1, resume=True)
    assert longer.steps == 4


def test_what_is_missing_of_a_run_is_made_again(recipe, photographs, tmp_path):
    changed = dataclasses.replace(recipe, budget="2 steps")
    first = train(changed, photographs, tmp_path, threads=1)
    (tmp_path / "training.shard").unlink()
    (tmp_path / "best.safetensors").unlink()
    assert train(changed, photographs, tmp_path, threads=1, resume=True).psnr == first.psnr


def test_a_checkpoint_of_another_network_is_refused(recipe, photographs, tmp_path):
    changed = dataclasses.replace(recipe, budget="1 step")
    train(changed, photographs, tmp_path, threads=1)
    (tmp_path / "last.safetensors").write_bytes((tmp_path / "best.safetensors").read_bytes())
    with pytest.raises(InputError, match="is not of this network"):
        train(changed, photographs, tmp_path, threads=1, resume=True)


class Rollbacks(Callback):
    def __init__(self):
        self.seen = []

    def rollback(self, step, loss, rate):
        self.seen.append((step, rate))


def test_nan_goes_back_to_the_last_good_weights_with_half_the_rate(recipe, photographs, tmp_path, monkeypatch):
    calls = iter(range(100))

    def poisoned(restored, clean):
        return (restored - clean).abs().mean() * (float("nan") if next(calls) == 3 else 1.0)

    monkeypatch.setitem(LOSSES, recipe.objective, poisoned)
    watch = Rollbacks()
    result = train(dataclasses.replace(recipe, budget="8 steps"), photographs, tmp_path, threads=1, watch=watch)
    assert watch.seen == [(3, recipe.learning_rate / 2)]
    assert all(torch.isfinite(v).all() for v in weights(result).values())


def test_a_checkpoint_is_of_finite_weights_alone(recipe, photographs, tmp_path, monkeypatch):
    """Weights that an update made NaN, from a loss that was finite, are not what a rollback goes back to."""
    average, calls = loop.update_average, iter(range(100))

    def poisoned(mean, network, decay, step):
        average(mean, network, decay, step)
        if next(calls) == 3:
            next(network.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(loop, "update_average", poisoned)
    watch = Rollbacks()
    recipe = dataclasses.replace(recipe, budget="8 steps")
    result = train(recipe, photographs, tmp_path, threads=1, watch=watch, checkpoint_every=-1)
    assert watch.seen == [(3, recipe.learning_rate / 2)]
    assert all(torch.isfinite(v).all() for v in weights(result).values())


def test_a_loss_that_jumps_goes_back_too(recipe, photographs, tmp_path, monkeypatch):
    calls = iter(range(100))

    def jumping(restored, clean):
        return (restored - clean).abs().mean() * (20.0 if next(calls) == 6 else 1.0)

    monkeypatch.setitem(LOSSES, recipe.objective, jumping)
    monkeypatch.setattr(loop, "SETTLED", 2)
    watch = Rollbacks()
    train(dataclasses.replace(recipe, budget="8 steps"), photographs, tmp_path, threads=1, watch=watch)
    assert watch.seen == [(6, recipe.learning_rate / 2)]


def test_gradients_are_clipped(recipe, photographs, tmp_path):
    """To a norm far below Adam's epsilon: then next to nothing moves."""
    recipe = dataclasses.replace(recipe, budget="3 steps", objective="l1")

    def trained(run, **changes):
        train(dataclasses.replace(recipe, **changes), photographs, tmp_path / run, threads=1)
        tensors, _ = checkpoint.load(tmp_path / run / "last.safetensors")
        return torch.cat([value.flatten() for name, value in tensors.items() if name.startswith("network/")])

    start = trained("start", learning_rate=1e-12)
    clipped, free = (float((trained(f"{clip}", clip=clip) - start).abs().max()) for clip in (1e-12, 0.0))
    assert clipped < 1e-2 * free


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (8, 0.5), (10**6, 0.999)])
def test_averaged_weights_forget_the_start(step, decay):
    """The decay is (1 + step) / (10 + step) at most; a running mean of the data is taken as it is."""
    average, network = (torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1)) for _ in range(2))
    for module, weight, mean in ((average, 0.0, 5.0), (network, 1.0, 7.0)):
        module[0].weight.data.fill_(weight)
        module[1].running_mean.fill_(mean)
    loop.update_average(average, network, 0.999, step)
    assert average[0].weight.item() == pytest.approx(1 - decay)
    assert average[1].running_mean.item() == 7.0


def test_best_weights_are_the_averaged_ones_of_the_best_validation(recipe, photographs, tmp_path, monkeypatch):
    class Kept(Callback):
        def start(self, *arguments):
            self.average, self.seen = arguments[-1], []

        def validation(self, *_):
            self.seen.append({name: value.clone() for name, value in self.average.state_dict().items()})

    psnr = iter([20.0, 30.0, 25.0, 26.0])
    monkeypatch.setattr(loop, "validate", lambda *_: ({"a": next(psnr)}, torch.zeros(1)))
    watch = Kept()
    changed = dataclasses.replace(recipe, budget="16 steps", validations=4)
    result = train(changed, photographs, tmp_path, threads=1, watch=watch)
    assert result.psnr == {"a": 30.0}
    assert same(weights(result), watch.seen[1])
    assert not same(watch.seen[1], watch.seen[3])
    last, _ = checkpoint.load(tmp_path / "last.safetensors")
    name = next(iter(watch.seen[3]))
    assert torch.equal(last[f"average/{name}"], watch.seen[3][name])
    assert not torch.equal(last[f"network/{name}"], watch.seen[3][name])


def test_a_loss_that_stays_nan_is_an_error(recipe, photographs, tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, recipe.objective, lambda restored, clean: (restored - clean).mean() * float("nan"))
    watch = Rollbacks()
    with pytest.raises(TrainingError, match=f"after {loop.ROLLBACKS} rollbacks; lower learning_rate"):
        train(recipe, photographs, tmp_path, threads=1, watch=watch)
    assert [rate for _, rate in watch.seen] == [recipe.learning_rate / 2 ** (1 + i) for i in range(5)]


def test_schedule_climbs_and_ends_at_zero(recipe):
    recipe = dataclasses.replace(recipe, warmup=0.1)
    assert schedule(recipe, 0.05) == pytest.approx(0.5, abs=0.01)
    assert schedule(recipe, 0.1) == pytest.approx(1)
    assert schedule(recipe, 0.55) == pytest.approx(0.5)
    assert schedule(recipe, 1.0) == pytest.approx(0, abs=1e-9)
    assert schedule(dataclasses.replace(recipe, schedule="constant"), 0.9) == 1


def test_log_and_tensorboard(recipe, photographs, tmp_path):
    from rich.console import Console
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with contextlib.closing(RunCallback(tmp_path, Console(quiet=True), log_every=2)) as watch:
        train(dataclasses.replace(recipe, budget="4 steps"), photographs, tmp_path, threads=1, watch=watch)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in entries if "loss" in e] == [2, 4]
    assert {"noise:sigma=30"} == {name for e in entries for name in e.get("psnr", {})}
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert "pairs" in board.Tags()["images"]
    assert "restored" in board.Tags()["images"]
    assert {"loss", "rate", "psnr/noise:sigma=30"} <= set(board.Tags()["scalars"])


def test_checkpoint_keeps_everything(recipe, tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Conv2d(2, 2, 3)
    average = torch.nn.Conv2d(2, 2, 3)
    optimizers = [torch.optim.AdamW([network.bias], lr=0.1), Muon([network.weight], lr=0.1)]
    bookkeeping = {"recipe": recipe.to_json(), "step": 3}
    network(torch.rand(1, 2, 5, 5)).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    tensors = checkpoint.snapshot(network, average, optimizers, Objective())
    checkpoint.save(tmp_path / "c.safetensors", tensors, bookkeeping)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    momentum = optimizers[1].state[network.weight]["momentum"].clone()
    for optimizer in optimizers:
        optimizer.step()
    tensors, book = checkpoint.load(tmp_path / "c.safetensors")
    checkpoint.restore_into(tensors, network, average, optimizers, Objective())
    assert book == checkpoint.load_book(tmp_path / "c.safetensors") == bookkeeping
    assert same(before, network.state_dict())
    assert optimizers[0].state[network.bias]["step"].item() == 1
    assert torch.equal(optimizers[1].state[network.weight]["momentum"], momentum)


@pytest.mark.parametrize(("options", "message"), [({"device": "gpu9"}, "device 'gpu9'"), ({"threads": 0}, "threads 0")])
def test_a_device_that_is_not_there_is_refused(recipe, photographs, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        train(recipe, photographs, tmp_path, **options)


def test_a_run_that_never_started_packs_its_photographs_anew(recipe, photographs, photograph, tmp_path):
    """The shards of a refused call must not stand in for the photographs of the next."""
    run, folder = tmp_path / "run", tmp_path / "others"
    with pytest.raises(UsageError, match="patch"):
        train(dataclasses.replace(recipe, patch=38), photographs, run)
    folder.mkdir()
    for i in range(3):
        Image.fromarray(photograph(20 + i)).save(folder / f"{i}.png")
    result = train(dataclasses.replace(recipe, budget="1 steps"), folder, run, threads=1)
    assert result.photographs == 2


def test_enlarging_network_trains_and_is_measured(recipe, photographs, tmp_path):
    changed = dataclasses.replace(
        recipe,
        degradation="downsample:scale=2",
        validation=("downsample:scale=2",),
        arguments={"widths": [8, 8], "blocks": [1, 1], "fold": 1, "scale": 2},
        gray=0.5,
        budget="4 steps",
    )
    watch = Pictures()
    result = train(changed, photographs, tmp_path, threads=1, watch=watch)
    assert watch.pairs.shape == (4, 3, 32, 32)
    assert result.psnr["downsample:scale=2"] > 20


class Pictures(Callback):
    def start(self, recipe, training, held, pairs, device, average):
        self.pairs = pairs


def test_training_starts_from_a_model(recipe, photographs, tmp_path, released):
    """No update at all: what comes out is what was taken over."""
    first, model = released
    changed = dataclasses.replace(recipe, start=str(model), budget="1 steps", learning_rate=1e-12, seed=9)
    second = train(changed, photographs, tmp_path, threads=1)
    assert second.psnr["noise:sigma=30"] == pytest.approx(first.psnr["noise:sigma=30"], abs=0.02)
    for name, value in weights(first).items():
        torch.testing.assert_close(weights(second)[name], value, atol=2e-3, rtol=0)


def test_a_compiled_network_is_what_runs_forward(recipe, photographs, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    train(dataclasses.replace(recipe, budget="1 steps"), photographs, tmp_path, threads=1, compiled=True)
    assert len(compiled) == 1


def test_a_branch_cools_down_and_leaves_its_trunk_alone(recipe, photographs, tmp_path):
    trunk, release_run = tmp_path / "trunk", tmp_path / "release"
    recipe = dataclasses.replace(recipe, schedule="constant", warmup=0.0, optimizer="muon", budget="6 steps")
    train(recipe, photographs, trunk, threads=1)
    before = (trunk / "last.safetensors").read_bytes()
    rates = []

    class Rates(Callback):
        def step(self, step, share, seconds, loss, rate, *_):
            rates.append((step, rate))

    cooled = branch(trunk, release_run, "4 steps")
    result = train(cooled, photographs, release_run, threads=1, resume=True, watch=Rates())
    assert rates == [(7 + i, pytest.approx(recipe.learning_rate * (1 - i / 4))) for i in range(4)]
    assert (trunk / "last.safetensors").read_bytes() == before
    assert result.steps <= 10
    assert result.recipe.schedule == "cooldown"
    changed = dataclasses.replace(recipe, budget="9 steps")
    assert resumed_recipe(release_run, changed) == cooled
    assert resumed_recipe(release_run, changed, {"budget": "9 steps"}) == dataclasses.replace(cooled, budget="9 steps")
    with pytest.raises(UsageError, match="holds a run already"):
        branch(trunk, release_run, "4 steps")
    with pytest.raises(UsageError, match="its schedule is cooldown"):
        branch(release_run, tmp_path / "again", "4 steps")
    with pytest.raises(UsageError, match="trains 'tiny', not 'other'"):
        branch(trunk, tmp_path / "again", "4 steps", "other")
    (trunk / "training.shard").unlink()
    with pytest.raises(InputError, match=r"training\.shard: no such file; resume the trunk"):
        branch(trunk, tmp_path / "again", "4 steps")
    assert not (tmp_path / "again").exists()


def test_the_level_is_told_where_the_noise_is_no_gaussian(recipe, photographs, tmp_path):
    recipe = dataclasses.replace(
        recipe,
        validation=("noise:sigma=20", "grain:sigma=30", "noise:sigma=40 + blur:sigma=1"),
        others=("noise:sigma=40 + blur:sigma=1",),
        others_share=0.1,
        budget="1 steps",
    )
    train(recipe, photographs, tmp_path, threads=1)
    held = Shard.open(tmp_path / "validation.shard")
    levels = [255 * examples[0][1][0, 3, 0, 0] for examples in validation_examples(recipe, held).values()]
    assert levels[:2] == pytest.approx([20, 30], rel=0.1)
    assert 5 < levels[2] < 30  # the blur leaves less of it


def test_what_is_fine_tuned_is_the_best_until_it_is_beaten(recipe, photographs, tmp_path, released):
    first, model = released
    ruined = dataclasses.replace(
        recipe, start=str(model), budget="3 steps", learning_rate=10.0, clip=0, ema=0.0, warmup=0.0
    )
    result = train(ruined, photographs, tmp_path, threads=1)
    assert result.steps == 0
    assert result.psnr["noise:sigma=30"] == pytest.approx(first.psnr["noise:sigma=30"], abs=0.01)

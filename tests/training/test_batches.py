"""What a step trains on."""

import dataclasses

import pytest
import torch

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.training.batches import Batches, batch, check_shares, chosen, epoch_steps, seed_step, share
from resolvent.training.data import Shard, find_photographs, pack
from resolvent.training.loop import train
from resolvent.training.validation import validation_examples


def test_every_epoch_visits_every_photograph_once(recipe):
    partial = dataclasses.replace(recipe, batch=4, partial_batch=True)
    assert epoch_steps(partial, 10) == 3
    for epoch in range(3):
        steps = [chosen(partial, 10, 3 * epoch + i) for i in range(3)]
        assert [len(s) for s in steps] == [4, 4, 2]
        assert sorted(i for step in steps for i in step) == list(range(10))
    endless = [i for step in range(15) for i in chosen(dataclasses.replace(recipe, batch=4), 10, step)]
    assert all(sorted(endless[e : e + 10]) == list(range(10)) for e in range(0, 60, 10))
    assert endless[:10] != endless[10:20]
    assert len(chosen(dataclasses.replace(recipe, batch=25), 10, 0)) == 25


def test_gray_patches_carry_the_same_noise_in_all_channels(recipe, photographs, tmp_path):
    recipe = dataclasses.replace(recipe, gray=1.0, budget="1 steps", degradation="noise:sigma=30")
    train(recipe, photographs, tmp_path, threads=1)
    shard = Shard.open(tmp_path / "training.shard")
    clean, degraded, inputs = batch(recipe, shard, 0)
    assert torch.equal(degraded[:, 0], degraded[:, 2])
    assert (degraded - clean)[:, 0].std().item() * 255 == pytest.approx(30, rel=0.1)
    assert inputs[:, 3].unique().tolist() == pytest.approx([30 / 255])


def test_margins_are_degraded_and_cut_off(recipe, photographs, tmp_path):
    """What is cut off has been seen: at the border a patch is blurred with what lies beyond it."""
    plain = dataclasses.replace(recipe, degradation="blur:sigma=2", arguments={}, flips=False, patch=24, gray=0.0)
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=32)
    wide = batch(dataclasses.replace(plain, patch=40), shard, 0)
    cut = batch(dataclasses.replace(plain, margin=8), shard, 0)
    for whole, inside in zip(wide, cut, strict=True):
        assert inside.shape[-2:] == (24, 24)
        assert torch.equal(whole[..., 8:-8, 8:-8], inside)


def test_a_level_is_overstated_but_not_the_noise(recipe, photographs, tmp_path):
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=recipe.cut)
    recipe = dataclasses.replace(recipe, batch=6, degradation="noise:sigma=10")
    plain = batch(recipe, shard, 0)
    overstated = batch(dataclasses.replace(recipe, overstated=0.5), shard, 0)
    assert torch.equal(overstated[1], plain[1])
    levels = 255 * overstated[2][:, 3, 0, 0]
    assert torch.equal(255 * plain[2][:, 3, 0, 0], torch.full((6,), 10.0))
    assert levels.min() == 10 < levels.max() <= 75


def test_a_share_of_the_patches_gets_one_of_the_others_instead(recipe, photographs, tmp_path):
    """Its level is the RMS error, about as accurate as an estimate; the rest is as before."""
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=recipe.cut)
    others = ("grain:sigma=40,radius=1", "saltpepper:amount=0.5")
    recipe = dataclasses.replace(recipe, batch=64, degradation="noise:sigma=10", others=others, others_share=0.5)
    target, degraded, inputs = batch(recipe, shard, 0)
    error = degraded - target
    done = 255 * error.square().mean((1, 2, 3)).sqrt()
    levels = 255 * inputs[:, 3, 0, 0]
    alike = torch.corrcoef(torch.stack([error[..., :-1].flatten(), error[..., 1:].flatten()]))[0, 1]
    assert alike > 0.1  # grain is shared by neighbors
    white = (levels == 10) & (done < 12)
    grain, impulses = ~white & (done < 60), ~white & (done > 60)
    assert 20 < white.sum() < 44
    assert min(grain.sum(), impulses.sum()) > 6
    ratio = (levels / done)[~white]
    assert 1 / 1.4 - 1e-3 < ratio.min() < 0.85
    assert 1.15 < ratio.max() < 1.4 + 1e-3


def test_steps_made_together_are_parts_of_one_batch(recipe, photographs, tmp_path):
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=recipe.cut)
    recipe = dataclasses.replace(recipe, batch=3)
    together = Batches(dataclasses.replace(recipe, together=2), shard)
    at_once = batch(dataclasses.replace(recipe, batch=6), shard, 0)
    for step in (1, 0, 1):
        target, inputs, _ = together(step)
        assert torch.equal(target, at_once[0][3 * step : 3 * step + 3])
        assert torch.equal(inputs, at_once[2][3 * step : 3 * step + 3])
    alone = Batches(recipe, shard)
    for step in (0, 1):
        torch.testing.assert_close(alone(step)[:2], batch(recipe, shard, step)[::2])


def test_processes_share_each_batch_and_its_weight(recipe):
    """Five photographs on two processes weigh 3/5 and 2/5; one is left for an epoch's end, and counts once."""
    recipe = dataclasses.replace(recipe, batch=5, partial_batch=True)
    for step, weights in ((0, [3 / 5, 2 / 5]), (2, [1.0, 0.0])):
        shares = [share(recipe, 11, step, rank, 2) for rank in range(2)]
        assert [weight for _, weight in shares] == weights
        counted = [photograph for own, weight in shares for photograph in own if weight]
        assert sorted(counted) == sorted(chosen(recipe, 11, step))
        assert all(own for own, _ in shares)


def test_each_process_has_random_numbers_of_its_own(recipe, photographs, tmp_path):
    """The same photograph twice, on two processes: other patches, other noise, other dropout."""
    shard = pack(find_photographs(photographs)[:1], tmp_path / "a.shard", minimum=recipe.cut)
    first, second = (Batches(recipe, shard, rank, 2) for rank in range(2))
    (target, inputs, _), (other_target, other_inputs, _) = first(0), second(0)
    assert len(target) == len(other_target) == 1
    assert first.weight(0) == second.weight(0) == 0.5
    assert not torch.equal(target, other_target)
    assert not torch.equal(inputs[:, :3] - target, other_inputs[:, :3] - other_target)
    assert torch.equal(inputs, Batches(recipe, shard, 0, 2)(0)[1])
    dropped = []
    for rank in (0, 1, 0):
        seed_step(recipe.seed, 7, rank)
        dropped.append(torch.rand(4))
    assert torch.equal(dropped[0], dropped[2])
    assert not torch.equal(dropped[0], dropped[1])


def test_a_batch_smaller_than_the_number_of_processes_is_refused(recipe):
    check_shares(recipe, 2)
    with pytest.raises(UsageError, match=r"batch = 2: 3 processes share it; give batch = 3 or more"):
        check_shares(recipe, 3)


def test_a_network_that_enlarges_is_told_the_noise_of_the_small_picture(recipe, photographs, tmp_path):
    small = "downsample:scale=2 + noise:sigma=5"
    arguments = {**recipe.arguments, "scale": 2, "noise_level": True}
    recipe = dataclasses.replace(recipe, degradation=small, validation=(small,), arguments=arguments, margin=0)
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=recipe.cut)
    _, degraded, inputs = batch(recipe, shard, 0)
    assert inputs.shape[1:] == (4, *degraded.shape[2:])
    assert torch.equal(255 * inputs[:, 3, 0, 0], torch.full((len(inputs),), 5.0))
    (examples,) = validation_examples(recipe, shard).values()
    assert 255 * examples[0][1][0, 3, 0, 0] == pytest.approx(5)


def test_what_is_prepared_counts_as_clean(recipe, photographs, tmp_path):
    shard = pack(find_photographs(photographs), tmp_path / "t.shard", minimum=recipe.cut)
    recipe = dataclasses.replace(recipe, batch=8, gray=0.0, degradation="noise:sigma=25")
    plain, *_ = batch(recipe, shard, 0)
    softer = dataclasses.replace(recipe, prepare="blur:sigma=2")
    target, degraded, _ = batch(softer, shard, 0)
    torch.testing.assert_close(target, parse("blur:sigma=2").on_tensor(plain))
    assert (degraded - target).std().item() * 255 == pytest.approx(25, rel=0.05)


def test_gray_patches_get_what_a_gray_picture_gets(recipe, photographs, tmp_path):
    """Noise of the colors leaves them alone; that of a camera is its luma's."""
    shard = pack(find_photographs(photographs), tmp_path / "t.shard", minimum=recipe.cut)
    blind = {**recipe.arguments, "noise_level": False}
    recipe = dataclasses.replace(recipe, batch=16, gray=0.5, arguments=blind, degradation="chroma:sigma=20")
    target, degraded, _ = batch(recipe, shard, 0)
    gray = (target[:, :1] == target).flatten(1).all(1)
    assert 2 < gray.sum() < 14
    assert torch.equal(degraded[gray], target[gray])
    assert (degraded - target)[~gray].std() > 0.04


def test_gray_patches_have_gray_targets_from_a_camera(recipe, photographs, tmp_path):
    shard = pack(find_photographs(photographs), tmp_path / "t.shard", minimum=recipe.cut)
    blind = {**recipe.arguments, "noise_level": False}
    recipe = dataclasses.replace(recipe, gray=1.0, arguments=blind, degradation="camera:iso=6400")
    target, degraded, _ = batch(recipe, shard, 0)
    for x in (target, degraded):
        assert torch.equal(x, x[:, :1].expand_as(x))
    assert (degraded - target).std() > 0.01


def test_a_share_of_the_patches_stays_clean(recipe, photographs, tmp_path):
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=recipe.cut)
    arguments = {**recipe.arguments, "noise_level": False}
    recipe = dataclasses.replace(recipe, batch=64, gray=0.0, clean=0.25, arguments=arguments)
    clean, degraded, inputs = batch(recipe, shard, 0)
    same_pixels = (clean == degraded).flatten(1).all(1)
    assert 8 <= int(same_pixels.sum()) <= 24
    assert torch.equal(inputs, degraded)


def test_another_seed_trains_on_other_patches_in_another_order(recipe):
    """torch's generator on the CPU takes 32 bits of a seed alone."""
    shard = Shard(torch.arange(48 * 48 * 3).remainder(251).to(torch.uint8), torch.tensor([[0, 48, 48]]), ("one",))
    first, again, other = (batch(dataclasses.replace(recipe, seed=seed), shard, 0)[2] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    orders = [chosen(dataclasses.replace(recipe, seed=seed, batch=9), 9, 0) for seed in range(3)]
    assert len(set(map(tuple, orders))) == 3


def test_a_network_that_takes_the_kernel_gets_that_of_each_sample(recipe, photographs, tmp_path):
    shard = pack(find_photographs(photographs), tmp_path / "a.shard", minimum=recipe.cut)
    text = (
        "blur:sigma=0.5..2,boundary=circular @ 0.7 + motion:length=3..7,boundary=circular @ 0.5 + noise:sigma=0..0.001"
    )
    recipe = dataclasses.replace(
        recipe, network="unrolled-hqs", arguments={"noise_level": True, "kernel": True}, batch=6, gray=0.5,
        objective="mse", degradation=text, validation=("blur:sigma=1,boundary=circular + noise:sigma=2",),
    )  # fmt: skip
    target, degraded, inputs = batch(recipe, shard, 0)
    assert inputs.shape[1] == 5
    height, width = inputs.shape[-2:]
    centered = torch.fft.ifftshift(inputs[:, 4:], dim=(-2, -1))
    blurred = torch.fft.irfft2(torch.fft.rfft2(target) * torch.fft.rfft2(centered), s=(height, width))
    torch.testing.assert_close(blurred, degraded, atol=1e-4, rtol=0)
    assert len({round(float(kernel.max()), 5) for kernel in inputs[:, 4]}) > 2
    (example,) = validation_examples(recipe, shard).values()
    assert example[0][1].shape[1] == 5
    assert 255 * example[0][1][0, 3, 0, 0] == pytest.approx(2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradation": "blur:sigma=1 + noise:sigma=2"}, "boundary=circular"),
        ({"degradation": "noise:sigma=2 + quantize"}, "boundary=circular"),
        ({"margin": 8}, "without these"),
        ({"arguments": {"kernel": True}}, "noise_level = true"),
    ],
)
def test_a_network_that_takes_the_kernel_trains_on_blurs_that_wrap_around(changes, message):
    from resolvent.training.recipe_file import load_recipe

    with pytest.raises(UsageError, match=message):
        dataclasses.replace(load_recipe("deconvolve"), **changes)

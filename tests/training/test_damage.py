"""Training of networks that find damage, and that fill it."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage

from resolvent.degradations import parse
from resolvent.inference.runtime import open_session
from resolvent.models.export import load_module
from resolvent.training.batches import batch, example, mask_of, preview, widened
from resolvent.training.callbacks import Callback
from resolvent.training.data import find_photographs, pack
from resolvent.training.loop import train
from resolvent.training.release import release

DAMAGE = "scratches:count=6,width=2..4,angle=-90..90 @ 0.9 + holes:amount=0.1,size=6"
SMALL = {"widths": [8, 8, 8], "blocks": [1, 1, 1], "fold": 1}


class StopAtThree(Callback):
    def step(self, step, *_):
        if step == 3:
            raise KeyboardInterrupt


@pytest.fixture
def finder(recipe):
    return dataclasses.replace(
        recipe,
        task="find",
        degradation=f"{DAMAGE} + noise:sigma=5",
        validation=("holes:amount=0.1,size=6",),
        arguments={**SMALL, "outputs": 1},
        objective="bce-dice",
    )


@pytest.fixture
def filler(recipe):
    return dataclasses.replace(
        recipe,
        task="inpaint",
        degradation=DAMAGE,
        validation=("holes:amount=0.1,size=6",),
        arguments={**SMALL, "mask": True},
    )


@pytest.fixture(scope="module")
def shard(photographs, tmp_path_factory):
    return pack(find_photographs(photographs), tmp_path_factory.mktemp("shard") / "s.shard", minimum=32)


def test_a_finder_is_given_the_photograph_and_learns_its_mask(finder, shard):
    mask, degraded, inputs = batch(finder, shard, 3)
    assert torch.equal(inputs, degraded)
    assert mask.shape == (2, 1, 32, 32)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert preview(finder, shard).shape == (4, 3, 32, 32)


def test_a_filler_is_given_the_mask_and_learns_the_clean_photograph(filler, shard):
    clean, degraded, inputs = batch(filler, shard, 3)
    missing = inputs[:, 3:]
    assert torch.equal(inputs[:, :3], degraded)
    damaged = ((degraded - clean).abs() > 5 / 255).any(1, keepdim=True)
    assert damaged.any()
    assert missing[damaged].min() == 1


def test_margins_are_cut_off_the_mask_too(finder, shard):
    changed = dataclasses.replace(finder, patch=24, margin=4, flips=False)
    whole = batch(dataclasses.replace(finder, patch=32, flips=False), shard, 3)
    cut = batch(changed, shard, 3)
    for large, small in zip(whole, cut, strict=True):
        assert torch.equal(large[..., 4:-4, 4:-4], small)


def test_masks_grow_by_up_to_three_pixels():
    mask = torch.zeros(40, 1, 24, 24)
    mask[:, :, 9:12, 10] = 1
    grown = widened(mask, torch.Generator().manual_seed(0)).numpy()[:, 0]
    square = np.ones((3, 3), bool)
    possible = [ndimage.binary_dilation(mask[0, 0] > 0, square, n) if n else mask[0, 0].numpy() > 0 for n in range(4)]
    which = [[np.array_equal(mask > 0, one) for one in possible].index(True) for mask in grown]
    assert set(which) == {0, 1, 2, 3}


def test_the_mask_is_that_of_all_parts():
    one, other = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    one[0, 0, 0, 0] = other[0, 0, 1, 1] = 1
    numbers = {"dust.mask": one, "noise.sigma": torch.ones(1), "dust2.mask": other}
    assert mask_of(numbers)[0, 0].tolist() == [[1, 0], [0, 1]]


def test_what_is_measured_is_the_same_every_time(filler, shard):
    clean = shard.patches(torch.tensor([0]), 32, None)
    (target, one), (_, other) = (example(filler, parse(DAMAGE), clean, 5) for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(target, clean)


@pytest.mark.parametrize("kind", ["finder", "filler"])
def test_it_trains_resumes_and_is_released(kind, photographs, tmp_path, request):
    """Killed or not, the same weights; the file says what the network takes and gives, and gives it."""
    recipe = dataclasses.replace(request.getfixturevalue(kind), budget="6 steps")
    result = train(recipe, photographs, tmp_path / "a", threads=1)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, photographs, tmp_path / "b", threads=1, checkpoint_every=0, watch=StopAtThree())
    resumed = train(recipe, photographs, tmp_path / "b", threads=1, resume=True).network.state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in result.network.state_dict().items())
    card = release(result, tmp_path / "m.onnx", data="waves", license="MIT")
    assert (card.outputs, card.mask, card.inputs) == {"finder": (1, False, 3), "filler": (3, True, 4)}[kind]
    assert "mask" in card.figures["protocol"] or kind == "filler"
    module, _ = load_module(tmp_path / "m.onnx")
    x = np.random.default_rng(0).random((1, card.inputs, 32, 24), np.float32)
    x[:, 3:] = x[:, 3:] > 0.7
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    assert np.abs(open_session(tmp_path / "m.onnx", threads=1).run(x) - expected).max() < 1e-4


def test_a_finder_learns(finder, photographs, tmp_path):
    """A mask of 10 % has 10 dB against nothing, and 10.5 dB against its own share everywhere."""
    changed = dataclasses.replace(
        finder,
        budget="100 steps",
        batch=4,
        learning_rate=5e-3,
        degradation="holes:size=6",
        arguments={**finder.arguments, "widths": [16, 16, 16]},
    )
    assert train(changed, photographs, tmp_path, threads=1).psnr["holes:amount=0.1,size=6"] > 12

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.physics.forward_model import ForwardModel
from resolvent.physics.operators import Convolution, Identity, Masking, Product

RNG = np.random.default_rng(3)
X = RNG.random((24, 36, 3), np.float32)


def model(text):
    return ForwardModel(parse(text))


LINEAR = ("blur:sigma=1.2", "motion:length=5,angle=30", "downsample:scale=2", "mask:keep=0.6,seed=1")
CHAINS = [" + ".join(parts) for count in (1, 2, 3) for parts in product(LINEAR, repeat=count)]
CHAINS = [chain for chain in CHAINS if chain.count("scale=2") < 3 and not ("seed=1 + " in chain and "scale" in chain)]


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_is_what_the_degradation_does_in_its_order(chain):
    forward_model, degradation = model(chain), parse(chain)
    y = degradation(X)
    np.testing.assert_allclose(forward_model(X), y, atol=2e-6)
    x = torch.from_numpy(X.transpose(2, 0, 1).copy())[None]
    np.testing.assert_allclose(forward_model(x)[0].permute(1, 2, 0), y, atol=2e-6)
    assert np.vdot(forward_model(X), y) == pytest.approx(np.vdot(X, forward_model.adjoint(y)), rel=1e-5)
    assert forward_model.scale == 2 ** chain.count("scale=2")


def test_noise_levels_add_as_variances():
    noise = model("blur:sigma=1 + noise:sigma=3 + noise:sigma=4 + poisson:peak=100").noise
    assert noise.level(0.25) == pytest.approx(np.hypot(5, 255 * np.sqrt(0.25 / 100)))
    assert noise.named
    assert noise.additive
    assert not model("blur:sigma=1").noise.named
    assert model("noise:sigma=0").noise.named
    jpeg = model("noise:sigma=3 + jpeg:quality=40").noise
    assert jpeg.others == ("jpeg",)
    assert not jpeg.additive


def test_a_mask_after_noise_leaves_it_white():
    forward_model = model("noise:sigma=9 + mask:keep=0.5,seed=1")
    assert isinstance(forward_model.operator((8, 8)), Masking)
    assert forward_model.noise.sigma == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "noise:sigma=5 + blur:sigma=1",
            "blur follows noise, which is not white after that; a forward model has what is linear first",
        ),
        ("poisson:peak=30 + downsample:scale=2", "downsample follows noise"),
        ("jpeg:quality=50 + blur:sigma=1", "blur follows jpeg; a forward model"),
        ("noise:sigma=5..9", "give each parameter one value"),
        ("mask:keep=0.5", "give each parameter one value"),
        ("blur:sigma=1 @ 0.5", "give each parameter one value"),
    ],
)
def test_what_it_cannot_hold_is_refused_by_name(text, message):
    with pytest.raises(UsageError, match=message):
        model(text)


def test_nothing_is_the_identity():
    assert isinstance(model("none").operator((5, 7)), Identity)
    assert model("none + blur:sigma=1").parts == model("blur:sigma=1").parts


def test_known_pixels_are_those_that_no_mask_hides_in_the_end():
    masks = [parse(f"mask:keep=0.6,seed={seed}")(np.ones((12, 18, 1)))[..., 0] > 0 for seed in (1, 2)]
    first, second = "mask:keep=0.6,seed=1", "mask:keep=0.6,seed=2"
    known = model(f"{first} + noise:sigma=3 + {second}").known((12, 18))
    np.testing.assert_array_equal(known, masks[0] & masks[1])
    np.testing.assert_array_equal(model(f"{first} + blur:sigma=1 + {second}").known((12, 18)), masks[1])
    assert model(f"{first} + blur:sigma=1").known((12, 18)).all()
    large = parse(first)(np.ones((24, 36, 1)))[::2, ::2, 0] > 0
    np.testing.assert_array_equal(model(f"{first} + downsample:scale=2,kernel=none").known((12, 18)), large)


def test_seen_pixels_are_those_that_reach_y():
    hole = np.ones((24, 36), bool)
    hole[6:18, 6:18] = False
    from resolvent.degradations import Mask

    mask = Mask(array=hole)
    np.testing.assert_array_equal(ForwardModel(mask).seen((24, 36)), hole)
    np.testing.assert_array_equal(ForwardModel(mask + parse("blur:sigma=2")).seen((24, 36)), hole)
    after = ForwardModel(parse("blur:ksize=5") + mask).seen((24, 36))  # what lies near the rim of the hole is seen
    assert after[6:18, 6].all()
    assert not after[9:15, 9:15].any()
    assert model("downsample:scale=2,kernel=none").seen((24, 36)).all()


def test_the_residual_of_the_truth_is_the_noise_over_the_known_pixels():
    text = "blur:sigma=1 + noise:sigma=10 + mask:keep=0.3,seed=1"
    y = parse(text)(X, np.random.default_rng(0))
    forward_model = model(text)
    assert forward_model.expected_residual(y) == pytest.approx(10 / 255)
    assert forward_model.residual(X, y) == pytest.approx(10 / 255, rel=0.05)
    assert model("blur:sigma=1").expected_residual(y) is None
    assert model("noise:sigma=3 + jpeg:quality=40").expected_residual(y) is None


def test_of_photon_noise_the_level_is_that_of_the_known_pixels():
    flat = np.full((32, 32, 1), 0.25, np.float32)
    forward_model = model("poisson:peak=100 + mask:keep=0.5,seed=1")
    y = forward_model.degradation(flat, np.random.default_rng(0))
    assert forward_model.expected_residual(y) == pytest.approx(np.sqrt(0.25 / 100), rel=0.05)


def test_circular_has_closed_forms():
    forward_model = model("blur:sigma=1 + motion:length=5 + downsample:scale=2 + noise:sigma=2")
    assert isinstance(forward_model.operator((24, 36)), Product)
    closed = forward_model.circular
    assert isinstance(closed.operator((24, 36)), Convolution)
    assert closed.reach == 0
    assert closed.noise == forward_model.noise
    assert closed.circular is closed
    inside = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(closed(X)[inside], forward_model(X)[inside], atol=0.02)


def test_reach_is_that_of_the_kernels_that_do_not_wrap():
    assert model("blur:ksize=7 + defocus:radius=2,boundary=circular + blur:ksize=5 + noise:sigma=3").reach == 12


def test_an_operator_is_made_once():
    forward_model = model("blur:sigma=1")
    assert forward_model.operator((9, 9)) is forward_model.operator((9, 9))
    assert all(a == b for a, b in pairwise([model("blur:sigma=1"), model("blur:sigma=1")]))

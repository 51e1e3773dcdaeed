"""Constants that were tuned: what a method does without options is what it does with these."""

import numpy as np
import pytest
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from resolvent import methods
from resolvent.degradations import parse
from resolvent.methods.classical.wiener import extend
from resolvent.methods.plug_and_play import pnp
from resolvent.physics.forward_model import ForwardModel


def restored(name, y, text, **options):
    return methods.load(name)(y, ForwardModel(parse(text)), **options)


def noisy(channels, shape=(14, 17)):
    rng = np.random.default_rng(channels)
    return (0.5 + 0.2 * rng.standard_normal((*shape, channels))).astype(np.float32)


@pytest.mark.parametrize(
    ("channels", "sigma", "patch_size", "h"), [(1, 10, 5, 0.6), (1, 50, 5, 0.6), (3, 25, 3, 0.55), (3, 26, 5, 0.4)]
)
def test_nlm_takes_the_patches_and_weights_of_the_noise_level(channels, sigma, patch_size, h):
    y = noisy(channels)
    expected = denoise_nl_means(
        y, patch_size=patch_size, patch_distance=6, h=h * sigma / 255, sigma=sigma / 255, channel_axis=-1
    )
    np.testing.assert_array_equal(restored("nlm", y, f"noise:sigma={sigma}"), expected.reshape(y.shape))


def test_tv_weighs_by_three_quarters_of_the_noise():
    y = noisy(3)
    expected = denoise_tv_chambolle(y, weight=0.75 * 30 / 255, max_num_iter=200, channel_axis=-1)
    np.testing.assert_array_equal(restored("tv", y, "noise:sigma=30"), expected)


@pytest.fixture
def seen(monkeypatch):
    """What the denoiser of plug-and-play is given, (image, level) in turn; it does nothing."""
    given = []

    def denoise(x, level):
        given.append((x.copy(), float(level)))
        return x

    denoise.schedule = {}
    monkeypatch.setattr(pnp, "Denoiser", lambda *_: denoise)
    return given


@pytest.mark.parametrize(
    ("text", "count", "last"),
    [
        ("noise:sigma=20", 8, 20.0),
        ("blur:sigma=1,boundary=circular + noise:sigma=4", 8, 4.0),
        ("mask:keep=0.5,seed=1 + noise:sigma=0.5", 24, 1.0),
        ("downsample:scale=3,boundary=circular + noise:sigma=2", 24, 3.0),
        ("downsample:scale=3,boundary=circular + noise:sigma=7", 24, 7.0),
    ],
)
def test_levels_of_pnp_fall_to_the_noise_or_to_the_scale_where_pixels_were_lost(seen, text, count, last):
    restored("pnp", noisy(1, (12, 18)), text)
    levels = [level for _, level in seen]
    assert len(levels) == count
    assert (levels[0], levels[-1]) == (pytest.approx(49), pytest.approx(last))
    np.testing.assert_allclose(np.divide(levels[1:], levels[:-1]), levels[1] / levels[0])


def test_pnp_turns_the_image_eight_ways_and_back(seen):
    """With a denoiser that does nothing, noise alone leaves the image as it is."""
    y = noisy(3, (6, 6))
    np.testing.assert_allclose(restored("pnp", y, "noise:sigma=20"), y, atol=1e-6)
    turns = [np.rot90(z, k) for z in (y, y[::-1]) for k in range(4)]
    which = [[np.allclose(x, turn, atol=1e-5) for turn in turns].index(True) for x, _ in seen]
    assert sorted(which) == list(range(8))


def test_the_margin_of_wiener_begins_without_a_step():
    """Half of the photograph is black: where it wraps around, a mirrored margin alone steps from black to white."""
    y = np.zeros((40, 30, 1), np.float32)
    y[20:] = 1
    extended, _, photograph = extend(y, ForwardModel(parse("defocus:radius=3 + noise:sigma=1")), iterations=0)
    np.testing.assert_allclose(extended[photograph], y, atol=1e-6)
    pad = photograph[0].start
    mirrored = np.pad(y, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    step, before = (np.abs(x[0] - x[-1]).mean() for x in (extended, mirrored))
    assert before > 0.9
    assert step < 0.5 * before


def test_csc_is_relaxed_beyond_1_and_needs_fewer_steps_for_it():
    import torch

    from resolvent.methods.classical.csc import Coding, code

    generator = torch.Generator().manual_seed(0)
    atoms = torch.randn((6, 4, 4), generator=generator)
    atoms /= atoms.flatten(1).norm(dim=1)[:, None, None]
    x = 0.3 * torch.randn((20, 23), generator=generator)

    def steps(**changes):
        done = []
        code(x, atoms, Coding(0.1, 20.0, 1000, **changes), step=lambda number, codes: done.append(number) or True)
        return len(done)

    assert 10 < steps() < 0.8 * steps(relaxation=1.0)
    assert Coding().relaxation == 1.8

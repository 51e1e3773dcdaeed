import numpy as np
import pytest

from resolvent.degradations import Kernel, parse
from resolvent.methods.classical.fourier import convolve, transfer
from resolvent.methods.noise_level import noise_level
from resolvent.physics.forward_model import ForwardModel

RNG = np.random.default_rng(5)
X = RNG.random((17, 22, 3), np.float32)


@pytest.mark.parametrize(
    "blur",
    [
        parse("motion:length=6,angle=20,boundary=circular"),
        Kernel(array=RNG.random((4, 5)), boundary="circular"),
        parse("blur:sigma=0.8,boundary=circular + defocus:radius=1.5,boundary=circular"),
    ],
    ids=str,
)
def test_transfer_is_what_the_degradation_does(blur):
    np.testing.assert_allclose(convolve(X, transfer(ForwardModel(blur), (17, 22))), blur(X), atol=1e-5)


def test_the_conjugate_is_the_adjoint():
    response = transfer(ForwardModel(parse("motion:length=6,angle=20")), (17, 22))
    y = RNG.random(X.shape, np.float32)
    assert np.vdot(convolve(X, response), y) == pytest.approx(np.vdot(X, convolve(y, response.conj())), rel=1e-5)


def test_noise_levels_add_as_variances():
    flat = np.full((4, 4, 1), 0.25, np.float32)
    photons = 255 * np.sqrt(0.25 / 100)
    both = parse("blur:sigma=1 + noise:sigma=3 + noise:sigma=4 + poisson:peak=100")
    assert noise_level(flat, ForwardModel(both)) == pytest.approx(np.hypot(5, photons))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [1, 10])
def test_noise_level_is_estimated_where_none_is_named(sigma, channels):
    scene = RNG.random((64, 64, channels)) < 0.5  # no pixel is plain
    blur = parse("blur:sigma=1.6,boundary=circular")
    y = parse(f"noise:sigma={sigma}")(blur(scene), RNG)
    assert noise_level(y, ForwardModel(blur)) == pytest.approx(sigma, rel=0.15)


def test_noise_is_found_without_a_blur_and_none_is_assumed_behind_a_mask():
    rows, columns = np.mgrid[:96, :96] / 96
    scene = (0.5 + 0.3 * np.sin(9 * rows + 5 * columns))[..., None].astype(np.float32)
    y = parse("noise:sigma=6")(scene, RNG)
    assert noise_level(y, ForwardModel(parse("downsample:scale=2"))) == pytest.approx(6, rel=0.2)
    assert noise_level(scene, ForwardModel(parse("downsample:scale=2"))) < 1
    mask = parse("mask:keep=0.5,seed=1")
    assert noise_level(mask(scene), ForwardModel(mask)) == 0

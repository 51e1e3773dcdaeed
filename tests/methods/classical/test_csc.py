import numpy as np
import pytest
import torch
from scipy.fft import idctn

from resolvent.degradations import parse
from resolvent.methods.classical import csc
from resolvent.methods.classical.csc import Coding, code, learn, lowpass, objective
from resolvent.methods.control import Control
from resolvent.physics.forward_model import ForwardModel


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_dictionary(count=6, side=4):
    atoms = torch.randn((count, side, side), generator=torch.Generator().manual_seed(0))
    return atoms / atoms.flatten(1).norm(dim=1)[:, None, None]


def convolved(codes, dictionary):
    """Σ_k d_k * z_k, pixel by pixel."""
    total = np.zeros(codes.shape[1:])
    for z, d in zip(codes.numpy(), dictionary.numpy(), strict=True):
        for (row, column), value in np.ndenumerate(d):
            total += value * np.roll(z, (row, column), (0, 1))
    return total


def correlated(plane, dictionary):
    """d_k correlated with an image, pixel by pixel: the transpose of ``convolved``."""
    return np.stack(
        [sum(v * np.roll(plane, (-r, -c), (0, 1)) for (r, c), v in np.ndenumerate(d)) for d in dictionary.numpy()]
    )


@pytest.mark.parametrize("masked", [False, True])
def test_codes_fulfil_the_conditions_of_optimality(masked):
    """The residual's correlation with an atom is β sign(z) where the code is not zero, and at most β elsewhere."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(0.3 * rng.standard_normal((20, 23)).astype(np.float32))
    mask = torch.from_numpy((rng.random(x.shape) < 0.6).astype(np.float32)) if masked else None
    dictionary, beta = random_dictionary(), 0.1
    codes = code(x, dictionary, Coding(beta, 20.0, 4000, 1e-7), mask=mask)
    weight = 1 if mask is None else mask.numpy()
    residual = weight * (x.numpy() - convolved(codes, dictionary))
    slope = correlated(residual, dictionary)
    used = codes.numpy() != 0
    assert 0.02 < used.mean() < 0.6
    np.testing.assert_allclose(slope[used], beta * np.sign(codes.numpy()[used]), atol=2e-3)
    assert np.abs(slope).max() < beta + 2e-3


def test_objective_by_hand():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((9, 8), np.float32))
    codes = torch.from_numpy(rng.standard_normal((6, 9, 8)).astype(np.float32))
    dictionary = random_dictionary()
    expected = 0.5 * np.sum((x.numpy() - convolved(codes, dictionary)) ** 2) + 0.2 * np.abs(codes.numpy()).sum()
    assert objective(x, dictionary, codes, 0.2) == pytest.approx(expected, rel=1e-4)


def test_lowpass_by_its_normal_equations():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((12, 15), np.float32))
    for mask in (None, torch.from_numpy((rng.random(x.shape) < 0.5).astype(np.float32))):
        low = lowpass(x, 3.0, mask).numpy()
        laplacian = sum(low - np.roll(low, shift, axis) for axis in (0, 1) for shift in (-1, 1))
        weight = 1 if mask is None else mask.numpy()
        np.testing.assert_allclose(weight * (low - x.numpy()) + 3.0 * laplacian, 0, atol=2e-3)


def test_learning_lowers_the_objective_and_keeps_the_norm():
    rng = np.random.default_rng(0)
    true = random_dictionary(4, 5)
    images = []
    for _ in range(3):
        codes = torch.from_numpy((rng.random((4, 32, 32)) < 0.02) * rng.standard_normal((4, 32, 32))).float()
        images.append(csc._synthesis(codes, true))
    told = []
    learned = learn(
        torch.stack(images), 4, 5, sparsity=0.05, rounds=30, seed=1, step=lambda i, value: told.append(value)
    )
    assert np.mean(told[-3:]) < 0.8 * np.mean(told[:3])
    torch.testing.assert_close(learned.flatten(1).norm(dim=1), torch.ones(4))
    again = learn(torch.stack(images), 4, 5, sparsity=0.05, rounds=30, seed=1)
    assert torch.equal(learned, again)


@pytest.fixture
def cosines(monkeypatch):
    """The 5x5 cosine atoms instead of the learned ones."""
    atoms = [idctn(np.eye(25)[i].reshape(5, 5), norm="ortho") for i in range(1, 25)]
    dictionary = torch.from_numpy(np.stack(atoms).astype(np.float32))
    monkeypatch.setattr(csc, "load_dictionary", lambda: dictionary)


def picture(side=48):
    rows, columns = np.mgrid[:side, :side] / side
    return (0.5 + 0.3 * np.sin(40 * rows * columns + 5 * columns))[..., None].astype(np.float32)


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b) ** 2))


@pytest.mark.parametrize(("text", "gain"), [("noise:sigma=25", 2), ("mask:keep=0.6,seed=1", 10)])
def test_restores(cosines, text, gain):
    x, told = picture(), parse(text)
    y = told(x, np.random.default_rng(0))
    assert psnr(csc.restore(y, ForwardModel(told), iterations=60), x) > psnr(y, x) + gain


def test_tiles_hardly_show(cosines, monkeypatch):
    x, told = picture(64), parse("noise:sigma=20")
    y = told(x, np.random.default_rng(0))
    whole = csc.restore(y, ForwardModel(told), iterations=40)
    monkeypatch.setattr(csc, "TILE", 32)
    tiled = csc.restore(y, ForwardModel(told), iterations=40)
    assert np.abs(tiled - whole).mean() < 0.5 / 255


def test_cancel_keeps_the_image_so_far(cosines):
    y = parse("noise:sigma=20")(picture(), np.random.default_rng(0))
    seen = []

    def watch(done, total, image):
        seen.append(image())
        if done == 3:
            control.cancel()

    control = Control(on_step=watch)
    restored = csc.restore(y, ForwardModel(parse("noise:sigma=20")), control=control)
    assert len(seen) == 3
    np.testing.assert_array_equal(restored, seen[-1])

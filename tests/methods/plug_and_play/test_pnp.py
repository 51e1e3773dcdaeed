import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, cg

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.methods.control import Control
from resolvent.methods.plug_and_play.denoiser import Denoiser
from resolvent.methods.plug_and_play.pnp import data_step, fill, restore, schedule, turned
from resolvent.physics.forward_model import ForwardModel

RNG = np.random.default_rng(0)


def textured(height=24, width=36, channels=1):
    rows, columns = np.mgrid[:height, :width]
    waves = [0.5 + 0.3 * np.sin(rows / (2 + c) + columns * 0.4) for c in range(channels)]
    return (np.stack(waves, -1) + 0.1 * RNG.random((height, width, channels))).astype(np.float32)


@pytest.mark.parametrize(
    "text",
    [
        "blur:sigma=1.2,boundary=circular",
        "motion:length=5,angle=20,boundary=circular",
        "mask:keep=0.4,seed=2",
        "downsample:scale=2,boundary=circular",
        "blur:sigma=0.8,boundary=circular + downsample:scale=3,kernel=none",
    ],
)
@pytest.mark.parametrize("alpha", [0.3, 0.01])
def test_data_step_is_what_conjugate_gradients_find(text, alpha):
    """(AᵀA + α I) x = Aᵀ y + α z, with A and Aᵀ those of the degradation's own operator."""
    told, x = parse(text), textured()
    operator = told.operator(x.shape[:2])
    y = told(x)
    z = RNG.random(x.shape, np.float32)

    def apply(call, v, shape):
        return call(v.reshape(shape)).ravel()

    def normal(v):
        seen = apply(operator, v, operator.shape)
        return apply(operator.adjoint, seen, operator.output_shape) + alpha * v

    right = apply(operator.adjoint, y[..., 0].astype(np.float64), operator.output_shape) + alpha * z.ravel()
    expected, info = cg(LinearOperator((x.size, x.size), normal), right, rtol=1e-10)
    assert info == 0
    step, _, inside = data_step(y, ForwardModel(told))
    assert inside == (slice(None), slice(None)) or step(z, alpha)[inside].shape == z.shape
    np.testing.assert_allclose(step(z, alpha).ravel(), expected, atol=2e-5)


def test_noise_alone_is_a_weighted_mean():
    y, z = textured(), RNG.random((24, 36, 1), np.float32)
    step, start, _ = data_step(y, ForwardModel(parse("noise:sigma=20")))
    np.testing.assert_allclose(step(z, 0.5), (y + 0.5 * z) / 1.5, rtol=1e-6)
    assert start is y


@pytest.mark.parametrize("k", range(9))
def test_turning_back_undoes_turning(k):
    x = textured(5, 8, 3)
    assert np.array_equal(turned(turned(x, k), k, back=True), x)


def test_eight_turns_differ():
    x = textured(6, 6)
    assert len({turned(x, k).tobytes() for k in range(8)}) == 8


def test_schedule_falls_evenly_in_logarithm():
    levels = schedule(5, 48, 3)
    assert (levels[0], levels[-1]) == (pytest.approx(48), pytest.approx(3))
    np.testing.assert_allclose(levels[1:] / levels[:-1], 0.5)
    np.testing.assert_allclose(schedule(3, 10, 30), 30)


def test_filling_leaves_what_is_known_and_reaches_across_holes():
    x = textured(40, 40)
    known = np.ones((40, 40), bool)
    known[5:30, 5:30] = False
    filled = fill(x * known[..., None], known)
    assert np.array_equal(filled[known], x[known])
    assert np.all(filled > 0.1)


@pytest.mark.parametrize(
    ("text", "gain"),
    [
        ("mask:keep=0.5,seed=1 + noise:sigma=2", 10),
        ("motion:length=7,angle=30 + noise:sigma=2", 2),
        ("noise:sigma=25", 5),
    ],
)
def test_undoes_what_it_is_told(text, gain):
    from skimage.data import astronaut

    x = astronaut()[70:198:2, 160:288:2].astype(np.float32) / 255
    y = parse(text)(x, np.random.default_rng(0))

    def psnr(a):
        return -10 * np.log10(np.mean((a - x) ** 2))

    assert psnr(restore(y, ForwardModel(parse(text)))) > psnr(y) + gain


def test_enlarges():
    from skimage.data import astronaut

    from resolvent.physics.resize import imresize

    x = astronaut()[70:198:2, 160:288:2].astype(np.float32) / 255
    told = parse("blur:sigma=1 + downsample:scale=2,kernel=none")
    restored = restore(told(x), ForwardModel(told))
    bicubic = imresize(parse("downsample:scale=2")(x), 2)
    assert restored.shape == x.shape
    assert np.mean((restored - x) ** 2) < 0.8 * np.mean((bicubic - x) ** 2)


def test_tells_of_its_steps_and_stops_when_told():
    y, told = textured(16, 16, 3), parse("noise:sigma=10")
    seen = []
    control = Control(on_step=lambda done, total, image: seen.append((done, total, image().shape)))
    whole = restore(y, ForwardModel(told), iterations=3, control=control)
    assert seen == [(1, 3, y.shape), (2, 3, y.shape), (3, 3, y.shape)]
    stopped = Control(on_step=lambda done, total, image: stopped.cancel())
    first = restore(y, ForwardModel(told), iterations=3, control=stopped)
    assert first.shape == y.shape
    assert not np.array_equal(first, whole)
    assert np.array_equal(restore(y, ForwardModel(told), iterations=3, control=Control(budget=1e-9)), first)


def test_a_budget_is_above_zero():
    with pytest.raises(UsageError, match="budget 0: must be above 0 seconds"):
        Control(budget=0)


def test_tiles_do_not_show(monkeypatch):
    from skimage.data import astronaut

    x = np.tile(astronaut()[70:198:2, 160:288:2].astype(np.float32) / 255, (5, 1, 1))[:301]
    denoise = Denoiser()
    whole = denoise(x, 20)
    monkeypatch.setattr("resolvent.methods.plug_and_play.denoiser.AREA", 160 * 160)
    np.testing.assert_allclose(denoise(x, 20), whole, atol=1 / 255)


def test_a_model_without_noise_level_is_refused():
    with pytest.raises(UsageError, match="model 'deblur': takes no noise level"):
        Denoiser("deblur")


def test_a_schedule_that_a_model_carries_counts_unless_iterations_are_given(monkeypatch):
    given = []

    class Told:
        schedule = {"levels": [1.0, 0.5, 2.0], "weights": [0.1, 0.2, 0.4]}  # noqa: RUF012

        def __init__(self, model):
            pass

        def __call__(self, x, sigma):
            given.append(float(sigma))
            return x

    weights = []

    def steps(y, forward_model):
        def step(z, alpha):
            weights.append(float(alpha))
            return z

        return step, y, (slice(None), slice(None))

    monkeypatch.setattr("resolvent.methods.plug_and_play.pnp.Denoiser", Told)
    monkeypatch.setattr("resolvent.methods.plug_and_play.pnp.data_step", steps)
    y = textured(16, 16)
    restore(y, ForwardModel(parse("noise:sigma=4")))
    assert given == pytest.approx([49, 7, 8])
    assert weights == pytest.approx([0.1 * (4 / 49) ** 2, 0.2 * (4 / 14) ** 2, 0.4])
    given.clear()
    restore(y, ForwardModel(parse("noise:sigma=4")), iterations=2)
    assert given == pytest.approx([49, 4])
    given.clear()
    restore(y, ForwardModel(parse("mask:keep=0.5,seed=1 + noise:sigma=4")))
    assert len(given) == 24

import numpy as np
import pytest
import torch

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.image import Image, write_image
from resolvent.methods.control import Control
from resolvent.methods.untrained import dip
from resolvent.methods.untrained import fit as untrained
from resolvent.methods.untrained.fit import (
    Discrepancy,
    MovingVariance,
    Settings,
    Settled,
    Stop,
    fit,
    to_image,
    to_tensor,
)
from resolvent.physics.forward_model import ForwardModel


@pytest.fixture
def narrow(monkeypatch):
    """A network so small that some hundred steps take a second, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    network = {"inputs": 8, "down": (16, 16), "skip": (4, 4)}
    monkeypatch.setitem(dip.PRESETS, "denoise", dip.Preset(network, Settings(300, input_noise=0.03)))
    monkeypatch.setitem(dip.PRESETS, "inpaint-half", dip.Preset(network, Settings(300, input_noise=0.03)))
    monkeypatch.setitem(dip.PRESETS, "super-resolution", dip.Preset(network, Settings(300, input_noise=0.03)))
    yield
    torch.set_num_threads(threads)


def picture(side=32, channels=3):
    rows, columns = np.mgrid[:side, :side] / side
    waves = [0.5 + 0.3 * np.sin(9 * rows + (4 + c) * columns) for c in range(channels)]
    return np.stack(waves, -1).astype(np.float32)


def psnr(x, y):
    return -10 * np.log10(np.mean((x - y) ** 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_denoises_and_obeys_its_seed(narrow, channels):
    x, told = picture(channels=channels), parse("noise:sigma=25")
    y = told(x, np.random.default_rng(0))
    before = y.copy()
    restored = dip.restore(y, ForwardModel(told), stop="none")
    assert psnr(restored, x) > psnr(y, x) + 3
    assert np.array_equal(y, before)
    assert np.array_equal(dip.restore(y, ForwardModel(told), stop="none"), restored)
    assert not np.array_equal(dip.restore(y, ForwardModel(told), stop="none", seed=1), restored)


def test_fills_and_enlarges(narrow):
    x = picture()
    mask = parse("mask:keep=0.5,seed=3")
    assert psnr(dip.restore(mask(x), ForwardModel(mask), stop="none"), x) > 24
    small = parse("downsample:scale=4,kernel=lanczos2")
    restored = dip.restore(small(x), ForwardModel(small), stop="none")
    assert restored.shape == x.shape
    assert psnr(restored, x) > 24


def test_the_residual_is_that_of_the_known_pixels(monkeypatch):
    """Of the truth it is the variance of the noise, however many pixels are missing: where the fit is to end."""
    told, x = parse("noise:sigma=25 + mask:keep=0.3,seed=3"), picture()
    y = told(x, np.random.default_rng(0))
    monkeypatch.setattr(dip, "fit", lambda network, z, loss, **rest: seen.append(loss(untrained.to_tensor(x))) or z)
    seen = []
    dip.restore(y, ForwardModel(told))
    assert seen[0][1] == pytest.approx((25 / 255) ** 2, rel=0.05)


@pytest.mark.parametrize(
    ("text", "preset"),
    [
        ("noise:sigma=25", "denoise"),
        ("jpeg:quality=10", "jpeg"),
        ("downsample:scale=4", "super-resolution"),
        ("downsample:scale=8", "super-resolution-8"),
        ("mask:keep=0.5,seed=1", "inpaint-half"),
    ],
)
def test_preset_for_a_degradation(text, preset):
    assert dip.choose(ForwardModel(parse(text))) == preset


def test_variance_of_the_last_outputs_by_hand():
    rng = np.random.default_rng(0)
    frames = [torch.from_numpy(rng.random((1, 2, 4, 4), np.float32)) * (1 if i < 30 else 0.1) for i in range(60)]
    stop = MovingVariance(window=5, patience=8, every=1)
    least, since, ended = np.inf, 0, None
    for i, frame in enumerate(frames):
        mean = torch.full((1, 2, 4, 4), float(i))
        if stop.add(i, frame, mean, 0.0):
            ended = i
            break
        if i >= 4:
            variance = float(np.var(np.stack([f.numpy() for f in frames[i - 4 : i + 1]]), axis=0).mean())
            if variance < least:
                least, since, best = variance, 0, i
            else:
                since += 1
        assert stop.least == pytest.approx(least, rel=1e-4) or i < 4
    assert stop.best is not None
    assert float(stop.best[0, 0, 0, 0]) == best
    assert ended is None or since == 7


def test_discrepancy_stops_where_the_residual_is_the_noise():
    stop = Discrepancy(0.1, window=2)
    residuals = [0.04, 0.02, 0.012, 0.0085, 0.007]
    assert [stop.add(i, torch.zeros(1), torch.zeros(1), r) for i, r in enumerate(residuals)] == [
        False, False, False, False, True,
    ]  # fmt: skip


def test_settled_where_the_mean_moves_little():
    stop = Settled(0.1, share=0.5, every=2)
    means = [torch.full((1, 1, 2, 2), value) for value in (0.0, 0.0, 0.5, 0.3, 0.3, 0.2501)]
    assert [stop.add(step, mean, mean, 0.0) for step, mean in enumerate(means, 1)] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("noise:sigma=25", Discrepancy),
        ("blur:sigma=1 + poisson:peak=100", Discrepancy),
        ("mask:keep=0.5,seed=0", MovingVariance),
        ("jpeg:quality=10", MovingVariance),
        ("noise:sigma=25 + jpeg:quality=10", MovingVariance),
    ],
)
def test_noise_that_is_told_says_when_to_stop(text, kind):
    y, told = picture(), parse(text)
    assert type(dip.stopping("auto", y, ForwardModel(told))) is kind
    assert type(dip.stopping("none", y, ForwardModel(told))) is Stop


def test_a_fit_that_jumps_away_goes_back(monkeypatch):
    """A loss that turns against the data at step 60 would lose all; at step 100 the weights of step 50 return."""
    monkeypatch.setattr(untrained, "BACKTRACK", 50)
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 1, 1)
    target, count = torch.full((1, 1, 4, 4), 0.7), [0]
    states = {}

    def loss(output):
        count[0] += 1
        states[count[0]] = network.weight.detach().clone()
        aim = target if count[0] < 60 else target + 50
        return (output - aim).square().mean(), float((output.detach() - target).square().mean())

    control = Control()
    fit(
        network, torch.ones(1, 1, 4, 4), loss, size=(4, 4), settings=Settings(101, learning_rate=0.05, input_noise=0.0),
        stop=Stop(), generator=torch.Generator(), control=control,
    )  # fmt: skip
    assert torch.allclose(states[101], states[51])


def test_the_mean_forgets_the_first_steps_of_a_short_run():
    """Of outputs 1, 2, 3, 4: 21 / 11 after two, (2 * 21 / 11 + 30) / 12 after three, and so on."""

    class Counter(torch.nn.Conv2d):
        calls = 0

        def forward(self, z):
            self.calls += 1
            return super().forward(z) * 0 + self.calls

    def mean(iterations, average):
        fitted = fit(
            Counter(1, 1, 1), torch.ones(1, 1, 2, 2), lambda output: (output.mean(), 0.0), size=(2, 2),
            settings=Settings(iterations, average=average), stop=Stop(), generator=torch.Generator(), control=Control(),
        )  # fmt: skip
        return float(fitted[0, 0, 0, 0])

    assert mean(4, 0.99) == pytest.approx((3 * (2 * 21 / 11 + 30) / 12 + 40) / 13)
    assert mean(4, 0.0) == 4
    assert mean(2000, 0.5) == pytest.approx(1999)


def test_cancel_keeps_the_mean_so_far(narrow):
    x, told = picture(), parse("noise:sigma=25")
    y = told(x, np.random.default_rng(0))
    seen = []

    def watch(done, total, image):
        seen.append(image())
        if done == 7:
            control.cancel()

    control = Control(on_step=watch)
    restored = dip.restore(y, ForwardModel(told), control=control)
    assert len(seen) == 7
    assert np.array_equal(restored, seen[-1])


def test_settings_of_a_fit_replace_the_presets(narrow):
    x, told = picture(), parse("noise:sigma=25")
    runs = [{}, {"weight_noise": 0.05}, {"input_noise": 0.0}, {"average": 0.0}, {"average": 0.99}]
    images = [dip.restore(x, ForwardModel(told), iterations=4, **options) for options in runs]
    assert [np.array_equal(image, images[0]) for image in images] == [True, False, False, False, True]


def test_a_guide_may_be_a_file(narrow, tmp_path, monkeypatch):
    monkeypatch.setitem(dip.PRESETS, "flash", dip.Preset({"inputs": 3, "down": (8, 8), "skip": (4, 4)}, Settings(3)))
    x, told = picture(), parse("noise:sigma=5")
    write_image(Image.from_array(np.rint(255 * x).astype(np.uint8)), tmp_path / "flash.png")
    by_file = dip.restore(x, ForwardModel(told), preset="flash", guide=str(tmp_path / "flash.png"))
    guide = np.rint(255 * x).astype(np.uint8).astype(np.float32) / 255
    np.testing.assert_allclose(by_file, dip.restore(x, ForwardModel(told), preset="flash", guide=guide), atol=1e-5)


def test_wrong_names_and_guides_are_refused(narrow):
    y, told = picture(), parse("noise:sigma=5")
    with pytest.raises(UsageError, match="unknown preset of dip 'denoize': did you mean 'denoise'"):
        dip.restore(y, ForwardModel(told), preset="denoize")
    with pytest.raises(UsageError, match="unknown stop of dip 'variances'"):
        dip.restore(y, ForwardModel(told), stop="variances")
    with pytest.raises(UsageError, match="they must agree"):
        dip.restore(y, ForwardModel(told), guide=picture(24))


def test_images_become_tensors_and_come_back():
    x = picture(8)
    assert np.array_equal(to_image(to_tensor(x)), x)

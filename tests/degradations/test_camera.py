"""The camera: its sensor and its development, step by step and as a whole."""

import numpy as np
import pytest
import torch

from resolvent.degradations import Camera, degrade, parse
from resolvent.degradations import camera as steps
from resolvent.errors import UsageError

PLAIN = {
    "read": 0,
    "lens": 0,
    "red": 2,
    "blue": 1.7,
    "sensor": 1.3,
    "tone": 0,
    "malvar": 1,
    "denoise": 0,
    "chroma": 0,
    "sharpen": 0,
    "soft": 0,
}
QUIET = Camera(iso=0.001, **PLAIN)
RED_ROWS = np.arange(64)[:, None] % 2 == 0
RED_COLUMNS = np.arange(64) % 2 == 0
RED_40 = RED_ROWS[: 24 + 2 * steps.REACH]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def changed(camera: Camera, **values: object) -> Camera:
    return Camera(**{**{name: getattr(camera, name) for name in camera.__dataclass_fields__}, **values})


def smooth(channels: int = 3) -> np.ndarray:
    rows, columns = np.mgrid[:48, :56]
    base = 0.5 + 0.3 * np.sin(rows / 13 + 1) * np.cos(columns / 15)
    return np.stack([base + 0.05 * np.sin(columns / 20 + c) for c in range(channels)], -1).astype(np.float32)


def correlation(noise: np.ndarray, down: int, right: int) -> float:
    one = noise[: noise.shape[0] - down, : noise.shape[1] - right]
    return float(np.corrcoef(one.ravel(), noise[down:, right:].ravel())[0, 1])


@pytest.mark.parametrize("malvar", [0, 1])
def test_demosaicing_a_ramp_of_gray_is_exact(malvar):
    rows, columns = np.mgrid[:64, :64]
    ramp = (0.1 + 0.007 * rows + 0.005 * columns)[None, None]
    for top in (RED_ROWS, ~RED_ROWS):
        for left in (RED_COLUMNS, ~RED_COLUMNS):
            planes = steps.demosaic(np, ramp, top, left, malvar)
            for plane in planes:
                np.testing.assert_allclose(plane, ramp[..., 2:-2, 2:-2], atol=1e-12)


def test_malvar_has_the_published_kernels():
    """Figure 2 of Malvar, He and Cutler, in eighths: what one pixel of the mosaic gives to red at the four sites."""
    impulse = np.zeros((1, 1, 5, 5))
    kernel = np.zeros((2, 2, 5, 5))
    for i in range(5):
        for j in range(5):
            impulse[:] = 0
            impulse[..., i, j] = 1
            for top in (0, 1):
                for left in (0, 1):
                    rows, columns = np.arange(5)[:, None] % 2 == top, np.arange(5) % 2 == left
                    kernel[top, left, i, j] = 8 * steps.demosaic(np, impulse, rows, columns, 1)[0].item()
    at_red = np.zeros((5, 5))
    at_red[2, 2] = 8
    in_red_row = np.array(
        [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]
    )
    at_blue = np.array(
        [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]
    )
    np.testing.assert_array_equal(kernel[0, 0], at_red)
    np.testing.assert_array_equal(kernel[0, 1], in_red_row)
    np.testing.assert_array_equal(kernel[1, 0], in_red_row.T)
    np.testing.assert_array_equal(kernel[1, 1], at_blue)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("tone", [0, 0.4, 1])
@pytest.mark.parametrize("sensor", [0, 1.5, 3])
def test_without_noise_a_smooth_picture_comes_back(channels, tone, sensor):
    image = smooth(channels)
    for quiet in (changed(QUIET, tone=tone, sensor=sensor), changed(QUIET, tone=tone, sensor=sensor, chroma=4)):
        difference = 255 * np.abs(quiet(image, rng()) - image)
        assert difference.mean() < 0.3
        assert difference.max() < 3


@pytest.mark.parametrize("malvar", [0, 1])
def test_nothing_moves(malvar):
    """Over the four phases of the mosaic, the picture of a symmetric spot is symmetric about it."""
    rows, columns = np.mgrid[-20:21, -20:21]
    spot = (0.2 + 0.5 * np.exp(-(rows**2 + columns**2) / 8))[..., None].astype(np.float32).repeat(3, 2)
    busy = changed(QUIET, malvar=malvar, denoise=2, chroma=4, sharpen=0.5)
    light = np.mean([busy(spot, rng(seed)) for seed in range(40)], 0) - 0.2
    for channel in range(3):
        weight = light[8:-8, 8:-8, channel]
        center = [(weight * axis[8:-8, 8:-8]).sum() / weight.sum() for axis in (rows, columns)]
        assert np.abs(center).max() < 0.02


def test_gray_stays_gray():
    gray = smooth(1).repeat(3, 2)
    for red, blue, sensor in ((1.5, 2.4, 0), (2.6, 1.3, 2.2)):
        y = changed(QUIET, red=red, blue=blue, sensor=sensor)(gray, rng())
        assert np.ptp(y, 2).max() < 2e-3


def test_black_and_white_stay():
    for value in (0, 1):
        flat = np.full((20, 24, 3), value, np.float32)
        np.testing.assert_allclose(QUIET(flat, rng()), flat, atol=1e-3)
    white = np.ones((32, 32, 3), np.float32)
    assert changed(QUIET, iso=800)(white, rng()).mean() > 0.999


@pytest.mark.parametrize("level", [0.2, 0.6])
def test_the_noise_of_the_sensor_has_its_variance(level, monkeypatch):
    """Seen on the mosaic, which demosaicing is handed."""
    seen = []
    monkeypatch.setattr(steps, "demosaic", lambda xp, raw, *rest: seen.append(raw) or [raw[..., 2:-2, 2:-2]] * 3)
    image = np.full((200, 200, 1), level, np.float32)
    changed(QUIET, iso=20000, read=1, red=2, blue=2)(image, rng())
    shot = 8e-3
    read = np.exp(2.18 * np.log(shot) + 1.2)
    linear = ((level + 0.055) / 1.055) ** 2.4
    balanced = seen[0][0, 0]
    variances = sorted(balanced[i::2, j::2].var() for i in (0, 1) for j in (0, 1))
    for variance, gain in zip(variances, (1, 1, 2, 2), strict=True):
        raw = 0.8 * linear / gain
        assert variance == pytest.approx((shot * raw + read) * (gain / 0.8) ** 2, rel=0.05)


def test_neighbors_share_the_noise():
    flat = np.full((96, 96, 3), 0.5, np.float32)
    for malvar, least in ((0, 0.45), (1, 0.3)):
        noise = changed(QUIET, iso=3200, malvar=malvar)(flat, rng()) - flat
        for channel in (0, 2):
            assert correlation(noise[..., channel], 0, 1) > least
            assert correlation(noise[..., channel], 1, 0) > least
    plain, soft, chroma = (
        changed(QUIET, iso=3200, **extra)(flat, rng()) - flat for extra in ({}, {"denoise": 2}, {"chroma": 4})
    )
    assert soft.std() < 0.9 * plain.std()
    assert correlation(soft[..., 1], 0, 1) > correlation(plain[..., 1], 0, 1) + 0.1
    between = [np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1] for noise in (plain, chroma)]
    assert between[1] > between[0] + 0.2


def test_higher_iso_is_noisier_and_the_dark_is_noisier():
    flat = np.full((64, 64, 3), 0.5, np.float32)
    levels = [changed(QUIET, iso=iso)(flat, rng()).std() for iso in (50, 200, 800, 3200)]
    assert np.allclose(np.diff(np.log2(levels)), 1, atol=0.1)
    dark = changed(QUIET, iso=3200)(flat * 0.4, rng()).std()
    assert dark > 1.1 * levels[3]


def test_both_routes_are_one_text():
    """The same noise gives the same picture from NumPy and from torch, whatever the numbers."""
    random = rng(3)
    image = random.random((1, 3, 12, 14)).astype(np.float32)
    height, width = 12 + 2 * steps.REACH, 14 + 2 * steps.REACH
    noise = random.standard_normal((1, 1, height, width)).astype(np.float32)
    rows, columns = np.arange(height)[:, None] % 2 == 1, np.arange(width) % 2 == 0
    for seed in range(20):
        numbers = {
            name: np.full((1, 1, 1, 1), value, np.float32)
            for name, value in parse("camera").sample(rng(seed))._fixed().items()
        }
        one = steps._photograph(np, image, numbers, rows, columns, noise)
        given = [torch.from_numpy(array) for array in (image, rows, columns, noise)]
        tensors = {name: torch.from_numpy(value) for name, value in numbers.items()}
        other = steps._photograph(torch, given[0], tensors, *given[1:])
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4)


def test_each_sample_has_its_own_numbers():
    x = torch.full((8, 3, 32, 32), 0.5)
    y, numbers = parse("camera:iso=100..25600").apply_batch(x, torch.Generator().manual_seed(0))
    assert list(numbers)[:3] == ["camera.iso", "camera.read", "camera.lens"]
    order = numbers["camera.iso"].argsort()
    noise = y.std((1, 2, 3))
    assert noise[order[-2:]].min() > 2 * noise[order[:2]].max()


def test_iso_is_drawn_by_the_stop():
    x = torch.zeros(2000, 1, 1, 1)
    drawn = parse("camera:iso=100..25600").apply_batch(x, torch.Generator().manual_seed(0))[1]["camera.iso"]
    one = [parse("camera:iso=100..25600").sample(rng(seed)).iso for seed in range(500)]
    for values in (drawn.numpy(), np.array(one)):
        stops = np.log2(values / 100)
        assert 0 <= stops.min() < stops.max() <= 8
        assert np.histogram(stops, 4, (0, 8))[0].min() > 0.19 * len(values)


def test_it_takes_any_size_and_gray_or_rgb_alone():
    for shape in ((1, 1, 3), (1, 9, 1), (3, 2, 3)):
        assert degrade(np.full(shape, 0.5, np.float32), "camera").shape == shape
    with pytest.raises(UsageError, match="an image of 4 channels; must be gray or RGB"):
        QUIET(np.zeros((8, 8, 4), np.float32), rng())


@pytest.mark.parametrize("sigma", [0.3, 0.6])
def test_the_lens_blurs_by_its_standard_deviation(sigma):
    """In linear light: the variance of a spot grows by that of the blur."""

    def spread(image: np.ndarray) -> np.ndarray:
        linear = ((image[..., 1].astype(np.float64) + 0.055) / 1.055) ** 2.4
        weight = linear - np.median(linear)
        return np.array([(weight * axis**2).sum() / weight.sum() for axis in (rows, columns)])

    rows, columns = np.mgrid[-16:17, -16:17]
    spot = (0.3 + 0.4 * np.exp(-(rows**2 + columns**2) / 8))[..., None].astype(np.float32).repeat(3, 2)
    sharp, blurred = (np.mean([changed(QUIET, lens=lens)(spot, rng(i)) for i in range(40)], 0) for lens in (0, sigma))
    np.testing.assert_allclose(spread(blurred) - spread(sharp), sigma**2, atol=0.02)


TAKEN = changed(QUIET, iso=3200, read=1, lens=0.4, denoise=1, chroma=4, sharpen=0.3, soft=0.5)


def test_what_is_to_be_given_back_is_what_the_camera_makes_without_noise():
    """Lens, mosaic, sharpening and softness are in it; noise, noise reduction and an earlier blur are not."""
    image = rng(1).random((40, 44, 3), np.float32)
    still = changed(TAKEN, iso=1e-3, read=0, denoise=0, chroma=0)
    chain = parse("blur:sigma=2") + TAKEN + parse("jpeg:quality=90")
    degraded, target = chain.with_target(image, rng(5))
    np.testing.assert_array_equal(degraded, chain(image, rng(5)))
    np.testing.assert_allclose(target, still(image, rng(5)), atol=1e-3)
    assert np.abs(target - image).mean() > 0.02
    other = parse("blur:sigma=2 + noise:sigma=5").with_target(image, rng(0))[1]
    assert np.array_equal(other, image)


def test_a_batch_follows_its_targets_too():
    x = torch.from_numpy(rng(1).random((6, 3, 24, 24), np.float32))
    chain = parse(f"blur:sigma=2 + {TAKEN} @ 0.5 + noise:sigma=5")
    degraded, target, numbers = chain.pair_batch(x, torch.Generator().manual_seed(0))
    assert torch.equal(degraded, chain.on_tensor(x, torch.Generator().manual_seed(0)))
    taken = numbers["camera.iso"] > 0
    assert 0 < taken.sum() < 6
    assert torch.equal(target[~taken], x[~taken])
    still = changed(TAKEN, iso=1e-3, read=0, denoise=0, chroma=0)
    phases = [
        torch.from_numpy(steps._on_image(x[i].permute(1, 2, 0).numpy(), still._fixed(), rows, columns, None))
        for i in taken.nonzero()[:, 0]
        for rows in (RED_40, ~RED_40)
        for columns in (RED_40[:, 0], ~RED_40[:, 0])
    ]
    for i, one in enumerate(target[taken]):
        errors = [(one.permute(1, 2, 0) - phase).abs().max() for phase in phases[4 * i : 4 * i + 4]]
        assert min(errors) < 1e-3
        assert sum(error < 1e-3 for error in errors) == 1
    assert torch.equal(x, torch.from_numpy(rng(1).random((6, 3, 24, 24), np.float32)))


def test_softness_is_a_blur_of_its_standard_deviation():
    middle, beside, far = steps._gaussian(np, np.float32(0.6))
    assert middle + 2 * beside + 2 * far == pytest.approx(1)
    assert 2 * beside + 8 * far == pytest.approx(0.36, abs=0.01)
    image = rng(1).random((32, 32, 3), np.float32)
    sharp, soft = (changed(QUIET, soft=sigma)(image, rng()) for sigma in (0, 0.6))
    assert soft[2:-2].std() < 0.8 * sharp[2:-2].std()
    assert soft.mean() == pytest.approx(sharp.mean(), abs=1e-2)

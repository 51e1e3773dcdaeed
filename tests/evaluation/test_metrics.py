import math

import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim as ms_ssim_oracle
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from resolvent.errors import UsageError
from resolvent.evaluation.metrics import Protocol, argmax_accuracy, ms_ssim, psnr, ssim


def textured(height, width, channels=3, seed=0):
    """Smooth shapes under fine grain, in [0, 1]."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.random((height, width, channels)), (3, 3, 0))
    image = (image - image.min()) / (image.max() - image.min())
    return (0.8 * image + 0.2 * rng.random(image.shape)).astype(np.float32)


def noisy(image, sigma=0.1, seed=1):
    noise = np.random.default_rng(seed).standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + np.float32(sigma) * noise, 0, 1)


def blurred(image, sigma=1.5):
    return gaussian_filter(image, (sigma, sigma, 0))


def ssim_oracle(a, b):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    return structural_similarity(a.astype(float), b.astype(float), channel_axis=2, **options)


@pytest.mark.parametrize("offset", [0.5, 0.1, 1 / 255])
def test_psnr_of_a_constant_offset(offset):
    image = textured(16, 12) / 2
    assert psnr(image, image + np.float32(offset)) == pytest.approx(-20 * math.log10(offset), abs=1e-4)


def test_psnr_of_one_wrong_value():
    black = np.zeros((10, 10, 1), np.float32)
    wrong = black.copy()
    wrong[3, 4] = 1
    assert psnr(black, wrong) == pytest.approx(20)


def test_psnr_matches_scikit_image():
    image = textured(33, 40)
    assert psnr(noisy(image), image) == pytest.approx(
        peak_signal_noise_ratio(image, noisy(image), data_range=1), abs=1e-4
    )


def test_identical_images():
    image = textured(16, 16)
    assert psnr(image, image) == math.inf
    assert ssim(image, image) == 1
    assert argmax_accuracy(image, image) == 1


def test_luma_is_that_of_matlab():
    image = np.round(textured(20, 20) * 255).astype(np.uint8)
    luma = rgb2ycbcr(image)[..., :1]
    pixels = image.astype(np.float32) / 255
    np.testing.assert_allclose(Protocol(space="y").apply(pixels) * 255, luma, atol=1e-3)
    np.testing.assert_array_equal(np.round(Protocol(space="y", round8=True).apply(pixels) * 255), np.round(luma))


def test_luma_of_black_and_white_is_219_apart():
    black, white = np.zeros((8, 8, 3)), np.ones((8, 8, 3))
    assert psnr(black, white, space="y") == pytest.approx(20 * math.log10(255 / 219))


def test_gray_is_its_own_luma():
    image = textured(16, 16, 1)
    assert psnr(noisy(image), image, space="y") == psnr(noisy(image), image)


def test_border_is_cut_off():
    image = textured(20, 20)
    wrong = image.copy()
    wrong[:3], wrong[:, -3:] = 0, 1
    assert psnr(wrong, image, border=3) == math.inf
    assert ssim(wrong, image, border=3) == 1
    assert psnr(wrong, image, border=2) < 40


def test_round8_rounds_and_clips():
    image = np.full((12, 12, 1), 100 / 255)
    assert psnr(image + 0.4 / 255, image, round8=True) == math.inf
    assert psnr(image + 0.6 / 255, image, round8=True) == pytest.approx(20 * math.log10(255))
    assert psnr(np.full((12, 12, 1), 1.5), np.ones((12, 12, 1)), round8=True) == math.inf


@pytest.mark.parametrize("damage", [noisy, blurred, np.zeros_like, lambda x: 1 - x])
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_matches_scikit_image(channels, damage):
    image = textured(40, 31, channels)
    assert ssim(damage(image), image) == pytest.approx(ssim_oracle(damage(image), image), abs=2e-6)


def test_ssim_over_luma_matches_scikit_image():
    image = textured(40, 31)
    a, b = (rgb2ycbcr(x)[4:-4, 4:-4, :1] / 255 for x in (noisy(image), image))
    assert ssim(noisy(image), image, space="y", border=4) == pytest.approx(ssim_oracle(a, b), abs=2e-6)


@pytest.mark.parametrize("damage", [noisy, blurred, lambda x: 1 - x])
def test_ms_ssim_matches_pytorch_msssim(damage):
    image = textured(176, 192)
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (damage(image), image)]
    assert ms_ssim(damage(image), image) == pytest.approx(ms_ssim_oracle(*tensors, data_range=1).item(), abs=5e-6)


def test_ms_ssim_mirrors_odd_sides_as_its_authors_do():
    image = textured(177, 185, 1)
    x, y = image[..., 0].astype(float), noisy(image)[..., 0].astype(float)
    expected = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my, sxx, syy, sxy = (gaussian_filter(z, 1.5, truncate=3.5)[5:-5, 5:-5] for z in (x, y, x * x, y * y, x * y))
        term = (2 * (sxy - mx * my) + 0.03**2) / (sxx - mx**2 + syy - my**2 + 0.03**2)
        if scale == 4:
            term = term * (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
        expected *= term.mean() ** weight
        x, y = (uniform_filter(z, 2, mode="reflect", origin=-1)[::2, ::2] for z in (x, y))
    assert ms_ssim(noisy(image), image) == pytest.approx(expected, abs=1e-6)


def test_accuracy_by_brute_force():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, (2, 9, 7, 3)) / 2  # three levels: ties are common
    hits = 0
    for p, q in zip(a.reshape(-1, 3).tolist(), b.reshape(-1, 3).tolist(), strict=True):
        hits += p.index(max(p)) == q.index(max(q))
    assert 0 < hits < 63
    assert argmax_accuracy(a, b) == hits / 63


def test_accuracy_gives_ties_to_the_lowest_channel():
    gray, red, green = np.full((1, 1, 3), 0.5), np.array([[[1.0, 0, 0]]]), np.array([[[0, 1.0, 0]]])
    assert (argmax_accuracy(gray, red), argmax_accuracy(gray, green)) == (1, 0)


@pytest.mark.parametrize(
    ("metric", "a", "b", "message"),
    [
        (psnr, (16, 16, 3), (16, 15, 3), "must be the same"),
        (ssim, (16, 16, 1), (16, 16, 3), "must be the same"),
        (psnr, (16, 16), (16, 16), r"\(H, W, 3\)"),
        (psnr, (3, 16, 16), (3, 16, 16), r"\(H, W, 3\)"),
        (ssim, (10, 16, 3), (10, 16, 3), "11 must be left"),
        (ms_ssim, (175, 200, 3), (175, 200, 3), "176 must be left"),
        (argmax_accuracy, (16, 16, 1), (16, 16, 1), "1 channel"),
    ],
)
def test_images_that_cannot_be_compared(metric, a, b, message):
    with pytest.raises(UsageError, match=message):
        metric(np.zeros(a), np.zeros(b))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("metric", [psnr, ssim, argmax_accuracy])
def test_values_that_are_not_finite(metric, value):
    broken = textured(16, 16)
    broken[2, 3, 1] = value
    for pair in ((broken, textured(16, 16)), (textured(16, 16), broken)):
        with pytest.raises(UsageError, match="NaN or infinite"):
            metric(*pair)


@pytest.mark.parametrize("border", [-1, 8])
def test_border_that_leaves_nothing(border):
    with pytest.raises(UsageError, match="border"):
        psnr(textured(16, 16), textured(16, 16), border=border)


def test_protocol_says_and_does_the_same():
    truth = textured(30, 30)
    wild = truth + np.random.default_rng(1).standard_normal(truth.shape)
    clipped = np.clip(wild, 0, 1)
    score = Protocol().measure(wild, truth)
    assert (score.psnr, score.ssim) == (psnr(clipped, truth), ssim(clipped, truth))
    assert Protocol(clip=False).measure(wild, truth).psnr == psnr(wild, truth) < score.psnr
    protocol = Protocol(space="y", border=2, round8=True)
    assert protocol.measure(wild, truth).psnr == psnr(wild, truth, space="y", border=2, round8=True)
    assert str(protocol) == "PSNR and SSIM over Y (BT.601, 16 to 235), 8-bit values, 2 border pixels cut"
    assert "not clipped" in str(Protocol(clip=False))
    assert "clipped to [0, 1], whole image" in str(Protocol())


def test_a_data_range_of_255_is_that_of_bytes():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 16, 16, 3))
    assert psnr(255 * a, 255 * b, data_range=255) == pytest.approx(psnr(a, b))

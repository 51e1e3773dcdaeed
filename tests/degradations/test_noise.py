"""Noise has the level and the correlation that it is told, and defects of a sensor their sites."""

import cv2
import numpy as np
import pytest
import torch

from resolvent.degradations import GaussianNoise, PoissonNoise, Quantize, SaltPepper, parse


class TestNoise:
    n = 64 * 64 * 3

    def test_gaussian(self):
        noise = GaussianNoise(25)(np.zeros((64, 64, 3)), np.random.default_rng(0)) * 255
        assert noise.mean() == pytest.approx(0, abs=5 * 25 / np.sqrt(self.n))
        assert noise.std() == pytest.approx(25, abs=5 * 25 / np.sqrt(2 * self.n))
        assert (noise < 0).any()

    def test_poisson(self):
        noisy = PoissonNoise(20)(np.full((64, 64, 3), 0.5), np.random.default_rng(0))
        assert np.allclose(noisy * 20, np.rint(noisy * 20), atol=1e-4)
        assert noisy.mean() == pytest.approx(0.5, abs=5 * np.sqrt(0.5 / 20 / self.n))
        assert noisy.var() == pytest.approx(0.5 / 20, rel=5 * np.sqrt((2 + 1 / 10) / self.n))
        assert not PoissonNoise(20)(np.full((4, 4, 1), -0.5), np.random.default_rng(0)).any()

    def test_salt_and_pepper(self):
        noisy = SaltPepper(0.2)(np.full((64, 64, 3), 0.5), np.random.default_rng(0))
        for value, share in ((0, 0.1), (1, 0.1), (0.5, 0.8)):
            assert (noisy == value).mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / self.n))

    def test_rounding(self):
        stored = Quantize(2)(np.array([-0.4, 0.1, 0.2, 0.49, 0.51, 0.9, 1.7])[:, None, None])
        assert stored[:, 0, 0] == pytest.approx([0, 0, 1 / 3, 1 / 3, 2 / 3, 1, 1])


def test_grain_has_its_level_and_its_correlation():
    """A Gaussian of radius r leaves neighbors the correlation exp(-1 / (4 r^2))."""
    flat = np.full((256, 256, 3), 0.5, np.float32)
    for route in ("image", "batch"):
        if route == "image":
            noise = parse("grain:sigma=20,radius=0.9")(flat, np.random.default_rng(0)) - flat
        else:
            x = torch.from_numpy(flat).permute(2, 0, 1)[None]
            y = parse("grain:sigma=20,radius=0.9").on_tensor(x, torch.Generator().manual_seed(0))
            noise = (y - x)[0].permute(1, 2, 0).numpy()
        assert 255 * noise.std() == pytest.approx(20, rel=0.02)
        for a, b in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
            assert (a * b).mean() / noise.var() == pytest.approx(np.exp(-1 / (4 * 0.9**2)), abs=0.02)


def test_grain_without_radius_is_white():
    flat = np.full((64, 64, 1), 0.5, np.float32)
    white = parse("noise:sigma=10")(flat, np.random.default_rng(3))
    np.testing.assert_allclose(parse("grain:sigma=10,radius=0")(flat, np.random.default_rng(3)), white, atol=1e-6)


@pytest.mark.parametrize("radius", [0, 0.9])
def test_chroma_noise_has_its_level_and_leaves_the_luma(radius):
    flat = np.full((256, 256, 3), 0.5, np.float32)
    for noisy in by_both_routes(f"chroma:sigma=20,radius={radius}", flat):
        noise = 255 * (noisy - flat).astype(float)
        luma = noise @ [0.299, 0.587, 0.114]
        assert np.abs(luma).max() < 1e-3
        for chroma in ((noise[..., 2] - luma) / 1.772, (noise[..., 0] - luma) / 1.402):
            assert chroma.std() == pytest.approx(20, rel=0.02)
            expected = np.exp(-1 / (4 * radius**2)) if radius else 0
            assert (chroma[1:] * chroma[:-1]).mean() / chroma.var() == pytest.approx(expected, abs=0.02)
    gray = flat[..., :1]
    assert np.array_equal(parse("chroma:sigma=20")(gray, np.random.default_rng(0)), gray)


@pytest.mark.parametrize(("axis", "along"), [("rows", 0), ("columns", 1)])
def test_row_noise_is_one_offset_for_each_row(axis, along):
    flat = np.full((900, 900, 3), 0.5, np.float32)
    for noisy in by_both_routes(f"rownoise:sigma=6,axis={axis}", flat):
        offsets = np.moveaxis(255 * (noisy - flat), along, 0).reshape(900, -1)
        assert np.ptp(offsets, axis=1).max() < 1e-4
        assert offsets[:, 0].std() == pytest.approx(6, rel=5 / np.sqrt(2 * 900))
        assert (offsets[1:, 0] * offsets[:-1, 0]).mean() / 36 == pytest.approx(0, abs=5 / np.sqrt(900))


def by_both_routes(text, image):
    """A degradation of one image by NumPy and by torch."""
    yield parse(text)(image, np.random.default_rng(0))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    yield parse(text).on_tensor(x, torch.Generator().manual_seed(0))[0].permute(1, 2, 0).numpy()


class TestHotPixels:
    flat = np.full((128, 128, 3), 0.4, np.float32)

    @pytest.mark.parametrize("sites", ["pixel", "channel"])
    def test_stuck_sites_have_their_share_and_their_values(self, sites):
        for noisy in by_both_routes(f"hotpixels:amount=0.1,hot=0.3,level=0.6,sites={sites}", self.flat):
            stuck = noisy != np.float32(0.4)
            count = 1 if sites == "channel" else 3
            assert set(stuck.sum(-1).ravel()) == {0, count}
            share = stuck.any(-1).mean()
            assert share == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 128**2))
            values = noisy[stuck]
            assert ((values > 0.6 - 1e-6) | (np.abs(values) < 1e-7)).all()
            hot = values[values > 0.5]
            assert len(hot) / len(values) == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / (128**2 * share)))
            assert hot.mean() == pytest.approx(0.8, abs=5 * 0.4 / np.sqrt(12 * len(hot) / 3))
            if sites == "channel":
                shares = stuck.mean((0, 1)) / share
                assert shares == pytest.approx([1 / 3] * 3, abs=5 * np.sqrt(2 / 9 / (128**2 * share)))

    def test_a_mosaic_is_demosaiced_as_opencv_does(self):
        for noisy in by_both_routes("hotpixels:amount=0.05,level=0.7,sites=bayer", self.flat):
            mosaic = noisy[..., 1].copy()
            mosaic[::2, ::2], mosaic[1::2, 1::2] = noisy[::2, ::2, 0], noisy[1::2, 1::2, 2]
            levels = np.rint(mosaic * 60000).astype(np.uint16)
            expected = cv2.cvtColor(levels, cv2.COLOR_BayerRGGB2RGB) / 60000
            assert np.abs(expected - noisy)[2:-2, 2:-2].max() < 1e-4
            stuck = np.abs(mosaic - 0.4) > 1e-3
            assert stuck.mean() == pytest.approx(0.05, abs=5 * np.sqrt(0.05 / 128**2))

    def test_without_color_a_site_is_a_pixel(self):
        for sites in ("channel", "bayer"):
            for text in (f"hotpixels:amount=0.1,sites={sites}", "hotpixels:amount=0.1"):
                one, batch = by_both_routes(text, self.flat[..., :1])
                assert (one != np.float32(0.4)).mean() == pytest.approx(0.1, abs=0.015)
                assert (batch != np.float32(0.4)).mean() == pytest.approx(0.1, abs=0.015)

    def test_each_sample_may_have_other_sites(self):
        x = torch.full((24, 3, 32, 32), 0.4)
        y, numbers = parse("hotpixels:amount=0.02,hot=1,sites=pixel|channel|bayer").apply_batch(
            x, torch.Generator().manual_seed(0)
        )
        for sample, sites in zip(y, numbers["hotpixels.sites"].tolist(), strict=True):
            stuck = (sample - 0.4).abs() > 1e-6
            per_channel, places = stuck.sum(0), stuck.any(0).sum()
            assert 5 < places < 40 if sites < 2 else places > 60
            assert int(per_channel.max()) == (3 if sites == 0 else 1) or sites == 2

"""The public function ``degrade``."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from resolvent.degradations import GaussianBlur, GaussianNoise, degrade
from resolvent.errors import InputError, UsageError
from resolvent.image import Image, Metadata


class TestDegrade:
    def test_arrays_are_read_by_the_range_of_their_type(self):
        assert degrade(np.full((4, 4), 1000, np.uint16), "none").max() == pytest.approx(1000 / 65535)
        assert degrade(np.full((4, 4), 0.01, np.float32), "none").max() == pytest.approx(0.01)
        with pytest.raises(UsageError, match=r"values from 0 to 255: must be in \[0, 1\]; divide by its white"):
            degrade(np.linspace(0, 255, 16).reshape(4, 4), "none")

    def test_arrays_keep_their_form_and_are_not_clipped(self, image):
        noisy = degrade(image, "noise:sigma=60", seed=1)
        assert noisy.dtype == np.float32
        assert noisy.min() < 0 < 1 < noisy.max()
        assert np.array_equal(noisy, degrade(image, GaussianNoise(60), seed=1))
        assert not np.array_equal(noisy, degrade(image, "noise:sigma=60", seed=2))
        assert degrade(image[..., 0], "blur:sigma=1").shape == (37, 50)
        assert degrade(image[..., :1], "blur:sigma=1").shape == (37, 50, 1)

    def test_ranges_are_drawn(self, image):
        assert not np.array_equal(degrade(image, "blur:sigma=0.5..4", 0), degrade(image, "blur:sigma=0.5..4", 1))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
    def test_depths(self, image, dtype):
        top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
        levels = (image * top).astype(dtype)
        expected = GaussianBlur(1)(levels.astype(np.float64) / top)
        assert np.abs(degrade(levels, "blur:sigma=1") - expected).max() < 1e-6

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_an_image_keeps_its_depth_and_what_it_carries(self, tmp_path, image, dtype):
        top = np.iinfo(dtype).max
        alpha = np.full((37, 50), top, dtype)
        alpha[:20] = 0
        source = replace(
            Image.from_array((image * top).astype(dtype)), alpha=alpha, metadata=Metadata(xmp=b"<x:xmpmeta/>")
        )
        bad = degrade(source, "noise:sigma=60 + downsample:scale=2")
        assert bad.data.dtype == dtype
        assert bad.metadata == source.metadata
        expected = degrade(source.data, "noise:sigma=60 + downsample:scale=2")
        assert np.abs(bad.pixels - np.clip(expected, 0, 1)).max() <= 0.51 / top + 1e-6
        assert bad.alpha.dtype == dtype
        assert bad.alpha.shape == (19, 25)
        assert np.all(bad.alpha[:10] == 0)
        assert np.all(bad.alpha[10:] == top)

    def test_paths(self, tmp_path, image):
        levels = np.rint(image * 255).astype(np.uint8)
        PIL.Image.fromarray(levels).save(tmp_path / "a.png")
        for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
            assert np.array_equal(degrade(path, "blur:sigma=1").data, np.rint(degrade(levels, "blur:sigma=1") * 255))
        with pytest.raises(InputError, match=r"none\.png"):
            degrade(tmp_path / "none.png", "blur:sigma=1")

    @pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((4, 4, 4)), np.zeros((0, 4)), np.zeros((4, 4), int)])
    def test_refuses_what_is_no_image(self, bad):
        with pytest.raises(UsageError, match=r"shape|type"):
            degrade(bad, "blur:sigma=1")


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, resolvent.degradations; print(*{'torch', 'scipy', 'PIL', 'skimage', 'pyvips'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

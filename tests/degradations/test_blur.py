"""Blurs of every kind against their closed forms."""

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from scipy import ndimage

from resolvent.degradations import DefocusBlur, GaussianBlur, Kernel, MotionBlur, PositionalBlur, parse
from resolvent.degradations.blur import convolve
from resolvent.degradations.tensors import pad
from resolvent.errors import InputError, UsageError


class TestBlur:
    @pytest.mark.parametrize("sigma", [0, 0.6, 1.9])
    @pytest.mark.parametrize("ksize", [1, 3, 5, 7, 9, 11, 15, 31])
    def test_is_opencv_s(self, image, ksize, sigma):
        assert np.abs(GaussianBlur(sigma, ksize)(image) - cv2.GaussianBlur(image, (ksize, ksize), sigma)).max() < 1e-6

    @pytest.mark.parametrize("sigma", [0.3, 1.6, 12])
    @pytest.mark.parametrize(("boundary", "mode"), [("reflect", "mirror"), ("circular", "wrap")])
    def test_is_scipy_s(self, image, sigma, boundary, mode):
        expected = ndimage.gaussian_filter(image, (sigma, sigma, 0), mode=mode)
        assert np.abs(GaussianBlur(sigma, boundary=boundary)(image) - expected).max() < 1e-6

    def test_positional_sigma_y_has_no_effect(self, image):
        quirk = PositionalBlur(sigma=1, ksize=9, sigma_y=5)(image)
        assert np.abs(quirk - cv2.GaussianBlur(image, (9, 9), 1, 5)).max() < 1e-6
        assert np.abs(quirk - cv2.GaussianBlur(image, (9, 9), 1, sigmaY=5)).max() > 0.01

    @pytest.mark.parametrize("shape", [(3, 5), (4, 4), (2, 7), (1, 1), (61, 80)])
    @pytest.mark.parametrize(("boundary", "mode"), [("reflect", "mirror"), ("circular", "wrap")])
    def test_convolution_is_scipy_s(self, image, shape, boundary, mode):
        kernel = np.random.default_rng(0).random(shape)
        expected = ndimage.convolve(image.astype(float), kernel[..., None] / kernel.sum(), mode=mode)
        assert np.abs(convolve(image, kernel / kernel.sum(), boundary) - expected).max() < 2e-6

    @pytest.mark.parametrize("radius", [0.3, 0.5, 1, 2.7, 8])
    def test_a_disk_covers_its_area(self, radius):
        kernel = DefocusBlur(radius).kernel()
        assert kernel.sum() == pytest.approx(1)
        assert np.allclose(kernel, kernel.T, atol=3e-3 / radius**2)
        # the kernel times the area is the share of each pixel that is covered: 1 inside
        assert kernel.max() * max(np.pi * radius**2, kernel.size == 1) == pytest.approx(1, abs=5e-3)
        assert kernel.shape == (2 * int(np.ceil(radius - 0.5)) + 1,) * 2

    def test_a_disk_agrees_with_supersampling(self):
        fine = (np.arange(-300, 300) + 0.5) / 100  # 6 pixels about the center of pixel 0, in hundredths
        fine = fine[50:-50]
        inside = (fine[:, None] ** 2 + fine**2 <= 2.2**2).reshape(5, 100, 5, 100).mean((1, 3))
        assert np.abs(DefocusBlur(2.2).kernel() - inside / inside.sum()).max() < 2e-4

    def test_motion_along_the_axes_is_a_line(self):
        assert np.allclose(MotionBlur(9).kernel()[4], 1 / 9)
        assert np.allclose(MotionBlur(9).kernel().sum(1), np.eye(9)[4])
        assert np.allclose(MotionBlur(9, 90).kernel(), MotionBlur(9).kernel().T)
        assert MotionBlur(1).kernel() == 1

    def test_motion_turns_counter_clockwise(self):
        kernel = MotionBlur(7, 45).kernel()
        assert kernel[0, -1] == kernel[-1, 0] == 0
        rising = np.fliplr(kernel)
        assert np.trace(rising) > 0.5
        assert np.trace(kernel) < 0.3

    def test_kernel_files(self, tmp_path, image):
        values = np.random.default_rng(0).random((4, 3))
        np.save(tmp_path / "k.npy", values)
        np.savez(tmp_path / "one.npz", values)
        np.savez(tmp_path / "two.npz", a=np.eye(3), b=values)
        expected = ndimage.convolve(image.astype(float), values[..., None] / values.sum(), mode="mirror")
        for kernel in (
            Kernel(tmp_path / "k.npy"),
            Kernel(tmp_path / "one.npz"),
            Kernel(tmp_path / "two.npz", key="b"),
            Kernel(array=values),
        ):
            assert np.abs(kernel(image) - expected).max() < 2e-6
        assert Kernel(array=values) == Kernel(array=values.copy()) != Kernel(array=values * 2)

    def test_kernel_pictures(self, tmp_path):
        levels = np.array([[0, 10, 0], [30, 200, 0], [0, 10, 5]], np.uint8)
        PIL.Image.fromarray(levels).save(tmp_path / "k.png")
        assert np.allclose(Kernel(tmp_path / "k.png").kernel(), levels / levels.sum())

    def test_bad_kernels(self, tmp_path):
        np.savez(tmp_path / "two.npz", a=np.eye(3), b=np.eye(3))
        np.save(tmp_path / "flat.npy", np.zeros((3, 3)))
        np.save(tmp_path / "line.npy", np.ones(3))
        np.save(tmp_path / "object.npy", np.array([None]), allow_pickle=True)
        (tmp_path / "torn.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:200])
        (tmp_path / "empty.npy").write_bytes(b"")
        for name, message in {
            "two.npz": "no array None; give key=, one of a, b",
            "flat.npy": "a kernel is finite with a sum above zero",
            "line.npy": "has shape (3,): must be (H, W); save one plane",
            "object.npy": "not a readable NumPy file",
            "torn.npz": "not a readable NumPy file",
            "empty.npy": "not a readable NumPy file",
            "none.npy": "not a readable NumPy file",
        }.items():
            with pytest.raises(InputError) as caught:
                Kernel(tmp_path / name).kernel()
            assert name in str(caught.value)
            assert message in str(caught.value)
        for array, message in ((np.ones(3), r"\(H, W\)"), (-np.eye(3), "above zero"), (np.eye(1000), "999 pixels")):
            with pytest.raises(UsageError, match=message):
                Kernel(array=array)


@pytest.mark.parametrize(("boundary", "mode"), [("reflect", "reflect"), ("circular", "wrap"), ("edge", "edge")])
@pytest.mark.parametrize("size", [(1, 5), (4, 7)])
def test_padding_is_numpy_s(boundary, mode, size):
    values = np.arange(size[0] * size[1], dtype=np.float32).reshape(size)
    expected = np.pad(values, [(3, 11), (2, 9)], mode=mode)
    assert np.array_equal(pad(torch.from_numpy(values), (3, 2), (11, 9), boundary).numpy(), expected)


@pytest.mark.parametrize("length", [1, 9, 20.5])
def test_a_shaking_camera_draws_a_path_of_its_length(length):
    kernels = [parse(f"shake:length={length},seed={seed}").kernel() for seed in range(6)]
    for kernel in kernels:
        rows, columns = (np.flatnonzero(kernel.sum(axis) > 0) for axis in (1, 0))
        extent = max(np.ptp(rows), np.ptp(columns))
        assert length - 1 <= extent <= length + 2
        assert kernel.sum() == pytest.approx(1)
        assert (kernel >= 0).all()
    assert len({kernel.tobytes() for kernel in kernels}) == 6 or length == 1

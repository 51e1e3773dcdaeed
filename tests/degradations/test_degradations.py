import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from scipy import ndimage

from resolvent.degradations import (
    Choice,
    Compose,
    DefocusBlur,
    Downsample,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    Kernel,
    Mask,
    MotionBlur,
    PoissonNoise,
    PositionalBlur,
    Quantize,
    Range,
    SaltPepper,
    degrade,
    parse,
)
from resolvent.degradations.blur import convolve
from resolvent.degradations.tensors import pad, quantization_tables
from resolvent.errors import InputError, UsageError
from resolvent.image import Image, Metadata
from resolvent.physics.resize import imresize, imresize_tensor


@pytest.fixture
def image():
    """(37, 50, 3), smooth and noisy at once."""
    rng = np.random.default_rng(3)
    values = ndimage.gaussian_filter(rng.random((37, 50, 3)), (2, 2, 0)) * 3 - 1 + 0.1 * rng.random((37, 50, 3))
    return np.clip(values, 0, 1).astype(np.float32)


class TestText:
    @pytest.mark.parametrize(
        ("text", "degradation", "canonical"),
        [
            ("blur:sigma=1.60", GaussianBlur(1.6), "blur:sigma=1.6"),
            ("blur:ksize=15,sigma=0", GaussianBlur(ksize=15), "blur:ksize=15"),
            ("  noise: sigma = 25.0 ", GaussianNoise(25), "noise:sigma=25"),
            ("noise:sigma=0..75", GaussianNoise(Range(0, 75)), "noise:sigma=0..75"),
            ("blur:ksize=5|9", GaussianBlur(ksize=Choice((5, 9))), "blur:ksize=5|9"),
            ("jpeg:quality=40,subsampling=4:2:0", Jpeg(40), "jpeg:quality=40"),
            (
                "jpeg:quality=75..100,subsampling=4:2:0 | 4:4:4",
                Jpeg(Range(75, 100), Choice(("4:2:0", "4:4:4"))),
                "jpeg:quality=75..100,subsampling=4:2:0|4:4:4",
            ),
            ("mask:path=C:\\a.png", Mask("C:\\a.png"), "mask:path=C:\\a.png"),
            ('kernel:path="a + b, c.npy"', Kernel("a + b, c.npy"), 'kernel:path="a + b, c.npy"'),
            ("blur:sigma=1+noise:sigma=2", GaussianBlur(1) + GaussianNoise(2), "blur:sigma=1 + noise:sigma=2"),
        ],
    )
    def test_forms(self, text, degradation, canonical):
        assert parse(text) == degradation
        assert str(degradation) == canonical

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nois:sigma=3", "unknown degradation 'nois': did you mean 'noise'?"),
            ("", "unknown degradation ''"),
            ("noise:sigma=1 +", "unknown degradation ''"),
            ("noise:sgma=3", "unknown parameter of noise 'sgma': did you mean 'sigma'?"),
            ("noise", "'noise': sigma is missing; give sigma=, a number from 0 to 255 gray levels"),
            ("noise:sigma", "'noise:sigma': sigma must be given once, as sigma=value"),
            ("noise:sigma=1,sigma=2", "sigma must be given once"),
            ("noise:sigma=300", "sigma of noise = 300: must be a number from 0 to 255 gray levels"),
            ("noise:sigma=0..300", "sigma of noise = 300: must be"),
            ("noise:sigma=nan", "sigma of noise = nan: must be"),
            ("noise:sigma=much", "sigma of noise = 'much': must be"),
            ("noise:sigma=1..2..3", "sigma of noise = '1..2..3': must be"),
            ("noise:sigma=5..1", "range 5..1: low must be below high"),
            ("defocus:radius=0", "radius of defocus = 0: must be a number above 0, up to 100 pixels"),
            ("jpeg:quality=40.5", "quality of jpeg = 40.5: must be a whole number from 1 to 100"),
            ("jpeg:quality=40,subsampling=4:1:0", "unknown subsampling of jpeg '4:1:0': did you mean '4:2:0'?"),
            ("jpeg:quality=40,subsampling=4:2:0|4:4:0", "unknown subsampling of jpeg '4:4:0'"),
            ("jpeg:quality=40,subsampling=4:2:0..4:4:4", "unknown subsampling of jpeg '4:2:0..4:4:4'"),
            (
                "downsample:scale=2,kernel=area|none",
                "kernel of downsample = area|none: must be one of bicubic, lanczos2",
            ),
            ("downsample:scale=2|3", "scale of downsample = 2|3: must be one number"),
            ("blur", "blur: has no width; give sigma above 0 pixels, or an odd ksize"),
            ("blur:sigma=0..4", "has no width"),
            ("blur:ksize=4", "blur:ksize=4: ksize must be odd"),
            ("blur:ksize=3..9", "name the sizes"),
            ("mask", "mask: give one of path=, array= and keep="),
            ("mask:path=m.png,keep=0.5", "give one of"),
            ("kernel", "kernel: give either path= or array="),
            ("kernel:array=5x5", "in a text give a file, as path="),
            ('kernel:path="k.npy', "close the quotes"),
        ],
    )
    def test_errors_say_what_is_wrong(self, text, message):
        with pytest.raises(UsageError) as caught:
            parse(text)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_one_choice_is_none(self):
        with pytest.raises(UsageError, match="two values or more"):
            Choice((3,))


class TestChain:
    def test_is_flat(self):
        a, b, c = GaussianBlur(1), GaussianNoise(2), Jpeg(50)
        assert (a + b) + c == a + (b + c) == Compose((a, b, c))
        assert (a + b + c).parts == (a, b, c)
        with pytest.raises(UsageError, match="two degradations or more"):
            Compose((a,))

    def test_applies_in_order(self, image):
        first, second = GaussianBlur(2), Downsample(2)
        assert np.array_equal((first + second)(image), second(first(image)))

    def test_linear_and_random_hold_for_the_whole(self):
        assert parse("blur:sigma=1 + mask:keep=0.5,seed=1").linear
        assert not parse("blur:sigma=1 + noise:sigma=1").linear
        assert parse("blur:sigma=1 + noise:sigma=1").random
        assert not parse("blur:sigma=1 + jpeg:quality=50").random

    def test_names_the_numbers_of_each_part(self):
        chain = parse("noise:sigma=0..9 + jpeg:quality=30..90 + noise:sigma=2")
        _, numbers = chain.apply_batch(torch.full((4, 1, 8, 8), 0.5), torch.Generator().manual_seed(0))
        assert list(numbers) == [
            "noise.sigma",
            *("jpeg.quality", "jpeg.subsampling", "jpeg.top", "jpeg.left"),
            "noise2.sigma",
        ]
        assert numbers["noise2.sigma"].tolist() == [2, 2, 2, 2]
        assert all(30 <= quality <= 90 and quality % 1 == 0 for quality in numbers["jpeg.quality"].tolist())

    @pytest.mark.parametrize(
        ("text", "linear", "rest"),
        [
            (
                "blur:sigma=1 + mask:keep=0.5,seed=1 + noise:sigma=1",
                "blur:sigma=1 + mask:keep=0.5,seed=1",
                "noise:sigma=1",
            ),
            ("blur:sigma=1", "blur:sigma=1", "None"),
            ("noise:sigma=1 + blur:sigma=1", "None", "noise:sigma=1 + blur:sigma=1"),
        ],
    )
    def test_split(self, text, linear, rest):
        assert [str(part) for part in parse(text).split()] == [linear, rest]


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


class TestResize:
    @pytest.mark.parametrize(("size", "scale"), [((64, 48), 1 / 2), ((63, 48), 1 / 3), ((16, 20), 3), ((60, 45), 0.4)])
    def test_is_pillow_s_away_from_the_border(self, size, scale):
        plane = np.random.default_rng(0).random(size, np.float32)
        ours = imresize(plane, scale)
        theirs = np.asarray(PIL.Image.fromarray(plane).resize(ours.shape[::-1], PIL.Image.Resampling.BICUBIC))
        margin = int(np.ceil(2 * max(scale, 1)))
        inside = np.s_[margin:-margin, margin:-margin]
        assert ours[inside].size > 20
        assert np.abs(ours[inside] - theirs[inside]).max() < 2e-6

    def test_mirrors_with_the_edge_repeated(self):
        plane = np.random.default_rng(0).random((12, 16), np.float32)
        for scale in (0.5, 2):
            wide = imresize(np.pad(plane, 8, mode="symmetric"), scale)
            margin = int(8 * scale)
            assert np.abs(imresize(plane, scale) - wide[margin:-margin, margin:-margin]).max() < 1e-6

    def test_keeps_parabolas(self):
        x = np.arange(20.0)
        fine = (np.arange(60) + 0.5) / 3 - 0.5
        assert np.allclose(imresize(x[None] ** 2, shape=(1, 60))[0, 6:-6], fine[6:-6] ** 2, atol=1e-4)

    def test_area_is_the_mean_of_blocks(self, image):
        expected = image[:36, :48].reshape(12, 3, 16, 3, 3).mean((1, 3))
        assert np.allclose(imresize(image[:36, :48], 1 / 3, kernel="area"), expected, atol=1e-6)

    @pytest.mark.parametrize("kernel", ["bicubic", "area"])
    @pytest.mark.parametrize("target", [{"scale": 1 / 3}, {"scale": 2}, {"shape": (50, 11)}])
    def test_tensors_have_the_same_weights(self, image, kernel, target):
        x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        resized = imresize_tensor(x, kernel=kernel, **target)[0].permute(1, 2, 0).numpy()
        assert np.abs(resized - imresize(image, kernel=kernel, **target)).max() < 1e-6

    def test_sizes_round_up(self, image):
        assert Downsample(4)(image).shape == (10, 13, 3)
        assert Downsample(4, kernel="none")(image).shape == (10, 13, 3)

    @pytest.mark.parametrize(
        "target", [{}, {"scale": 2, "shape": (3, 3)}, {"scale": 0}, {"shape": (0, 3)}, {"scale": -1}]
    )
    def test_refuses(self, image, target):
        with pytest.raises(UsageError, match="imresize"):
            imresize(image, **target)
        with pytest.raises(UsageError, match="unknown kernel"):
            imresize(image, 2, kernel="bicubc")

    def test_an_operator_needs_whole_blocks(self):
        with pytest.raises(UsageError, match="multiples of 4"):
            Downsample(4).operator((32, 30))


class TestMask:
    def test_keeps_the_share_alike_in_all_channels(self):
        mask = Mask(keep=0.3)(np.ones((64, 64, 3), np.float32), np.random.default_rng(0))
        assert set(np.unique(mask)) == {0, 1}
        assert np.array_equal(mask[..., 0], mask[..., 2])
        assert mask.mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / 4096))

    def test_drawing_fixes_the_seed(self, image):
        drawn = Mask(keep=Range(0.2, 0.8)).sample(np.random.default_rng(0))
        assert not drawn.random
        lost = np.broadcast_to(~np.asarray(drawn.operator((37, 50)).mask)[..., None], image.shape)
        assert np.array_equal(drawn(image) == 0, lost | (image == 0))

    def test_all_or_nothing_may_be_kept(self, image):
        assert np.array_equal(Mask(keep=Choice((1, 1))).sample(np.random.default_rng(0))(image), image)
        assert not Mask(keep=0, seed=1)(image).any()

    def test_without_a_seed_there_is_no_operator(self):
        with pytest.raises(UsageError, match="give seed="):
            Mask(keep=0.5).operator((8, 8))

    def test_files(self, tmp_path, image):
        keep = np.random.default_rng(0).random((37, 50)) < 0.5
        PIL.Image.fromarray(np.where(keep, 255, 0).astype(np.uint8)).save(tmp_path / "m.png")
        np.save(tmp_path / "m.npy", keep)
        for mask in (Mask(tmp_path / "m.png"), Mask(tmp_path / "m.npy"), Mask(array=keep)):
            assert np.array_equal(mask(image), image * keep[..., None])
            with pytest.raises(UsageError, match="the mask is 37x50, the image 37x49"):
                mask(image[:, 1:])
        with pytest.raises(InputError, match=r"none\.png"):
            Mask(tmp_path / "none.png")(image)
        with pytest.raises(UsageError, match=r"the mask is 3x3, the image \d+x\d+ .* they must agree"):
            Mask(array=np.ones((3, 3)))(image)
        with pytest.raises(UsageError, match="hides every pixel; what is known is 1, or white"):
            Mask(array=np.zeros(image.shape[:2]))(image)


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


class TestJpeg:
    @pytest.mark.parametrize(("top", "left"), [(1, 0), (0, 7), (3, 6), (15, 9)])
    def test_a_cut_moves_the_blocks(self, top, left):
        rows, columns = np.mgrid[:64, :64]
        waves = 0.5 + 0.5 * np.sin(rows / 9) * np.cos(columns / 9)
        blocks = Jpeg(1, top=top, left=left)(waves[..., None])[..., 0]  # so coarse that each is flat
        for axis, cut in ((0, top), (1, left)):
            steps = np.abs(np.diff(blocks, axis=axis)).mean(1 - axis)
            edges = (np.arange(1, 64) + cut) % 8 == 0
            assert steps[edges].mean() > 2 * steps[~edges].mean()

    def test_tables_are_libjpeg_s(self, tmp_path):
        path = tmp_path / "t.jpg"
        for quality in (1, 7, 30, 49, 50, 51, 75, 90, 99, 100):
            PIL.Image.new("RGB", (8, 8)).save(path, quality=quality)
            with PIL.Image.open(path) as written:
                theirs = [written.quantization[i] for i in (0, 1)]
            ours = quantization_tables(torch.tensor([float(quality)])).reshape(2, 64)
            assert ours.tolist() == [list(table) for table in theirs]

    @pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
    @pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 100])
    def test_tensors_come_out_as_libjpeg_s(self, image, quality, subsampling):
        jpeg = Jpeg(quality, subsampling)
        theirs = jpeg(image)
        ours = jpeg.on_tensor(torch.from_numpy(image.transpose(2, 0, 1).copy())[None])[0].permute(1, 2, 0).numpy()
        assert np.mean(np.abs(ours - theirs) < 1e-6) > 0.999
        assert np.abs(ours - theirs).max() < 3 / 255

    @pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
    @pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (8, 17), (16, 5), (3, 33)])
    def test_any_size(self, image, size, subsampling):
        crop, jpeg = image[: size[0], : size[1]], Jpeg(60, subsampling)
        ours = jpeg.on_tensor(torch.from_numpy(crop.transpose(2, 0, 1).copy())[None])[0].permute(1, 2, 0).numpy()
        assert np.abs(ours - jpeg(crop)).max() < 3 / 255

    @pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
    @pytest.mark.parametrize("quality", [95, 98, 100])
    def test_saturated_drawings_of_high_quality_are_libjpeg_s(self, subsampling, quality):
        rng = np.random.default_rng(1)
        flat = rng.integers(0, 2, (6, 8, 3)).repeat(6, 0).repeat(5, 1)[:35, :39].astype(np.float32)
        jpeg = Jpeg(quality, subsampling)
        ours = jpeg.on_tensor(torch.from_numpy(flat.transpose(2, 0, 1).copy())[None])[0].permute(1, 2, 0).numpy()
        assert np.mean(np.abs(ours - jpeg(flat)) < 1e-6) > 0.999
        assert np.abs(ours - jpeg(flat)).max() < 3 / 255

    def test_refuses_other_channels(self):
        with pytest.raises(UsageError, match="1 or 3 channels"):
            Jpeg(50)(np.zeros((8, 8, 4)))


@pytest.mark.parametrize(("boundary", "mode"), [("reflect", "reflect"), ("circular", "wrap"), ("edge", "edge")])
@pytest.mark.parametrize("size", [(1, 5), (4, 7)])
def test_padding_is_numpy_s(boundary, mode, size):
    values = np.arange(size[0] * size[1], dtype=np.float32).reshape(size)
    expected = np.pad(values, [(3, 11), (2, 9)], mode=mode)
    assert np.array_equal(pad(torch.from_numpy(values), (3, 2), (11, 9), boundary).numpy(), expected)


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


def test_rescale_keeps_what_the_smaller_picture_can_hold():
    rows = np.arange(64)[:, None, None]
    slow, fast = (np.broadcast_to(0.5 + 0.4 * np.cos(np.pi * f * (rows + 0.5)), (64, 48, 1)) for f in (1 / 16, 1 / 2))
    half = parse("rescale:factor=0.5")
    assert np.abs(half(slow) - slow).max() < 0.01
    assert half(fast).std() < 0.2 * fast.std()
    np.testing.assert_allclose(parse("rescale:factor=1")(slow), slow, atol=1e-6)


def test_what_stays_away_leaves_the_chain():
    chain = parse("blur:sigma=1 @ 0.5 + noise:sigma=5 @ 0.5")
    drawn = {str(chain.sample(np.random.default_rng(seed))) for seed in range(30)}
    assert drawn == {"none", "blur:sigma=1", "noise:sigma=5", "blur:sigma=1 + noise:sigma=5"}
    image = np.random.default_rng(0).random((5, 6, 3), np.float32)
    np.testing.assert_array_equal(parse("none")(image), image)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jpeg:quality=40 @ 1.5", "chance = 1.5: must be a number above 0, up to 1"),
        ("jpeg:quality=40 @ 1", "its own chance, below 1"),
        ("jpeg:quality=40 @ often", "chance = 'often': must be"),
        ("jpeg:quality=40 @ 0.5 @ 0.5", "has 2 chances; give one"),
    ],
)
def test_chances_that_are_wrong(text, message):
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_chance_of_another_size_is_refused():
    with pytest.raises(UsageError, match="changes the size"):
        parse("downsample:scale=2 @ 0.5").on_tensor(torch.zeros(4, 3, 8, 8), torch.Generator().manual_seed(0))


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

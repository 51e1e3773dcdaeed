"""What takes pixels away or rounds them: resizing, masks, JPEG."""

import numpy as np
import PIL.Image
import pytest
import torch

from resolvent.degradations import Choice, Downsample, Jpeg, Mask, Range
from resolvent.degradations.tensors import quantization_tables
from resolvent.errors import InputError, UsageError
from resolvent.physics.resize import imresize, imresize_tensor


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

import math

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from resolvent.degradations import GaussianBlur, GaussianNoise, parse
from resolvent.errors import InputError, UsageError
from resolvent.evaluation.benchmark import TASKS, benchmark
from resolvent.evaluation.features import feature_distance
from resolvent.evaluation.tables import markdown
from resolvent.physics.resize import imresize
from resolvent.provenance import provenance


def textured(height, width, channels=3, seed=0):
    """Smooth shapes under fine grain, uint8."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.random((height, width, channels)), (3, 3, 0))
    image = (image - image.min()) / (image.max() - image.min())
    return np.round(255 * (0.8 * image + 0.2 * rng.random(image.shape))).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two images in color and one in gray, written out of order, beside a file that is no image."""
    path = tmp_path_factory.mktemp("sets") / "Set ü"
    path.mkdir()
    for name, channels in (("c.png", 1), ("a.png", 3), ("b.png", 3)):
        Image.fromarray(textured(40, 35, channels, seed=ord(name[0])).squeeze()).save(path / name)
    (path / "README.txt").write_text("no image")
    return path


def pixels(folder, name):
    image = np.asarray(Image.open(folder / name), np.float32) / 255
    return image[..., None] if image.ndim == 2 else image


class Recorder:
    """Stands in for restore: gives its input back, and remembers how it was called."""

    def __init__(self, function=lambda x: x):
        self.function, self.calls = function, []

    def __call__(self, degraded, **options):
        self.calls.append((degraded, options))
        return self.function(degraded)


def test_rows_are_those_of_the_sorted_images(folder):
    rows = benchmark("denoise", folder, restore_fn=Recorder(), methods=["nlm"])
    assert [row.image for row in rows[::9]] == ["a.png", "b.png", "c.png"]
    assert [row.method for row in rows[:3]] == ["input", "denoise", "nlm"]
    assert [row.degradation for row in rows[:9:3]] == ["noise:sigma=15", "noise:sigma=25", "noise:sigma=50"]
    assert {row.dataset for row in rows} == {"Set ü"}
    assert {row.megapixels for row in rows} == {40 * 35 / 1e6}


def test_noise_is_not_clipped_and_drawn_by_place(folder):
    restore = Recorder()
    rows = benchmark("denoise", folder, levels=[50], seed=7, restore_fn=restore)
    for place, name in enumerate(("a.png", "b.png", "c.png")):
        truth = pixels(folder, name)
        degraded, options = restore.calls[place]
        assert options == {"model": "denoise", "sigma": 50}
        assert degraded.dtype == np.float32
        assert degraded.min() < 0
        assert degraded.max() > 1
        np.testing.assert_array_equal(degraded, GaussianNoise(50)(truth, np.random.default_rng(7 + place)))
        clipped = np.clip(degraded, 0, 1)
        assert rows[2 * place].psnr == pytest.approx(peak_signal_noise_ratio(truth, clipped, data_range=1), abs=1e-4)
    assert "not clipped" in rows[0].protocol
    assert "default_rng(7 + i)" in rows[0].protocol


def test_a_restoration_is_measured_against_the_truth(folder):
    truth = pixels(folder, "a.png")
    rows = benchmark("denoise", folder, levels=[25], limit=1, restore_fn=Recorder(lambda _: truth + np.float32(0.1)))
    done = np.clip(truth + 0.1, 0, 1)
    assert rows[1].psnr == pytest.approx(peak_signal_noise_ratio(truth, done, data_range=1), abs=1e-4)
    perfect = benchmark("denoise", folder, levels=[25], limit=1, restore_fn=Recorder(lambda _: truth))
    assert (perfect[1].psnr, perfect[1].ssim) == (math.inf, 1)


def test_what_models_and_methods_are_told(folder):
    restore = Recorder()
    benchmark("deblur", folder, levels=[2], limit=1, models=["x/my.onnx"], methods=["wiener"], restore_fn=restore)
    (degraded, model), (same, method) = restore.calls
    assert model == {"model": "x/my.onnx"}
    assert method == {"method": "wiener", "degradation": GaussianBlur(2) + GaussianNoise(1)}
    assert degraded is same


def test_two_models_of_one_file_name_stay_apart(folder):
    rows = benchmark("denoise", folder, levels=[25.0], limit=1, models=["a/m.onnx", "b/m.onnx"], restore_fn=Recorder())
    assert [row.method for row in rows] == ["input", "a/m.onnx", "b/m.onnx"]
    assert {row.degradation for row in rows} == {"noise:sigma=25"}


def test_a_drawn_degradation(folder):
    restore = Recorder()
    rows = benchmark("denoise", folder, degradations=["noise:sigma=10..60"], methods=["nlm"], restore_fn=restore)
    assert {row.degradation for row in rows} == {"noise:sigma=10..60"}
    levels = [options["sigma"] for _, options in restore.calls[::2]]
    assert len(set(levels)) == 3
    for (degraded, options), (_, method_options), name in zip(
        restore.calls[::2], restore.calls[1::2], ("a.png", "b.png", "c.png"), strict=True
    ):
        assert 10 <= options["sigma"] <= 60
        assert method_options["degradation"] == GaussianNoise(options["sigma"])
        assert np.std(degraded - pixels(folder, name)) * 255 == pytest.approx(options["sigma"], rel=0.1)


def test_upscale_compares_luma_without_border(folder):
    restore = Recorder(lambda x: imresize(x, 2.0))
    rows = benchmark("upscale", folder, levels=[2], limit=1, restore_fn=restore)
    low = restore.calls[0][0]
    assert low.shape == (20, 17, 3)  # 40 x 35, cropped to 40 x 34
    np.testing.assert_allclose(low * 255, np.round(low * 255), atol=1e-4)
    truth = pixels(folder, "a.png")[:40, :34]
    lumas = [
        np.round(rgb2ycbcr(np.round(np.clip(x, 0, 1) * 255).astype(np.uint8))[2:-2, 2:-2, 0])
        for x in (truth, imresize(low, shape=(40, 34)))
    ]
    expected = peak_signal_noise_ratio(*lumas, data_range=255)
    assert rows[0].psnr == pytest.approx(expected, abs=1e-3)  # the baseline is the bicubic enlargement
    assert rows[1].psnr == pytest.approx(expected, abs=1e-3)
    assert "2 border pixels cut" in rows[0].protocol


def test_dejpeg_sees_the_luma_alone(folder):
    restore = Recorder()
    rows = benchmark("dejpeg", folder, levels=[10], limit=1, restore_fn=restore)
    degraded, options = restore.calls[0]
    luma = np.round(rgb2ycbcr((pixels(folder, "a.png") * 255).astype(np.uint8))[..., :1]) / 255
    assert degraded.shape == (40, 35, 1)
    assert options == {"model": "dejpeg"}
    np.testing.assert_array_equal(degraded, parse("jpeg:quality=10")(luma))
    assert rows[0].psnr == pytest.approx(peak_signal_noise_ratio(luma, degraded.astype(float), data_range=1), abs=1e-4)


def test_seed_stands_beside_the_identity(tmp_path):
    Image.fromarray(textured(140, 130)).save(tmp_path / "flower.png")
    restore = Recorder(lambda x: 1 - x)
    rows = benchmark("seed", tmp_path, levels=[21], models=["seed.onnx"], restore_fn=restore)
    baseline, inverted = rows
    assert restore.calls[0][0].shape == (128, 128, 3)
    assert baseline.method == "input"
    assert baseline.accuracy > 1 / 3 > inverted.accuracy
    assert f"/ {baseline.accuracy:.1%} |" in markdown(rows, provenance())


def test_gray_images_have_no_accuracy(folder):
    rows = benchmark("deblur", folder, levels=[1], restore_fn=Recorder())
    assert [row.accuracy is None for row in rows] == [False, False, False, False, True, True]


def test_ms_ssim_where_the_image_is_large_enough(folder, tmp_path):
    Image.fromarray(textured(176, 180, 1).squeeze()).save(tmp_path / "large.png")
    (large, _), (small, _) = (
        benchmark("denoise", path, levels=[25], limit=1, restore_fn=Recorder()) for path in (tmp_path, folder)
    )
    assert large.ssim < large.ms_ssim < 1
    assert small.ms_ssim is None


def test_the_feature_distance_is_measured_when_it_is_asked_for(folder):
    truth = pixels(folder, "a.png")
    half = Recorder(lambda degraded: (degraded + truth) / 2)
    plain = benchmark("denoise", folder, levels=[50], limit=1, restore_fn=half)
    rows = benchmark("denoise", folder, levels=[50], limit=1, features=True, restore_fn=half)
    assert [row.feature_distance for row in plain] == [None, None]
    degraded = half.calls[-1][0]
    expected = [feature_distance(truth, np.clip(x, 0, 1)) for x in (degraded, (degraded + truth) / 2)]
    assert [row.feature_distance for row in rows] == expected
    assert expected[0] > expected[1] > 0


def test_the_feature_distance_is_over_rgb_whatever_the_protocol(folder):
    rows = benchmark(
        "upscale", folder, levels=[2], limit=1, features=True, restore_fn=Recorder(lambda x: imresize(x, 2.0))
    )
    truth = pixels(folder, "a.png")[:40, :34]
    low = np.round(imresize(truth, 0.5).clip(0, 1) * 255) / 255
    images = (truth, np.round(imresize(low, shape=(40, 34)).clip(0, 1) * 255) / 255)
    expected = feature_distance(*(image[2:-2, 2:-2] for image in images))
    assert rows[0].feature_distance == pytest.approx(expected, rel=1e-3)


def test_a_model_of_another_scale_is_refused_before_any_work(folder):
    with pytest.raises(UsageError, match="'upscale4': enlarges by 4, and downsample:scale=2 is undone by 2"):
        benchmark("upscale", folder, models=["upscale4"])
    with pytest.raises(UsageError, match="'upscale2': enlarges by 2, and noise:sigma=15 is undone by 1"):
        benchmark("denoise", folder, models=["upscale2"])


def test_progress_and_one_file(folder):
    seen = []
    rows = benchmark(
        "denoise",
        folder / "b.png",
        restore_fn=Recorder(),
        methods=["nlm"],
        progress=lambda *counts: seen.append(counts),
    )
    assert seen == [(done, 6) for done in range(1, 7)]
    assert {(row.dataset, row.image) for row in rows} == {("Set ü", "b.png")}


def test_a_method_of_our_own_runs_in_the_engine(folder):
    rows = benchmark("denoise", folder, levels=[25], limit=1, models=[], methods=["nlm"])
    assert [row.method for row in rows] == ["input", "nlm"]
    assert rows[1].psnr > rows[0].psnr + 1
    assert rows[1].seconds > 0


@pytest.mark.parametrize("task", TASKS)
def test_every_task_can_be_parsed(task):
    for level in TASKS[task].levels:
        parse(TASKS[task].degradation.format(level))


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("denoize", {}, "did you mean 'denoise'"),
        ("denoise", {"degradations": ["noize:sigma=5"]}, "did you mean 'noise'"),
        ("denoise", {"degradations": ["noise:sigma=5"], "levels": [5]}, "drop the levels"),
        ("seed", {}, "name a model"),
        ("seed", {"models": ["m.onnx"]}, "35x40 pixels"),
    ],
)
def test_calls_that_are_wrong(folder, task, options, message):
    with pytest.raises((UsageError, InputError), match=message):
        benchmark(task, folder, restore_fn=Recorder(), **options)


def test_no_images(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="no images"):
            benchmark("denoise", path, restore_fn=Recorder())


def test_a_result_of_another_shape(folder):
    with pytest.raises(UsageError, match="shapes"):
        benchmark("denoise", folder, restore_fn=Recorder(lambda x: x[:-1]))

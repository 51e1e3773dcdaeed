import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.evaluation import features
from resolvent.evaluation.features import feature_distance, open_comparator


def textured(height, width, channels=3, seed=0):
    """Smooth shapes under fine grain, in [0, 1]."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.random((height, width, channels)), (3, 3, 0))
    image = (image - image.min()) / (image.max() - image.min())
    return (0.8 * image + 0.2 * rng.random(image.shape)).astype(np.float32)


def noisy(image, sigma=0.1):
    return image + np.float32(sigma) * np.random.default_rng(1).standard_normal(image.shape, np.float32)


def oracle(a, b):
    """From the stages of the network, in float64: the mean over two stages of |a/|a| - b/|b||."""
    network = open_comparator()
    found = []
    for image in (a, b):
        tensor = torch.from_numpy(np.ascontiguousarray(image.clip(0, 1).transpose(2, 0, 1)[None]))
        stages = [stage[0].numpy().astype(np.float64) for stage in network.stages(tensor)[:2]]
        found.append([stage / (np.sqrt((stage**2).sum(0)) + 1e-3) for stage in stages])
    return np.mean([np.abs(x - y).mean() for x, y in zip(*found, strict=True)])


@pytest.mark.parametrize("shape", [(48, 40, 3), (33, 47, 1), (2, 2, 3), (2, 9, 1)])
def test_equal_images_are_at_no_distance(shape):
    image = textured(*shape)
    assert feature_distance(image, image.copy()) == 0
    assert feature_distance(image, noisy(image)) > 0


@pytest.mark.parametrize(
    "ladder",
    [
        [f"blur:sigma={sigma}" for sigma in (0.5, 1, 2, 4)],
        [f"noise:sigma={sigma}" for sigma in (3, 10, 25, 60)],
        [f"jpeg:quality={quality}" for quality in (95, 80, 50, 15)],
    ],
)
def test_it_grows_with_a_degradation(ladder):
    image = textured(64, 64)
    distances = [feature_distance(image, parse(text)(image, np.random.default_rng(0))) for text in ladder]
    assert (np.diff([0, *distances]) > 0).all()


@pytest.mark.parametrize("shape", [(48, 40), (35, 29)])
def test_it_is_the_mean_difference_of_features_of_unit_length(shape):
    image = textured(*shape, 3)
    other = noisy(image, 0.2)
    assert feature_distance(image, other) == pytest.approx(oracle(image, other), rel=1e-5)
    assert feature_distance(other, image) == pytest.approx(feature_distance(image, other), rel=1e-12)


def test_values_are_clipped():
    image = textured(32, 32)
    wild = noisy(image, 0.5)
    assert wild.min() < 0
    assert wild.max() > 1
    assert feature_distance(image, wild) == feature_distance(image, wild.clip(0, 1))


def test_gray_counts_as_three_equal_channels():
    image = textured(32, 36, 1)
    other = noisy(image)
    assert feature_distance(image, other) == feature_distance(image.repeat(3, 2), other.repeat(3, 2)) > 0


@pytest.mark.parametrize("shape", [(61, 47), (64, 64), (20, 90), (55, 2)])
@pytest.mark.parametrize("tile", [6, 17, 32])
def test_tiles_give_the_distance_of_the_whole_image(monkeypatch, shape, tile):
    image = textured(*shape)
    other = noisy(image)
    whole = feature_distance(image, other)
    seen = []
    cut = features._tensor
    monkeypatch.setattr(features, "TILE", tile)
    monkeypatch.setattr(features, "_tensor", lambda window: seen.append(window.shape) or cut(window))
    assert feature_distance(image, other) == pytest.approx(whole, abs=1e-8)
    assert len(seen) > 2
    assert max(max(shape[:2]) for shape in seen) <= tile + 1 + 2 * features.HALO


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((8, 8, 3)), np.zeros((8, 9, 3)), "must be the same"),
        (np.zeros((8, 8, 2)), np.zeros((8, 8, 2)), "must be \\(H, W, 1\\) or \\(H, W, 3\\)"),
        (np.zeros((1, 8, 3)), np.zeros((1, 8, 3)), "2 must be left"),
        (np.zeros((8, 8, 3)), np.full((8, 8, 3), np.nan), "NaN or infinite"),
    ],
)
def test_images_that_cannot_be_compared(a, b, message):
    with pytest.raises(UsageError, match=message):
        feature_distance(a, b)


@pytest.mark.parametrize("package", ["torch", "safetensors"])
def test_a_missing_package_is_named(package):
    program = (
        "import sys, numpy as np\n"
        f"sys.modules[{package!r}] = None\n"
        "from resolvent.errors import MissingDependencyError\n"
        "from resolvent.evaluation.features import feature_distance\n"
        "try:\n"
        "    feature_distance(np.zeros((8, 8, 3)), np.ones((8, 8, 3)))\n"
        "except MissingDependencyError as error:\n"
        "    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    needs = f"the feature distance needs {package}, which is not installed; run: pip install 'resolvent[lab]'\n"
    assert said == needs

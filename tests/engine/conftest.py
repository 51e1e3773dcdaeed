from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper, numpy_helper
from scipy import ndimage

from resolvent.engine.plan import Plan
from resolvent.engine.request import ModelRequest
from resolvent.engine.run import run
from resolvent.models.card import METADATA_KEY, ModelCard


def make_card(**values):
    known = {"name": "fake", "task": "denoise", "summary": "", "network": "unet-small", "arguments": {}}
    return ModelCard(**known | {"degradation": "noise:sigma=0..75", "halo": 8} | values)


@dataclass
class Fake:
    """A session that applies ``function`` to the colors and remembers what it was given."""

    function: object
    card: ModelCard
    shapes: list = field(default_factory=list)
    levels: set = field(default_factory=set)

    def run(self, x):
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        assert x.shape[:2] == (1, 3 + self.card.noise_level)
        assert x.shape[2] % self.card.multiple == x.shape[3] % self.card.multiple == 0
        self.shapes.append(x.shape[2:])
        self.levels |= set(np.unique(x[:, 3:]).tolist())
        return np.ascontiguousarray(self.function(x[:, :3].copy()), np.float32)


@pytest.fixture
def fake():
    """Makes a session: ``fake(function, **card)``."""
    return lambda function, **card: Fake(function, make_card(**card))


@pytest.fixture
def model_file(tmp_path):
    """A model of one convolution, the mean over 3x3 pixels in each color, that takes a noise level and ignores it."""
    weights = np.zeros((3, 4, 3, 3), np.float32)
    weights[range(3), range(3)] = 1 / 9
    shapes = [helper.make_tensor_value_info(name, 1, ["n", c, "h", "w"]) for name, c in (("input", 4), ("output", 3))]
    node = helper.make_node("Conv", ["input", "w"], ["output"], pads=[1, 1, 1, 1])
    graph = helper.make_graph([node], "mean", shapes[:1], shapes[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    card = make_card(name="mean", noise_level=True, sigma_range=(0.0, 75.0), halo=1)
    helper.set_model_props(model, {METADATA_KEY: card.dumps()})
    path = tmp_path / "mean.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def identity(x):
    return x


def window(x):
    """Half of x, half its mean over 17x17 pixels, gray outside, averaged over each 8x8 block: a grid to be kept."""
    mean = ndimage.uniform_filter(x, (1, 1, 17, 17), mode="constant", cval=0.5)
    blocks = mean.reshape(*x.shape[:2], x.shape[2] // 8, 8, x.shape[3] // 8, 8).mean((3, 5))
    return (x + blocks.repeat(8, 2).repeat(8, 3)) / 2


def limited(area):
    """The identity, for at most ``area`` pixels."""

    def function(x):
        if x.shape[2] * x.shape[3] > area:
            raise MemoryError("Failed to allocate memory")
        return x

    return function


def doubled(x):
    return x.repeat(2, 2).repeat(2, 3)


@pytest.fixture
def functions():
    """What a session may do: ``window`` depends on at most 15 pixels of context."""
    return SimpleNamespace(identity=identity, window=window, limited=limited, doubled=doubled)


def picture(shape=(40, 56, 3), dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random(shape)
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else (values * np.iinfo(dtype).max).astype(dtype)


def go(session, image, *, strength=1.0, sigma=None, tile=512, tiles=1, progress=None):
    told = Plan(ModelRequest(strength=strength), (), model="fake", sigma=sigma, tile=tile, tiles=tiles)
    return run(image, told, progress, lambda model, runtime: session).image


def noisy_picture(shape=(40, 48, 3)):
    rows, columns = np.mgrid[: shape[0], : shape[1]] / 48
    clean = 0.5 + 0.3 * np.sin(9 * rows + 5 * columns)[..., None] * np.ones(shape[2])
    return np.clip(clean + 0.05 * np.random.default_rng(0).standard_normal(shape), 0, 1).astype(np.float32)

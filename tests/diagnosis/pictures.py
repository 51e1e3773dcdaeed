"""Pictures to diagnose, with faults of a known size."""

import io
from types import SimpleNamespace

import numpy as np
import PIL.Image

from resolvent.diagnosis import measure
from resolvent.diagnosis.choice import FALLBACK, Chooser
from resolvent.image import Image

ROWS, COLUMNS = np.mgrid[:64, :64]
DISK = np.where((ROWS - 32) ** 2 + (COLUMNS - 31) ** 2 < 19**2, 200.0, 60.0)[..., None].repeat(3, 2)
SLOPE = (100 + 0.2 * ROWS + 0.15 * COLUMNS)[..., None].repeat(3, 2)


def noisy(values, sigma, seed=0):
    rng = np.random.default_rng(seed)
    return (values + sigma * rng.standard_normal(values.shape)).astype(np.float32)


def image(values):
    return Image.from_array(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def jpeg(quality=-1, **options):
    file = io.BytesIO()
    PIL.Image.fromarray(DISK.astype(np.uint8)).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


class Brighter:
    """A model that adds 10, 20 and 30 gray levels to the colors, and what it is told."""

    def __init__(self, name):
        self.card = SimpleNamespace(multiple=8, noise_level=name == "denoise")

    def run(self, x):
        return x[:, :3] + x[:, 3:].sum(1, keepdims=True) + np.float32([10, 20, 30]).reshape(1, 3, 1, 1) / 255


CANDIDATES = (("denoise", 1.0), ("deblur", 1.0), FALLBACK)


def expecting(gains, spread=0.0):
    """Expects these gains of CANDIDATES, whatever it sees; its two networks differ by twice the spread."""
    count = measure(image(DISK), None, Brighter).features.size
    bias = np.array([[np.array(gains) - spread], [np.array(gains) + spread]], np.float32)
    weight = np.zeros((2, count, len(gains)), np.float32)
    zero, wide = np.zeros(count, np.float32), np.full(count, 100, np.float32)
    outputs = tuple(f"{model}@{strength:g}" for model, strength in CANDIDATES)
    return Chooser(outputs, zero, wide, ((weight, bias),), {"cases": 0})

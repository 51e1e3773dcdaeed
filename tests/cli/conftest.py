"""What tests of the command line share."""

import numpy as np
import pytest
from PIL import Image


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photo(tmp_path):
    """A textured photograph with noise of sigma 20, in a folder with an awkward name."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:64, 0:64] / 64
    clean = 0.5 + 0.25 * np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], axis=2)
    folder = tmp_path / "höliday photos"
    folder.mkdir()
    path = folder / "söme photo.png"
    noisy = clean * 255 + 20 * rng.standard_normal(clean.shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, dpi=(300, 300))
    return path


@pytest.fixture
def interrupt_at(monkeypatch):
    """Have Ctrl-C pressed when a result is written whose name holds a text."""
    from resolvent.batch import worker

    write = worker.write_image

    def set_up(text):
        def interrupted(image, target, **options):
            if text in target.name:
                raise KeyboardInterrupt
            return write(image, target, **options)

        monkeypatch.setattr(worker, "write_image", interrupted)

    return set_up

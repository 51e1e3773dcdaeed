"""What tests of batches share."""

from pathlib import Path

import numpy as np
import pytest

from resolvent.batch.manifest import Manifest
from resolvent.image import Image, write_image


def texture(seed=0, size=(16, 24)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def put(path, seed=0, size=(16, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image.from_array(texture(seed, size)), path)
    return path


def tree(folder):
    """All files in a folder but the manifest's."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if ".resolvent" not in path.parts)


def rows(folder):
    """The manifest of a batch without times, by the names of outputs."""
    found = {}
    with Manifest.open(folder, create=False) as manifest:
        for entry in manifest.entries():
            facts = {**vars(entry), "output": entry.output.relative_to(folder), "seconds": None}
            result = {**entry.result, "seconds": None}
            if result.get("output"):
                result["output"] = str(Path(result["output"]).relative_to(folder))
            written = entry.written and (entry.written.size, entry.written.sha256)
            found[str(facts["output"])] = {**facts, "result": result, "written": written}
    return found


def same(left, right):
    """Whether two output folders hold the same bytes, and manifests that say the same of them."""
    assert tree(left) == tree(right)
    for name in tree(left):
        assert (left / name).read_bytes() == (right / name).read_bytes(), name
    assert rows(left) == rows(right)


@pytest.fixture
def soft(tiny):
    """What restores by a small model."""
    return {"model": tiny[2], "sigma": 20.0}


@pytest.fixture
def album(tmp_path):
    for seed, name in enumerate(["b.png", "a.png", "trip/c d.PNG", "trip/ü/e.webp"]):
        put(tmp_path / "album" / name, seed)
    return tmp_path / "album"

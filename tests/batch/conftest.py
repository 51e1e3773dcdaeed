"""What tests of batches share."""

from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from resolvent.batch import arrivals, many, pipe, settings, watch
from resolvent.batch.executors import local
from resolvent.batch.manifest import Manifest
from resolvent.engine import options, request
from resolvent.image import Image, write_image
from resolvent.models.card import ModelCard


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


@pytest.fixture
def quick(monkeypatch):
    """Look for arrivals often."""
    for module in (arrivals, watch):
        monkeypatch.setattr(module, "TICK", 0.05)
    monkeypatch.setattr(arrivals, "POLL", 0.1)
    monkeypatch.setattr(arrivals, "AGAIN", 0.1)


@pytest.fixture
def inbox(tmp_path):
    """A folder to watch: two photographs, and what is none."""
    folder = tmp_path / "in"
    put(folder / "a.png", 1)
    put(folder / "trip/b.png", 2)
    put(folder / ".hidden.png")
    put(folder / ".cache/c.png")
    put(folder / "map.uncertainty.png")
    (folder / "notes.txt").write_text("no photograph")
    return folder


def contents(folder):
    return {name: (folder / name).read_bytes() for name in tree(folder)}


def again(results):
    return {name: result.reasons[0] for name, result in results.items() if result.status != "skipped"}


def killed_before_it_was_noted(folder, *, with_output):
    """The manifest as a run leaves it that was killed when an output had its name, and that was not noted yet."""
    with Manifest.open(folder, create=False) as manifest:
        manifest.connection.execute("UPDATE photographs SET state = 'started'")
        if not with_output:
            manifest.connection.execute("UPDATE photographs SET output_sha256 = NULL")


@pytest.fixture
def batch(album, tmp_path, soft):
    """Runs the batch: the results by name."""

    def call(**options):
        report = many.restore_many([album], tmp_path / "out", **{**soft, **options})
        return {str(result.source.relative_to(album)): result for result in report.results}

    return call


@pytest.fixture
def done(batch, tmp_path):
    """The output folder of a batch that is done."""
    assert {result.status for result in batch().values()} == {"restored"}
    return tmp_path / "out"


@pytest.fixture
def state(tmp_path, monkeypatch):
    """An empty store, and the folder of the manifests."""
    monkeypatch.setenv("RESOLVENT_BATCHES", str(tmp_path / "batches"))
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    return tmp_path / "batches"


@pytest.fixture
def bucket(album):
    """The album, and what is no photograph, in a store."""
    memory = fsspec.filesystem("memory")
    for path in album.rglob("*.*"):
        memory.pipe_file(f"/bucket/scans/{path.relative_to(album).as_posix()}", path.read_bytes())
    for name in ("notes.txt", ".hidden.png", ".cache/f.png"):
        memory.pipe_file(f"/bucket/scans/{name}", b"no photograph")
    return memory


CARD = ModelCard("soft", "denoise", "", "unet-small", {}, "noise:sigma=0..75", halo=8)


def soften(x):
    """A visible change that keeps the mean."""
    return (x + np.roll(x, 1, axis=3)) / 2


class Soft:
    card = CARD

    def run(self, x):
        return soften(x)


@pytest.fixture
def sessions(monkeypatch, tmp_path_factory):
    """Replaces the models; collects which were opened."""
    opened = []
    file = tmp_path_factory.getbasetemp() / "soft.onnx"
    file.write_bytes(b"soft")
    monkeypatch.setattr(settings, "find", lambda model: file)

    def open_session(model, runtime, threads=None):
        opened.append((model, runtime))
        return Soft()

    for home in (options, request):
        monkeypatch.setattr(home, "read_card", lambda model: CARD)
    for module in (local, pipe):
        monkeypatch.setattr(module, "open_session", open_session)
    return opened

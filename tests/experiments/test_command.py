"""What is wrong with the input of an experiment is one line with the remedy and exit code 2, before any work."""

import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from experiments.command import Parser, command
from resolvent.errors import TrainingError, UsageError

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@dataclass(frozen=True)
class Needs:
    """What an experiment is given.

    Attributes:
        more: Further options.
        held: Whether it measures on other photographs.
        runs: Whether it keeps something.
        least: Photographs that it needs, if more than one.
    """

    more: tuple[str, ...] = ()
    held: bool = False
    runs: bool = True
    least: int = 1


NEEDS = {
    "cnn_anatomy": Needs(least=57),
    "early_stopping": Needs(),
    "impedance": Needs(),
    "inversion": Needs(held=True),
    "memorization": Needs(least=12),
    "objectives.comparator": Needs(held=True),
    "objectives.noisy": Needs(held=True),
    "objectives.tradeoff": Needs(runs=False),
    "posterior": Needs(runs=False),
    "seed": Needs(least=12),
    "unrolled": Needs(("--model", "denoise"), runs=False),
}


def test_every_experiment_is_here():
    found = {path for path in EXPERIMENTS.rglob("*.py") if "\n    main()\n" in path.read_text("utf-8")}
    names = {".".join(path.relative_to(EXPERIMENTS).with_suffix("").parts).removesuffix(".__main__") for path in found}
    assert names == set(NEEDS)


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs an experiment that has to refuse: what it says. Nothing may be left behind."""
    monkeypatch.chdir(tmp_path)
    good = picture(tmp_path / "good" / "a.png", 300).parent

    def call(name, **folders):
        needs = NEEDS[name]
        known = {"images": good, "output": tmp_path / "out"}
        known |= {"held": good} if needs.held else {}
        known |= {"runs": tmp_path / "kept"} if needs.runs else {}
        options = [text for key, folder in (known | folders).items() for text in (f"--{key}", str(folder))]
        monkeypatch.setattr(sys, "argv", [name, *options, *needs.more])
        module = importlib.import_module(f"experiments.{name}")
        module = module if hasattr(module, "main") else importlib.import_module(f"experiments.{name}.__main__")
        with pytest.raises(SystemExit) as end:
            module.main()
        said = capsys.readouterr()
        assert (end.value.code, said.out) == (2, "")
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
        assert not list((tmp_path / "out").glob("*"))
        return said.err

    return call


def picture(path, side):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    PIL.Image.fromarray(coarse).resize((side, side), PIL.Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.parametrize("name", NEEDS)
def test_folders_of_photographs(name, refused, tmp_path):
    (tmp_path / "empty").mkdir()
    small = picture(tmp_path / "small" / "a.png", 20).parent
    for option in ("images", "held") if NEEDS[name].held else ("images",):
        assert "nowhere: not a folder; give" in refused(name, **{option: tmp_path / "nowhere"})
        assert "empty: holds no photograph" in refused(name, **{option: tmp_path / "empty"})
    said = refused(name, images=small)
    assert "20x20" in said or "pixels a side or more" in said or "of 160 pixels a side" in said
    assert "; give " in said or "; add larger" in said


@pytest.mark.parametrize("name", [name for name, needs in NEEDS.items() if needs.least > 1])
def test_too_few_photographs(name, refused, tmp_path):
    folder = picture(tmp_path / "few" / "000.png", 130).parent
    for i in range(1, NEEDS[name].least - 1):
        os.link(folder / "000.png", folder / f"{i:03d}.png")
    said = refused(name, images=folder)
    assert f"few: holds {NEEDS[name].least - 1} photographs of 128 pixels" in said
    assert f"give {NEEDS[name].least} or more" in said


@pytest.mark.parametrize("name", NEEDS)
def test_folders_that_cannot_be_written(name, refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    for option in ("output", "runs") if NEEDS[name].runs else ("output",):
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            said = refused(name, **{option: folder})
            assert said == f"error: {folder}: {tmp_path / 'file'} is a file; give a folder\n"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(refused, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "locked cannot be written; give another folder" in refused("posterior", output=tmp_path / "locked" / "out")


def test_options_are_one_line_too(tmp_path, monkeypatch, capsys):
    parser = Parser("What it does.", tmp_path, "kept")
    for arguments in (["--threads", "0"], ["--threads", "two"], ["--unknown"]):
        monkeypatch.setattr(sys, "argv", ["name", *arguments])
        with pytest.raises(SystemExit) as end:
            parser.read()
        said = capsys.readouterr().err
        assert (end.value.code, said.count("\n")) == (2, 1)
        assert said.startswith("error: ")
    monkeypatch.setattr(sys, "argv", ["name", "-o", str(tmp_path / "new")])
    options = parser.read()
    assert (options.output, options.runs, options.threads) == (tmp_path / "new", Path("runs/kept"), None)
    assert not (tmp_path / "new").exists()


def test_errors_on_purpose_alone_are_one_line(capsys):
    def fail(error):
        @command
        def main():
            raise error

        main()

    for error, code in ((UsageError("a: b; c"), 2), (TrainingError("d"), 1)):
        with pytest.raises(SystemExit) as end:
            fail(error)
        assert (end.value.code, capsys.readouterr().err) == (code, f"error: {error}\n")
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())

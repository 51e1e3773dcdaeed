"""The page of the founding paper: its files exist, its commands are accepted, its figures are on their pages."""

import argparse
import importlib
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

import resolvent
from resolvent.cli import CALL_ERROR, app, spread
from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.evaluation.benchmark import TASKS
from resolvent.methods import METHODS, read_settings
from resolvent.methods.registry import BUILT_IN
from resolvent.training.objectives import OBJECTIVES
from resolvent.training.recipe_file import load_recipe, parse_settings

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "research" / "paper.md"
TEXT = PAGE.read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
ROWS = [row for row in ROWS if row[0] != "system"]
COMMANDS = list(dict.fromkeys(command for row in ROWS for command in re.findall(r"`(.+?)`", row[2])))
LINKS = re.findall(r"\]\((?!https?:)(.+?)\)", TEXT)
CALLS = typer.main.get_command(app).commands
FIGURE = re.compile(r"\d+\.\d+")
PAPER = {
    "nlm", "tv", "wavelet", "wiener", "richardson-lucy", "self-similarity", "pnp", "red", "csc", "dip", "dip-fast",
    "multi-target-dip", "med", "p-gsure",
}  # fmt: skip
"""The methods that the page must have; one that the paper does not know may be absent from it."""


class Parsed(Exception):  # noqa: N818 - no error
    """Raised in place of what a command would do with its options."""


def section(link):
    """The text that a link leads to: a whole page, or what is below a heading of it."""
    path, _, anchor = link.partition("#")
    text = (PAGE.parent / path).read_text("utf-8")
    if not anchor:
        return text
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    levels = [len(marks) for marks in re.findall(r"^(#+) .+$", text, re.MULTILINE)]
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in parts[1::2]]
    first = slugs.index(anchor)
    below = next((i for i in range(first + 1, len(slugs)) if levels[i] <= levels[first]), len(slugs))
    return "".join(parts[2 * first + 2 : 2 * below + 1])


def figures_beside(cell):
    """The figures of a cell, and those of the page that it links to."""
    (link,) = re.findall(r"\]\((.+?)\)", cell)
    return set(FIGURE.findall(re.sub(r"\(\[.*", "", cell))), set(FIGURE.findall(section(link)))


def known(name, names):
    """Refuse a name that is not among those that there are."""
    if name is not None and name not in names:
        raise UsageError(f"{name}: is not among {', '.join(names)}")


def restore(given):
    """Plan what ``resolvent restore`` is asked to do."""
    options = {key: given[key] for key in ("model", "sigma", "scale", "method", "degradation", "uncertainty")}
    if given["settings"]:
        options["settings"] = read_settings(given["method"], given["settings"])
    resolvent.plan(np.random.default_rng(0).random((64, 64, 3), np.float32), **options)


def train(given):
    """Load the recipe that ``resolvent train`` is to follow."""
    if given["recipe"] == "head":
        known(given["model"], resolvent.list_models())
        return
    overrides = {} if given["budget"] is None else {"budget": given["budget"]}
    load_recipe(given["recipe"], **overrides, **parse_settings(given["settings"] or []))


def benchmark(given):
    """Look up what ``resolvent benchmark`` is to measure."""
    known(given["task"], TASKS)
    for method in given["methods"] or ():
        known(method, METHODS)


MEANING = {
    "restore": restore,
    "train": train,
    "benchmark": benchmark,
    "degrade": lambda given: parse(given["degradation"]),
    "calibrate": lambda given: None,
}
"""What is checked of each command of ``resolvent`` beyond its options."""


@pytest.fixture
def accept(monkeypatch):
    """Have a command read, as it would be read, and not run."""
    original = argparse.ArgumentParser.parse_args

    def parse_args(self, *arguments):
        original(self, *arguments)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))

    def call(text):
        program, *words = shlex.split(text)
        if program == "resolvent":
            name, *arguments = spread(words)
            MEANING[name](CALLS[name].make_context(name, arguments).params)
            return
        assert program == "python", f"{text}: is neither resolvent nor python"
        if words[0] == "-m":
            assert words[1].startswith("experiments.")
            folder = ROOT / words[1].replace(".", "/")
            module, arguments = f"{words[1]}.__main__" if folder.is_dir() else words[1], words[2:]
        else:
            path = ROOT / words[0]
            assert (path.parent.name, path.is_file()) == ("benchmarks", True), f"{words[0]}: is no benchmark"
            module, arguments = path.stem, words[1:]
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        with pytest.raises(Parsed):
            importlib.import_module(module).main()

    return call


def test_there_is_a_row_for_every_method_of_the_paper_and_for_every_objective_without_clean_photographs():
    assert len(ROWS) >= 35
    assert {len(row) for row in ROWS} == {5}
    named = {name for command in COMMANDS for name in re.findall(r"--method (\S+)", command)}
    assert PAPER <= named <= set(BUILT_IN)
    learned = {name for command in COMMANDS for name in re.findall(r"objective=(\S+)", command)}
    assert learned >= {name for name, entry in OBJECTIVES.items() if entry.photographs != "clean"}
    for row in ROWS:
        assert "`" in row[2], f"{row[0]}: has no command"


def test_every_link_leads_somewhere():
    assert all("](../" in row[1] for row in ROWS)
    for link in LINKS:
        assert section(link), link


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_accepted(command, accept):
    accept(command)


def test_our_figures_are_on_the_pages_that_are_named():
    cells = [row[4] for row in ROWS if row[4] != "–"]
    assert sum(bool(figures_beside(cell)[0]) for cell in cells) >= 30
    for cell in cells:
        ours, measured = figures_beside(cell)
        assert ours <= measured, f"{cell}: {ours - measured}"


@pytest.mark.parametrize(
    "wrong",
    [
        "resolvent restor BAD.png",
        "resolvent restore BAD.png --methods dip --degradation noise:sigma=25",
        "resolvent restore BAD.png --method deep-image-prior --degradation noise:sigma=25",
        "resolvent restore BAD.png --method dip --degradation nose:sigma=25",
        "resolvent restore BAD.png --method nlm --degradation blur:sigma=2",
        "resolvent restore BAD.png --method dip --degradation noise:sigma=25 --set stopp=variance",
        "resolvent restore BAD.png --method dip --degradation noise:sigma=25 --set stop=never",
        "resolvent restore BAD.png -m denois --sigma 25",
        "resolvent train sede --images FLOWERS",
        "resolvent train seed --image FLOWERS",
        "resolvent train seed --images FLOWERS --set lost=mse",
        "resolvent train denoise --images NOISY --set objective=neighbour2neighbour",
        "resolvent train head --model denois --images FLOWERS",
        "resolvent benchmark flowers --images FLOWERS",
        "resolvent benchmark denoise --images CBSD68 --methods nlm bm3d",
        "resolvent degrade PHOTO.png blur:size=15 -o BAD.png",
        "python -m experiments.seeds --images FLOWERS",
        "python -m experiments.seed --pictures FLOWERS",
        "python -m experiments.seed --images FLOWERS --only light",
        "python -m experiments.seed",
        "python benchmarks/methods.py --data DATA --only dips",
        "python benchmarks/evidence.py --only dropped",
    ],
)
def test_a_command_that_is_wrong_is_refused(wrong, accept):
    with pytest.raises((CALL_ERROR, UsageError, KeyError, ModuleNotFoundError, SystemExit)):
        accept(wrong)


def test_a_figure_that_was_not_measured_is_seen():
    ours, measured = figures_beside("the same: 28.31 ([page](../../benchmarks/RESULTS.md#quality-deblur))")
    assert ours == {"28.31"}
    assert not ours & measured
    assert "28.30" in measured

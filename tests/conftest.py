import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resolvent.cli import main
from resolvent.models.card import ModelCard
from resolvent.models.export import export
from resolvent.networks import build, resolve_arguments

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser that the page is tested in."""

ARGUMENTS = {"widths": [8, 16, 16], "blocks": [1, 1, 1]}


def pytest_terminal_summary(terminalreporter):
    """Say it aloud if the page was not tested."""
    if CHROMIUM is None:
        terminalreporter.write_line("Chromium is MISSING: the page of 'resolvent serve' was NOT tested", red=True)


@pytest.fixture(scope="session", autouse=True)
def no_added_models(tmp_path_factory):
    """Keep tests away from the models that whoever runs them has added."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESOLVENT_MODELS", str(tmp_path_factory.getbasetemp() / "none"))
        yield


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line in this process: exit code, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["resolvent", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return call


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A small network with weights that do something, its card and its file."""
    arguments = resolve_arguments("unet-small", noise_level=True, **ARGUMENTS)
    torch.manual_seed(0)
    network = build("unet-small", **arguments).eval()
    for parameter in network.parameters():
        parameter.data.copy_((parameter.data + 0.005 * torch.randn(parameter.shape)).half().float())
    card = ModelCard(
        name="tiny",
        task="denoise",
        summary="for tests: größer",
        network="unet-small",
        arguments=arguments,
        degradation="noise:sigma=0..75",
        noise_level=True,
        sigma_range=(0.0, 75.0),
        figures={"set": {"psnr": 30.5}},
    )
    path = tmp_path_factory.mktemp("models") / "tiny model ü.onnx"
    export(network, card, path)
    return network, replace(card), path


@pytest.fixture(scope="session")
def headed_once(tiny, tmp_path_factory):
    """What ``headed`` is a copy of."""
    from onnx import load

    from resolvent.models.branch import with_branch
    from resolvent.models.export import write
    from resolvent.networks.uncertainty import UncertaintyHead
    from resolvent.training.recipe import Recipe

    network, card, path = tiny
    recipe = Recipe(
        name="tiny", task="denoise", summary="for tests", degradation="noise:sigma=5..20",
        validation=("noise:sigma=10",), network="unet-small", arguments={**ARGUMENTS, "noise_level": True},
    )  # fmt: skip
    model = load(path)
    head = UncertaintyHead(network.tail.in_channels, fold=network.fold, channels=4)
    card = replace(with_branch(model, head, card), recipe=recipe.to_json())
    path = tmp_path_factory.mktemp("headed") / "headed.onnx"
    write(model, card, path)
    return path


@pytest.fixture
def headed(headed_once, tmp_path):
    """The small network's file with a head for maps of errors, which says the same of every pixel."""
    return Path(shutil.copy(headed_once, tmp_path))

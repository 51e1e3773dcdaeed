"""The recipes of the benchmarks that train: each can be built, and one is trained for two steps."""

from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image

from resolvent.networks import resolve_arguments
from tests.training.conftest import make_photograph

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def modules(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import networks
    import optimizers

    for module in (networks, optimizers):
        monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    return networks, optimizers


def test_every_variant_is_a_recipe_of_its_own(modules):
    networks, optimizers = modules
    options = Namespace(steps=20, batch=2, patch=32)
    recipes = {name: networks.recipe(changes, options) for name, (_, changes) in networks.NETWORKS.items()}
    assert len({str(recipe.arguments) for recipe in recipes.values()}) == len(recipes)
    for recipe in recipes.values():
        assert resolve_arguments(recipe.network, **recipe.arguments)["noise_level"]
        assert (recipe.objective, recipe.budget, recipe.start) == ("l1", "20 steps", "")
    trainings = [networks.recipe(changes, options) for _, changes in networks.TRAININGS.values()]
    assert [(each.objective, each.ema > 0) for each in trainings] == [
        ("l1", True), ("mse", True), ("charbonnier", True), ("l1", False),
    ]  # fmt: skip
    found = [optimizers.recipe(changes, 20) for _, changes in optimizers.VARIANTS.values()]
    assert [(each.optimizer, each.objective, each.arguments.get("bias", True)) for each in found] == [
        ("adamw", "charbonnier", True), ("muon", "charbonnier", True), ("muon", "charbonnier", False),
    ]  # fmt: skip


def test_a_variant_is_trained_once(modules, tmp_path, capsys):
    networks, _ = modules
    for i in range(3):
        path = tmp_path / ("held" if i == 2 else "images") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(make_photograph(i, 176, 168)).save(path)
    options = Namespace(steps=2, batch=1, patch=32, threads=1, images=tmp_path / "images", validation=tmp_path / "held")
    changes = {"arguments": {"widths": [4, 4, 4], "blocks": [1, 1, 1]}}
    result = networks.trained("small", changes, options)
    assert (result.steps, len(result.psnr)) == (2, 4)
    assert "small: step 2, " in capsys.readouterr().out
    assert networks.trained("small", changes, options).psnr == result.psnr
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit, match="was trained with other options; delete it"):
        networks.trained("small", changes, Namespace(**{**vars(options), "batch": 2}))

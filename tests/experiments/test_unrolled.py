"""Learned ISTA against closed forms, and the whole experiment in a short form."""

import json
import sys

import numpy as np
import PIL.Image
import pytest
import torch

from experiments.unrolled import __main__ as command
from experiments.unrolled import lista


@pytest.fixture(scope="module")
def problem():
    generator = torch.Generator().manual_seed(0)
    a = lista.dictionary(generator)
    return a, *lista.draw(a, 64, generator)


def test_ista_and_fista_end_where_the_optimality_conditions_hold(problem):
    a, _, y = problem
    for solve, steps in ((lista.ista, 4000), (lista.fista, 1000)):
        x = solve(a.double(), y.double(), 0.1, steps)
        slope = (y.double() - x @ a.double().T) @ a.double()
        assert slope.abs().max() <= 0.1 + 1e-4
        nonzero = x.abs() > 1e-3
        torch.testing.assert_close(slope[nonzero], 0.1 * x[nonzero].sign(), atol=1e-4, rtol=0)


def test_before_training_lista_is_ista(problem):
    a, _, y = problem
    with torch.no_grad():
        found = lista.LISTA(a)(y)
    torch.testing.assert_close(found, lista.ista(a, y, lista.START, lista.LAYERS), atol=1e-5, rtol=0)


def test_a_short_training_beats_ista_by_far(problem):
    a, x, y = problem
    network = lista.train(a, torch.Generator().manual_seed(1), 150)
    with torch.no_grad():
        assert lista.nmse(network(y), x) < lista.nmse(lista.ista(a, y, 0.1, lista.LAYERS), x) - 3


def test_the_whole_in_a_short_form(tmp_path, monkeypatch, capsys):
    from resolvent.models.export import load_module
    from resolvent.networks import build
    from resolvent.training.recipe_file import load_recipe
    from resolvent.training.release import release
    from resolvent.training.runs import Result

    recipe = load_recipe(
        "deconvolve", arguments={"noise_level": True, "kernel": True, "widths": [4, 8], "blocks": [1, 1]}
    )
    network = build(recipe.network, **recipe.arguments).eval()
    result = Result(recipe, network, {"a": 1.0}, {}, 3, 3, 60.0, 2, "photographs", "cpu", "code", "machine")
    model = tmp_path / "run" / "deconvolve.onnx"
    card = release(result, model, data="none", license="CC0-1.0")
    assert card.schedule["levels"] == pytest.approx([1] * 5)
    assert card.schedule["weights"] == pytest.approx([0.23] * 5)
    assert load_module(model)[0].head.in_channels == 4

    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 255, (40, 44, 3)).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(photographs / f"{i}.png")
    np.savez(tmp_path / "kernels.npz", a=np.eye(3), b=np.ones((1, 5)))
    monkeypatch.setattr(command, "SIDE", 32)
    monkeypatch.setattr(lista, "TEST", 50)
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = ["--model", model.parent, "--images", photographs, "--kernels", tmp_path / "kernels.npz"]
    arguments += ["--batches", 3, "--output", out]
    monkeypatch.setattr(sys, "argv", ["unrolled", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    rows = report["photographs"]["photographs"]
    assert len(rows) == 3
    for row in rows.values():
        assert set(row) == {"degraded", "wiener", "pnp, 5 steps", "pnp, 8 steps", command.UNROLLED}
    assert set(report["sparse"]) == {
        "LISTA, 12 layers", "ISTA, 12 steps", "FISTA, 12 steps", "ISTA, 100 steps", "FISTA, 100 steps",
    }  # fmt: skip
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert "stale" not in page
    assert "gain over pnp, 8 steps" in page

    monkeypatch.setattr(sys, "argv", ["unrolled", "--model", "denoise-white", "--images", str(photographs)])
    with pytest.raises(SystemExit):
        command.main()
    assert "carries no schedule" in capsys.readouterr().err

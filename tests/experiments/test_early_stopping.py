"""What the rules would have given on the way, and the whole experiment in a short form."""

import json
import sys

import numpy as np
import PIL.Image
import pytest
import torch

from experiments.early_stopping import __main__ as command
from experiments.early_stopping.__main__ import compare
from experiments.early_stopping.rules import RULES, Watch, measure, rules
from resolvent.degradations import parse
from resolvent.evaluation.metrics import psnr
from resolvent.methods.untrained.dip import restore_fast
from resolvent.methods.untrained.fit import Discrepancy, MovingVariance
from resolvent.physics.forward_model import ForwardModel


def texture(side=64, seed=0):
    rng = np.random.default_rng(seed)
    coarse = PIL.Image.fromarray(rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8))
    return np.asarray(coarse.resize((side, side), PIL.Image.Resampling.BICUBIC), np.float32) / 255


def constant(value):
    return torch.full((1, 3, 8, 8), value)


def test_a_rule_is_heard_once_and_the_fit_goes_on():
    truth = np.full((8, 8, 3), 0.5, np.float32)
    watch = Watch(truth, {"told": Discrepancy(0.1, window=2), "variance": MovingVariance(window=2, patience=2)})
    errors = (0.3, 0.2, 0.1, 0.02, 0.05, 0.2)
    outputs = (0.0, 0.4, 0.41, 0.8, 0.2, 0.7)
    for step, (error, output) in enumerate(zip(errors, outputs, strict=True), 1):
        assert not watch.add(step, constant(output), constant(0.5 + error), 0.02 - 0.005 * step)
    step, image = watch.images["oracle"]
    assert (step, float(image.mean())) == (4, pytest.approx(0.52))
    assert watch.images["last"][0] == 6
    assert watch.stopped == {"told": 3, "variance": 5}  # mean residuals .0125, .0075; least variance at step 3
    assert watch.images["told"][0] == 3
    step, image = watch.images["variance"]
    assert (step, float(image.mean())) == (3, pytest.approx(0.6))


def test_the_discrepancy_gives_what_the_method_gives_with_that_rule():
    truth = texture()
    result, images = measure(truth, network="dip-fast", sigma=100, steps=90, seed=3)
    told = result["rules"]["told"]
    assert told["stopped"] is not None
    forward_model = ForwardModel(parse("noise:sigma=100"))
    restored = restore_fast(images["noisy"], forward_model, iterations=90, stop="discrepancy", seed=3)
    assert restored == pytest.approx(images["told"], abs=1e-4)
    assert told["psnr"] == pytest.approx(psnr(np.clip(restored, 0, 1), truth), abs=1e-3)
    assert max(rule["psnr"] for rule in result["rules"].values()) == result["rules"]["oracle"]["psnr"]
    assert result["estimated"] == pytest.approx(100, rel=0.1)


def test_rules_are_those_of_the_method():
    made = rules(0.5 + 0.1 * np.random.default_rng(0).standard_normal((64, 64, 3)).astype(np.float32), 25)
    assert list(made) == list(RULES)
    assert made["told"].variance == pytest.approx((25 / 255) ** 2)
    assert made["estimated"].variance == pytest.approx(0.01, rel=0.1)
    assert (made["variance"].frames.maxlen, made["variance"].patience) == (100, 1000)


def test_losses_are_against_the_best_step():
    def photograph(oracle, other):
        names = ("told", "estimated", "variance", "shorter", "longer", "last")
        rows = {name: {"step": 9, "stopped": 9, "psnr": other} for name in names}
        return {"rules": rows | {"oracle": {"step": 5, "stopped": None, "psnr": oracle}}}

    row = compare({"a": photograph(30.0, 29.6), "b": photograph(28.0, 27.0)})["told"]
    assert row["loss"] == pytest.approx(0.7)
    assert row["worst"] == pytest.approx(1.0)
    assert (row["within"], row["ended"]) == (1, 2)


def test_the_whole_in_a_short_form(tmp_path, monkeypatch, capsys):
    (tmp_path / "photographs").mkdir()
    for i in range(2):
        picture = np.round(255 * texture(72, seed=i)).astype(np.uint8)
        PIL.Image.fromarray(picture).save(tmp_path / "photographs" / f"{i}.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = [
        "--images", tmp_path / "photographs", "--side", 64, "--steps", 20, "--runs", tmp_path / "runs", "-o", out,
    ]  # fmt: skip
    monkeypatch.setattr(
        "experiments.early_stopping.rules.rules",
        lambda y, sigma: {name: MovingVariance(5, 10) for name in RULES},
    )
    monkeypatch.setattr(sys, "argv", ["early_stopping", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    assert set(report["rules"]) == {*RULES, "oracle", "last"}
    assert set(report["photographs"]) == {"0.png", "1.png"}
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "2 crops of 64x64, σ 25, network of `dip-fast`" in page
    assert str(tmp_path) not in page + json.dumps(report)
    for name in ("curves.svg", "pictures.png"):
        assert (out / name).stat().st_size > 5000

    monkeypatch.setattr(command, "measure", lambda *given, **options: pytest.fail("fitted what is kept"))
    command.main()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--shown", "2"])
    with pytest.raises(SystemExit):
        command.main()
    assert "there are 2 photographs" in capsys.readouterr().err

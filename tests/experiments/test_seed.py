"""The experiment's own code, and the whole of it in a short form: 12 pictures, 3 epochs, a narrow network."""

import dataclasses
import json
import sys

import numpy as np
import PIL.Image
import pytest
import torch

from experiments.seed import __main__ as command
from experiments.seed import variants
from experiments.seed.curves import Curves, accuracy
from experiments.seed.flowers import KINDS, LEAST, arrange, needed, sizes
from experiments.seed.measure import BASELINES, compare, score
from resolvent.errors import InputError, TrainingError
from resolvent.training.recipe_file import load_recipe


def picture(path, seed, side=140):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (side // 10, side // 10, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(coarse).resize((side + seed % 3, side), PIL.Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def flowers(tmp_path):
    for i in range(12):
        picture(tmp_path / "flowers" / f"{i:02d}.png", i)
    return tmp_path / "flowers"


def test_a_plain_folder_keeps_its_order(flowers, tmp_path):
    copies = arrange(flowers, tmp_path / "work")
    assert [copy.name for copy in copies] == [f"{i:03d}.png" for i in range(12)]
    assert copies[3].read_bytes() == (flowers / "03.png").read_bytes()


def test_the_public_archive_is_mixed_and_checked(tmp_path):
    for kind in KINDS:
        for i in range(5):
            picture(tmp_path / "photos" / kind / f"{i}.png", i, side=130)
    picture(tmp_path / "photos" / "LICENSE.png", 99, side=130)
    copies = arrange(tmp_path / "photos", tmp_path / "work")
    assert len(copies) == 25
    orders = {copy.read_bytes() for copy in copies[:5]}
    assert len(orders) > 1
    assert arrange(tmp_path / "photos", tmp_path / "again")[7].read_bytes() == copies[7].read_bytes()
    (tmp_path / "photos" / "roses").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="roses missing"):
        arrange(tmp_path / "photos", tmp_path / "work")


def test_too_few_photographs(tmp_path):
    picture(tmp_path / "one" / "a.png", 0)
    with pytest.raises(InputError, match="holds 1 photographs of 128 pixels a side or more; give 12"):
        arrange(tmp_path / "one", tmp_path / "work")


@pytest.mark.parametrize(("count", "expected"), [(150, (90, 10)), (110, (90, 10)), (12, (9, 1))])
def test_sizes(count, expected):
    assert sizes(count) == expected


def test_photographs_that_are_too_small_or_damaged_are_left_out(flowers, tmp_path):
    picture(flowers / "01b.png", 1, side=120)
    (flowers / "02b.png").write_bytes((flowers / "02.png").read_bytes()[:200])
    copies = arrange(flowers, tmp_path / "work")
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in sorted(flowers.glob("??.png"))]


@pytest.mark.parametrize("test", [1, 2, 3, 8])
def test_from_the_number_that_is_needed_on_enough_are_left_to_test(test):
    least = needed(test)
    assert all(count - sum(sizes(count)) >= test for count in range(least, 200))
    assert least == LEAST or least - 1 - sum(sizes(least - 1)) < test


def test_accuracy_is_that_of_the_largest_channel_first_of_equals():
    clean = torch.tensor([[0.9, 0.1, 0.5], [0.1, 0.8, 0.5], [0.0, 0.1, 0.2]]).T.reshape(3, 3, 1, 1)
    restored = torch.tensor([[0.5, 0.3, 0.1], [0.9, 0.2, 0.1], [0.1, 0.1, 0.1]]).T.reshape(3, 3, 1, 1)
    assert accuracy(clean, clean) == 1
    labels = (clean.argmax(1) == restored.argmax(1)).float().mean()
    assert accuracy(restored, clean) == float(labels)
    equal = torch.full((1, 3, 2, 2), 0.4)
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert accuracy(equal, red) == 1


def test_doing_nothing_scores_what_the_blur_leaves():
    clean = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)
    flowers = command.Flowers(clean, clean[:1], clean[1:])
    scores = compare(lambda y, degradation: y, flowers)
    assert [scores[k]["train"]["psnr"] for k in ("5", "9", "15", "21")] == sorted(
        (scores[k]["train"]["psnr"] for k in ("5", "9", "15", "21")), reverse=True
    )
    mean = np.mean([scores[k]["val"]["ssim"] for k in ("5", "9", "15", "21")])
    assert scores["mixture"]["val"]["ssim"] == pytest.approx(mean)
    assert score(clean, clean)["accuracy"] == 1


def test_curves_of_a_resumed_run_have_every_epoch_once(tmp_path):
    curves = Curves(tmp_path)
    lines = [{"epoch": epoch, "accuracy": 0.5} for epoch in range(1, 6)]
    curves.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves.epoch, curves.every = 3, 100
    x = torch.rand(2, 3, 4, 4)
    for step in range(10, 16):  # the checkpoint was made after update 9, the third epoch
        curves.step(step, 0.5, 1.0, 0.1, 1e-3, x, x, {})
    assert [line["epoch"] for line in Curves.read(tmp_path)] == [1, 2, 3, 4, 5]
    assert [line["accuracy"] for line in Curves.read(tmp_path)] == [0.5, 0.5, 0.5, 1.0, 1.0]


def test_a_dead_output_is_an_error(tmp_path):
    curves = Curves(tmp_path)
    curves.epoch, curves.every, curves.device = 1, 1, torch.device("cpu")
    curves.clean = torch.rand(1, 3, 8, 8)
    curves.degraded = [curves.clean]
    curves.average = torch.nn.Conv2d(3, 3, 1)
    torch.nn.init.zeros_(curves.average.weight)
    torch.nn.init.zeros_(curves.average.bias)
    with pytest.raises(TrainingError, match="zero everywhere"):
        curves.step(1, 0.1, 1.0, 0.1, 1e-3, curves.clean, curves.clean, {})


def test_every_variant_is_a_recipe_for_the_papers_blur():
    for variant in (*variants.VARIANTS.values(), *variants.ABLATIONS.values()):
        recipe = variant.recipe(90, 10, None)
        assert (recipe.degradation, recipe.limit, recipe.resize) == ("blur:ksize=5|9|15|21 + quantize", 100, 128)
        assert round(recipe.holdout * recipe.limit) == 10
    assert variants.VARIANTS["15m"].recipe(90, 10, None) == load_recipe("seed")


def test_the_whole_in_a_short_form(flowers, tmp_path, monkeypatch, capsys):
    narrow = {"network": "seed_unet-lite", "arguments": {"widths": (4, 4, 4, 8)}}
    for entries, name in ((variants.VARIANTS, "lite"), (variants.ABLATIONS, "dropout 0")):
        monkeypatch.setitem(entries, name, dataclasses.replace(entries[name], changes=narrow))
    for name in list(variants.ABLATIONS)[1:]:
        monkeypatch.delitem(variants.ABLATIONS, name)
    monkeypatch.delitem(BASELINES, "richardson-lucy")  # as the other method, but slow
    monkeypatch.setattr(command, "SWEPT", (3, 15, 41))
    monkeypatch.setattr(command, "NOISES", (5, 25))
    monkeypatch.setattr(command, "SHOWN", 1)
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = [
        "--images", flowers, "--epochs", 3, "--ablation-epochs", 1, "--only", "lite", "--threads", 1,
        "--runs", tmp_path / "runs", "--output", out,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["seed", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    assert set(report["best"]) == {"variant", "train_accuracy", "val_accuracy", "test_gain_db_15"}
    assert report["best"]["variant"] == "lite"
    for scores in report["results"].values():
        for split in ("train", "val", "test"):
            assert set(scores["mixture"][split]) == {"accuracy", "psnr", "ssim"}
    assert report["results"]["identity"]["5"]["val"]["psnr"] > report["results"]["identity"]["21"]["val"]["psnr"]
    assert [line["epoch"] for line in Curves.read(tmp_path / "runs" / "lite")] == [1, 2, 3]
    assert report["keras"]["lite"]["epoch"] == 3
    assert len(report["sweep"]["psnr_by_ksize"]["lite"]) == 3
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "nothing done" in page
    for name in ("rows-0.png", "curves.svg", "sweep.svg"):
        assert (out / name).stat().st_size > 2000
    capsys.readouterr()
    written = (out / "results.json").stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--train", "lite"])
    command.main()  # which is trained already
    assert (out / "results.json").stat().st_mtime_ns == written
    assert [line["epoch"] for line in Curves.read(tmp_path / "runs" / "lite")] == [1, 2, 3]


def test_what_trains_after_another_is_drawn_behind_it():
    curves = {"unet-small": [{"epoch": 1}, {"epoch": 3}], "largest-channel": [{"epoch": 1, "accuracy": 0.5}]}
    assert command._after("unet-small", curves, "largest-channel") == [{"epoch": 4, "accuracy": 0.5}]
    assert command._after("", curves, "unet-small") == curves["unet-small"]
    assert command._after("lite", curves, "unet-small") == curves["unet-small"]

"""The experiment's own code, and the whole of it in a short form: textures and an epoch."""

import copy
import json
import sys

import numpy as np
import PIL.Image
import pytest
import torch

from experiments.cnn_anatomy import __main__ as command
from experiments.cnn_anatomy import depth, dropout, networks
from experiments.cnn_anatomy.convolution import STRIDES, filters, shift_errors
from experiments.cnn_anatomy.pooling import POOLS, give_back
from experiments.cnn_anatomy.pooling import measure as measure_pooling
from experiments.cnn_anatomy.skips import MIDDLE, high_power, without_skips
from experiments.cnn_anatomy.tables import claims
from experiments.seed.variants import Variant
from resolvent.networks.seed_unet import SeedUNet

NARROW = (4, 4, 4, 8)


def texture(seed, height=64, width=64):
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    fine = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed + 1))
    return (0.8 * torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear") + 0.2 * fine).clamp(
        0, 1
    )


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SeedUNet("lite", widths=NARROW).eval()


def test_a_shift_changes_nothing_at_multiples_of_the_stride_alone(network):
    errors = shift_errors(network, texture(0, 96, 96))
    for name, stride in {**STRIDES, "output": 8}.items():
        for shift, error in enumerate(errors[name]):
            assert (error < 1e-5) == (shift % stride == 0), (name, shift, error)


def test_the_error_of_a_shift_is_in_gray_levels():
    class Ramp(SeedUNet):
        def forward(self, x):
            super().forward(x)
            return torch.arange(x.shape[-1]).expand_as(x) / 255  # which stays where it is

    errors = shift_errors(Ramp("lite", widths=NARROW).eval(), texture(0, 96, 96))
    np.testing.assert_allclose(errors["output"], range(9), atol=1e-3)


def test_filters_know_where_they_began_and_what_a_mean_color_is():
    recipe = Variant("", networks.SHORTLY | {"arguments": {"widths": NARROW}}).recipe(9, 1, 1)
    torch.manual_seed(recipe.seed)
    begun = SeedUNet("lite", widths=NARROW).eval()
    assert filters(begun, recipe, texture(1))["moved"] == [0.0] * 4
    with torch.no_grad():
        begun.e1.c1.weight[0] = torch.tensor([1.0, 2.0, -1.0])[:, None, None]
        begun.e1.c1.weight[1] -= begun.e1.c1.weight[1].mean((1, 2), keepdim=True)
        begun.e1.c1.weight[2] *= 3
    found = filters(begun, recipe, texture(1))
    assert found["mean"][0] == pytest.approx(1)
    assert found["mean"][1] == pytest.approx(0, abs=1e-6)
    assert found["moved"][2] == pytest.approx(2)
    assert all(0 <= share <= 1 for share in found["positive"])


@pytest.mark.parametrize("pool", POOLS)
def test_bilinear_returns_a_ramp_to_where_it_was(pool):
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    back = give_back(POOLS[pool](ramp), pool, "bilinear")
    offset = 0.5 if pool == "max" else 0.0  # the larger of two neighbors, where the middle of both is
    torch.testing.assert_close(back[..., 2:-2], ramp[..., 2:-2] + offset)


def test_pooling_loses_nothing_of_blocks_and_what_is_brighter_is_known():
    blocks = texture(2, 32, 32).repeat_interleave(2, 2).repeat_interleave(2, 3)
    results = measure_pooling(blocks)
    for name in POOLS:
        assert results[name]["nearest"] > 100
        assert results[name]["brighter"] == pytest.approx(0, abs=1e-4)
    checkers = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float().expand(1, 3, 64, 64)
    results = measure_pooling(checkers)
    assert results["max"]["brighter"] == pytest.approx(127.5)
    assert results["max"]["change"] == results["average"]["change"] == 0
    assert results["subsampling"]["change"] == pytest.approx(1)
    assert results["average"]["nearest"] == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_mean_of_passes_comes_as_near_as_spread_and_bias_predict(network, monkeypatch):
    monkeypatch.setattr(dropout, "PASSES", 32)
    monkeypatch.setattr(dropout, "RATES", (0.1, 0.5))
    before = copy.deepcopy(network)
    results = dropout.measure(network, texture(3), texture(4))
    for row in results.values():
        assert row["means"] == [1, 2, 4, 8, 16, 32]
        predicted = np.hypot(row["spread"] / np.sqrt(row["means"]), row["bias"])
        np.testing.assert_allclose(row["distance"], predicted, rtol=0.05)
    assert results["0.5"]["spread"] > 2 * results["0.1"]["spread"] > 0
    assert network.d1.dropout.dropped == before.d1.dropout.dropped
    assert not any(module.training for module in network.modules())
    torch.testing.assert_close(network(texture(3)), before(texture(3)))


def test_a_cut_skip_knows_no_place(network):
    x = texture(5)
    torch.testing.assert_close(without_skips(network, x, ()), network(x))
    for level in (1, 2, 3):
        assert not torch.allclose(without_skips(network, x, (level,)), network(x))
    middle = copy.deepcopy(network)
    with torch.no_grad():
        for level in (middle.d1, middle.d2, middle.d3):  # the middle is all that the output has
            level.t3.weight[-level.skip :] = 0
    torch.testing.assert_close(without_skips(middle, x, (1, 2, 3)), middle(x))
    cut = without_skips(middle, x, (MIDDLE,))
    torch.testing.assert_close(cut[..., 24:32, 24:32], cut[..., 32:40, 32:40], atol=1e-7, rtol=0)
    assert not torch.allclose(middle(x)[..., 24:32, 24:32], middle(x)[..., 32:40, 32:40], atol=1e-5, rtol=0)
    blind = copy.deepcopy(network)
    with torch.no_grad():
        blind.d2.t3.weight.zero_()  # skip 1 is all that the output has
    cut = without_skips(blind, x, (1,))[..., 4:-4, 4:-4]
    torch.testing.assert_close(cut, cut.mean((2, 3), keepdim=True).expand_as(cut))
    torch.testing.assert_close(without_skips(network, x, ()), network(x))  # no hook is left


def test_high_power_is_that_of_fine_waves():
    along = torch.arange(64) * 2 * torch.pi
    coarse, fine = (torch.sin(along * cycles).expand(1, 1, 64, 64) for cycles in (1 / 16, 1 / 4))
    assert high_power(fine) == pytest.approx(high_power(fine + coarse), rel=1e-2)
    assert high_power(coarse) < 1e-4 * high_power(fine)


@pytest.mark.parametrize("skips", [True, False])
def test_receptive_fields_are_where_the_output_changes(skips):
    torch.manual_seed(0)
    network = depth.positive(SeedUNet("lite", dropout=0.0, widths=NARROW, skips=skips))
    checks = depth.agreements(network, skips)
    assert len(checks) == 18
    assert all(counted == found for _, counted, found in checks)
    x = torch.rand(1, 3, 8, 264).double()
    network = network.double()
    for at in (128, 133):  # brute force: a column outside changes nothing, those at the ends do
        low, high = depth.interval("d1", at, skips)
        still = network(x)
        for column, sees in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
            moved = x.clone()
            moved[..., column] += 1e9
            assert bool((network(moved)[..., at] != still[..., at]).any()) == sees, (at, column)


def test_square_holds_the_share():
    gradient = torch.zeros(33, 33)
    gradient[16, 16], gradient[16, 20], gradient[4, 16] = 89, 2, 9
    assert depth.square(gradient, 16, 0.8) == 1
    assert depth.square(gradient, 16, 0.9) == 9
    assert depth.square(gradient, 16, 0.99) == 25


def test_the_whole_in_a_short_form(tmp_path, monkeypatch):
    (tmp_path / "flowers").mkdir()
    for i in range(12):
        pixels = (255 * texture(2 * i, 128, 128)[0].permute(1, 2, 0).numpy()).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "flowers" / f"{i:02d}.png")
    for name, variant in networks.NETWORKS.items():
        changes = variant.changes | {"batch": 4, "arguments": variant.changes["arguments"] | {"widths": NARROW}}
        monkeypatch.setitem(networks.NETWORKS, name, Variant(variant.label, changes))
    monkeypatch.setattr(command, "FEW", 1)
    monkeypatch.setattr(dropout, "PASSES", 4)
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = [
        "--images",
        tmp_path / "flowers",
        "--epochs",
        1,
        "--threads",
        1,
        "--runs",
        tmp_path / "runs",
        "-o",
        out,
    ]
    monkeypatch.setattr(sys, "argv", ["cnn_anatomy", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    assert report["pictures"] == 2
    assert report["training"]["skips"]["weights"] > report["training"]["no skips"]["weights"]
    came_out = {claim: holds for claim, _, holds in claims(report)}
    assert len(came_out) == 11
    assert came_out["the receptive field is what counting says"]
    assert came_out["after n poolings a shift by a multiple of 2ⁿ pixels shifts the tensor and changes nothing else"]
    assert not came_out["so does a shift by any other number"]
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "gradient: 36 of 36" in page
    assert str(tmp_path) not in page + json.dumps(report)
    for name in ("convolution", "pooling", "dropout", "skips", "depth"):
        assert (out / f"{name}.png").stat().st_size > 2000

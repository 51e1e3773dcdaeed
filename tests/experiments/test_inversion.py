"""The experiment's own code, and the whole of it in a short form: textures and a few updates."""

import json
import sys

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.feature import hog

from experiments.inversion import __main__ as command
from experiments.inversion import decoder as training
from experiments.inversion.decoder import Decoder, Run, mse, objective, train
from experiments.inversion.features import FEATURES, Layers, hog_cells
from experiments.inversion.measure import baseline, held_crops, score, spectrum
from resolvent.training.data import pack


def texture(seed, height=64, width=48):
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def layers():
    return Layers()


@pytest.fixture
def folders(tmp_path):
    for name, count in (("train", 3), ("held", 2)):
        (tmp_path / name).mkdir()
        for i in range(count):
            pixels = (255 * texture(10 * count + i, 136, 132)[0].permute(1, 2, 0).numpy()).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_hog_without_signs_is_that_of_scikit_image():
    x = torch.cat([texture(0), texture(1)])
    ours = hog_cells(x, signed=False).reshape(2, 2, 2, 9, 8, 6)
    for n in range(2):
        blocks = hog(x[n].permute(1, 2, 0).numpy(), cells_per_block=(2, 2), channel_axis=-1, feature_vector=False)
        for i in range(2):
            for j in range(2):
                expected = blocks[:, :, i, j].transpose(2, 0, 1)
                np.testing.assert_allclose(ours[n, i, j, :, i : i + 7, j : j + 5], expected, atol=1e-6)


def test_only_signed_hog_tells_a_picture_from_its_negative():
    x = texture(2)
    torch.testing.assert_close(hog_cells(x, signed=False), hog_cells(1 - x, signed=False), atol=1e-4, rtol=0)
    assert (hog_cells(x) - hog_cells(1 - x)).abs().max() > 0.1


def test_layers_are_those_of_the_network(layers):
    x = texture(3, 32, 32)
    whole = layers(x)
    assert set(whole) == {"skip 1", "skip 2", "skip 3", "middle"}
    caught = []
    handle = layers.network.middle.register_forward_hook(lambda module, inputs, output: caught.append(output))
    layers.network(torch.cat([x, torch.full_like(x[:, :1], 15 / 255)], 1))
    handle.remove()
    torch.testing.assert_close(whole["middle"], caught[0])
    for name, feature in FEATURES.items():
        given = layers.feature(name, x)
        assert given.numel() == feature.numbers(32)
        assert Decoder(feature.channels, feature.stride)(given).shape == x.shape


def test_objectives_are_least_at_the_truth_and_perceptual_prefers_detail(layers):
    x = texture(4, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
    brighter = x + (blurred - x).square().mean().sqrt()
    perceptual = objective("perceptual", layers)
    assert float(perceptual(x, x)) == 0
    assert mse(brighter, x) == pytest.approx(float(mse(blurred, x)), rel=1e-3)
    assert float(perceptual(brighter, x)) < float(perceptual(blurred, x))


def test_energies_of_an_orthogonal_part_add_up_to_one():
    x = torch.cat([texture(i, 64, 64) for i in range(4)])
    frequencies = torch.fft.fftfreq(64).abs()
    low = (frequencies[:, None] < 0.1) & (frequencies < 0.1)
    part = torch.fft.ifft2(torch.fft.fft2(x) * low).real
    kept = score(part, x)
    assert kept.energy + kept.error == pytest.approx(1, abs=0.08)  # the transform wraps around, the gradient does not
    assert 0.05 < kept.energy < 0.95
    wrong = score(part.roll(16, 3), x)
    assert wrong.energy + wrong.error > 1.1
    assert score(baseline("mean", x), x).energy == 0


def test_spectrum_finds_the_frequency_of_a_wave():
    wave = torch.sin(2 * torch.pi * 0.25 * torch.arange(64)).expand(1, 3, 64, 64)
    assert abs(int(np.argmax(spectrum(wave))) - 7.5) < 1


def test_held_crops_are_the_photograph_cut_up(folders):
    shard = pack(sorted((folders / "held").iterdir()), folders / "held.shard", minimum=64, resize=128)
    cut = held_crops(shard, 1)
    whole = shard.patches(torch.tensor([0]), 128, None)[0]
    assert cut.shape == (4, 3, 64, 64)
    torch.testing.assert_close(cut[1], whole[:, :64, 64:])


def test_a_stopped_run_goes_on_as_if_it_had_not_been(folders, monkeypatch, layers):
    monkeypatch.setattr(training, "BATCH", 2)
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    shard = pack(sorted((folders / "train").iterdir()), folders / "train.shard", minimum=64, resize=64)
    run = Run("hog", "mse", 4)
    whole, _ = train(run, shard, layers, folders / "whole")
    drawn = training.crops
    calls = []

    def stopping(shard, generator, count):
        calls.append(count)
        if len(calls) == 4:  # calibration and three updates
            raise KeyboardInterrupt
        return drawn(shard, generator, count)

    monkeypatch.setattr(training, "crops", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(run, shard, layers, folders / "parts")
    monkeypatch.setattr(training, "crops", drawn)
    resumed, book = train(run, shard, layers, folders / "parts")
    assert book["steps"] == 4
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_whole_in_a_short_form(folders, monkeypatch):
    monkeypatch.setattr(command, "PHOTOGRAPH", 128)
    monkeypatch.setattr(training, "BATCH", 2)
    out = folders / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = ["--images", folders / "train", "--held", folders / "held", "--steps", 5, "--threads", 1]
    arguments += ["--only", "hog", "middle", "--runs", folders / "runs", "-o", out]
    monkeypatch.setattr(sys, "argv", ["inversion", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    runs = {"hog, mse", "hog, perceptual", "middle, mse", "middle, perceptual"}
    assert set(report["results"]) == {"gray", "mean", "thumbnail"} | runs
    assert report["crops"] == 8
    assert report["results"]["hog, mse"]["steps"] == 5
    assert report["results"]["hog, perceptual"]["steps"] == 1
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "the middle is 3 dB or more above HOG" in page
    assert str(folders) not in page + json.dumps(report)
    for name in ("rows.png", "spectrum.svg"):
        assert (out / name).stat().st_size > 2000

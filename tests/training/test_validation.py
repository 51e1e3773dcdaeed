"""What the weights are chosen by, and how much of a budget that takes."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from resolvent.physics.resize import imresize
from resolvent.training import checkpoint, devices, loop, validation
from resolvent.training.callbacks import Callback
from resolvent.training.data import find_photographs, pack
from resolvent.training.loop import train
from resolvent.training.validation import input_psnr, seconds_needed, updates_needed, validate, validation_examples

DAMAGE = {
    "degradation": "holes:size=6",
    "validation": ("holes:amount=0.1,size=6",),
    "arguments": {"widths": [8, 8, 8], "blocks": [1, 1, 1], "outputs": 1},
    "objective": "bce-dice",
}
SMALLER = {
    "degradation": "downsample:scale=2",
    "validation": ("downsample:scale=2",),
    "arguments": {"widths": [8, 8], "blocks": [1, 1], "fold": 1, "scale": 2},
}


@pytest.fixture
def held(photographs, tmp_path):
    return pack(find_photographs(photographs), tmp_path / "held.shard", minimum=32)


def as_image(tensor):
    return tensor[0].permute(1, 2, 0).numpy()


def test_every_photograph_is_validated_with_noise_of_its_own(recipe, held):
    noises = []
    for _ in range(2):
        examples = validation_examples(recipe, held)[recipe.validation[0]]
        noises.append([inputs[:, :3] - target for target, inputs in examples])
    assert all(torch.equal(a, b) for a, b in zip(*noises, strict=True))
    alike = torch.corrcoef(torch.stack([noises[0][0].flatten(), noises[0][1].flatten()]))[0, 1]
    assert abs(alike) < 0.1


def test_the_input_of_a_denoiser_is_as_good_as_its_noise(recipe, held):
    """20 log10(255 / 30) = 18.59 dB, a little more where the noise is clipped."""
    (value,) = input_psnr(recipe, validation_examples(recipe, held)).values()
    assert 18.55 < value < 19


def test_the_input_of_an_enlarging_network_is_measured_enlarged(recipe, held):
    recipe = dataclasses.replace(recipe, **SMALLER)
    examples = validation_examples(recipe, held)
    pairs = [
        (as_image(target), imresize(as_image(inputs), 2).clip(0, 1))
        for target, inputs in examples[SMALLER["degradation"]]
    ]
    expected = sum(peak_signal_noise_ratio(*pair, data_range=1) for pair in pairs) / len(pairs)
    assert input_psnr(recipe, examples) == {"downsample:scale=2": pytest.approx(expected, abs=1e-3)}


def test_a_network_that_finds_damage_has_to_beat_an_empty_mask(recipe, held):
    recipe = dataclasses.replace(recipe, **DAMAGE)
    examples = validation_examples(recipe, held)
    (pairs,) = examples.values()
    shares = torch.stack([target.mean() for target, _ in pairs])
    assert input_psnr(recipe, examples) == {DAMAGE["validation"][0]: pytest.approx(float(-10 * shares.log10().mean()))}


def test_psnr_is_that_of_scikit_image(recipe, held):
    recipe = dataclasses.replace(recipe, arguments={}, degradation="blur:sigma=1", validation=("blur:sigma=1",))
    examples = validation_examples(recipe, held)
    brighter = torch.nn.Conv2d(3, 3, 1, bias=True)
    torch.nn.init.dirac_(brighter.weight)
    torch.nn.init.constant_(brighter.bias, 0.1)
    scores, pictures = validate(brighter, examples, torch.device("cpu"))
    (pairs,) = examples.values()
    expected = [
        peak_signal_noise_ratio(as_image(target), as_image((inputs + 0.1).clamp(0, 1)), data_range=1)
        for target, inputs in pairs
    ]
    assert scores == {"blur:sigma=1": pytest.approx(sum(expected) / len(expected), abs=1e-4)}
    assert torch.equal(pictures[2], pairs[0][0][0])
    assert torch.equal(pictures[0], pairs[0][1][0])


class Clock:
    """Simulated time: a fixed amount for each step, and for each photograph that is measured."""

    def __init__(self, monkeypatch, a_photograph, a_step=1):
        self.now = 0.0
        update, measured = loop.update_average, validation.validate

        def step(*arguments):
            self.now += a_step
            update(*arguments)

        def measure(network, examples, device):
            self.now += a_photograph * max(map(len, examples.values()))
            return measured(network, examples, device)

        for module in (devices, validation):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        for module in (loop, validation):
            monkeypatch.setattr(module, "validate", measure)
        monkeypatch.setattr(loop, "update_average", step)


class Measured(Callback):
    def __init__(self):
        self.steps, self.at = 0, []

    def step(self, step, *_):
        self.steps = step

    def validation(self, step, psnr, inputs, examples):
        self.at.append(step)
        assert set(psnr) == set(inputs)


def test_a_validation_neither_overruns_a_budget_of_time_nor_fills_it(recipe, photographs, tmp_path, monkeypatch):
    """Of 100 s, two photographs at 5 s each take 10 s in the end, and 20 s before: once in between, and to be timed."""
    clock, watch = Clock(monkeypatch, 5.0), Measured()
    train(dataclasses.replace(recipe, budget="100s"), photographs, tmp_path, threads=1, watch=watch)
    assert 99 <= clock.now <= 101
    assert len(watch.at) == 2
    assert watch.at[-1] == watch.steps == 70


def test_quick_validations_come_as_often_as_the_recipe_says(recipe, photographs, tmp_path, monkeypatch):
    clock, watch = Clock(monkeypatch, 0.01), Measured()
    train(dataclasses.replace(recipe, budget="100s"), photographs, tmp_path, threads=1, watch=watch)
    assert 99 <= clock.now <= 101
    assert len(watch.at) == recipe.validations


def test_a_budget_of_steps_is_measured_as_often_whatever_it_takes(recipe, photographs, tmp_path, monkeypatch):
    Clock(monkeypatch, 50.0)
    watch = Measured()
    recipe = dataclasses.replace(recipe, validations=5)
    train(recipe, photographs, tmp_path, threads=1, watch=watch)
    assert watch.at == [8, 16, 24, 32, 40]


@pytest.mark.parametrize(
    ("budget", "at"), [("40 steps", [8, 16, 24, 32, 40]), ("10 steps", [4, 8, 10]), ("2 epochs", [4])]
)
def test_validations_take_a_fifth_of_a_budget_of_steps_at_most(recipe, photographs, tmp_path, budget, at):
    """Two photographs of 48x48 pixels are 0.75 updates of three passes over two patches of 32x32: every 3.75 updates.

    Measured in steps, never in seconds, so that every machine gives the same weights.
    """
    watch = Measured()
    recipe = dataclasses.replace(recipe, validations=5, budget=budget)
    train(recipe, photographs, tmp_path, threads=1, watch=watch)
    assert watch.at == at


def test_the_updates_of_a_validation_are_counted_in_pixels(recipe, held):
    assert updates_needed(recipe, validation_examples(recipe, held)) == len(held) * 48**2 / (3 * 2 * 32**2)


def test_the_time_of_a_validation_is_that_of_all_its_photographs(recipe, held, monkeypatch):
    Clock(monkeypatch, 3.0)
    assert seconds_needed(torch.nn.Conv2d(4, 3, 1), validation_examples(recipe, held), torch.device("cpu")) == 18.0


def test_the_first_checkpoints_come_early(recipe, photographs, tmp_path, monkeypatch):
    """After 10 s, and then after 10 s more than has been trained, up to 120 s; all in steps of 10 s."""
    clock, saved = Clock(monkeypatch, 0, 10), []
    save = checkpoint.save

    def noted(path, *arguments):
        if path.name == "last.safetensors":
            saved.append(clock.now)
        save(path, *arguments)

    monkeypatch.setattr(checkpoint, "save", noted)
    train(dataclasses.replace(recipe, budget="42 steps", validations=1), photographs, tmp_path, threads=1)
    assert saved == [0, 20, 60, 140, 270, 400, 420]

import subprocess
import sys
from typing import get_type_hints

import pytest

from resolvent.errors import InputError, UsageError
from resolvent.networks import build
from resolvent.training.budget import Budget
from resolvent.training.recipe import KINDS, Recipe, recipe_keys
from resolvent.training.recipe_file import load_recipe, parse_settings, recipes


def test_bundled_recipes_load_and_their_networks_build():
    known = recipes()
    assert set(known) == {
        "seed", "denoise", "denoise-white", "deblur", "dejpeg", "restore", "upscale2", "upscale4", "scratches",
        "inpaint", "deconvolve", "restore-perceptual", "upscale4-gan",
    }  # fmt: skip
    for name, recipe in known.items():
        assert recipe.name == name
        assert Recipe.from_json(recipe.to_json()) == recipe
    assert build(known["denoise"].network, **known["denoise"].arguments).head.in_channels == 4


def test_seed_keeps_the_papers_protocol():
    seed = load_recipe("seed")
    assert (seed.limit, seed.holdout, seed.resize, seed.batch, seed.objective) == (100, 0.1, 128, 32, "mse")
    assert (seed.learning_rate, seed.betas, seed.epsilon, seed.budget) == (1e-3, (0.9, 0.999), 1e-7, "500 epochs")
    assert seed.degradation == "blur:ksize=5|9|15|21 + quantize"


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("90s", 90, "seconds"),
        ("30m", 1800, "seconds"),
        ("1.5h", 5400, "seconds"),
        ("1 step", 1, "steps"),
        ("500 epochs", 500, "epochs"),
    ],
)
def test_budget(text, amount, unit):
    assert Budget.parse(text) == Budget(amount, unit)


@pytest.mark.parametrize("text", ["", "30", "0m", "-3h", "3 days", "m", "nan", "9" * 400 + "s"])
def test_wrong_budget(text):
    with pytest.raises(UsageError, match="give a time or a count"):
        Budget.parse(text)


def test_budget_share():
    spent = {"step": 30, "seconds": 12.0, "steps_per_epoch": 3}
    assert Budget.parse("60s").share(**spent) == pytest.approx(0.2)
    assert Budget.parse("40 steps").share(**spent) == pytest.approx(0.75)
    assert Budget.parse("20 epochs").share(**spent) == pytest.approx(0.5)
    assert Budget.parse("10s").share(**spent) == 1


SMALLER = {
    "degradation": "downsample:scale=2 + noise:sigma=5",
    "validation": ["downsample:scale=2 + noise:sigma=5"],
    "others": ["downsample:scale=2 + noise:sigma=9"],
    "margin": 0,
}
DUST = {"degradation": "dust @ 0.5", "others": [], "others_share": 0}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"lerning_rate": 1}, "did you mean 'learning_rate'"),
        ({"lr": 1}, "unknown key in denoise: 'lr': did you mean 'learning_rate'"),
        ({"batch": 10**12}, "batch = 1000000000000 must be 4096 or less"),
        ({"patch": 8192}, "patch = 8192 must be 4096 or less"),
        ({"arguments": "x" * 10**6}, "arguments = 'xxxx.*: must be a table, such as {widths = "),
        ({"network": "unet-smal"}, "did you mean 'unet-small'"),
        ({"objective": "l3"}, "unknown objective"),
        ({"schedule": "linear"}, "unknown schedule"),
        ({"gray": 2}, "gray = 2"),
        ({"batch": 0}, "batch = 0"),
        ({"validation": ()}, "validation is empty"),
        ({"resize": 32, "patch": 64}, "resize = 32"),
        ({"budget": "soon"}, "budget 'soon'"),
        ({"degradation": "blurr:sigma=1"}, "did you mean 'blur'"),
        ({"batch": "many"}, "must be a whole number"),
        ({"batch": 2.5}, "must be a whole number"),
        ({"batch": True}, "must be a whole number"),
        ({"betas": 3}, "betas = 3: must be two numbers, such as"),
        ({"betas": [0.9]}, "must be two numbers"),
        ({"arguments": 3}, "arguments = 3: must be a table, such as {widths = "),
        ({"validation": "noise:sigma=3"}, "validation = 'noise:sigma=3': must be a list of texts, such as"),
        ({"seed": -1}, "seed = -1"),
        ({"clip": -1.0}, "clip = -1.0 must be 0 or more"),
        ({"learning_rate": float("inf")}, "learning_rate = inf must be above zero, and finite"),
        ({"kernel_rate": float("nan")}, "kernel_rate = nan must be above zero, and finite"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0 must be 0 or more"),
        ({"betas": [0.9, 1.5]}, "betas = .0.9, 1.5. must lie in 0 to 1"),
        ({"limit": -1}, "limit = -1 must be 1 or more"),
        ({"arguments": {"scale": "x"}}, "scale of .* = 'x': must be a whole number"),
        ({"arguments": {"scale": 0}}, "scale of .* = 0: must be a whole number"),
        ({"degradation": "downsample:scale=2 + noise:sigma=9"}, "reduces by 2, and the network enlarges by 1"),
        ({"arguments": {"scale": 2, "noise_level": True}}, "reduces by 1, and the network enlarges by 2"),
        ({"validation": ["noise:sigma=9 + downsample:scale=4"]}, "reduces by 4"),
        ({"prepare": "downsample:scale=16"}, "prepare = 'downsample:scale=16' reduces by 16; keep the size"),
        ({"degradation": "grain:sigma=9"}, "'grain:sigma=9' has noise 0 times"),
        ({"degradation": "camera:iso=1600 + jpeg:quality=90"}, "has noise 0 times"),  # which it is validated on
        ({"degradation": "noise:sigma=5 + noise:sigma=20"}, "has noise 2 times"),
        ({"clean": 0.2}, "clean = 0.2: a network with a noise level.*set clean = 0"),
        (
            {"overstated": 0.2, "arguments": {}},
            "overstated = 0.2: needs a network with a noise level.*set overstated = 0",
        ),
        ({"objective": "bce-dice"}, "bce-dice goes with outputs = 1; set both or neither"),
        ({"arguments": {"outputs": 1}, **DUST, "validation": ["dust"]}, "goes with outputs = 1"),
        ({"arguments": {"mask": True}}, "'noise:sigma=0..75 [+] quantize @ 0.3' damages no pixel"),
        ({"arguments": {"mask": True}, **DUST}, "'noise:sigma=15' damages no pixel"),
        ({"others": []}, "others_share = 0.35 with 0 others: give both or neither"),
        ({"others_share": 0}, "others_share = 0 with 6 others: give both or neither"),
        ({"others": ["downsample:scale=2"]}, "'downsample:scale=2' reduces by 2"),
        ({"name": "../x"}, "recipe name '../x': names a folder and a file"),
        ({"name": ""}, "recipe name ''"),
        ({"name": ".x"}, "recipe name '.x'"),
        ({"name": "a\nb"}, "recipe name"),
        ({"degradation": "grain:sigma=9", "others": ["grain:sigma=9"]}, "'grain:sigma=9' has noise 0 times"),
        ({"arguments": {"scale": 2, "noise_level": True}, **SMALLER}, "enlarges and takes a level"),
        ({"together": 0}, "together = 0 must be above zero"),
    ],
)
def test_wrong_values_are_refused(overrides, message):
    with pytest.raises(UsageError, match=message):
        load_recipe("denoise", **overrides)


def test_a_setting_goes_by_its_former_name_too_but_not_by_both():
    assert load_recipe("denoise", loss="mse").objective == "mse"
    with pytest.raises(UsageError, match="settings: loss is the former name of objective; give objective alone"):
        load_recipe("denoise", loss="mse", objective="l1")


def test_recipe_files(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(InputError, match="not a readable recipe"):
        load_recipe(str(path))
    for text in ("name = ", f"seed = {'9' * 5000}", f"others = {'[' * 5000}"):
        path.write_text(text)
        with pytest.raises(UsageError, match="not valid TOML"):
            load_recipe(str(path))
    path.write_text('name = "mine"\ntask = "denoise"')
    with pytest.raises(UsageError, match="summary, degradation, validation missing; add KEY = VALUE"):
        load_recipe(str(path))
    with pytest.raises(UsageError, match="did you mean 'denoise'"):
        load_recipe("denois")


DEEP = "[" * 100_000


@pytest.mark.parametrize("value", [DEEP, "9" * 5000, "{a=" * 50_000])
def test_toml_that_no_one_writes_is_one_line(value, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f"batch = {value}")
    with pytest.raises(UsageError, match="not valid TOML") as error:
        load_recipe(str(path))
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=r"batch = .*must be a whole number") as error:
        load_recipe("denoise", **parse_settings([f"batch={value}"]))
    assert len(str(error.value)) < 200


def test_fine_tuning_starts_at_a_quarter_of_the_rates_unless_one_is_given(tmp_path):
    def rates(name, **overrides):
        recipe = load_recipe(name, **overrides)
        return recipe.learning_rate, recipe.kernel_rate

    plain = rates("denoise")
    assert rates("denoise", start="denoise") == tuple(rate / 4 for rate in plain)
    assert rates("denoise", start="denoise", learning_rate=1e-3) == (1e-3, plain[1])
    assert rates("deblur", start="restore") == rates("deblur")  # which starts from a model in any case
    assert rates("denoise", start="") == plain
    path = tmp_path / "mine.toml"
    needed = (
        'name = "m"\ntask = "denoise"\nsummary = "s"\ndegradation = "blur:sigma=1"\nvalidation = ["blur:sigma=1"]\n'
    )
    path.write_text(needed)
    scratch = rates(str(path))
    path.write_text(f'{needed}start = "denoise"')
    assert rates(str(path)) == tuple(rate / 4 for rate in scratch)
    path.write_text(f'{needed}start = "denoise"\nlearning_rate = 0.001')
    assert rates(str(path)) == (0.001, scratch[1])
    recipe = load_recipe(str(path))
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_defaults_are_those_that_the_models_were_trained_with():
    recipe = Recipe("m", "deblur", "s", "blur:sigma=1", ("blur:sigma=1",))
    assert (recipe.optimizer, recipe.schedule, recipe.objective) == ("adamw", "cosine", "charbonnier")
    assert (recipe.learning_rate, recipe.kernel_rate, recipe.warmup) == (1.5e-3, 0.01, 0.02)
    assert (recipe.betas, recipe.epsilon, recipe.weight_decay) == ((0.9, 0.99), 1e-8, 0.0)
    assert (recipe.clip, recipe.ema) == (1.0, 0.999)


def test_every_key_is_explained():
    keys = recipe_keys()
    assert list(keys) == list(load_recipe("denoise").to_json())
    assert keys["clip"] == {
        "help": "Largest gradient norm; 0 does not clip.",
        "type": "float",
        "required": False,
        "default": 1.0,
    }
    assert [name for name, key in keys.items() if key["required"]] == [
        *["name", "task", "summary", "degradation", "validation"]
    ]
    assert all(key["help"].endswith(".") and "``" not in key["help"] for key in keys.values())


def test_a_recipe_is_read_without_torch():
    program = "import sys; sys.modules['torch'] = None; from resolvent.training.recipe_file import recipes; recipes()"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_type_of_a_key_has_words():
    assert set(get_type_hints(Recipe).values()) <= set(KINDS)

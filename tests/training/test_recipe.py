import pytest

from resolvent.errors import InputError, UsageError
from resolvent.networks import build
from resolvent.training.losses import LOSSES
from resolvent.training.recipe import LOSS_NAMES, Budget, Recipe, load_recipe, recipes


def test_bundled_recipes_load_and_their_networks_build():
    known = recipes()
    assert set(known) == {
        "seed", "denoise", "denoise-white", "deblur", "dejpeg", "restore", "upscale2", "upscale4", "scratches",
        "inpaint",
    }  # fmt: skip
    for name, recipe in known.items():
        assert recipe.name == name
        assert Recipe.from_json(recipe.to_json()) == recipe
    assert build(known["denoise"].network, **known["denoise"].arguments).head.in_channels == 4


def test_seed_keeps_the_papers_protocol():
    seed = load_recipe("seed")
    assert (seed.limit, seed.holdout, seed.resize, seed.batch, seed.loss) == (100, 0.1, 128, 32, "mse")
    assert (seed.learning_rate, seed.betas, seed.epsilon, seed.budget) == (1e-3, (0.9, 0.999), 1e-7, "500 epochs")
    assert seed.degradation == "blur:ksize=5|9|15|21 + quantize"


def test_every_named_loss_exists():
    assert tuple(LOSSES) == LOSS_NAMES


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


@pytest.mark.parametrize("text", ["", "30", "0m", "-3h", "3 days", "m"])
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
        ({"network": "unet-smal"}, "did you mean 'unet-small'"),
        ({"loss": "l3"}, "unknown loss"),
        ({"schedule": "linear"}, "unknown schedule"),
        ({"gray": 2}, "gray = 2"),
        ({"batch": 0}, "batch = 0"),
        ({"validation": ()}, "validation is empty"),
        ({"resize": 32, "patch": 64}, "resize = 32"),
        ({"budget": "soon"}, "budget 'soon'"),
        ({"degradation": "blurr:sigma=1"}, "did you mean 'blur'"),
        ({"batch": "many"}, "must be of type int"),
        ({"batch": 2.5}, "must be of type int"),
        ({"batch": True}, "must be of type int"),
        ({"betas": 3}, "betas = 3: must be of type"),
        ({"betas": [0.9]}, "must be of type"),
        ({"arguments": 3}, "arguments = 3: must be of type dict"),
        ({"validation": "noise:sigma=3"}, "validation = 'noise:sigma=3': must be of type"),
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
        ({"degradation": "noise:sigma=5 + noise:sigma=20"}, "has noise 2 times"),
        ({"clean": 0.2}, "clean = 0.2: is for a network that gets colors alone"),
        ({"overstated": 0.2, "arguments": {}}, "overstated = 0.2: is for a network with noise_level"),
        ({"loss": "bce-dice"}, "bce-dice goes with outputs = 1"),
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
        ({"arguments": {"scale": 2, "noise_level": True}, **SMALLER}, "told a level"),
        ({"together": 0}, "together = 0 must be above zero"),
    ],
)
def test_wrong_values_are_refused(overrides, message):
    with pytest.raises(UsageError, match=message):
        load_recipe("denoise", **overrides)


def test_recipe_files(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(InputError, match="not a readable recipe"):
        load_recipe(str(path))
    for text in ("name = ", f"seed = {'9' * 5000}", f"others = {'[' * 5000}"):
        path.write_text(text)
        with pytest.raises(UsageError, match="not valid TOML"):
            load_recipe(str(path))
    path.write_text('name = "mine"\ntask = "denoise"')
    with pytest.raises(UsageError, match="summary, degradation, validation must be given"):
        load_recipe(str(path))
    with pytest.raises(UsageError, match="did you mean 'denoise'"):
        load_recipe("denois")

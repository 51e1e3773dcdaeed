from ast import literal_eval
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.diagnosis import diagnose
from resolvent.diagnosis.choice import LEAST_GAIN, Decision, Prediction
from resolvent.engine import options, request
from resolvent.engine import plan as module
from resolvent.engine import restore as restoring
from resolvent.engine.options import make_request
from resolvent.engine.restore import plan
from resolvent.errors import InputError, UsageError
from resolvent.image import Image
from resolvent.inference.runtime import open_session
from resolvent.inference.tiles import margin
from resolvent.methods import METHODS
from resolvent.models.card import ModelCard
from resolvent.models.registry import bundled


def card(**values):
    known = {"name": "fake", "task": "denoise", "summary": "", "network": "unet-small", "arguments": {}}
    return ModelCard(
        **known | {"degradation": "noise:sigma=0..75", "noise_level": True, "sigma_range": (5.0, 50.0)} | values
    )


@pytest.fixture
def cards(monkeypatch):
    """Cards of models that need no file."""
    known = {
        "denoise": card(name="denoise"),
        "deblur": card(name="deblur", noise_level=False, sigma_range=None),
        "enlarge": card(name="enlarge", noise_level=False, sigma_range=None, scale=2),
    }
    for home in (options, request):
        monkeypatch.setattr(home, "read_card", known.__getitem__)

    def opened(name, runtime):
        """Diagnosis tries the bundled models, whatever their cards say here."""
        real = open_session(name) if name in bundled() else None
        return SimpleNamespace(card=known.get(name) or real.card, run=real and real.run)

    monkeypatch.setattr(restoring, "open_session", opened)
    return known


def scene(sigma, shape=(128, 160, 3)):
    """A soft scene with noise."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    clean = 0.5 + 0.2 * np.sin(rows / 17) * np.cos(columns / 23)
    noise = np.random.default_rng(0).standard_normal(shape)
    return Image.from_array(np.rint(255 * np.clip(clean[..., None] + sigma / 255 * noise, 0, 1)).astype(np.uint8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 1.5}, r"strength 1\.5: must be from 0"),
        ({"strength": float("nan")}, "strength nan: must be from 0"),
        ({"tile": 8}, "tile 8: must be 16 pixels or more"),
        ({"memory": "lots"}, "memory 'lots': must be a number of bytes"),
        ({"runtime": "onxruntime"}, "unknown runtime 'onxruntime': did you mean 'onnxruntime'"),
        ({"model": "denoise", "sigma": 51}, "sigma 51: model 'denoise' is for 5 to 50 gray levels"),
        ({"model": "denoise", "sigma": float("nan")}, "sigma nan: model 'denoise' is for 5 to 50"),
        ({"model": "deblur", "sigma": 25}, "sigma 25: model 'deblur' takes no noise level"),
        ({"sigma": 25}, "sigma 25: is the noise level for a model"),
        ({"model": "enlarge", "strength": 0.5}, "strength 0.5: model 'enlarge' enlarges"),
        ({"degradation": "blur:sigma=2"}, "degradation 'blur:sigma=2': is what a method inverts"),
        ({"method": "wiener"}, "method 'wiener': needs the degradation that it inverts"),
        ({"method": "weiner", "degradation": "blur:sigma=2"}, "unknown method 'weiner': did you mean 'wiener'"),
        ({"method": "wiener", "degradation": "jpeg:quality=20"}, "wiener cannot undo jpeg"),
        ({"method": "wiener", "degradation": "blurr:sigma=20"}, "unknown degradation 'blurr'"),
        ({"method": "wiener", "model": "denoise"}, "model 'denoise' and method 'wiener': give one"),
    ],
)
def test_wrong_options_are_refused_before_any_work(cards, options, message):
    with pytest.raises(UsageError, match=message):
        make_request(**options)


def test_unknown_and_missing_models():
    with pytest.raises(UsageError, match="unknown model 'denoize'"):
        make_request(model="denoize")
    with pytest.raises(InputError, match="no such model file"):
        make_request(model=Path("nowhere.onnx"))


def test_degradation_may_be_text_or_data():
    text = "blur:sigma=2 + noise:sigma=2"
    assert (
        make_request(method="wiener", degradation=text).degradation
        == make_request(method="wiener", degradation=parse(text)).degradation
    )


def expect(monkeypatch, gain, strength=1.0):
    """Let the denoiser be expected to gain so many dB, whatever the image."""
    candidate = ("denoise", strength)
    decision = Decision(
        candidate if gain > LEAST_GAIN else None, {candidate: Prediction(gain, 0.0)}, False, frozenset()
    )
    monkeypatch.setattr("resolvent.diagnosis.load_chooser", lambda: None)
    monkeypatch.setattr("resolvent.diagnosis.decide", lambda *_, **__: decision)


def test_noise_is_diagnosed_and_the_model_told(cards, monkeypatch):
    expect(monkeypatch, 5.0)
    found = plan(scene(sigma=20))
    assert found.model == "denoise"
    assert found.sigma == pytest.approx(20, rel=0.15)
    assert found.reasons == diagnose(scene(sigma=20)).reasons
    assert not found.unchanged


def test_what_is_not_certain_is_blended(cards, monkeypatch):
    expect(monkeypatch, 5.0, strength=0.5)
    assert plan(scene(20)).strength == 0.5
    assert plan(scene(20), strength=0.6).strength == pytest.approx(0.3)
    assert plan(scene(20), model="denoise", strength=0.6).strength == 0.6


def test_nothing_to_fix(cards, monkeypatch):
    expect(monkeypatch, 0.1)
    rng = np.random.default_rng(0)
    tiles = np.kron(rng.integers(40, 216, (16, 16, 1)), np.ones((8, 8, 3))).astype(np.uint8)
    image = Image.from_array(tiles)
    found = plan(image)
    assert found.unchanged
    assert found.model is None
    assert found.reasons == diagnose(image).reasons


@pytest.mark.parametrize(("noise", "sigma"), [(20, 20), (1, 5), (90, 50)])
def test_noise_level_is_measured_and_kept_to_what_the_model_knows(cards, noise, sigma):
    found = plan(scene(noise), model="denoise")
    assert found.sigma == pytest.approx(sigma, rel=0.15)
    assert found.reasons[0] == "model 'denoise', as asked"
    assert "as measured" in found.reasons[1]


def test_asked_noise_level_and_model_without_one(cards):
    assert plan(scene(20), model="denoise", sigma=33).sigma == 33
    assert plan(scene(20), model="deblur").sigma is None


def test_strength_zero_and_a_method_need_no_diagnosis(monkeypatch):
    monkeypatch.delattr(module, "diagnose")
    assert plan(scene(20), strength=0).unchanged
    assert not plan(scene(20), method="nlm", degradation="noise:sigma=20").unchanged


def test_scale_names_a_model_that_enlarges_so_much(cards, monkeypatch):
    monkeypatch.setattr(request, "bundled", lambda: cards)
    expect(monkeypatch, 0.0)
    assert plan(scene(0), scale=2).model == "enlarge"
    assert plan(scene(0), scale=2, model="enlarge").model == "enlarge"
    with pytest.raises(UsageError, match="scale 3: the bundled models enlarge by 2"):
        make_request(scale=3)
    with pytest.raises(UsageError, match="scale 2: not what model 'denoise' does"):
        make_request(scale=2, model="denoise")


def test_of_two_models_of_one_scale_the_first_listed_enlarges(cards, monkeypatch):
    """The bundled ones are listed first."""
    cards["a"] = replace(cards["enlarge"], name="a")
    monkeypatch.setattr(request, "bundled", lambda: cards)
    assert make_request(scale=2).named() == "enlarge"
    monkeypatch.setattr(request, "bundled", lambda: dict(sorted(cards.items())))
    assert make_request(scale=2).named() == "a"


def test_enlarging_restores_first_what_is_wrong(cards, monkeypatch):
    monkeypatch.setattr(request, "bundled", lambda: cards)
    expect(monkeypatch, 5.0)
    image = scene(20)
    found = plan(image, scale=2)
    assert (found.model, found.first.model) == ("enlarge", "denoise")
    assert found.first.request.scale is None
    assert found.reasons == (*diagnose(image).reasons, "enlarged by model 'enlarge', after restoring by 'denoise'")
    assert found.tiles == 2 * found.first.tiles
    assert plan(image, scale=2, model="enlarge").first is None
    expect(monkeypatch, 0.1)
    found = plan(image, scale=2)
    assert (found.model, found.first) == ("enlarge", None)
    assert found.reasons[-1] == "enlarged by model 'enlarge'"


def test_tile_keeps_to_the_memory(cards):
    image = Image.from_array(np.zeros((1000, 2000), np.uint8))
    found = plan(image, model="deblur", memory="200M")
    side = found.tile + 2 * margin(64, 8)
    assert side**2 * cards["deblur"].memory <= 200 * 2**20 < (side + 8) ** 2 * cards["deblur"].memory
    assert found.tiles == 2 * 3
    assert plan(image, model="deblur", memory="200M", tile=64).tile == 64
    assert plan(image, model="deblur", memory="200M", tile=4096).tile == found.tile
    assert plan(image, model="deblur", tile=4096).tile == 4096


def test_memory_for_no_tile(cards, monkeypatch):
    image = Image.from_array(np.zeros((1000, 2000), np.uint8))
    with pytest.raises(UsageError, match="memory 1M: is too little for one tile; give 8M or more"):
        plan(image, model="deblur", memory="1M")
    assert plan(image, model="deblur", memory="8M").tile == 16
    monkeypatch.setattr(module, "tile_memory", lambda: 0)
    assert plan(image, model="deblur").tile == 16


def test_an_image_too_large_for_a_method_is_refused_before_any_work(monkeypatch):
    image = Image.from_array(np.zeros((1000, 2000), np.uint8))
    told = {"method": "dip", "degradation": "downsample:scale=2"}
    needed = METHODS["dip"].memory * 2000 * 4000
    monkeypatch.setattr(module, "available_memory", lambda: needed - 1)
    size = f"dip takes about {needed / 2**30:.1f} GiB for 4000x2000 pixels"
    with pytest.raises(
        InputError, match=f"the image: {size}, more than the {needed / 2**30:.1f} GiB there are; restore a part"
    ):
        plan(image, **told)
    with pytest.raises(InputError, match=r"more than the 1\.0 GiB there are"):
        plan(image, memory="1G", **told)
    monkeypatch.setattr(module, "available_memory", lambda: needed)
    assert not plan(image, **told).unchanged
    monkeypatch.setattr(module, "available_memory", lambda: 0)
    assert not plan(image, memory=needed, **told).unchanged


@pytest.mark.parametrize("options", [{"method": "nlm", "degradation": "noise:sigma=5"}, {"model": "denoise"}, {}])
def test_a_budget_is_for_iterative_methods(options):
    with pytest.raises(UsageError, match="budget 5: is for an iterative method"):
        make_request(budget=5, **options)
    with pytest.raises(UsageError, match="must be above 0 seconds"):
        make_request(budget=0, method="red", degradation="noise:sigma=5")


def test_a_preview_is_a_new_png_of_an_iterative_method(tmp_path):
    stepwise = {"method": "red", "degradation": "noise:sigma=5"}
    with pytest.raises(UsageError, match=r"a\.png: is for an iterative method"):
        make_request(preview=tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"a\.jpg: is a PNG"):
        make_request(preview=tmp_path / "a.jpg", **stepwise)
    (tmp_path / "a.png").touch()
    request = make_request(preview=tmp_path / "a.png", method="red", degradation="blur:sigma=1")
    with pytest.raises(UsageError, match=r"a\.png: exists"):
        request.check_written()
    request.check_written(overwrite=True)


def test_an_enlarging_method_has_nothing_to_blend_with():
    with pytest.raises(UsageError, match=r"strength 0\.5: self-similarity enlarges here"):
        make_request(method="self-similarity", degradation="downsample:scale=2", strength=0.5)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_proposes_it_does_not_refuse(name):
    with pytest.raises(UsageError, match="needs the degradation that it inverts") as refused:
        make_request(method=name)
    example = str(refused.value).rpartition("(--degradation) ")[2]
    assert make_request(method=name, degradation=literal_eval(example)).method == name

import json
import re

import numpy as np
import pytest

from resolvent import methods
from resolvent.degradations import degrade, parse
from resolvent.engine.restore import restore
from resolvent.errors import InputError, MissingDependencyError, UsageError
from resolvent.evaluation.compare import Trial, compare, trained_for
from resolvent.image import Image, write_image
from resolvent.provenance import provenance
from resolvent.report.compare_page import _places, compare_page

NOISE = parse("noise:sigma=20")


def photograph(side=48):
    rows, columns = np.mgrid[:side, :side] / side
    waves = [0.5 + 0.3 * np.sin(9 * rows + (4 + c) * columns) for c in range(3)]
    return Image.from_array((255 * np.stack(waves, -1)).astype(np.uint8))


def test_every_method_that_is_named_is_tried():
    truth = photograph()
    names = []
    trials = compare(
        degrade(truth, NOISE), NOISE, ["nlm", "tv"], truth=truth, progress=lambda name, share: names.append(name)
    )
    assert [trial.method for trial in trials] == ["nlm", "tv"] == names
    for trial in trials:
        assert trial.score.psnr > 24
        assert trial.residual == pytest.approx(20, rel=0.35)
        assert trial.seconds > 0


@pytest.mark.parametrize(
    ("degradation", "names"),
    [
        ("noise:sigma=20", ["denoise", "denoise-white", "restore"]),
        ("noise:sigma=60", ["denoise", "denoise-white"]),
        ("noise:sigma=90", []),
        ("blur:sigma=2 + noise:sigma=2", ["deblur", "restore"]),
        ("blur:sigma=2 + jpeg:quality=60", ["restore"]),
        ("camera:iso=1600 + jpeg:quality=90", ["denoise", "restore"]),
        ("camera:iso=1e6", []),
        ("quantize", ["deblur", "denoise", "denoise-white", "restore"]),
        ("downsample:scale=2", ["upscale2"]),
        ("downsample:scale=3", []),
        ("mask:keep=0.5,seed=0", []),
    ],
)
def test_models_that_were_trained_for_it(degradation, names):
    assert trained_for(parse(degradation)) == names


def test_models_stand_beside_the_methods():
    truth = photograph(64)
    trials = compare(degrade(truth, NOISE), NOISE, ["denoise", "tv"], truth=truth)
    assert [trial.method for trial in trials] == ["denoise", "tv"]
    assert trials[0].score.psnr > trials[1].score.psnr > 24


def test_one_that_fails_says_why_and_does_not_stop_the_others(monkeypatch):
    load = methods.load

    def broken(name):
        if name == "nlm":
            raise InputError("no more pixels")
        return load(name)

    monkeypatch.setattr(methods, "load", broken)
    failed, worked = compare(photograph(), NOISE, ["nlm", "tv"])
    assert failed.restored is None
    assert "no more pixels" in failed.remark
    assert worked.restored is not None


def test_a_method_that_the_budget_cuts_off_says_so():
    truth = photograph()
    finished, cut = compare(degrade(truth, NOISE), NOISE, ["nlm", "dip-fast"], budget=0.5)
    assert finished.remark == ""
    assert re.fullmatch(r"cut off by the budget after \d+ of 3000 steps", cut.remark)
    assert cut.remark in compare_page("photo.png", truth, NOISE, [finished, cut], provenance())


def test_the_page_holds_everything(tmp_path):
    truth = photograph(80)
    trials = compare(degrade(truth, NOISE), NOISE, ["nlm", "wavelet"], truth=truth)
    html = compare_page("photo.png", degrade(truth, NOISE), NOISE, trials, provenance(), truth)
    assert html.count('type="range"') == 2
    assert html.index("wavelet") > 0
    for trial in trials:
        assert f"{trial.score.psnr:.2f}" in html
    assert html.index("<table>") < html.index("<fieldset>") < html.index("<figure>")
    assert "http" not in html.partition("<footer>")[0].replace("http-equiv", "")


def test_a_model_says_how_far_to_trust_it_and_a_method_does_not():
    truth = photograph(64)
    noisy = degrade(truth, NOISE)
    denoise, tv = compare(noisy, NOISE, ["denoise", "tv"], truth=truth)
    assert denoise.uncertainty.half_width.shape == (64, 64)
    assert tv.uncertainty is None
    html = compare_page("photo.png", noisy, NOISE, [denoise, tv], provenance(), truth)
    assert html.count("no map of errors") == 1 + 1  # whole, and the place that is enlarged
    assert html.count('<img class="layer uncertainty"') == 1 + 1
    assert html.count('<img class="layer change"') == 2 + 2
    assert re.search(r"map: ±\d+(\.\d)? at the median; (over )?\d+ % within it<", html)
    unknown = compare_page("photo.png", noisy, NOISE, [denoise, tv], provenance())
    assert re.search(r"map: ±\d+(\.\d)? at the median<", unknown)


def test_the_table_of_the_page_has_a_residual_and_no_seconds_of_what_has_no_result():
    truth = photograph(32)
    trials = [Trial("tv", truth.pixels, 1.25, 3.0), Trial("bm3d", None, 0.0, remark="left out: why")]
    html = compare_page("photo.png", truth, NOISE, trials, provenance())
    assert '<th scope="col">seconds</th><th scope="col">residual, gray levels</th>' in html
    assert '<th scope="row">tv</th><td>1.2</td><td>3.00</td>' in html
    assert '<th scope="row">bm3d</th><td></td><td></td><td class="words">left out: why</td>' in html


def test_places_of_most_detail():
    pixels = np.zeros((192, 128, 1))
    pixels[64:128, 64:128] = np.random.default_rng(0).random((64, 64, 1))
    assert _places(pixels)[0] == (64, 64)
    assert len(set(_places(pixels))) == 3


def test_wrong_calls():
    image = photograph(16)
    with pytest.raises(
        UsageError, match="no method can undo it, and no bundled model was trained for it; name a model"
    ):
        compare(image, parse("saltpepper:amount=0.1"))
    with pytest.raises(UsageError, match="truth of 48x48 pixels: must be 1 times 16x16"):
        compare(image, NOISE, ["nlm"], truth=photograph())
    with pytest.raises(UsageError, match="unknown method"):
        compare(image, NOISE, ["nml"])
    with pytest.raises(UsageError, match="model 'upscale2': enlarges by 2, and noise:sigma=20 is undone by 1"):
        compare(image, NOISE, ["nlm", "upscale2"])


def without(*packages):
    """``importlib.util.find_spec`` where these packages are not installed."""
    return lambda name: None if name in packages else name


def test_methods_whose_packages_are_missing_are_left_out_and_said(monkeypatch, run, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", without("skimage", "torch"))
    monkeypatch.setattr(
        "resolvent.evaluation.compare._try",
        lambda image, degradation, model, name, *rest: Trial(name, image.pixels, 1.0),
    )
    trials = {trial.method: trial for trial in compare(photograph(), NOISE)}
    assert [name for name, trial in trials.items() if trial.restored is not None] == trained_for(NOISE)
    assert trials["tv"].remark.endswith(
        "needs scikit-image, which is not installed; run: pip install 'resolvent[methods]'"
    )
    assert trials["dip"].remark.endswith("needs torch, which is not installed; run: pip install 'resolvent[lab]'")
    path = tmp_path / "a.png"
    write_image(photograph(), path)
    code, _, err = run("compare", path, "--degradation", str(NOISE), "-o", tmp_path / "a.html")
    assert code == 0
    assert "tv: left out: the method 'tv' needs scikit-image" in err


@pytest.mark.parametrize(
    ("method", "degradation", "package", "extra"),
    [
        ("wavelet", "noise:sigma=5", "PyWavelets", "methods"),
        ("nlm", "noise:sigma=5", "scikit-image", "methods"),
        ("csc", "noise:sigma=5", "torch", "lab"),
    ],
)
def test_a_named_method_whose_package_is_missing_is_refused_before_any_work(
    monkeypatch, run, tmp_path, method, degradation, package, extra
):
    monkeypatch.setattr("importlib.util.find_spec", without({"wavelet": "pywt", "nlm": "skimage"}.get(method, "torch")))
    message = f"the method {method!r} needs {package}, which is not installed; run: pip install 'resolvent[{extra}]'"
    for call in (
        lambda: methods.load(method),
        lambda: compare(photograph(), parse(degradation), [method]),
        lambda: restore(photograph(), method=method, degradation=degradation),
    ):
        with pytest.raises(MissingDependencyError, match=re.escape(message)):
            call()
    path = tmp_path / "a.png"
    write_image(photograph(), path)
    for arguments in (("restore", "--method", method), ("compare", "--methods", method)):
        code, _, err = run(arguments[0], path, *arguments[1:], "--degradation", degradation)
        assert (code, err) == (2, f"resolvent: {message}\n")
    assert json.loads(run("methods", method, "--json")[1])[method]["missing"] == message
    assert message in run("methods")[2].replace("\n", " ")

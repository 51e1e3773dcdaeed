import io
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from PIL.JpegImagePlugin import get_sampling

from resolvent.degradations import parse
from resolvent.diagnosis.choice import LEAST_GAIN, decide, load_chooser
from resolvent.evaluation.choice import (
    CANDIDATES,
    FIT,
    NOTHING,
    Case,
    as_file,
    drawing,
    foundations,
    kinds,
    learn,
    make_case,
    make_cases,
)

RNG = np.random.default_rng(3)
PHOTO = drawing(64, 5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_that_comes_last_is_a_file(channels):
    image, file, _ = as_file(PHOTO[..., :channels], parse("blur:sigma=1 + jpeg:quality=37 + quantize"), RNG)
    with PIL.Image.open(io.BytesIO(file)) as picture:
        assert picture.format == "JPEG"
        np.testing.assert_array_equal(np.asarray(picture).reshape(image.data.shape), image.data)


@pytest.mark.parametrize(("subsampling", "code"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_the_file_has_the_subsampling_that_was_drawn(subsampling, code):
    drawn = parse(f"jpeg:quality=95,subsampling={subsampling}|{subsampling}").sample(RNG)
    image, file, _ = as_file(PHOTO, drawn, RNG)
    with PIL.Image.open(io.BytesIO(file)) as picture:
        assert get_sampling(picture) == code
    np.testing.assert_allclose(image.pixels, drawn(PHOTO), atol=1e-6)


def test_a_jpeg_may_have_been_converted():
    degradation = parse("jpeg:quality=30")
    image, file, _ = as_file(PHOTO, degradation, np.random.default_rng(0), hidden=1.0)
    assert file is None
    np.testing.assert_allclose(image.pixels, degradation(PHOTO, np.random.default_rng(0)), atol=1e-6)


@pytest.mark.parametrize("text", ["none", "jpeg:quality=37 + noise:sigma=3", "jpeg:quality=37,top=3"])
def test_anything_else_is_rounded(text):
    image, file, _ = as_file(PHOTO, parse(text), np.random.default_rng(1))
    assert file is None
    assert image.data.dtype == np.uint8
    expected = parse(f"{text} + quantize")(PHOTO, np.random.default_rng(1))
    np.testing.assert_array_equal(image.data, np.rint(expected * 255))


def test_a_case_holds_what_every_choice_reaches():
    from skimage.data import astronaut

    case = make_case("a", astronaut()[:256:2, 100:356:2].astype(np.float32) / 255, "noise", 1)
    assert list(case.psnr) == [NOTHING, *CANDIDATES]
    sigma = float(case.drawn.partition("=")[2])
    assert 10 < sigma < 50
    assert case.psnr[NOTHING] == pytest.approx(20 * np.log10(255 / sigma), abs=1.5)
    assert case.psnr["denoise", 1.0] > case.psnr[NOTHING] + 3
    assert case.psnr["restore", 1.0] > case.psnr["restore", 0.5] > case.psnr[NOTHING]
    assert case.features is not None


def test_cases_come_in_order_and_obey_their_seeds():
    sources = [(str(i), lambda: PHOTO, "jpeg", 7 + i % 2) for i in range(3)]
    progress = []
    cases = list(make_cases(sources, lambda done, total: progress.append((done, total))))
    assert [case.image for case in cases] == ["0", "1", "2"]
    assert cases[0].psnr == cases[2].psnr != cases[1].psnr
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_clean_cases_lose_by_every_model():
    scores = make_case("a", PHOTO, "clean", 0).psnr
    assert scores[NOTHING] == 60 == max(scores.values())


def test_a_camera_is_compared_with_what_it_makes_without_noise():
    """Its own softness is not to be undone, that of a blur is."""
    rest = "lens=0.5,red=2,blue=1.7,sensor=1,tone=0.5,malvar=0,denoise=0,chroma=0,sharpen=0,soft=0"
    rng = np.random.default_rng(0)
    rng.random()  # whether the file is hidden
    made = parse(f"camera:iso=0.001,read=0,{rest}")(PHOTO, rng)
    assert np.abs(made - PHOTO).mean() > 0.005
    noisy = parse(f"blur:sigma=2 + camera:iso=3200,read=1,{rest} + jpeg:quality=90")
    np.testing.assert_allclose(as_file(PHOTO, noisy, np.random.default_rng(0))[2], made, atol=1e-3)
    np.testing.assert_array_equal(as_file(PHOTO, parse("blur:sigma=2"), RNG)[2], PHOTO)


def test_what_was_restored_counts_as_done():
    scores = make_case("a", PHOTO, "restored", 0).psnr
    assert all(scores[name] <= scores[NOTHING] - 0.3 for name in CANDIDATES)


def test_kinds_follow_the_model_for_mixtures():
    assert {part.name for part in parse(kinds()["mixture"]).parts} >= {"blur", "noise", "jpeg"}


def test_drawings_are_sharp_and_obey_their_seed():
    assert drawing(48, 1).shape == (48, 48, 3)
    assert np.array_equal(drawing(48, 1), drawing(48, 1))
    assert not np.array_equal(drawing(48, 1), drawing(48, 2))
    assert np.abs(np.diff(drawing(96, 1), axis=1)).max() > 0.2


def test_the_bundled_choice_was_learned_with_what_it_rests_on():
    """If this fails, the noise estimate or `restore` has changed: benchmarks/choice.py --learn."""
    assert load_chooser().about["with"] == foundations()


def test_learning_finds_what_decides():
    """Each model gains what one feature says; the other features are noise."""
    rng = np.random.default_rng(0)

    def case():
        seen = rng.standard_normal(20).astype(np.float32)
        scores = {NOTHING: 30.0} | {name: 30 + 2 * float(seen[i]) for i, name in enumerate(CANDIDATES)}
        return Case("", "", "", seen, 2.0, False, 0.0, None, None, scores)

    cases = [case() for _ in range(600)]
    chooser = learn(cases, about={"cases": 600}, settings=replace(FIT, steps=300))
    held = [case() for _ in range(300)]
    chosen = [case.psnr[decide(chooser, case.features, case.sigma).candidate or NOTHING] for case in held]
    lost = [max(case.psnr.values()) - psnr for case, psnr in zip(held, chosen, strict=True)]
    assert np.mean(lost) < 0.1 + LEAST_GAIN
    assert min(chosen) > 30 - LEAST_GAIN
    assert np.mean([max(case.psnr.values()) - case.psnr[NOTHING] for case in held]) > 1.5
    assert chooser.about == {"cases": 600}

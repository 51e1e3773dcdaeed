"""Degradations as text, as chains, and with a chance."""

import numpy as np
import pytest
import torch

from resolvent.degradations import (
    Choice,
    Compose,
    Downsample,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    Kernel,
    Mask,
    Range,
    parse,
)
from resolvent.errors import UsageError


class TestText:
    @pytest.mark.parametrize(
        ("text", "degradation", "canonical"),
        [
            ("blur:sigma=1.60", GaussianBlur(1.6), "blur:sigma=1.6"),
            ("blur:ksize=15,sigma=0", GaussianBlur(ksize=15), "blur:ksize=15"),
            ("  noise: sigma = 25.0 ", GaussianNoise(25), "noise:sigma=25"),
            ("noise:sigma=0..75", GaussianNoise(Range(0, 75)), "noise:sigma=0..75"),
            ("blur:ksize=5|9", GaussianBlur(ksize=Choice((5, 9))), "blur:ksize=5|9"),
            ("jpeg:quality=40,subsampling=4:2:0", Jpeg(40), "jpeg:quality=40"),
            (
                "jpeg:quality=75..100,subsampling=4:2:0 | 4:4:4",
                Jpeg(Range(75, 100), Choice(("4:2:0", "4:4:4"))),
                "jpeg:quality=75..100,subsampling=4:2:0|4:4:4",
            ),
            ("mask:path=C:\\a.png", Mask("C:\\a.png"), "mask:path=C:\\a.png"),
            ('kernel:path="a + b, c.npy"', Kernel("a + b, c.npy"), 'kernel:path="a + b, c.npy"'),
            ("blur:sigma=1+noise:sigma=2", GaussianBlur(1) + GaussianNoise(2), "blur:sigma=1 + noise:sigma=2"),
        ],
    )
    def test_forms(self, text, degradation, canonical):
        assert parse(text) == degradation
        assert str(degradation) == canonical

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nois:sigma=3", "unknown degradation 'nois': did you mean 'noise'?"),
            ("", "unknown degradation ''"),
            ("noise:sigma=1 +", "unknown degradation ''"),
            ("noise:sgma=3", "unknown parameter of noise 'sgma': did you mean 'sigma'?"),
            ("noise", "'noise': sigma is missing; give sigma=, a number from 0 to 255 gray levels"),
            ("noise:sigma", "'noise:sigma': sigma must be given once, as sigma=value"),
            ("noise:sigma=1,sigma=2", "sigma must be given once"),
            ("noise:sigma=300", "sigma of noise = 300: must be a number from 0 to 255 gray levels"),
            ("noise:sigma=0..300", "sigma of noise = 300: must be"),
            ("noise:sigma=nan", "sigma of noise = nan: must be"),
            ("noise:sigma=much", "sigma of noise = 'much': must be"),
            ("noise:sigma=1..2..3", "sigma of noise = '1..2..3': must be"),
            ("noise:sigma=5..1", "range 5..1: low must be below high"),
            ("defocus:radius=0", "radius of defocus = 0: must be a number above 0, up to 100 pixels"),
            ("jpeg:quality=40.5", "quality of jpeg = 40.5: must be a whole number from 1 to 100"),
            ("jpeg:quality=40,subsampling=4:1:0", "unknown subsampling of jpeg '4:1:0': did you mean '4:2:0'?"),
            ("jpeg:quality=40,subsampling=4:2:0|4:4:0", "unknown subsampling of jpeg '4:4:0'"),
            ("jpeg:quality=40,subsampling=4:2:0..4:4:4", "unknown subsampling of jpeg '4:2:0..4:4:4'"),
            (
                "downsample:scale=2,kernel=area|none",
                "kernel of downsample = area|none: must be one of bicubic, lanczos2",
            ),
            ("downsample:scale=2|3", "scale of downsample = 2|3: must be one number"),
            ("blur", "blur: has no width; give sigma above 0 pixels, or an odd ksize"),
            ("blur:sigma=0..4", "has no width"),
            ("blur:ksize=4", "blur:ksize=4: ksize must be odd"),
            ("blur:ksize=3..9", "name the sizes"),
            ("mask", "mask: give one of path=, array= and keep="),
            ("mask:path=m.png,keep=0.5", "give one of"),
            ("kernel", "kernel: give either path= or array="),
            ("kernel:array=5x5", "in a text give a file, as path="),
            ('kernel:path="k.npy', "close the quotes"),
        ],
    )
    def test_errors_say_what_is_wrong(self, text, message):
        with pytest.raises(UsageError) as caught:
            parse(text)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_one_choice_is_none(self):
        with pytest.raises(UsageError, match="two values or more"):
            Choice((3,))


class TestChain:
    def test_is_flat(self):
        a, b, c = GaussianBlur(1), GaussianNoise(2), Jpeg(50)
        assert (a + b) + c == a + (b + c) == Compose((a, b, c))
        assert (a + b + c).parts == (a, b, c)
        with pytest.raises(UsageError, match="two degradations or more"):
            Compose((a,))

    def test_applies_in_order(self, image):
        first, second = GaussianBlur(2), Downsample(2)
        assert np.array_equal((first + second)(image), second(first(image)))

    def test_linear_and_random_hold_for_the_whole(self):
        assert parse("blur:sigma=1 + mask:keep=0.5,seed=1").linear
        assert not parse("blur:sigma=1 + noise:sigma=1").linear
        assert parse("blur:sigma=1 + noise:sigma=1").random
        assert not parse("blur:sigma=1 + jpeg:quality=50").random

    def test_names_the_numbers_of_each_part(self):
        chain = parse("noise:sigma=0..9 + jpeg:quality=30..90 + noise:sigma=2")
        _, numbers = chain.apply_batch(torch.full((4, 1, 8, 8), 0.5), torch.Generator().manual_seed(0))
        assert list(numbers) == [
            "noise.sigma",
            *("jpeg.quality", "jpeg.subsampling", "jpeg.top", "jpeg.left"),
            "noise2.sigma",
        ]
        assert numbers["noise2.sigma"].tolist() == [2, 2, 2, 2]
        assert all(30 <= quality <= 90 and quality % 1 == 0 for quality in numbers["jpeg.quality"].tolist())

    @pytest.mark.parametrize(
        ("text", "linear", "rest"),
        [
            (
                "blur:sigma=1 + mask:keep=0.5,seed=1 + noise:sigma=1",
                "blur:sigma=1 + mask:keep=0.5,seed=1",
                "noise:sigma=1",
            ),
            ("blur:sigma=1", "blur:sigma=1", "None"),
            ("noise:sigma=1 + blur:sigma=1", "None", "noise:sigma=1 + blur:sigma=1"),
        ],
    )
    def test_split(self, text, linear, rest):
        assert [str(part) for part in parse(text).split()] == [linear, rest]


def test_rescale_keeps_what_the_smaller_picture_can_hold():
    rows = np.arange(64)[:, None, None]
    slow, fast = (np.broadcast_to(0.5 + 0.4 * np.cos(np.pi * f * (rows + 0.5)), (64, 48, 1)) for f in (1 / 16, 1 / 2))
    half = parse("rescale:factor=0.5")
    assert np.abs(half(slow) - slow).max() < 0.01
    assert half(fast).std() < 0.2 * fast.std()
    np.testing.assert_allclose(parse("rescale:factor=1")(slow), slow, atol=1e-6)


def test_what_stays_away_leaves_the_chain():
    chain = parse("blur:sigma=1 @ 0.5 + noise:sigma=5 @ 0.5")
    drawn = {str(chain.sample(np.random.default_rng(seed))) for seed in range(30)}
    assert drawn == {"none", "blur:sigma=1", "noise:sigma=5", "blur:sigma=1 + noise:sigma=5"}
    image = np.random.default_rng(0).random((5, 6, 3), np.float32)
    np.testing.assert_array_equal(parse("none")(image), image)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jpeg:quality=40 @ 1.5", "chance = 1.5: must be a number above 0, up to 1"),
        ("jpeg:quality=40 @ 1", "its own chance, below 1"),
        ("jpeg:quality=40 @ often", "chance = 'often': must be"),
        ("jpeg:quality=40 @ 0.5 @ 0.5", "has 2 chances; give one"),
    ],
)
def test_chances_that_are_wrong(text, message):
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_chance_of_another_size_is_refused():
    with pytest.raises(UsageError, match="changes the size"):
        parse("downsample:scale=2 @ 0.5").on_tensor(torch.zeros(4, 3, 8, 8), torch.Generator().manual_seed(0))

"""What every degradation keeps to, as functions of one degradation: ``CHECKS``.

They run on the examples of every class in DEGRADATIONS, and on harder cases, ``MORE``; a new class adds nothing here.
"""

import dataclasses
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resolvent.degradations import DEGRADATIONS, Choice, Compose, Kernel, Mask, RandomApply, Range, parse
from resolvent.errors import UsageError
from resolvent.parameters import FixedArray, Number, Text, Word
from tests.contracts.operators import DEVICE, OPERATOR_CHECKS, OWN, generator, rng

RNG = np.random.default_rng(7)
CAMERA = "iso=12800,read=1,lens=0.4,red=2,blue=1.7,sensor=1.4,tone=0.3,malvar=1,denoise=1,chroma=3,sharpen=0.3,soft=0.4"
MORE = [
    parse(text)
    for text in (
        "blur:sigma=0.1",
        "blur:ksize=7",
        "blur:ksize=15,boundary=circular",
        "blur:sigma=20",
        "blur:sigma=0.1..3",
        "blur:ksize=1|5|9|15",
        "blur:sigma=0|1.5,ksize=3|7|21",
        "motion:length=6,angle=-80,boundary=circular",
        "downsample:scale=4,boundary=circular",
        "mask:keep=0.2..0.9,seed=1",
        "quantize:bits=3",
        "jpeg:quality=75,subsampling=4:2:2",
        "jpeg:quality=40,top=3,left=6",
        "jpeg:quality=20|50|90,subsampling=4:4:4",
        "jpeg:quality=75..100,subsampling=4:2:0|4:2:2|4:4:4,top=0..3",
        f"camera:{CAMERA}",
        "blur:sigma=1 + downsample:scale=2 + noise:sigma=5 + jpeg:quality=80",
    )
] + [Kernel(array=RNG.random((4, 5))), Mask(array=RNG.random((31, 38)) < 0.7)]


LINEAR = [
    parse(text)
    for text in (
        "blur:sigma=0.7,boundary=circular",
        "blur:ksize=5,boundary=circular",
        "motion:length=4,angle=30,boundary=circular",
        "downsample:scale=2,boundary=circular",
        "downsample:scale=3,kernel=area,boundary=circular",
        "downsample:scale=3,kernel=none",
        "downsample:scale=3,kernel=lanczos2",
        "blur:ksize=31",
        "blur:sigma=0.7,boundary=circular + downsample:scale=3,kernel=none",
        "downsample:scale=2,kernel=area + blur:sigma=0.5,boundary=circular + downsample:scale=2,boundary=circular",
        "mask:keep=0.5,seed=1 + mask:keep=0.7,seed=2",
        "blur:sigma=0.6,boundary=circular + mask:keep=0.6,seed=2",
        "mask:keep=0.6,seed=2 + blur:sigma=0.6 + mask:keep=0.6,seed=3",
        "downsample:scale=2 + mask:keep=0.6,seed=2 + downsample:scale=3",
        "blur:sigma=0.6 + downsample:scale=2,boundary=circular + blur:sigma=0.4,boundary=circular",
    )
] + [
    Kernel(array=RNG.random((4, 5)), boundary="circular"),
    Kernel(array=RNG.random((15, 2)), boundary="circular"),
    Kernel(array=RNG.random((4, 5))),
    Mask(array=RNG.random((12, 12)) < 0.7),
]
"""For operators, beyond the examples."""

TOLERANCE = {"camera": 1e-4, "jpeg": 12 / 255}
"""Above that of float32: a camera amplifies errors in the dark; a tie in JPEG's rounding may fall the other way."""


def textured(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:31, :38]
    waves = [0.5 + 0.3 * np.sin(rows / (3 + c) + columns * (0.2 + 0.3 * c)) for c in range(channels)]
    return (np.stack(waves, -1) + 0.15 * rng.random((31, 38, channels))).astype(np.float32)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(DEVICE)


def to_image(tensor: torch.Tensor) -> np.ndarray:
    return tensor[0].cpu().numpy().transpose(1, 2, 0)


def tolerance(degradation) -> float:
    return max(TOLERANCE.get(part.name, 2e-6) for part in degradation.parts)


def fixed(degradation):
    """The degradation with one value for each parameter."""
    return degradation if not varies(degradation) else degradation.sample(rng())


def varies(degradation) -> bool:
    """Whether a parameter is a Range or a Choice."""
    values = [getattr(part, field.name) for part in degradation.parts for field in dataclasses.fields(part)]
    return any(isinstance(value, Range | Choice) for value in values)


def varied(degradation):
    """The degradation with a Range or a Choice for each parameter that may have one, and that is not at its zero."""
    for field in dataclasses.fields(degradation) if len(degradation.parts) == 1 else ():
        kind, value = field.metadata["kind"], getattr(degradation, field.name)
        with suppress(UsageError):  # where a rule of the class itself forbids it
            if isinstance(kind, Word) and kind.varies:
                degradation = dataclasses.replace(degradation, **{field.name: Choice(kind.words)})
            elif isinstance(kind, Number) and kind.varies and isinstance(value, float | int) and value > 0:
                wide = Choice((value, value // 2)) if kind.whole else Range(value / 2, value)
                degradation = dataclasses.replace(degradation, **{field.name: wide})
    return degradation


def both_routes_agree(degradation):
    degradation = fixed(degradation)
    for channels in (1, 3):
        image = textured(channels)
        one = degradation(image, rng(1))
        batch = degradation.on_tensor(to_tensor(image), generator())
        assert one.dtype == np.float32
        assert batch.dtype == torch.float32
        assert one.shape == to_image(batch).shape
        if not degradation.random:
            assert np.abs(one - to_image(batch)).max() <= tolerance(degradation)
            assert np.abs(one - to_image(batch)).mean() <= tolerance(degradation) / 50 + 1e-6


def random_routes_have_the_same_mean_and_variance(degradation):
    """Of 40 images each, compared by the spread from image to image, for pixels may depend on each other."""
    degradation, image = fixed(degradation), np.full((32, 32, 3), 0.4, np.float32)
    if not degradation.random:
        return
    images = [degradation(image, rng(seed)) for seed in range(40)]
    batch = degradation.on_tensor(to_tensor(image).expand(40, -1, -1, -1), generator()).cpu().numpy()
    assert np.std(images) > 0.003
    for statistic in (lambda y: y.mean(), lambda y: ((y - 0.4) ** 2).mean()):
        a, b = (np.array([statistic(y.astype(np.float64)) for y in ys]) for ys in (images, batch))
        assert abs(a.mean() - b.mean()) < 5 * np.sqrt((a.var() + b.var()) / 40) + 1e-7


def each_sample_of_a_batch_gets_the_numbers_that_are_reported(degradation):
    degradation = degradation if varies(degradation) else varied(degradation)
    if degradation.random or not varies(degradation) or len(degradation.parts) > 1:
        return
    image = textured()
    batch, numbers = degradation.apply_batch(to_tensor(image).expand(6, -1, -1, -1), generator())
    assert len({tuple(float(values[i]) for values in numbers.values()) for i in range(6)}) > 1
    for i in range(6):
        values = {name.partition(".")[2]: float(values[i]) for name, values in numbers.items()}
        for field in dataclasses.fields(degradation):
            if isinstance(kind := field.metadata["kind"], Word) and kind.varies:
                values[field.name] = kind.words[int(values[field.name])]
        expected = dataclasses.replace(degradation, **values)(image)
        assert np.abs(expected - to_image(batch[i : i + 1])).max() <= max(tolerance(degradation), 5e-6)


def the_seed_decides_everything(degradation):
    image, x = textured(), to_tensor(textured()).expand(3, -1, -1, -1)
    one = degradation.sample(rng(5))
    assert one == degradation.sample(rng(5))
    assert np.array_equal(one(image, rng(5)), one(image, rng(5)))
    assert torch.equal(degradation.on_tensor(x, generator(5)), degradation.on_tensor(x, generator(5)))
    if one.random:
        assert not np.array_equal(one(image, rng(5)), one(image, rng(6)))
    if degradation.random or varies(degradation):
        assert not torch.equal(degradation.on_tensor(x, generator(5)), degradation.on_tensor(x, generator(6)))
        with pytest.raises(UsageError, match="pass generator="):
            degradation.on_tensor(x)
    if varies(degradation):
        with pytest.raises(UsageError, match=r"call \.sample"):
            degradation(image, rng())
    elif degradation.random:
        with pytest.raises(UsageError, match="pass rng="):
            degradation(image)


def the_input_is_left_alone(degradation):
    image, x = textured(), to_tensor(textured())
    result, batch = fixed(degradation)(image, rng()), degradation.on_tensor(x, generator())
    assert not np.shares_memory(result, image)
    assert batch.data_ptr() != x.data_ptr()
    assert np.array_equal(image, textured())
    assert torch.equal(x, to_tensor(textured()))


def double_precision_stays_double(degradation):
    x = to_tensor(textured())
    single, double = degradation.on_tensor(x, generator()), degradation.on_tensor(x.double(), generator())
    assert double.dtype == torch.float64
    if degradation.name != "poisson":  # the counts of the two precisions part ways
        assert float((single - double).abs().max()) <= tolerance(degradation)


def by_chance_it_happens_to_whole_samples_or_not_at_all(degradation):
    degradation, x = fixed(degradation), to_tensor(textured()).expand(16, -1, -1, -1)
    changed = degradation.on_tensor(x, generator())
    if len(degradation.parts) > 1 or changed.shape != x.shape:
        return
    by_chance = RandomApply(degradation, 0.5)
    y, numbers = by_chance.apply_batch(x, generator(3))
    touched = [not torch.equal(before, after) for before, after in zip(x, y, strict=True)]
    if float((changed - x).abs().max()) > 1e-4:
        for i, change in enumerate(touched):
            assert change or not any(values[i].any() for values in numbers.values())
        assert 4 <= sum(touched) <= 12
    samples = [by_chance.sample(rng(seed)) for seed in range(40)]
    assert "none" in map(str, samples)
    assert degradation.name == "none" or 8 <= sum(sample.name == degradation.name for sample in samples) <= 32
    with pytest.raises(UsageError, match=r"may be applied or not; call \.sample"):
        by_chance(textured(), rng())


def its_text_form_reads_back(degradation):
    for form in (degradation, varied(degradation)):
        if not any(isinstance(value, FixedArray) for value in vars(form).values()):
            assert parse(str(form)) == form
            assert hash(parse(str(form))) == hash(form)


def what_is_not_linear_has_no_operator(degradation):
    culprit = next((part for part in degradation.parts if not part.linear), None)
    if culprit is not None:
        with pytest.raises(UsageError) as error:
            degradation.operator((32, 32))
        assert str(error.value).startswith(f"{culprit}: has no operator")


CHECKS = [
    both_routes_agree,
    random_routes_have_the_same_mean_and_variance,
    each_sample_of_a_batch_gets_the_numbers_that_are_reported,
    the_seed_decides_everything,
    the_input_is_left_alone,
    double_precision_stays_double,
    by_chance_it_happens_to_whole_samples_or_not_at_all,
    its_text_form_reads_back,
    what_is_not_linear_has_no_operator,
]


@pytest.mark.parametrize("degradation", OWN + MORE, ids=str)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_degradation(check, degradation):
    check(degradation)


def check_degradation(kind):
    """Run the checks on a class: on all of its examples, and on their operators if they are linear."""
    assert kind.examples, f"{kind.__name__}: give examples, a tuple of text forms"
    for degradation in map(parse, kind.examples):
        assert degradation.name == kind.name
        for check in CHECKS + OPERATOR_CHECKS * degradation.linear:
            check(degradation)


def test_every_class_has_an_example_of_its_own():
    for name, kind in DEGRADATIONS.items():
        assert kind.name == name
        assert [text for text in kind.examples if parse(text).name == name] or name == "kernel"  # MORE has its arrays


@st.composite
def degradations(draw):
    """Any degradation that a text can describe, with any values that it allows."""
    kind = DEGRADATIONS[draw(st.sampled_from(sorted(DEGRADATIONS)))]
    values = {}
    for field in dataclasses.fields(kind):
        if field.default is dataclasses.MISSING or draw(st.booleans()):
            values[field.name] = draw(value_of(field.metadata["kind"]))
    try:
        return kind(**values)
    except UsageError:
        assume(False)


@st.composite
def by_chance(draw):
    """One of these that happens sometimes."""
    return RandomApply(draw(degradations()), draw(st.integers(1, 999)) / 1000)


def value_of(kind):
    match kind:
        case Number(whole=True):
            one = st.integers(int(kind.low), int(kind.high))
        case Number():
            steps = st.integers(int(kind.above), 10**7)
            one = steps.map(lambda step: kind.low + (kind.high - kind.low) * (step / 10**7) ** 3)
        case Word():
            one = st.sampled_from(kind.words)
            choices = st.lists(one, min_size=2, max_size=4).map(lambda words: Choice(tuple(words)))
            return one | choices if kind.varies else one
        case Text():
            return st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
                ["a + b.npy", 'x="1",y', " k", "a@b.npy"]
            )
        case _:
            return st.none()
    if not kind.varies:
        return one
    ranges = st.lists(one, min_size=2, max_size=2, unique=True).map(lambda ends: Range(*sorted(ends)))
    return one | ranges | st.lists(one, min_size=2, max_size=4).map(lambda values: Choice(tuple(values)))


@settings(max_examples=150, deadline=None)
@given(st.lists(degradations() | by_chance(), min_size=1, max_size=3))
def test_the_text_form_reads_back(links):
    degradation = Compose(tuple(links)) if len(links) > 1 else links[0]
    assert parse(str(degradation)) == degradation
    assert hash(parse(str(degradation))) == hash(degradation)


@pytest.mark.parametrize("degradation", LINEAR + [example for example in OWN if example.linear], ids=str)
@pytest.mark.parametrize("check", OPERATOR_CHECKS, ids=lambda check: check.__name__)
def test_operator(check, degradation):
    check(degradation)

"""What every degradation and every operator keeps to."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resolvent.degradations import DEGRADATIONS, Choice, Compose, Kernel, Mask, RandomApply, Range, parse
from resolvent.errors import UsageError
from resolvent.parameters import Number, Text, Word
from resolvent.physics.operators import MirroredConvolution, Product

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RNG = np.random.default_rng(7)

CAMERA = "iso=12800,read=1,lens=0.4,red=2,blue=1.7,sensor=1.4,tone=0.3,malvar=1,denoise=1,chroma=3,sharpen=0.3,soft=0.4"
EXAMPLES = [
    parse(text)
    for text in (
        "blur:sigma=1.6",
        "blur:sigma=0.1",
        "blur:ksize=7",
        "blur:ksize=15,boundary=circular",
        "blur:sigma=20",
        "blur-positional:sigma=1,ksize=9,sigma_y=5",
        "defocus:radius=2.3",
        "motion:length=9,angle=30",
        "motion:length=6,angle=-80,boundary=circular",
        "downsample:scale=2",
        "downsample:scale=3,kernel=area",
        "downsample:scale=4,kernel=lanczos2",
        "downsample:scale=2,kernel=none",
        "downsample:scale=4,boundary=circular",
        "mask:keep=0.6",
        "mask:keep=0.6,seed=3",
        "rescale:factor=0.6",
        "none",
        "noise:sigma=25",
        "grain:sigma=25,radius=0.6",
        "poisson:peak=30",
        "saltpepper:amount=0.1",
        "hotpixels:amount=0.05",
        "hotpixels:amount=0.05,hot=0.9,level=0.7,sites=channel",
        "hotpixels:amount=0.05,sites=bayer",
        "rownoise:sigma=10",
        "rownoise:sigma=10,axis=columns",
        "chroma:sigma=20,radius=1.5",
        "jpeg:quality=40",
        "jpeg:quality=75,subsampling=4:4:4",
        "jpeg:quality=75,subsampling=4:2:2",
        "jpeg:quality=40,top=3,left=6",
        "quantize",
        "quantize:bits=3",
        f"camera:{CAMERA}",
        "scratches:count=5,width=2",
        "dust:amount=0.02,size=3",
        "creases",
        "holes:amount=0.2,size=6",
        "holes:shape=letters,size=9",
        "fading",
        "fading:uneven=0.4",
    )
] + [
    Kernel(array=RNG.random((4, 5))),
    Mask(array=RNG.random((31, 38)) < 0.7),
    parse("blur:sigma=1 + downsample:scale=2 + noise:sigma=5 + jpeg:quality=80"),
]
VARIED = [
    parse(text)
    for text in (
        "blur:sigma=0.1..3",
        "blur:ksize=1|5|9|15",
        "blur:sigma=0|1.5,ksize=3|7|21",
        "defocus:radius=0.2..4",
        "motion:length=1..9,angle=0..180",
        "mask:keep=0.2..0.9,seed=1",
        "jpeg:quality=20|50|90,subsampling=4:4:4",
        "jpeg:quality=75..100,subsampling=4:2:0|4:2:2|4:4:4,top=0..3",
        "jpeg:quality=60,top=0..7,left=0..7",
        "quantize:bits=2..8",
        "rescale:factor=0.4..0.9",
        "fading:contrast=0.3..1,lift=0..0.2,cast=0..0.5",
    )
]
WHOLE = {"scratches", "dust", "creases", "holes", "fading"}
"""What draws shapes rather than pixels, so that those of one image are not independent."""

LINEAR = [
    parse(text)
    for text in (
        "blur:sigma=0.7,boundary=circular",
        "blur:ksize=5,boundary=circular",
        "blur-positional:sigma=0.7,ksize=5,boundary=circular",
        "defocus:radius=1.2,boundary=circular",
        "motion:length=4,angle=30,boundary=circular",
        "downsample:scale=2,boundary=circular",
        "downsample:scale=3,kernel=area,boundary=circular",
        "downsample:scale=3,kernel=none",
        "mask:keep=0.5,seed=1",
        "blur:sigma=0.7,boundary=circular + downsample:scale=3,kernel=none",
        "downsample:scale=2,kernel=area + blur:sigma=0.5,boundary=circular + downsample:scale=2,boundary=circular",
        "mask:keep=0.5,seed=1 + mask:keep=0.7,seed=2",
        "blur:sigma=0.6,boundary=circular + mask:keep=0.6,seed=2",
        "none",
        "blur:sigma=1.5",
        "blur:ksize=31",
        "defocus:radius=1.2",
        "motion:length=6,angle=20",
        "downsample:scale=2",
        "downsample:scale=3,kernel=lanczos2",
        "mask:keep=0.6,seed=2 + blur:sigma=0.6 + mask:keep=0.6,seed=3",
        "downsample:scale=2 + mask:keep=0.6,seed=2 + downsample:scale=3",
        "motion:length=3 + mask:keep=0.5,seed=1 + mask:keep=0.7,seed=2",
        "blur:sigma=0.6 + downsample:scale=2,boundary=circular + blur:sigma=0.4,boundary=circular",
    )
] + [
    Kernel(array=RNG.random((4, 5)), boundary="circular"),
    Kernel(array=RNG.random((15, 2)), boundary="circular"),
    Kernel(array=RNG.random((4, 5))),
    Mask(array=RNG.random((12, 12)) < 0.7),
]


def textured(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:31, :38]
    waves = [0.5 + 0.3 * np.sin(rows / (3 + c) + columns * (0.2 + 0.3 * c)) for c in range(channels)]
    return (np.stack(waves, -1) + 0.15 * rng.random((31, 38, channels))).astype(np.float32)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(DEVICE)


def to_image(tensor: torch.Tensor) -> np.ndarray:
    return tensor[0].cpu().numpy().transpose(1, 2, 0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tolerance(degradation) -> float:
    """Float32 rounding, which a camera amplifies in the dark; a tie in JPEG's rounding may fall the other way."""
    if degradation.name == "camera":
        return 1e-4
    return 12 / 255 if any(part.name == "jpeg" for part in degradation.parts) else 2e-6


def test_the_examples_cover_the_registry():
    named = {part.name for example in EXAMPLES for part in example.parts}
    assert named == set(DEGRADATIONS)
    assert {name for name, kind in DEGRADATIONS.items() if kind.name != name} == set()
    assert {part.name for example in LINEAR for part in example.parts} == {e.name for e in EXAMPLES if e.linear}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("degradation", EXAMPLES, ids=str)
def test_both_routes_agree(degradation, channels):
    image = textured(channels)
    one = degradation(image, np.random.default_rng(1))
    batch = degradation.on_tensor(to_tensor(image), generator())
    assert one.dtype == np.float32
    assert batch.dtype == torch.float32
    assert one.shape == to_image(batch).shape
    if not degradation.random:
        assert np.abs(one - to_image(batch)).max() <= tolerance(degradation)
        assert np.abs(one - to_image(batch)).mean() <= tolerance(degradation) / 50 + 1e-6


@pytest.mark.parametrize("degradation", [e for e in EXAMPLES if e.random and e.name not in WHOLE], ids=str)
def test_random_routes_have_the_same_mean_and_variance(degradation):
    image = np.full((64, 64, 3), 0.4, np.float32)
    samples = [
        degradation(image, np.random.default_rng(1)),
        to_image(degradation.on_tensor(to_tensor(image), generator())),
    ]
    independent = {"rownoise:sigma=10": np.s_[:, 0], "rownoise:sigma=10,axis=columns": np.s_[0]}
    one, batch = (sample.mean(-1)[independent.get(str(degradation), np.s_[:])].ravel() for sample in samples)
    squares = [(values - 0.4) ** 2 for values in (one, batch)]
    for a, b in ((one, batch), squares):
        standard_error = np.sqrt(a.var() / a.size + b.var() / b.size)
        assert abs(a.mean() - b.mean()) < 5 * standard_error
    assert one.std() > 0.005


@pytest.mark.parametrize("degradation", VARIED, ids=str)
def test_each_sample_of_a_batch_gets_the_numbers_that_are_reported(degradation):
    image = textured()
    batch, numbers = degradation.apply_batch(to_tensor(image).expand(6, -1, -1, -1), generator())
    assert len({tuple(float(values[i]) for values in numbers.values()) for i in range(6)}) > 1
    for i in range(6):
        drawn = {name.partition(".")[2]: float(values[i]) for name, values in numbers.items()}
        for field in dataclasses.fields(degradation):
            if isinstance(kind := field.metadata["kind"], Word) and kind.varies:
                drawn[field.name] = kind.words[int(drawn[field.name])]
        expected = dataclasses.replace(degradation, **drawn)(image)
        assert np.abs(expected - to_image(batch[i : i + 1])).max() <= max(tolerance(degradation), 5e-6)


@pytest.mark.parametrize("degradation", EXAMPLES + VARIED, ids=str)
def test_the_seed_decides_everything(degradation):
    image, x = textured(), to_tensor(textured()).expand(3, -1, -1, -1)
    drawn = degradation.sample(np.random.default_rng(5))
    assert drawn == degradation.sample(np.random.default_rng(5))
    assert np.array_equal(drawn(image, np.random.default_rng(5)), drawn(image, np.random.default_rng(5)))
    assert torch.equal(degradation.on_tensor(x, generator(5)), degradation.on_tensor(x, generator(5)))
    if drawn.random:
        assert not np.array_equal(drawn(image, np.random.default_rng(5)), drawn(image, np.random.default_rng(6)))
    if degradation.random or degradation in VARIED:
        assert not torch.equal(degradation.on_tensor(x, generator(5)), degradation.on_tensor(x, generator(6)))
        with pytest.raises(UsageError, match="pass generator="):
            degradation.on_tensor(x)
    if degradation.random:
        with pytest.raises(UsageError, match="pass rng="):
            degradation(image)
    if degradation in VARIED:
        with pytest.raises(UsageError, match=r"call \.sample"):
            degradation(image, np.random.default_rng(0))


@pytest.mark.parametrize("degradation", EXAMPLES, ids=str)
def test_the_input_is_left_alone(degradation):
    image, x = textured(), to_tensor(textured())
    result, batch = degradation(image, np.random.default_rng(0)), degradation.on_tensor(x, generator())
    assert not np.shares_memory(result, image)
    assert batch.data_ptr() != x.data_ptr()
    assert np.array_equal(image, textured())
    assert torch.equal(x, to_tensor(textured()))


@pytest.mark.parametrize("degradation", EXAMPLES, ids=str)
def test_double_precision_stays_double(degradation):
    x = to_tensor(textured())
    single, double = degradation.on_tensor(x, generator()), degradation.on_tensor(x.double(), generator())
    assert double.dtype == torch.float64
    if degradation.name != "poisson":  # the counts of the two precisions part ways
        assert float((single - double).abs().max()) <= tolerance(degradation)


CHANCES = [RandomApply(each, 0.5) for each in EXAMPLES if len(each.parts) == 1 and each.name != "downsample"]


@pytest.mark.parametrize("degradation", CHANCES, ids=str)
def test_by_chance_it_happens_to_whole_samples_or_not_at_all(degradation):
    x = to_tensor(textured()).expand(16, -1, -1, -1)
    y, numbers = degradation.apply_batch(x, generator(3))
    touched = [not torch.equal(before, after) for before, after in zip(x, y, strict=True)]
    if str(degradation) not in ("none @ 0.5", "blur:sigma=0.1 @ 0.5"):  # these change nothing
        for i, change in enumerate(touched):
            assert change or not any(values[i].any() for values in numbers.values())
        assert 4 <= sum(touched) <= 12
    drawn = [degradation.sample(np.random.default_rng(seed)) for seed in range(40)]
    assert {str(each) for each in drawn} >= {"none"}
    assert degradation.name == "none" or 8 <= sum(each.name == degradation.name for each in drawn) <= 32
    with pytest.raises(UsageError, match=r"may happen or not; call \.sample"):
        degradation(textured(), np.random.default_rng(0))


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


@pytest.mark.parametrize("degradation", LINEAR, ids=str)
class TestOperator:
    shape = (12, 12)

    def dense(self, degradation):
        """A as a matrix."""
        operator = degradation.operator(self.shape)
        identity = torch.eye(144, dtype=torch.float64).reshape(144, 12, 12)
        return operator, operator(identity).flatten(1).T

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_is_the_degradation(self, degradation, dtype):
        x = torch.rand(3, 2, *self.shape, generator=generator(), dtype=dtype).to(DEVICE)
        before = x.clone()
        y = degradation.operator(self.shape)(x)
        assert y.dtype == dtype
        assert y.shape[2:] == degradation.operator(self.shape).output_shape
        assert torch.equal(x, before)
        torch.testing.assert_close(y, degradation.on_tensor(x), rtol=0, atol=2e-6)

    @pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
    def test_adjoint(self, degradation, dtype, bound):
        operator = degradation.operator(self.shape)
        x = torch.randn(2, 1, *self.shape, generator=generator(), dtype=dtype).to(DEVICE)
        y = torch.randn(2, 1, *operator.output_shape, generator=generator(1), dtype=dtype).to(DEVICE)
        before = y.clone()
        forward, back = operator(x), operator.adjoint(y)
        assert back.dtype == dtype
        assert torch.equal(y, before)
        error = abs(float((forward * y).sum() - (x * back).sum()))
        assert error <= bound * float(forward.norm() * y.norm())

    def test_numpy_gives_what_torch_gives(self, degradation):
        operator = degradation.operator(self.shape)
        x = np.random.default_rng(0).random((2, *self.shape), np.float32)
        y = operator(x)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, operator(torch.from_numpy(x)), atol=1e-6)
        np.testing.assert_allclose(operator.adjoint(y), operator.adjoint(torch.from_numpy(y)), atol=1e-6)

    def test_norm_is_the_largest_singular_value(self, degradation):
        operator, matrix = self.dense(degradation)
        assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-4)

    def test_pseudo_inverse(self, degradation):
        operator, matrix = self.dense(degradation)
        identity = torch.eye(len(matrix), dtype=torch.float64).reshape(-1, *operator.output_shape)
        if isinstance(operator, MirroredConvolution | Product):
            with pytest.raises(UsageError, match="no pseudo-inverse in closed form"):
                operator.pinv(identity)
            return
        inverse = operator.pinv(identity, rtol=1e-2).flatten(1).T
        torch.testing.assert_close(inverse, torch.linalg.pinv(matrix, rtol=1e-2), rtol=0, atol=1e-9)
        finer = operator.pinv(identity, rtol=1e-6).flatten(1).T
        torch.testing.assert_close(matrix @ finer @ matrix, matrix, rtol=0, atol=1e-6)

    def test_lets_gradients_through(self, degradation):
        operator = degradation.operator(self.shape)
        x = torch.rand(1, *self.shape, generator=generator(), dtype=torch.float64).requires_grad_()
        y = operator(x)
        y.square().sum().div(2).backward()
        torch.testing.assert_close(x.grad, operator.adjoint(y.detach()))

    def test_refuses_another_shape(self, degradation):
        with pytest.raises(UsageError, match="the operator takes"):
            degradation.operator(self.shape)(torch.zeros(1, 2, 12, 13))


@pytest.mark.parametrize("degradation", [e for e in EXAMPLES if not e.linear], ids=str)
def test_what_is_not_linear_has_no_operator(degradation):
    culprit = next(part for part in degradation.parts if not part.linear)
    with pytest.raises(UsageError, match=f"^{culprit}: has no operator"):
        degradation.operator((32, 32))

"""Scratches, dust, creases, holes and fading: their shapes, their shares, and the masks that they tell."""

import numpy as np
import pytest
import torch

from resolvent.degradations import Creases, Dust, Fading, Holes, Scratches, parse
from resolvent.degradations.damage import VISIBLE
from resolvent.degradations.sheet import Sheet
from resolvent.errors import UsageError

DAMAGE = [Scratches(6, 2.0), Dust(0.02, 3.0), Creases(), Holes(0.2, 8.0), Holes(size=10.0, shape="letters")]


def texture(channels=3, side=48):
    return (0.3 + 0.4 * np.random.default_rng(0).random((side, side, channels))).astype(np.float32)


def sheets(count=1, height=40, width=56):
    return [
        Sheet.numpy(np.random.default_rng(0), height, width),
        Sheet.torch(torch.Generator().manual_seed(0), (count, height, width), torch.device("cpu")),
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_the_mask_is_what_has_changed(damage, channels):
    image = texture(channels)
    damaged, mask = damage.with_mask(image, np.random.default_rng(3))
    np.testing.assert_array_equal(damaged, damage(image, np.random.default_rng(3)))
    np.testing.assert_array_equal(mask, np.any(np.abs(damaged - image) > VISIBLE, axis=2))
    assert 0 < mask.mean() < 0.6
    assert np.mean(np.any(damaged != image, axis=2)) < 0.8


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_a_batch_tells_a_mask_for_each_sample(damage):
    x = torch.from_numpy(texture().transpose(2, 0, 1))[None].repeat(3, 1, 1, 1)
    damaged, numbers = damage.apply_batch(x, torch.Generator().manual_seed(1))
    mask = numbers[f"{damage.name}.mask"]
    assert torch.equal(mask, ((damaged - x).abs() > VISIBLE).any(1, keepdim=True).float())
    assert not torch.equal(mask[0], mask[1])


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_both_routes_damage_as_much(damage):
    image = texture(side=32)
    x = torch.from_numpy(image.transpose(2, 0, 1))[None].repeat(60, 1, 1, 1)
    batch = damage.apply_batch(x, torch.Generator().manual_seed(0))[1][f"{damage.name}.mask"].mean((1, 2, 3)).numpy()
    one = np.array([damage.with_mask(image, np.random.default_rng(seed))[1].mean() for seed in range(60)])
    error = np.sqrt(batch.var() / 60 + one.var() / 60)
    assert abs(batch.mean() - one.mean()) < 4 * error


def test_a_chain_tells_the_damage_of_all_its_parts_and_no_noise():
    chain = parse("scratches:count=3 + noise:sigma=20 + dust:amount=0.02,size=3")
    image = texture()
    degraded, mask = chain.with_mask(image, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    scratched, first = chain.parts[0].with_mask(image, rng)
    _, second = chain.parts[2].with_mask(chain.parts[1](scratched, rng), rng)
    np.testing.assert_array_equal(mask, np.maximum(first, second))
    assert degraded.shape == image.shape
    assert parse("noise:sigma=5").with_mask(image, rng)[1].max() == 0


def test_size_may_change_before_the_damage_only():
    assert parse("downsample:scale=2 + holes").with_mask(texture(), np.random.default_rng(0))[1].shape == (24, 24)
    with pytest.raises(UsageError, match="put what damages last"):
        parse("holes:amount=0.3 + downsample:scale=2").with_mask(texture(), np.random.default_rng(0))


def test_damage_by_chance_has_a_mask_only_where_it_happened():
    x = torch.full((12, 3, 24, 24), 0.5)
    y, numbers = parse("holes:amount=0.3 @ 0.5").apply_batch(x, torch.Generator().manual_seed(0))
    touched = (y != x).flatten(1).any(1)
    assert torch.equal(numbers["holes.mask"].flatten(1).any(1), touched)
    assert 0 < touched.sum() < 12


@pytest.mark.parametrize(
    "text", ["scratches:count=0", "scratches:opacity=0", "dust:amount=0,hairs=0", "creases:count=0", "holes:amount=0"]
)
def test_none_of_it_changes_nothing(text):
    damaged, mask = parse(text).with_mask(texture(), np.random.default_rng(0))
    np.testing.assert_array_equal(damaged, texture())
    assert mask.max() == 0


@pytest.mark.parametrize("text", ["scratches:count=9", "dust:amount=0.05", "holes:amount=0.2"])
def test_bright_and_dark(text):
    gray = np.full((40, 40, 3), 0.5, np.float32)
    for bright, sign in ((1, 1), (0, -1)):
        damaged, mask = parse(f"{text},bright={bright}").with_mask(gray, np.random.default_rng(0))
        assert (sign * (damaged - gray)[mask > 0] > 0).all()


@pytest.mark.parametrize(("angle", "axis"), [(0, 0), (90, 1), (-90, 1), (180, 0)])
def test_scratches_lie_along_their_angle(angle, axis):
    """Along a line the mask changes less than across."""
    _, mask = Scratches(20, 2.0, angle=angle).with_mask(np.full((64, 64, 1), 0.5, np.float32), np.random.default_rng(0))
    changes = [np.abs(np.diff(mask, axis=a)).sum() for a in (0, 1)]
    assert changes[axis] > 3 * changes[1 - axis]


@pytest.mark.parametrize("sheet", sheets(), ids=["numpy", "torch"])
@pytest.mark.parametrize("angle", [0.0, 0.5, 2.0])
def test_a_straight_band_has_the_profile_of_its_formula(sheet, angle):
    """exp(-d² / 2 s²) of the distance d to a line through (20, 28), away from its tapered ends."""
    numbers = [sheet.uniform() * 0 + value for value in (20.0, 28.0, angle, 200.0, 1.0, 0.0, 3.0)]
    drawn = np.asarray(sheet.stroke(*numbers[:6], shade=numbers[6]))[0]
    rows, columns = np.mgrid[:40, :56]
    distance = (rows - 20) * np.cos(angle) - (columns - 28) * np.sin(angle)
    np.testing.assert_allclose(drawn, np.exp(-(distance**2) / 18), atol=1e-4)


@pytest.mark.parametrize("sheet", sheets(height=60, width=64), ids=["numpy", "torch"])
def test_a_line_covers_its_length_times_its_width(sheet):
    """The width swells between 0.5 and 1.5 times, the ends taper off."""
    row, column, angle, half, width, bend = (sheet.uniform() * 0 + value for value in (30.0, 32.0, 0.7, 20.0, 3.0, 0.1))
    area = float(sheet.stroke(row, column, angle, half, width, bend).sum())
    assert 0.5 * 40 * 3 * 0.8 < area < 1.5 * 40 * 3
    broken = float(sheet.stroke(row, column, angle, half, width, bend, broken=row * 0 + 1.2).sum())
    assert broken == 0


@pytest.mark.parametrize("sheet", sheets(height=64, width=64), ids=["numpy", "torch"])
@pytest.mark.parametrize("amount", [0.05, 0.4])
def test_blobs_cover_their_share(sheet, amount):
    covered = sheet.blobs(sheet.uniform() * 0 + 8.0, sheet.uniform() * 0 + amount)
    assert float(covered.mean()) == pytest.approx(amount, abs=0.03)


def test_specks_cover_their_share():
    """But for the softness of their edges, which a speck of a pixel is made of."""
    shares = [
        Sheet.numpy(np.random.default_rng(seed), 64, 64).specks(np.full(1, 9.0), np.full(1, 0.02))[0].mean()
        for seed in range(80)
    ]
    assert np.mean(shares) == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize(("channels", "gains"), [(1, [1]), (3, [1, 0.94, 0.8])])
def test_fading_is_the_map_that_it_says(channels, gains):
    image = texture(channels)
    faded = Fading(contrast=0.6, lift=0.1, cast=0.2)(image)
    np.testing.assert_allclose(faded, (0.1 + 0.6 * image) * gains, atol=1e-6)


def test_uneven_fading_loses_contrast_along_one_direction():
    """White is a plane through the mean loss in the middle; black does not change."""
    even, uneven = Fading(0.8, 0.1, 0.0), Fading(0.8, 0.1, 0.0, uneven=0.5)
    white = np.ones((33, 33, 1), np.float32)
    faded = uneven(white, np.random.default_rng(1))[..., 0]
    assert faded[16, 16] == pytest.approx(0.1 + 0.8 * 0.75, abs=1e-6)
    rows, columns = np.mgrid[-16:17, -16:17]
    plane = np.stack([rows, columns, np.ones_like(rows)], -1).reshape(-1, 3)
    residual = np.linalg.lstsq(plane, faded.ravel(), rcond=None)[1]
    assert residual < 1e-8
    assert np.ptp(faded) <= 0.8 * 0.5 + 1e-6
    np.testing.assert_allclose(uneven(0 * white, np.random.default_rng(1)), even(0 * white), atol=1e-7)


@pytest.mark.parametrize("size", [0.5, 1, 3, 9])
def test_dust_covers_its_share(size):
    dust = parse(f"dust:amount=0.004,size={size},hairs=0,opacity=1,bright=1")
    black = np.zeros((192, 192, 1), np.float32)
    covered = np.mean([dust(black, np.random.default_rng(seed)).mean() for seed in range(12)])
    assert covered == pytest.approx(0.004 * 0.87, rel=0.25)  # white is 0.8 to 1, opacity 0.7 to 1 of what is given

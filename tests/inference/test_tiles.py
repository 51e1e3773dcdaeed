from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.inference.tiles import SMALLEST_TILE, largest_tile, margin, spans

relaxed = settings(derandomize=True, deadline=None, max_examples=200)

AXIS = {
    "length": st.integers(1, 400),
    "tile": st.integers(1, 96),
    "halo": st.integers(0, 40),
    "multiple": st.sampled_from([1, 4, 8]),
    "blend": st.sampled_from([0, 2, 8, 16]),
}


def padded(length, multiple):
    return -(-length // multiple) * multiple


@relaxed
@given(**AXIS)
def test_reads_are_alike_aligned_and_end_with_the_padded_image(length, tile, halo, multiple, blend):
    found = spans(length, tile, halo, multiple, blend)
    end = padded(length, multiple)
    assert {s.size for s in found} == {found[0].size}
    assert all(s.origin % multiple == s.size % multiple == 0 for s in found)
    assert found[0].origin == 0
    assert found[-1].origin + found[-1].size == end
    if len(found) > 1:
        assert found[0].size <= padded(tile, multiple) + 2 * margin(halo, multiple, blend)
        origins = [s.origin for s in found]
        assert origins == sorted(set(origins))


@relaxed
@given(**AXIS)
def test_every_contributed_pixel_has_its_halo(length, tile, halo, multiple, blend):
    for s in spans(length, tile, halo, multiple, blend):
        assert s.origin <= max(0, s.start - halo)
        assert s.origin + s.size >= min(length, s.stop + halo)


@relaxed
@given(**AXIS, scale=st.integers(1, 3))
def test_weights_are_a_partition_of_unity(length, tile, halo, multiple, blend, scale):
    total = np.zeros(scale * length)
    found = spans(length, tile, halo, multiple, blend)
    for s in found:
        weights = s.weights(scale)
        assert weights.min() > 0
        total[scale * s.start : scale * s.stop] += weights
    assert np.abs(total - 1).max() <= 1e-6
    assert found[0].weights(scale)[0] == found[-1].weights(scale)[-1] == 1


@relaxed
@given(**AXIS)
def test_only_neighbors_share_pixels_and_both_say_how_many(length, tile, halo, multiple, blend):
    found = spans(length, tile, halo, multiple, blend)
    assert found[0].start == found[0].lead == found[-1].trail == 0
    assert found[-1].stop == length
    for before, after in pairwise(found):
        assert before.stop - after.start == before.trail == after.lead <= blend
    for s in found:
        assert s.lead + s.trail <= s.stop - s.start


def test_seams_are_as_wide_as_asked_where_there_is_room():
    found = spans(4000, tile=512, halo=40, multiple=8, blend=16)
    assert {s.lead for s in found[1:]} == {16}
    assert len(found) == 8
    assert found[0].size == (4000 - 2 * 48) // 8 + 2 * 48  # eight equal spans of less than 512 are enough


def test_image_of_one_pixel_is_one_tile():
    (only,) = spans(1, tile=512, halo=64, multiple=8)
    assert (only.origin, only.size, only.start, only.stop) == (0, 8, 0, 1)
    assert only.weights().tolist() == [1.0]


@relaxed
@given(
    area=st.integers(1, 40_000),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    halo=st.integers(0, 24),
    multiple=st.sampled_from([1, 4, 8]),
)
def test_largest_tile_keeps_to_the_area_and_no_larger_one_does(area, height, width, halo, multiple):
    def reads(tile):
        return spans(height, tile, halo, multiple)[0].size * spans(width, tile, halo, multiple)[0].size

    tile = largest_tile(area, height, width, halo, multiple)
    if tile:
        assert reads(tile) <= area
    if tile < max(height, width):
        larger = max(SMALLEST_TILE, tile + multiple) + 2 * margin(halo, multiple)
        assert min(larger, padded(height, multiple)) * min(larger, padded(width, multiple)) > area

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from resolvent.errors import InputError, UsageError
from resolvent.training.data import Shard, check_patch, find_photographs, pack


@pytest.fixture
def shard(photographs, tmp_path):
    return pack(find_photographs(photographs), tmp_path / "a.shard", minimum=32)


def test_center_patch_is_the_photographs_own_pixels(shard, photograph):
    patches = shard.patches(torch.tensor([3, 1]), 32, None)
    for patch, seed in zip(patches, (3, 1), strict=True):
        expected = photograph(seed)[8:40, 12:44].transpose(2, 0, 1) / 255
        np.testing.assert_allclose(patch.numpy(), expected, atol=1e-6)


def test_random_patches_lie_inside_and_reach_every_corner(shard, photograph):
    whole = photograph(2)
    generator = torch.Generator().manual_seed(0)
    patches = shard.patches(torch.full((400,), 2), 46, generator)
    places = set()
    for patch in patches:
        pixels = np.round(patch.numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
        found = [(t, x) for t in range(3) for x in range(11) if np.array_equal(whole[t : t + 46, x : x + 46], pixels)]
        assert len(found) == 1
        places.update(found)
    assert {(0, 0), (0, 10), (2, 0), (2, 10)} <= places


def test_flips_give_all_eight_orientations(shard):
    generator = torch.Generator().manual_seed(0)
    center = shard.patches(torch.tensor([0]), 48, None)[0]
    square = torch.zeros(64, dtype=torch.long)
    seen = {p.numpy().tobytes() for p in shard.patches(square, 48, generator, flips=True)}
    wanted = {
        torch.rot90(c, k, (1, 2)).contiguous().numpy().tobytes() for c in (center, center.flip(-1)) for k in range(4)
    }
    assert len(wanted) == 8
    assert len(seen) > 8, "patches also move"


def test_resize_averages_areas_of_the_center_square(tmp_path, photograph):
    pixels = photograph(0, 48, 56)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    shard = pack([tmp_path / "p.png"], tmp_path / "s.shard", minimum=16, resize=16)
    expected = pixels[:, 4:52].reshape(16, 3, 16, 3, 3).mean(axis=(1, 3))
    got = shard.patches(torch.tensor([0]), 16, None)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(got - expected).max() <= 0.501


def test_bad_small_and_duplicate_photographs_are_left_out_by_name(tmp_path, photograph):
    Image.fromarray(photograph(0)).save(tmp_path / "held.png")
    held = pack([tmp_path / "held.png"], tmp_path / "held.shard", minimum=32)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    Image.fromarray(photograph(1, 20, 20)).save(tmp_path / "small.png")
    again = np.clip(photograph(0).astype(int) + 2, 0, 255).astype(np.uint8)
    Image.fromarray(again).save(tmp_path / "again.png")
    Image.fromarray(photograph(5)).save(tmp_path / "good.png")
    shard = pack(
        [tmp_path / n for n in ("broken.png", "small.png", "again.png", "good.png")],
        tmp_path / "s.shard",
        minimum=32,
        unlike=held,
    )
    assert shard.names == ("good.png",)
    reasons = dict(shard.skipped)
    assert "20x20" in reasons["small.png"]
    assert "validation" in reasons["again.png"]
    assert "broken.png" in reasons["broken.png"]


def test_nothing_left_is_an_error(tmp_path, photograph):
    Image.fromarray(photograph(1, 20, 20)).save(tmp_path / "small.png")
    with pytest.raises(InputError, match=r"none of 1 photograph can.*small\.png"):
        pack([tmp_path / "small.png"], tmp_path / "s.shard", minimum=32)


def test_gray_photographs_become_color(tmp_path, photograph):
    gray = photograph(1)[:, :, 0]
    Image.fromarray(gray).save(tmp_path / "g.png")
    shard = pack([tmp_path / "g.png"], tmp_path / "s.shard", minimum=32)
    patch = shard.patches(torch.tensor([0]), 48, None)[0]
    assert torch.equal(patch[0], patch[2])


def test_folders(tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        find_photographs(tmp_path / "missing")
    with pytest.raises(InputError, match="holds no photograph"):
        find_photographs(tmp_path)


def test_shard_survives_and_a_broken_one_says_so(shard, tmp_path):
    again = Shard.open(tmp_path / "a.shard")
    assert again.names == shard.names
    assert torch.equal(again.pixels, shard.pixels)
    broken = tmp_path / "broken.shard"
    broken.write_bytes(b"12345678")
    with pytest.raises(InputError, match="not a shard"):
        Shard.open(broken)
    for names in ("{", "[" * 100_000):
        save_file({"pixels": again.pixels, "index": again.index}, broken, metadata={"names": names, "skipped": "[]"})
        with pytest.raises(InputError, match="not a shard"):
            Shard.open(broken)


def test_patch_must_fit(shard, recipe):
    check_patch(shard, replace(recipe, patch=48), 8)
    with pytest.raises(UsageError, match="multiple of 8"):
        check_patch(shard, replace(recipe, patch=44), 8)
    with pytest.raises(UsageError, match="smallest photograph, 48"):
        check_patch(shard, replace(recipe, patch=56), 8)
    with pytest.raises(UsageError, match="margin = 8: larger than"):
        check_patch(shard, replace(recipe, patch=40, margin=8), 8)


def test_hidden_files_and_folders_are_not_trained_on(tmp_path, photograph):
    folder = tmp_path / ".photographs"
    for name in ("b.png", "._b.png", ".thumbnails/c.png", "sub/.trash/d.png", "sub/a.PNG"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(0)).save(folder / name)
    assert [str(path.relative_to(folder)) for path in find_photographs(folder)] == ["b.png", "sub/a.PNG"]

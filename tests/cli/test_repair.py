"""Repair from the command line, with the bundled models."""

import json

import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.image import Image, read_image, write_image

SEED = 1


@pytest.fixture
def scan(tmp_path):
    """A soft 16-bit photograph with scratches."""
    write_image(Image.from_array(np.rint(65535 * scratched()[0]).astype(np.uint16)), tmp_path / "scan.tif")
    return tmp_path / "scan.tif"


def scratched():
    """The photograph with its scratches, and where they are."""
    rows, columns = np.mgrid[:64, :64] / 64
    values = 0.45 + 0.15 * np.stack([np.sin(5 * rows), np.cos(4 * columns), rows * columns], -1)
    values += np.random.default_rng(0).normal(0, 0.01, values.shape)
    damaged, marked = parse("scratches:count=3,width=2.5,opacity=1").with_mask(values, np.random.default_rng(SEED))
    return np.clip(damaged, 0, 1), marked > 0, values


def test_repair_writes_the_photograph_and_the_mask(run, scan, tmp_path):
    out, mask = tmp_path / "out.tif", tmp_path / "mask.png"
    code, _, err = run("restore", scan, "--repair", "--write-mask", mask, "-o", out)
    assert code == 0
    assert "as model 'scratches' finds" in err
    before, after, found = read_image(scan), read_image(out), read_image(mask).data[..., 0] == 255
    assert after.data.dtype == np.uint16
    _, marked, clean = scratched()
    assert found[marked].mean() > 0.9
    assert found.mean() < 0.4
    np.testing.assert_array_equal(after.data[~found], before.data[~found])
    assert np.abs(after.pixels - clean)[marked].mean() < np.abs(before.pixels - clean)[marked].mean() / 5


def test_a_mask_that_is_there_is_replaced_only_on_request(run, scan, tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"mine")
    call = ("restore", scan, "--repair", "--write-mask", mask, "-o", tmp_path / "out.tif")
    code, _, err = run(*call)
    assert code == 2
    assert f"--write-mask {mask}: exists; give another name, or --overwrite" in err
    assert mask.read_bytes() == b"mine"
    assert run(*call, "--overwrite")[0] == 0
    assert read_image(mask).data.max() == 255
    code, _, err = run(*call[:-1], tmp_path / "b.tif", "--write-mask", tmp_path / ("x" * 300 + ".png"))
    assert code == 1
    assert "a name of more than 255 bytes" in err


def test_a_mask_is_filled_where_it_is_white(run, scan, tmp_path):
    white = np.zeros((64, 64), np.uint8)
    white[:, 19:23] = 255
    write_image(Image.from_array(white), tmp_path / "holes.png")
    code, out, _ = run("restore", scan, "--mask", tmp_path / "holes.png", "-o", tmp_path / "out.tif", "--json")
    assert code == 0
    assert json.loads(out)["results"][0]["model"] == "inpaint"
    before, after = read_image(scan), read_image(tmp_path / "out.tif")
    np.testing.assert_array_equal(after.data[white == 0], before.data[white == 0])
    assert after.pixels[:, 20:22].min() > 0.2


def test_a_mask_of_another_size_is_one_line(run, scan, tmp_path):
    write_image(Image.from_array(np.zeros((32, 64), np.uint8)), tmp_path / "small.png")
    code, _, err = run("restore", scan, "--mask", tmp_path / "small.png")
    assert code == 1
    assert "is 64x32 pixels and the photograph 64x64" in " ".join(err.split())
    assert not scan.with_name("scan.restored.tif").exists()


def test_one_mask_is_not_written_for_two_photographs(run, scan, tmp_path):
    code, _, err = run("restore", scan, scan.with_name("b.tif"), "--repair", "--write-mask", tmp_path / "mask.png")
    assert code == 2
    assert "is of one photograph, and there are 2" in err


@pytest.mark.parametrize(("name", "told"), [("out.jpg", True), ("out.png", False), ("out.webp", True)])
def test_a_repair_in_a_lossy_format_says_that_all_of_it_changes(run, scan, tmp_path, name, told):
    white = np.zeros((64, 64), np.uint8)
    white[:, 19:23] = 255
    write_image(Image.from_array(white), tmp_path / "holes.png")
    code, _, err = run("restore", scan, "--mask", tmp_path / "holes.png", "-o", tmp_path / name)
    assert code == 0
    assert ("the other pixels change a little too" in " ".join(err.split())) == told


def test_degrade_does_not_replace_its_mask(run, scan, tmp_path):
    write_image(Image.from_array(np.eye(64, dtype=np.uint8) * 255), tmp_path / "m.png")
    before = (tmp_path / "m.png").read_bytes()
    code, _, err = run("degrade", scan, f"mask:path={tmp_path / 'm.png'}", "-o", tmp_path / "m.png", "--overwrite")
    assert code == 2
    assert "is an input, and inputs are never replaced" in " ".join(err.split())
    assert (tmp_path / "m.png").read_bytes() == before

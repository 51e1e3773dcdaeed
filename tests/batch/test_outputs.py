"""What each photograph of a batch is written as: its name, its format, its mask and its preview."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resolvent.batch import worker
from resolvent.batch.jobs import find_jobs
from resolvent.batch.many import restore_many
from resolvent.batch.pipe import restore_piped
from resolvent.diagnosis import Blended
from resolvent.engine import plan as planning
from resolvent.engine.request import ModelRequest
from resolvent.engine.run import Restoration
from resolvent.errors import UsageError
from resolvent.image import Image, read_image, write_image
from resolvent.image.jpeg_header import jpeg_header
from resolvent.methods.control import Steps
from tests.batch.conftest import put, texture, tree

pytestmark = pytest.mark.usefixtures("sessions")


@pytest.fixture
def soft(sessions):
    return {"model": "soft"}


def targets(found, folder):
    return [str(job.target.relative_to(folder)) for job in found.jobs]


def test_nothing_to_fix_is_a_copy_byte_for_byte(album, tmp_path, sessions):
    report = restore_many([album], tmp_path / "clean", strength=0)
    assert [r.status for r in report.results] == ["unchanged"] * 4
    for result in report.results:
        assert result.target.read_bytes() == result.source.read_bytes()
        assert result.model is None
    assert not sessions


def test_nothing_to_fix_in_another_format_is_written_in_it(tmp_path):
    report = restore_many([put(tmp_path / "a.png")], strength=0, ext="tiff")
    assert report.results[0].status == "unchanged"
    out = read_image(tmp_path / "a.restored.tiff")
    assert out.format == "tiff"
    np.testing.assert_array_equal(out.data, texture())


def test_one_file_to_a_file_or_a_folder(tmp_path, soft):
    source = put(tmp_path / "a.png")
    assert targets(find_jobs([source], tmp_path / "x.jpg"), tmp_path) == ["x.jpg"]
    assert targets(find_jobs([source], tmp_path / "out"), tmp_path) == ["out/a.png"]
    (tmp_path / "v1.0").mkdir()
    assert targets(find_jobs([source], tmp_path / "v1.0"), tmp_path) == ["v1.0/a.png"]
    report = restore_many([source], tmp_path / "new/x.jpg", **soft)
    assert report.exit_code == 0
    assert read_image(tmp_path / "new/x.jpg").format == "jpeg"


def test_format_is_that_of_the_content_unless_asked(tmp_path, soft):
    png = put(tmp_path / "a.png")
    mislabeled = tmp_path / "b.jpg"
    mislabeled.write_bytes(png.read_bytes())
    nameless = tmp_path / "scan"
    nameless.write_bytes(png.read_bytes())
    report = restore_many([mislabeled, nameless], tmp_path / "out", **soft)
    assert tree(tmp_path / "out") == ["b.jpg", "scan"]
    assert {read_image(r.target).format for r in report.results} == {"png"}
    assert any("although its name ends in" in warning for warning in report.results[0].warnings)
    assert targets(find_jobs([nameless]), tmp_path) == ["scan.restored"]
    report = restore_many([nameless], **soft)
    assert read_image(report.results[0].target).format == "png"
    for asked in ({"output": tmp_path / "out.jpg"}, {"output": tmp_path / "again", "ext": "jpg"}):
        report = restore_many([mislabeled], **soft, **asked)
        assert read_image(report.results[0].target).format == "jpeg"


def test_a_copy_loses_nothing_and_says_so(tmp_path, soft):
    """A restored photograph loses what stands behind it, one that is copied does not."""
    source = put(tmp_path / "a.jpg")
    source.write_bytes(source.read_bytes() + b"a video, say")
    source.chmod(0o600)
    report = restore_many([source], tmp_path / "soft", **soft)
    assert report.results[0].warnings == ("12 bytes behind its end: left out",)
    report = restore_many([source], tmp_path / "same", strength=0)
    assert report.results[0].warnings == ()
    assert (tmp_path / "same/a.jpg").read_bytes() == source.read_bytes()
    if os.name != "nt":
        assert {oct(result.stat().st_mode & 0o777) for result in tmp_path.glob("*/a.jpg")} == {"0o600"}


def test_formats_that_are_only_read_become_png(tmp_path):
    names = ["a.gif", "b.JPEG", "c.tar.tif"]
    found = find_jobs([tmp_path / name for name in names])
    assert targets(found, tmp_path) == ["a.gif.restored.png", "b.restored.JPEG", "c.tar.restored.tif"]
    assert targets(find_jobs([tmp_path / name for name in names], ext=".WebP"), tmp_path) == [
        "a.restored.webp",
        "b.restored.webp",
        "c.tar.restored.webp",
    ]


@pytest.mark.parametrize("name", ["write_mask", "preview"])
def test_a_mask_or_a_preview_is_not_the_output(tmp_path, name):
    write_image(Image.from_array(np.full((16, 16), 90, np.uint8)), tmp_path / "a.png")
    options = {"repair": True} if name == "write_mask" else {"method": "pnp", "degradation": "blur:sigma=1"}
    options[name] = tmp_path / "b.png"
    with pytest.raises(UsageError, match=f"{name} .*b.png: is an input or an output too; give another name"):
        restore_many([tmp_path / "a.png"], tmp_path / "b.png", **options)
    with pytest.raises(UsageError, match="give another name"):
        restore_piped(tmp_path / "a.png", tmp_path / "b.png", **options)
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(("change", "settled"), [(0, True), (1, False)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_diagnosis_chose_is_kept_only_if_it_changes_something(change, settled, dtype):
    """A JPEG that is written again loses more than such a change gains."""
    top = np.iinfo(dtype).max
    data = (texture() / 255 * top).astype(dtype)
    image, planned = Image.from_array(data), planning.Plan(ModelRequest(), (Blended("half"), "noise"), "soft", 3.0)
    other = data.copy()
    other[0, 0, 0] ^= 1
    other[8:] = np.where(other[8:] > top // 2, other[8:] - change * (top // 255), other[8:] + change * (top // 255))
    made = Restoration(image.with_data(other), planned, Steps(1, 1))
    told = worker.settled(image, made)
    assert told.plan.unchanged == settled
    assert (told.image is image) == settled
    assert (told.reasons[-1] != "noise") == settled
    assert ("half" in told.reasons) != settled  # nothing is blended where nothing is done
    for asked in (ModelRequest(model="soft"), ModelRequest(strength=0.5)):
        kept = replace(made, plan=replace(planned, request=asked))
        assert worker.settled(image, kept) is kept


@pytest.mark.parametrize("asked", ["mask", "degradation"])
def test_the_mask_is_an_input_and_is_never_replaced(tmp_path, asked):
    for name in ("a.png", "m.png"):
        write_image(Image.from_array(np.full((16, 16), 90, np.uint8)), tmp_path / name)
    before = (tmp_path / "m.png").read_bytes()
    method = {"method": "pnp", "degradation": f"mask:path={tmp_path / 'm.png'}"}
    options = {"mask": tmp_path / "m.png"} if asked == "mask" else method
    for call in (restore_many, restore_piped):
        first = tmp_path / "a.png"
        with pytest.raises(UsageError, match=r"m\.png: is a mask, and inputs are never replaced; give another output"):
            call([first] if call is restore_many else first, tmp_path / "m.png", **options, overwrite=True)
    assert (tmp_path / "m.png").read_bytes() == before


def test_a_preview_and_a_written_mask_are_two_files(tmp_path):
    write_image(Image.from_array(np.full((16, 16), 90, np.uint8)), tmp_path / "a.png")
    both = {"write_mask": tmp_path / "x.png", "preview": tmp_path / "x.png"}
    options = {"repair": True, "method": "pnp", "degradation": "blur:sigma=1", **both}
    with pytest.raises(UsageError, match=r"preview .*x\.png: is an input or an output too; give another name"):
        restore_many([tmp_path / "a.png"], tmp_path / "b.png", **options)


def test_several_photographs_do_not_go_into_a_name_of_one(tmp_path):
    for name in ("a.png", "b.png"):
        write_image(Image.from_array(np.full((16, 16), 90, np.uint8)), tmp_path / name)
    with pytest.raises(UsageError, match=r"one\.jpg: is a file; for several inputs or a folder, give a folder"):
        restore_many([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "one.jpg")
    assert not (tmp_path / "one.jpg").exists()


def test_a_jpeg_is_read_once(tmp_path, soft, monkeypatch):
    path = tmp_path / "a.jpg"
    write_image(Image.from_array(texture()), path, quality=98)
    opened, opening = [], Path.open
    monkeypatch.setattr(Path, "open", lambda self, *args, **kw: (opened.append(self), opening(self, *args, **kw))[1])
    restore_many([path], tmp_path / "out", **soft)
    assert opened.count(path) == 1


@pytest.mark.parametrize(("given", "asked", "written"), [(98, None, 98), (40, None, 95), (98, 90, 90)])
def test_a_fine_jpeg_is_written_as_finely(tmp_path, soft, given, asked, written):
    path = tmp_path / "a.jpg"
    write_image(Image.from_array(texture()), path, quality=given)
    restore_many([path], tmp_path / "out", **soft, quality=asked)
    assert jpeg_header(tmp_path / "out" / "a.jpg").quality == written
    _, piped = restore_piped(path.read_bytes(), **soft, quality=asked)
    assert jpeg_header(piped).quality == written

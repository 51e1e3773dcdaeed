"""What can be saved is known before the work, and what is saved is as it was asked for."""

import errno
import fcntl
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from resolvent.batch import worker
from resolvent.batch.jobs import find_jobs
from resolvent.batch.many import restore_many
from resolvent.batch.pipe import restore_piped
from resolvent.engine import plan as planning
from resolvent.engine.options import make_request
from resolvent.errors import OutputError, UsageError
from resolvent.image import Image
from resolvent.image.formats import KINDS
from resolvent.io import sweep, write_atomic
from tests.batch.conftest import put, texture, tree


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("x" * 252 + ".png", "a name of more than 255 bytes"),
        ("file/b.png", "file is no folder"),
        ("dir.png", "is a fold"),
    ],
)
def test_what_makes_saving_impossible_is_found_before_the_work(tmp_path, monkeypatch, soft, output, message, piped):
    source = put(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "dir.png").mkdir()
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("it was restored all the same"))
    if piped:
        with pytest.raises(OutputError, match=message):
            restore_piped(source, tmp_path / output, **soft, overwrite=True)
    elif output == "dir.png":
        assert find_jobs([source], tmp_path / output).jobs[0].target == tmp_path / "dir.png/a.png"
    else:
        (result,) = restore_many([source], tmp_path / output, **soft).results
        assert message in result.reasons[0]


def test_a_folder_that_is_read_only_is_found_before_the_work(album, tmp_path, monkeypatch, soft):
    (tmp_path / "out").mkdir()
    denied = {tmp_path / "out", album / "trip"}
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in denied and real(path, mode))
    with pytest.raises(OutputError, match="out: cannot be written into; make it writable"):
        restore_many([album], tmp_path / "out" / "new", **soft)
    report = restore_many([album], **soft)
    assert [result.status for result in report.results] == ["restored", "restored", "failed", "restored"]


@pytest.mark.parametrize(
    ("width", "extension", "scale", "fits"),
    [(65_500, ".jpg", 1, True), (65_501, ".jpg", 1, False), (4_096, ".webp", 4, False), (4_095, ".webp", 4, True)],
)
def test_a_format_too_small_for_the_result_is_refused_before_the_work(tmp_path, width, extension, scale, fits):
    image = Image.from_array(np.zeros((1, width, 1), np.uint8))
    planned = planning.Plan(make_request(), (), scale=scale)
    kind = KINDS[extension]
    if fits:
        worker.check_size(image, planned, kind)
    else:
        with pytest.raises(OutputError, match=f"{width * scale}x{scale} pixels, and {kind} holds at most"):
            worker.check_size(image, planned, kind)


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({"method": "self-similarity", "degradation": "downsample:scale=2"}, 2),
        ({"scale": 4}, 4),
        ({"model": "denoise", "sigma": 20}, 1),
    ],
)
def test_a_plan_knows_how_large_the_result_is(options, scale):
    assert planning.make_plan(Image.from_array(texture()), make_request(**options)).scale == scale


def test_a_full_disk_ends_it(album, tmp_path, monkeypatch, soft):
    def full(image, target, **options):
        if "b.png" in target.name:
            write_atomic(target, lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        return write(image, target, **options)

    write = worker.write_image
    monkeypatch.setattr(worker, "write_image", full)
    report = restore_many([album], tmp_path / "out", **soft, workers=1)
    assert [result.status for result in report.results] == ["restored"]
    assert report.stopped == "the disk is full, with 3 of 4 photographs left"
    assert report.exit_code == 1
    assert tree(tmp_path / "out") == ["a.png"]


def test_what_killed_runs_left_is_swept_and_nothing_else(album, tmp_path, soft):
    out = tmp_path / "out"
    out.mkdir()
    ours, held, young = (out / f".{digit * 16}.part" for digit in "abc")
    others = [out / ".download.part", out / f"{'d' * 16}.part"]
    for path in (ours, held, young, *others):
        path.write_bytes(b"half")
        if path != young:
            os.utime(path, (0, 0))
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        restore_many([album / "a.png"], out, **soft)
        assert {path.name for path in out.glob(".*.part")} == {held.name, young.name, ".download.part"}
        restore_many([album], out, **soft)  # the manifest says that no other batch works there
    left = {path.name for path in out.iterdir() if path.name.endswith(".part")}
    assert left == {held.name, *(path.name for path in others)}


def test_a_file_is_held_while_it_is_written(tmp_path):
    def write(file):
        (part,) = tmp_path.glob(".*.part")
        os.utime(part, (0, 0))
        sweep(tmp_path)
        assert part.exists()
        file.write(b"whole")

    write_atomic(tmp_path / "a.bin", write)
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert tree(tmp_path) == ["a.bin"]


def test_the_time_of_the_input_is_kept_on_request(tmp_path, soft):
    source = put(tmp_path / "a.png")
    os.utime(source, ns=(10**18, 10**18))
    for options in (soft, {"strength": 0}):
        restore_many([source], tmp_path / "kept.png", **options, keep_time=True, overwrite=True)
        restore_many([source], tmp_path / "new.png", **options, overwrite=True)
        assert (tmp_path / "kept.png").stat().st_mtime_ns == 10**18
        assert (tmp_path / "new.png").stat().st_mtime_ns > 10**18
    restore_piped(source, tmp_path / "piped.png", **soft, keep_time=True)
    assert (tmp_path / "piped.png").stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("strength", [0, 1])
def test_the_place_or_all_metadata_is_left_out_on_request(tmp_path, strength, soft):
    exif = PIL.Image.Exif()
    exif[271] = "maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0)})
    source = tmp_path / "a.jpg"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a exif:GPSLatitude="52,31N" dc:title="t"/></x:xmpmeta>'
    PIL.Image.fromarray(texture()).save(source, exif=exif, icc_profile=profile, xmp=xmp)
    options = {**soft, "strength": strength}
    for strip in (None, "gps", "all"):
        restore_many([source], tmp_path / f"{strip}.jpg", **options, strip=strip)
    _, piped = restore_piped(source, **options, strip="gps")
    (tmp_path / "piped.jpg").write_bytes(piped)
    found = {}
    for name in ("None", "gps", "all", "piped"):
        with PIL.Image.open(tmp_path / f"{name}.jpg") as image:
            known = image.getexif()
            place = dict(known.get_ifd(0x8825).items())
            assert image.info["icc_profile"] == profile
            found[name] = (known.get(271), bool(place), b"GPS" in image.info.get("xmp", b""))
    assert found == {
        "None": ("maker", True, True),
        "gps": ("maker", False, False),
        "piped": ("maker", False, False),
        "all": (None, False, False),
    }
    minutes = b"\x1f\0\0\0\1\0\0\0"
    assert minutes in (tmp_path / "None.jpg").read_bytes()
    assert minutes not in (tmp_path / "gps.jpg").read_bytes()
    with pytest.raises(UsageError, match="unknown strip 'place': Known: all, gps"):
        restore_many([source], strip="place")


def test_a_copy_keeps_what_reading_left_out(tmp_path):
    """However its warning is worded."""
    PIL.Image.fromarray(texture()).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (copied,) = restore_many([tmp_path / "a.jpg"], tmp_path / "b.jpg", strength=0).results
    (written,) = restore_many([tmp_path / "a.jpg"], tmp_path / "b.png", strength=0).results
    piped, _ = restore_piped((tmp_path / "a.jpg").read_bytes(), strength=0)
    assert (copied.warnings, piped.warnings) == ((), ())
    assert written.warnings == ("EXIF left out: it ends too soon",)


def test_bytes_from_a_pipe_go_into_a_file_as_they_came(tmp_path, soft):
    source = put(tmp_path / "a.png")
    content = source.read_bytes()
    result, emitted = restore_piped(content, tmp_path / "new" / "b.png", strength=0)
    assert (result.status, str(result.source), emitted) == ("unchanged", "-", b"")
    assert (tmp_path / "new" / "b.png").read_bytes() == content
    with pytest.raises(OutputError, match=r"exists; choose another output, or give --overwrite$"):
        restore_piped(content, tmp_path / "new" / "b.png", **soft)
    restored, emitted = restore_piped(content, **soft)
    assert restored.status == "restored"
    restore_many([source], tmp_path / "c.png", **soft)
    assert (tmp_path / "c.png").read_bytes() == emitted

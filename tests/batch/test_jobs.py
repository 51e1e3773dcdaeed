"""Which inputs there are, and where their outputs go."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from resolvent.batch.jobs import find_images, find_jobs
from resolvent.batch.many import restore_many
from resolvent.batch.search import Search
from resolvent.errors import MissingDependencyError, UsageError
from tests.batch.conftest import put, tree


def targets(found, folder):
    return [str(job.target.relative_to(folder)) for job in found.jobs]


def test_a_path_alone_is_one_input(tmp_path):
    """The letters of a text are paths too, and the last of ``photos/`` is the whole file system."""
    put(tmp_path / "in/a.png")
    for alone in (tmp_path / "in", f"{tmp_path / 'in'}/"):
        assert targets(find_jobs(alone, tmp_path / "out"), tmp_path) == ["out/a.png"]


@pytest.mark.parametrize(
    ("names", "ext", "expected"),
    [
        (["a.jpg", "a.png"], "png", ["out/a.jpg.png", "out/a.png"]),
        (["a.gif", "a.gif.png"], None, ["out/a.gif.png.png", "out/a.gif.png"]),
        (["a.jpg", "a.webp", "b.jpg"], "png", ["out/a.jpg.png", "out/a.webp.png", "out/b.png"]),
        (["x/a.png", "y/a.png", "z/b.png"], None, ["out/x/a.png", "out/y/a.png", "out/b.png"]),
        (["x/1/a.png", "x/2/a.jpg"], "png", ["out/1/a.png", "out/2/a.png"]),
        (["x/../x/a.png", "y/a.png"], None, ["out/x/a.png", "out/y/a.png"]),
    ],
)
def test_two_inputs_never_have_one_output(tmp_path, names, ext, expected):
    found = find_jobs([tmp_path / name for name in names], tmp_path / "out", ext=ext)
    assert targets(found, tmp_path) == expected
    assert targets(find_jobs([tmp_path / name for name in names], tmp_path / "out", ext=ext), tmp_path) == expected


def test_beside_their_inputs_two_have_distinct_names_too(tmp_path):
    found = find_jobs([tmp_path / "a.jpg", tmp_path / "a.png"], ext="png")
    assert targets(found, tmp_path) == ["a.jpg.restored.png", "a.restored.png"]


def test_folders_of_one_name_are_kept_apart(tmp_path):
    for name in ["2023/summer/a.png", "2024/summer/a.png", "2024/summer/b/c.png", "other/d.png"]:
        put(tmp_path / name)
    folders = [tmp_path / name for name in ("2023/summer", "2024/summer", "other")]
    found = find_jobs(folders, tmp_path / "out")
    assert targets(found, tmp_path / "out") == [
        "2023/summer/a.png",
        "2024/summer/a.png",
        "2024/summer/b/c.png",
        "d.png",
    ]
    nested = find_jobs([tmp_path / "2024/summer/b", tmp_path / "2024/summer"], tmp_path / "out")
    assert targets(nested, tmp_path / "out") == ["c.png", "a.png"]


def test_a_pattern_that_finds_results_too_leaves_them_out(tmp_path):
    """As ``*.jpg`` does at the second run; of a third run too, and with another extension or an output folder."""
    names = ["a.jpg", "a.restored.jpg", "a.restored.restored.jpg", "b.gif", "b.gif.restored.png", "c.restored.jpg"]
    for options in ({}, {"ext": "png"}, {"output": tmp_path / "out"}, {"suffix": "-2"}):
        found = find_jobs([tmp_path / name for name in names], **options)
        assert [job.source.name for job in found.jobs] == ["a.jpg", "b.gif", "c.restored.jpg"]
        assert [path.name for path in found.earlier] == [
            "a.restored.jpg", "a.restored.restored.jpg", "b.gif.restored.png",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (["a.jpg", "a.restored.jpg"], {"overwrite": True}),  # which may be an original
        (["a.jpg", "a-2.jpg"], {"suffix": "-2"}),
        (["a.jpg", "a.png"], {"suffix": "", "ext": "png"}),
    ],
)
def test_no_input_is_replaced_even_one_that_is_left_out(tmp_path, names, options):
    with pytest.raises(UsageError, match="is an input, and inputs are never replaced"):
        find_jobs([tmp_path / name for name in names], **options)


def test_a_link_to_an_input_is_not_replaced(tmp_path):
    for name in ("a.png", "b.png"):
        put(tmp_path / name)
    (tmp_path / "a.restored.png").symlink_to("b.png")
    with pytest.raises(UsageError, match="is an input"):
        find_jobs([tmp_path / name for name in ("a.png", "b.png", "a.restored.png")])


def test_only_photographs_have_results(tmp_path):
    """Of a raw file or notes of that name, ``a.restored.jpg`` is the photograph that there is."""
    put(tmp_path / "in/a.restored.png")
    for name in ("a.xmp", "a.cr2", "a.txt"):
        (tmp_path / "in" / name).touch()
    assert targets(find_jobs(tmp_path / "in", tmp_path / "out"), tmp_path) == ["out/a.restored.png"]


def test_a_watched_folder_may_be_gone_when_its_result_is_seen(tmp_path):
    search = Search(tmp_path / "out", "")
    assert not search.holds(tmp_path, tmp_path / "gone/a.restored.png", is_folder=False)
    put(tmp_path / "here/a.restored.png")
    assert search.holds(tmp_path, tmp_path / "here/a.restored.png", is_folder=False)
    put(tmp_path / "here/a.png")
    assert not search.holds(tmp_path, tmp_path / "here/a.restored.png", is_folder=False)


@pytest.mark.skipif(sys.platform == "win32", reason="chmod does not lock a folder there")
def test_what_cannot_be_looked_into_is_one_line(request):
    with tempfile.TemporaryDirectory(dir="/tmp") as place:  # that others than root can come to
        album, locked = Path(place), Path(place, "locked")
        album.chmod(0o755)
        put(album / "a.png")
        locked.mkdir(0o000)
        if os.getuid() == 0:
            os.seteuid(65534)
            request.addfinalizer(lambda: os.seteuid(0))
        found = find_jobs(album)
        named = find_jobs([album / "a.png", locked / "b.png"], album / "out")
        if os.getuid() == 0:
            os.seteuid(0)
        locked.chmod(0o755)
    assert [job.source.name for job in found.jobs] == ["a.png"]
    assert [job.source.name for job in named.jobs] == ["a.png", "b.png"]  # which tells when it is read
    assert list(found.unusable.values()) == [
        f"{locked}: cannot be listed: Permission denied; make it readable, or move it away"
    ]


def test_folders_of_results_are_left_out_unless_they_are_named(tmp_path, soft):
    """Of other runs too; a folder that held something before keeps its originals, and one restored in place."""
    album = tmp_path / "album"
    for name in ("a.png", "trip/b.png", "@eaDir/thumbnail.png", "mixed/c.png"):
        put(album / name)
    (album / "first/run").mkdir(parents=True)
    (album / "first/run/desktop.ini").touch()
    restore_many(album / "trip", **soft)
    restore_many([album / "a.png"], album / "mixed", **soft)
    restore_many(album / "trip", album / "first/run", **soft)
    report = restore_many(album, album / "second", **soft)
    assert tree(album / "second") == ["a.png", "mixed/a.png", "mixed/c.png", "trip/b.png"]
    assert report.earlier == (album / "first/run", album / "trip/b.restored.png")
    assert report.to_json()["earlier"] == [str(path) for path in report.earlier]
    assert restore_many(album, album / "second", resume=True, **soft).counts["skipped"] == 4
    named = find_jobs([path for path in album.iterdir() if path.name[0] != "@"], album / "second")
    assert {job.source for job in named.jobs} == {job.source for job in find_jobs(album, album / "second").jobs}
    assert not named.unusable
    assert set(named.earlier) == {*report.earlier, album / "second"}
    assert set(find_images(album).earlier) == {album / "first/run", album / "second"}
    assert targets(find_jobs(album / "second", tmp_path / "out"), tmp_path / "out") == tree(album / "second")


def test_a_format_that_cannot_be_written_here_is_refused_before_any_work(tmp_path, monkeypatch):
    put(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for output, ext in [(tmp_path / "out", "heic"), (tmp_path / "b.heic", None), (None, ".hif")]:
        with pytest.raises(MissingDependencyError, match="heif"):
            find_jobs(tmp_path / "a.png", output, ext=ext)


def test_the_manifest_of_a_folder_knows_its_results_by_any_suffix(tmp_path, soft):
    put(tmp_path / "a.png")
    restore_many(tmp_path, suffix="-soft", **soft)
    report = restore_many(tmp_path, **soft)
    assert tree(tmp_path) == ["a-soft.png", "a.png", "a.restored.png"]
    assert report.earlier == (tmp_path / "a-soft.png",)
    assert restore_many(tmp_path, resume=True, **soft).counts["skipped"] == 1


def test_a_file_goes_before_a_link_to_it(tmp_path):
    put(tmp_path / "in/b.png")
    (tmp_path / "in/a.png").symlink_to("b.png")
    found = find_jobs(tmp_path / "in", tmp_path / "out")
    assert (targets(found, tmp_path), found.repeated) == (["out/b.png"], (tmp_path / "in/a.png",))


def test_a_mask_that_is_not_there_is_told_before_any_work(tmp_path):
    put(tmp_path / "in/a.png")
    with pytest.raises(UsageError, match=r"no\.png: there is no such file, and --mask or --degradation names it"):
        restore_many(tmp_path / "in", tmp_path / "out", mask=tmp_path / "no.png")
    assert not (tmp_path / "out").exists()

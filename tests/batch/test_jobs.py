"""Which inputs there are, and where their outputs go."""

import numpy as np
import pytest

from resolvent.batch.jobs import find_jobs
from resolvent.image import Image, write_image


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image.from_array(np.zeros((4, 4), np.uint8)), path)


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

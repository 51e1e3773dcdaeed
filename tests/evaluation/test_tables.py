import json
import math
from dataclasses import replace

import pytest

from resolvent.evaluation.tables import Row, dumps, markdown, means, tables, to_json
from resolvent.provenance import Provenance

ORIGIN = Provenance("abc", "A CPU", 2, "Linux 6", "3.12.1", {"numpy": "2.0"}, "2026-01-01 00:00 UTC")


def row(method="input", degradation="noise:sigma=25", image="a.png", psnr=20.0, **values):
    base = {"ssim": 0.5, "seconds": 0.0, "megapixels": 0.25, "protocol": "P"}
    return Row(method, "Set", degradation, image, psnr, **(base | values))


ROWS = [
    row(psnr=20, accuracy=0.9, ms_ssim=0.5),
    row(psnr=24, accuracy=0.8, ms_ssim=0.7, image="b.png"),
    row("net", psnr=30, ssim=0.9, seconds=1, accuracy=0.95, ms_ssim=0.9),
    row("net", psnr=32, ssim=0.8, seconds=2, megapixels=0.75, accuracy=0.85, image="b.png"),
    row(degradation="blur:ksize=5|9", psnr=25, protocol="Q"),
]


def test_means():
    noisy, net, blurred = means(ROWS)
    assert (noisy.method, noisy.images, noisy.psnr, noisy.ms_ssim) == ("input", 2, 22, pytest.approx(0.6))
    assert (net.psnr, net.ssim, net.accuracy) == (31, pytest.approx(0.85), pytest.approx(0.9))
    assert net.seconds_per_megapixel == 3  # 3 s over 1 megapixel, not the mean of 4 and 8/3
    assert net.ms_ssim is None  # of the second image it was not measured
    assert (blurred.degradation, blurred.accuracy) == ("blur:ksize=5|9", None)


def test_markdown():
    assert markdown(ROWS, ORIGIN) == (
        "### Set, 2 images\n"
        "\n"
        "| method | noise:sigma=25 | blur:ksize=5\\|9 | s/megapixel |\n"
        "|---|---|---|---|\n"
        "| input | 22.00 / 0.5000 / 85.0% | 25.00 / 0.5000 |  |\n"
        "| net | 31.00 / 0.8500 / 90.0% |  | 3.00 |\n"
        "\n"
        "Cells: PSNR in dB / SSIM / accuracy, the share of pixels with the same largest channel; "
        "the input unchanged is its baseline.\n"
        "\n"
        "P.\n"
        "\n"
        "Q.\n"
        "\n"
        "resolvent abc; A CPU, 2 cores, Linux 6; Python 3.12.1, numpy 2.0; 2026-01-01 00:00 UTC\n"
    )


def test_the_feature_distance_is_last_in_a_cell_and_explained_below():
    measured = [replace(row, feature_distance=0.01 * nth) for nth, row in enumerate(ROWS, 1)]
    assert [mean.feature_distance for mean in means(measured)] == pytest.approx([0.015, 0.035, 0.05])
    text = markdown(measured, ORIGIN)
    assert "| input | 22.00 / 0.5000 / 85.0% / 0.0150 | 25.00 / 0.5000 / 0.0500 |  |\n" in text
    cells, note, *_ = text.partition("\n\nCells: ")[2].split("\n\n")
    assert "feature" not in cells
    assert note.startswith("Last in a cell: feature distance over RGB, lower is closer")
    assert "not LPIPS" in note
    assert "feature" not in markdown(ROWS, ORIGIN)


def test_a_table_for_each_dataset():
    other = Row("input", "Other", "noise:sigma=25", "c.png", 10.0, 0.1, 0.0, 1.0, "P")
    assert [title for title, _ in tables([*ROWS, other])] == ["Set, 2 images", "Other, 1 image"]


def test_json_is_stable():
    data = json.loads(dumps(to_json(ROWS, ORIGIN)))
    assert data["protocol"] == ["P", "Q"]
    assert data["provenance"]["code"] == "abc"
    assert set(data["rows"][0]) == {
        *("method", "dataset", "degradation", "image", "psnr", "ssim", "ms_ssim", "accuracy", "feature_distance"),
        *("seconds", "megapixels", "protocol", "task"),
    }
    assert data["rows"][3]["seconds"] == 2
    assert data["means"][1] == {
        "method": "net",
        "dataset": "Set",
        "degradation": "noise:sigma=25",
        "images": 2,
        "psnr": 31,
        "ssim": pytest.approx(0.85),
        "ms_ssim": None,
        "accuracy": pytest.approx(0.9),
        "feature_distance": None,
        "seconds_per_megapixel": 3,
        "task": "",
    }


def test_json_has_no_infinity():
    data = json.loads(dumps({"rows": [{"psnr": math.inf}, {"psnr": 1.5}], "pair": (math.nan, "é")}))
    assert data == {"rows": [{"psnr": None}, {"psnr": 1.5}], "pair": [None, "é"]}

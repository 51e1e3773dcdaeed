"""What would be done, and how long it would take."""

import numpy as np
import pytest

from resolvent.batch import forecast, worker
from resolvent.batch.many import restore_many
from resolvent.batch.report import CHECKED
from resolvent.engine import plan as planning
from resolvent.engine.options import make_request
from resolvent.engine.run import run
from resolvent.image import Image, write_image
from tests.batch.conftest import put, tree


def test_a_dry_run_writes_nothing_and_tells_what_would_be(album, tmp_path, soft):
    put(tmp_path / "out/a.png")
    report = restore_many([album], tmp_path / "out", **soft, resume=True, dry_run=True)
    assert [result.status for result in report.results] == ["skipped", *["restored"] * 3]
    assert tree(tmp_path / "out") == ["a.png"]
    assert report.dry_run
    assert all(result.expected > 0 for result in report.results[1:])
    assert report.to_json()["results"][1]["expected_seconds"] >= 0


def test_what_will_be_left_as_it_is_is_foreseen_from_a_few_windows(tmp_path, monkeypatch):
    """A dry run and a real one agree, either side of the change from which a result is kept."""
    y, x = np.mgrid[:96, :96] / 96
    clean = 127 + 60 * np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], axis=2)
    noisy = clean + np.random.default_rng(0).normal(0, 8, clean.shape)
    image = Image.from_array(noisy.clip(0, 255).astype(np.uint8))
    write_image(image, tmp_path / "a.png")
    chosen = planning.make_plan(image)
    restored = run(image, chosen).image.data
    change = np.sqrt(np.square(restored.astype(float) - image.data).mean())
    assert chosen.change == pytest.approx(change, rel=0.1)
    for least, status in ((0.8 * change, "restored"), (1.25 * change, "unchanged")):
        monkeypatch.setattr(worker, "LEAST_CHANGE", least)
        for i, dry_run in enumerate((True, False)):
            (result,) = restore_many([tmp_path / "a.png"], tmp_path / f"{status}{i}", dry_run=dry_run).results
            assert result.status == status
            assert any("next to nothing: left as it is" in line for line in result.reasons) == (status == "unchanged")
            assert (CHECKED in result.reasons) == (dry_run and status == "restored")


@pytest.mark.parametrize("options", [{}, {"uncertainty": "jacobian:probes=3"}])
def test_a_forecast_counts_every_pixel_that_is_read(monkeypatch, tiny, soft, options):
    """200x24 pixels in tiles of 16: as many pixels as the model is given, in all its passes, at the price of one."""
    seen = []

    class Timed:
        card = tiny[1]

        def run(self, x):
            seen.append(x.shape[-2] * x.shape[-1])
            return x[:, :3]

    image = Image.from_array(np.random.default_rng(0).integers(0, 256, (200, 24, 3)).astype(np.uint8))
    chosen = planning.make_plan(image, make_request(**soft, **options, tile=16))
    worker.run(image, chosen, None, lambda *_: Timed())
    read = sum(seen)
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: next(clock))
    told = forecast.Forecast(lambda *_: Timed())(image, chosen)
    assert told == pytest.approx(2.0 / forecast.PROBE**2 * read)

"""What a batch logs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from resolvent.batch.many import restore_many


def test_the_traceback_of_what_failed_is_logged_at_debug(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with caplog.at_level(logging.DEBUG, "resolvent"):
        report = restore_many(tmp_path / "bad.png", tmp_path / "out", model="denoise", sigma=10, workers=1)
    assert [result.status for result in report.results] == ["failed"]
    logged = [record for record in caplog.records if record.exc_info and "bad.png" in record.getMessage()]
    assert [record.exc_info[0].__name__ for record in logged if record.exc_info[0]] == ["FormatError"]

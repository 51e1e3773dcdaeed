"""A path of no letters is no path; it is not taken for the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from resolvent.batch.many import restore_many
from resolvent.errors import UsageError


@pytest.mark.parametrize(("inputs", "output"), [("", None), ([""], None), (["a.png"], "")])
def test_an_empty_path_is_refused(
    inputs: str | list[str], output: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"path '': is empty; give \. for the current folder"):
        restore_many(inputs, output)
    assert list(tmp_path.iterdir()) == []

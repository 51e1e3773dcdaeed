"""Folders whose names may differ in case alone."""

from pathlib import Path

import pytest

from resolvent.io import folds_case


@pytest.mark.parametrize("folder", [Path("/"), Path("/gone"), Path("/1/2")])
def test_a_folder_at_the_top_has_no_name_to_swap(folder):
    assert folds_case(folder) is False


def test_what_the_disk_does_is_what_is_said(tmp_path):
    folder = tmp_path / "Name"
    folder.mkdir()
    assert folds_case(folder) == folds_case(folder / "not" / "there") == (tmp_path / "nAME").exists()

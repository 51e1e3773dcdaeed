"""Figures name the commit that made them: each of those commits is in the history of the repository."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "benchmarks" / "RESULTS.md", *sorted(ROOT.glob("experiments/*/README.md"))]
KNOWN = {("experiments/posterior/README.md", "72f0dd506715")}
"""Pages whose commit is not in the public history. Each says so."""


def commits_of(text):
    """The commits that lines such as "Measured on: ...; resolvent COMMIT; ..." name."""
    lines = re.findall(r"^measured on: .*", text, re.IGNORECASE | re.MULTILINE)
    return [commit for line in lines for commit in re.findall(r"\bresolvent ([0-9a-f]{7,40})\b(?!\.)", line)]


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def history():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git, and the repository")
    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("needs the whole history: this clone is shallow")
    return git("rev-list", "HEAD").split()


def test_every_commit_that_figures_were_measured_on_is_in_the_history(history):
    named = {(page.relative_to(ROOT).as_posix(), c) for page in PAGES for c in commits_of(page.read_text("utf-8"))}
    assert len({commit for _, commit in named}) >= 20
    assert {(page, one) for page, one in named if not any(c.startswith(one) for c in history)} == KNOWN


def test_a_page_whose_commit_is_missing_says_so():
    for page, commit in KNOWN:
        assert f"{commit}, which made these tables, is not in the public history" in (ROOT / page).read_text("utf-8")


def test_commits_are_read_from_the_lines_that_say_where_figures_were_measured():
    assert commits_of("Text.\nMeasured on: σ 25; resolvent 72f0dd506715; AMD, 2 cores\nMore.") == ["72f0dd506715"]
    assert commits_of("Measured on: resolvent 1.2.0; x") == commits_of("resolvent 72f0dd506715; x") == []
    assert commits_of("Measured on: resolvent abcdef012345-dirty; x") == ["abcdef012345"]

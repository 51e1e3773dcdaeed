"""What a package index shows: the README without relative links, and addresses that are one and the same."""

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
README = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]


def shown(text):
    """What hatch-fancy-pypi-readme makes of a page."""
    for substitution in README["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    return text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a](docs/a.md#b), [c](LICENSE)", "[a](BLOB/docs/a.md#b), [c](BLOB/LICENSE)"),
        ("![a](docs/a.jpg)", "![a](RAW/docs/a.jpg)"),
        ("[![a](docs/a.jpg)](docs/a.md)", "[![a](RAW/docs/a.jpg)](BLOB/docs/a.md)"),
        ("[a](https://example.org/b.md) [c](#d)", "[a](https://example.org/b.md) [c](#d)"),
        ('<!--- skip: next "x" -->\n\n```sh\nls\n```\n', "```sh\nls\n```\n"),
    ],
)
def test_links_become_absolute(before, after):
    places = {"BLOB": "https://github.com/resolvent/resolvent/blob/main",
              "RAW": "https://raw.githubusercontent.com/resolvent/resolvent/main"}  # fmt: skip
    for place, address in places.items():
        after = after.replace(place, address)
    assert shown(before) == after


def test_the_readme_has_no_relative_link_on_the_index():
    (fragment,) = README["fragments"]
    page = shown((PROJECT / fragment["path"]).read_text("utf-8"))
    links = re.findall(r"\]\(([^)\s]*)\)", re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL))
    assert len(links) > 10
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_readme_is_given_by_the_plug_in_alone():
    assert PYPROJECT["project"]["dynamic"] == ["readme"]
    assert "readme" not in PYPROJECT["project"]
    assert any("hatch-fancy-pypi-readme" in need for need in PYPROJECT["build-system"]["requires"])
    for builder in (".ci/wheel", "Dockerfile"):
        assert "hatch-fancy-pypi-readme" in (PROJECT / builder).read_text("utf-8")


def test_the_address_is_one():
    urls = PYPROJECT["project"]["urls"]
    assert set(urls) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(url.startswith(urls["Source"]) for url in urls.values())
    for url in urls.values():
        if match := re.fullmatch(rf"{urls['Source']}/blob/main/(.*)", url):
            assert (PROJECT / match[1]).is_file()


def test_the_source_distribution_and_the_image_hold_what_the_build_needs():
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all((PROJECT / entry.lstrip("/")).exists() for entry in included)
    (shared,) = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    allowed = (PROJECT / ".dockerignore").read_text("utf-8").splitlines()
    for entry in (shared, "src", "README.md", "LICENSE", "pyproject.toml"):
        assert f"/{entry}" in included or entry == "pyproject.toml"
        assert f"!{entry}" in allowed
        assert re.search(rf"^COPY .*\b{re.escape(entry)}\b", (PROJECT / "Dockerfile").read_text("utf-8"), re.MULTILINE)

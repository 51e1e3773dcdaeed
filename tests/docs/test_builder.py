"""What the builder of the documentation does to pages, and what it refuses."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from docs.builder import gallery, offline
from docs.builder.collect import PLACES, ROOT, Pages
from docs.builder.reference import PYTHON, write_reference
from resolvent.cli.reference import command_tree, walk
from resolvent.methods import METHODS
from resolvent.models.registry import list_models


@pytest.fixture
def pages(tmp_path):
    return Pages(tmp_path)


@pytest.fixture
def broken(pages):
    """The links that were found broken."""
    return pages.broken


@pytest.fixture
def ready(pages):
    """What becomes of the text of a page."""
    return lambda text: pages.ready(text, "docs/research/theory.md")


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("methods.md#pnp", "methods.md#pnp"),
        ("../../benchmarks/RESULTS.md#serving", "results.md#serving"),
        ("../../experiments/seed/README.md", "experiments/seed.md"),
        ("../../CONTRIBUTING.md", "../about/contributing.md"),
        ("../reference/cli.md", "../reference/cli.md"),
        ("../../src/resolvent/io.py", "https://github.com/resolvent/resolvent/blob/main/src/resolvent/io.py"),
        ("../../src/resolvent", "https://github.com/resolvent/resolvent/tree/main/src/resolvent"),
        ("https://example.org/a.md", "https://example.org/a.md"),
        ("#here", "#here"),
    ],
)
def test_a_link_leads_to_the_page_or_to_the_file(ready, broken, link, target):
    assert ready(f"see [this]({link}), please") == f"see [this]({target}), please"
    assert not broken


def test_a_picture_is_copied(tmp_path, ready):
    shown = ready("![a](../../benchmarks/pareto-denoise.svg)")
    assert shown == "![a](../benchmarks/pareto-denoise.svg)"
    assert (tmp_path / "benchmarks/pareto-denoise.svg").read_bytes() == Path(
        ROOT, "benchmarks/pareto-denoise.svg"
    ).read_bytes()


def test_a_picture_of_the_gallery_is_one_that_was_drawn(tmp_path, ready, broken):
    (tmp_path / "gallery/noise").mkdir(parents=True)
    (tmp_path / "gallery/noise/1-1.webp").touch()
    assert ready("![a](../gallery/noise/1-1.webp)") == "![a](../gallery/noise/1-1.webp)"
    assert not broken
    ready("![a](../gallery/noise/9-1.webp)")
    assert [line.rpartition(": ")[2] for line in broken] == ["the gallery drew no docs/gallery/noise/9-1.webp"]


def test_a_link_that_leads_nowhere_is_told(ready, broken):
    ready("[a](gone.md)")
    assert broken == ["docs/research/theory.md: the link gone.md leads nowhere: there is no docs/research/gone.md"]


def test_code_is_left_alone(ready, broken):
    text = "`[a](gone.md)`\n\n```sh\n[a](gone.md) $`x`$\n```\n\n- item\n\n  ```text\n  [a](gone.md)\n  ```\n"
    assert ready(text) == text
    assert not broken


def test_formulas_become_mathml_that_markdown_leaves_alone(ready, broken):
    shown = ready("Where $`y_i = a*x_i`$ holds\n\n```math\n\\frac{1}{2} \\|A x\\|^2\n```\n")
    inline, block = (ET.fromstring(found) for found in re.findall(r"<math.*?</math>", shown))
    assert (inline.get("display"), block.get("display")) == ("inline", "block")
    assert {element.tag.rpartition("}")[2] for element in block.iter()} >= {"mfrac", "msup"}
    assert not set("*_`$") & set(re.sub("</?div.*?>", "", shown))
    assert not broken
    ready("$`\\nonsense x`$")
    assert broken == ["the formula \\nonsense x has a command that latex2mathml does not know"]


def test_every_page_is_in_the_navigation():
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
    settings = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader)
    listed = re.findall(r"[\w/]+\.md", json.dumps(settings["nav"]))
    assert len(listed) == len(set(listed))
    generated = {page for page in listed if page.startswith(("reference/", "gallery/", "about/credits.md"))}
    assert {*listed} - generated == set(PLACES.values())
    assert generated == {"about/credits.md", "gallery/index.md", *(f"reference/{page}.md" for page in REFERENCES)}


REFERENCES = ("index", "cli", "python", "models", "methods", "degradations", "networks", "objectives", "recipes")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder)
    return {page.stem: page.read_text("utf-8") for page in folder.iterdir()}


def test_the_reference_has_everything_that_can_be_named(reference):
    assert set(reference) == set(REFERENCES)
    for page, names in (
        ("models", list_models()),
        ("methods", METHODS),
        ("python", [name for part in PYTHON.values() for name in part]),
    ):
        heads = re.findall(r"^## (\S+)$|^      heading: (\S+)$", reference[page], re.MULTILINE)
        assert set(names) <= {name for found in heads for name in found}, page


def test_the_page_of_commands_has_the_anchor_and_the_options_of_every_one(reference):
    page = reference["cli"]
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {heading.replace(" ", "-") for heading in headings}
    for command in walk(command_tree()):
        assert command.name in headings
        for option in command.options:
            assert f"| `{option.synopsis}` |" in page
    assert {"resolvent-restore", "resolvent-batch-status"} <= anchors
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= anchors
    assert {line.count("|") - line.count("\\|") for line in page.splitlines() if line.startswith("|")} == {3}


def test_tables_of_the_reference_have_as_many_cells_in_each_row(reference):
    for page, text in reference.items():
        for lines in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            rows = re.sub(r"`[^`]*`", "", lines).splitlines()
            widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
            assert len(widths) == 1, (page, lines)


SCRIPT = '''"""A title.

What it shows.
"""
# %%
# Some text,
# two lines.
import matplotlib.pyplot as plt

print("printed", 1 + 1)
# %%
# More.
plt.plot([1, 2])
'''


def test_a_script_becomes_a_page_with_what_it_prints_and_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/example.py").write_text(SCRIPT)
    (tmp_path / "out/example").mkdir(parents=True)
    (tmp_path / "out/example/of-the-build-before.webp").touch()
    gallery.write_gallery(tmp_path / "scripts", tmp_path / "out")
    page = (tmp_path / "out/example.md").read_text("utf-8")
    order = [
        "# A title\n",
        "What it shows.",
        "Some text,\ntwo lines.",
        "```python",
        "printed 2\n",
        "More.",
        "example/1-1.webp",
    ]
    assert sorted(order, key=page.index) == order
    assert (tmp_path / "out/example/1-1.webp").read_bytes()[8:12] == b"WEBP"
    assert not (tmp_path / "out/example/of-the-build-before.webp").exists()
    assert "example.html" in (tmp_path / "out/index.md").read_text("utf-8")


def test_a_script_that_fails_ends_the_build(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "bad.py").write_text('"""A title."""\n# %%\n1 / 0\n')
    with pytest.raises(SystemExit, match=r"(?s)bad.py failed.*line 3.*ZeroDivisionError"):
        gallery.write_gallery(tmp_path, tmp_path / "out")


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    page = tmp_path / "a" / "index.html"
    page.parent.mkdir()
    page.write_text('<script src="https://unpkg.com/iframe-worker/shim"></script><a href="https://example.org">out</a>')
    offline.keep_local(tmp_path)
    assert '<script src="../worker.js">' in page.read_text()
    page.write_text('<img alt="" src="https://example.org/a.png">')
    with pytest.raises(SystemExit, match=r"a/index.html loads https://example.org/a.png"):
        offline.keep_local(tmp_path)


@pytest.mark.parametrize("page", ["README.md", *PLACES])
def test_every_relative_link_of_a_page_leads_to_a_file(page):
    text = re.sub(r"^( *)```.*?^\1```$|`[^`\n]*`", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        if re.search(r"(^|/)(reference|gallery)/|(^|/)credits\.md$", link):
            continue  # made when the site is built, and checked there
        assert (ROOT / page).parent.joinpath(link).exists(), link

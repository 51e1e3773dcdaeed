"""The pages of the site: Markdown files of the repository, with their links and formulas made ready for it."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from latex2mathml.converter import convert

__all__ = ["BROKEN", "PLACES", "ROOT", "SOURCE", "collect"]

ROOT = Path(__file__).parents[2]
SOURCE = "https://github.com/resolvent/resolvent"
"""Where files are that have no page of their own."""

PLACES = {
    "CHANGELOG.md": "about/changelog.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "benchmarks/RESULTS.md": "research/results.md",
    **{
        f"experiments/{page.parent.name}/README.md": f"research/experiments/{page.parent.name}.md"
        for page in ROOT.glob("experiments/*/README.md")
    },
    **{f"docs/{page}": page for page in (p.relative_to(ROOT / "docs").as_posix() for p in ROOT.glob("docs/**/*.md"))},
}
"""From a Markdown file of the repository to its page."""

PICTURES = (".png", ".jpg", ".svg", ".webp")
GENERATED = ("docs/reference/", "docs/gallery/", "docs/about/credits.md")
BROKEN: list[str] = []
"""Links that lead nowhere, filled by ``collect``."""

FENCE = re.compile(
    r"^(?P<indent> *)(?P<marks>```+)(?P<language>.*)\n(?P<text>(?:.*\n)*?)(?P=indent)(?P=marks) *$", re.M
)
LINK = re.compile(r"(\]\(|\b(?:src|href)=\")((?!https?:|mailto:|#|data:)[^)\s\"]+)")
INLINE_CODE = re.compile(r"(?<![$`])(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
INLINE_MATH = re.compile(r"\$`(.+?)`\$", re.S)


def collect(pages: Path) -> None:
    """Write all pages, and the pictures that they show, into a folder."""
    for origin, place in PLACES.items():
        target = pages / place
        target.parent.mkdir(parents=True, exist_ok=True)
        text = _wide_lists((ROOT / origin).read_text("utf-8"))
        target.write_text(_outside_fences(text, lambda part, at=origin: _ready(part, at, pages)), "utf-8")
    for name in ("style.css", "worker.js"):
        shutil.copy(ROOT / "docs" / "builder" / name, pages / name)
    shutil.copytree(ROOT / "docs" / "images", pages / "images", dirs_exist_ok=True)


def _wide_lists(text: str) -> str:
    """Indent what belongs to a numbered item by four spaces, as the site wants it; GitHub is content with three."""
    result, in_list, fence = [], False, ""
    for line in text.splitlines(keepends=True):
        marks = re.match(r" *(```+)", line)
        if not fence:
            in_list = bool(re.match(r"\d+\. ", line)) or (in_list and line[:1] in " \n")
        if marks and fence in ("", marks[1]):
            fence = "" if fence else marks[1]
        if in_list:
            line = re.sub(r"^(\d+\.) (?=\S)", r"\1  ", line) if line[:1] != " " else line.replace("   ", "    ", 1)
        result.append(line)
    return "".join(result)


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Change what is not code; formulas in fences become MathML."""
    done, result = 0, []
    for fence in FENCE.finditer(text):
        result.append(change(text[done : fence.start()]))
        if fence["language"].strip() == "math":
            result.append(f'{fence["indent"]}<div class="formula">{formula(fence["text"], "block")}</div>')
        else:
            result.append(fence[0])
        done = fence.end()
    return "".join([*result, change(text[done:])])


def _ready(text: str, origin: str, pages: Path) -> str:
    """Prose of a page: formulas as MathML, links as the site has them. Inline code is left alone."""
    # in a span, lest a formula at the start of a line be a block of its own
    text = INLINE_MATH.sub(lambda found: f"<span>{formula(found[1], 'inline')}</span>", text)
    done, result = 0, []
    for code in INLINE_CODE.finditer(text):
        bare = code[0].replace("\\|", "|")  # which GitHub needs in a table, and the site would show
        result += [_links(text[done : code.start()], origin, pages), bare]
        done = code.end()
    return "".join([*result, _links(text[done:], origin, pages)])


def _links(text: str, origin: str, pages: Path) -> str:
    return LINK.sub(lambda found: found[1] + _target(found[2], origin, pages), text)


def _target(link: str, origin: str, pages: Path) -> str:
    """Where a link of a file leads in the site: a page, a copied picture, or the file in the repository."""
    path, mark, anchor = link.partition("#")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    here = posixpath.dirname(PLACES[origin])
    if there in PLACES:
        return posixpath.relpath(PLACES[there], here or ".") + mark + anchor
    if there.startswith(GENERATED) and not (ROOT / there).exists():
        if there.endswith(PICTURES) and not (pages / there.removeprefix("docs/")).exists():
            BROKEN.append(f"{origin}: the link {link} leads nowhere: the gallery drew no {there}")
        return posixpath.relpath(there.removeprefix("docs/"), here or ".") + mark + anchor
    if not (ROOT / there).exists():
        BROKEN.append(f"{origin}: the link {link} leads nowhere: there is no {there}")
        return link
    if there.endswith(PICTURES):
        place = there.removeprefix("docs/")
        (pages / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / there, pages / place)
        return posixpath.relpath(place, here or ".")
    kind = "tree" if (ROOT / there).is_dir() else "blob"
    return f"{SOURCE}/{kind}/main/{there}{mark}{anchor}"


def formula(latex: str, display: str) -> str:
    """LaTeX as MathML in which Markdown finds nothing to change."""
    mathml: str = convert(" ".join(latex.split()), display=display)
    if "\\" in mathml:
        BROKEN.append(f"the formula {latex.strip()} has a command that latex2mathml does not know")
    for character in "*_`~\\[]":
        mathml = mathml.replace(character, f"&#{ord(character)};")
    return mathml

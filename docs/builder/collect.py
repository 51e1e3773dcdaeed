"""The pages of the site: Markdown files of the repository, with their links and formulas made ready for it."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

from latex2mathml.converter import convert

__all__ = ["PLACES", "ROOT", "SOURCE", "Pages"]

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

FENCE = re.compile(
    r"^(?P<indent> *)(?P<marks>```+)(?P<language>.*)\n(?P<text>(?:.*\n)*?)(?P=indent)(?P=marks) *$", re.M
)
LINK = re.compile(r"(\]\(|\b(?:src|href)=\")((?!https?:|mailto:|#|data:)[^)\s\"]+)")
INLINE_CODE = re.compile(r"(?<![$`])(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
INLINE_MATH = re.compile(r"\$`(.+?)`\$", re.S)


class Pages:
    """The pages of the site in a folder.

    Args:
        folder: Where they are written, with the pictures that they show.

    Attributes:
        broken: Links that lead nowhere and formulas that cannot be set, a line each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken: list[str] = []

    def write(self) -> None:
        """Write all pages, and what all of them need."""
        for origin, place in PLACES.items():
            target = self.folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.ready((ROOT / origin).read_text("utf-8"), origin), "utf-8")
        for name in ("style.css", "worker.js"):
            shutil.copy(ROOT / "docs" / "builder" / name, self.folder / name)
        shutil.copytree(ROOT / "docs" / "images", self.folder / "images", dirs_exist_ok=True)

    def ready(self, text: str, origin: str) -> str:
        """A file as its page has it: lists wide, links and formulas of the site; other fences are left alone."""
        text = _wide_lists(text)
        done, result = 0, []
        for fence in FENCE.finditer(text):
            result.append(self._prose(text[done : fence.start()], origin))
            if fence["language"].strip() == "math":
                result.append(f'{fence["indent"]}<div class="formula">{self._formula(fence["text"], "block")}</div>')
            else:
                result.append(fence[0])
            done = fence.end()
        return "".join([*result, self._prose(text[done:], origin)])

    def _prose(self, text: str, origin: str) -> str:
        """What is not in fences. Inline code is left alone."""
        # in a span, lest a formula at the start of a line be a block of its own
        text = INLINE_MATH.sub(lambda found: f"<span>{self._formula(found[1], 'inline')}</span>", text)
        done, result = 0, []
        for code in INLINE_CODE.finditer(text):
            bare = code[0].replace("\\|", "|")  # which GitHub needs in a table, and the site would show
            result += [self._links(text[done : code.start()], origin), bare]
            done = code.end()
        return "".join([*result, self._links(text[done:], origin)])

    def _links(self, text: str, origin: str) -> str:
        return LINK.sub(lambda found: found[1] + self._target(found[2], origin), text)

    def _target(self, link: str, origin: str) -> str:
        """Where a link of a file leads in the site: a page, a copied picture, or the file in the repository."""
        path, mark, anchor = link.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        here = posixpath.dirname(PLACES[origin]) or "."
        if there in PLACES:
            return posixpath.relpath(PLACES[there], here) + mark + anchor
        place = there.removeprefix("docs/")
        if there.startswith(GENERATED) and not (ROOT / there).exists():
            if there.endswith(PICTURES) and not (self.folder / place).exists():
                self.broken.append(f"{origin}: the link {link} leads nowhere: the gallery drew no {there}")
            return posixpath.relpath(place, here) + mark + anchor
        if not (ROOT / there).exists():
            self.broken.append(f"{origin}: the link {link} leads nowhere: there is no {there}")
            return link
        if there.endswith(PICTURES):
            (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / there, self.folder / place)
            return posixpath.relpath(place, here)
        kind = "tree" if (ROOT / there).is_dir() else "blob"
        return f"{SOURCE}/{kind}/main/{there}{mark}{anchor}"

    def _formula(self, latex: str, display: str) -> str:
        """LaTeX as MathML in which Markdown finds nothing to change."""
        mathml: str = convert(" ".join(latex.split()), display=display)
        if "\\" in mathml:
            self.broken.append(f"the formula {latex.strip()} has a command that latex2mathml does not know")
        for character in "*_`~\\[]":
            mathml = mathml.replace(character, f"&#{ord(character)};")
        return mathml


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

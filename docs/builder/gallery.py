"""The gallery: scripts that run when the site is built, shown with what they print and draw.

A script begins with a docstring, its title and what it shows. ``# %%`` starts a cell, and the comment lines after it
are the text above the cell. Figures of matplotlib that are open at the end of a cell stand below it.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from docs.builder.collect import SOURCE

__all__ = ["Cell", "cells", "run", "write_gallery"]

WIDTH = 1600
"""Of a figure, in pixels, at most."""


@dataclass(frozen=True)
class Cell:
    """A part of a script: the text above it, and its code with the line at which it starts."""

    text: str
    code: str
    line: int


def cells(source: str) -> tuple[str, list[Cell]]:
    """The docstring of a script, and its cells.

    >>> cells('"Title."' + chr(10) + "# %%" + chr(10) + "# Text." + chr(10) + "1 + 1")
    ('Title.', [Cell(text='Text.', code='1 + 1', line=4)])
    """
    docstring = ast.get_docstring(ast.parse(source)) or ""
    lines = source.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    if not starts:
        raise SystemExit("a script of the gallery needs a line '# %%' before its first cell")
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        first = start + 1
        while first < end and lines[first].startswith("#"):
            first += 1
        text = "\n".join(line[1:].removeprefix(" ") for line in lines[start + 1 : first])
        found.append(Cell(text, "\n".join(lines[first:end]).strip("\n"), first + 1))
    return docstring, found


def run(script: Path, output: Path) -> None:
    """Run a script; write its figures and ``cells.json``, what each cell printed and drew, into a folder."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"figure.dpi": 110, "savefig.bbox": "tight", "savefig.pad_inches": 0.05, "font.size": 11})
    output.mkdir(parents=True, exist_ok=True)
    os.chdir(output)
    namespace = {"__name__": "__main__"}
    report = []
    for number, cell in enumerate(cells(script.read_text("utf-8"))[1]):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (cell.line - 1) + cell.code, str(script), "exec"), namespace)
        names = []
        for figure in plt.get_fignums():
            names.append(f"{number}-{figure}.webp")
            size = plt.figure(figure).get_size_inches()
            plt.savefig(names[-1], dpi=min(200, WIDTH / size[0]), pil_kwargs={"quality": 88})
        plt.close("all")
        report.append({"printed": printed.getvalue(), "figures": names})
    (output / "cells.json").write_text(json.dumps(report), "utf-8")


def write_gallery(scripts: Path, output: Path, *, again: bool = True) -> None:
    """Run all scripts of a folder, two at a time, and write a page for each, and one that shows them all."""
    found = sorted(scripts.glob("*.py"))
    output.mkdir(parents=True, exist_ok=True)
    for page in output.glob("*.md"):
        page.unlink()
    missing = [script for script in found if again or not (output / script.stem / "cells.json").exists()]
    with ThreadPoolExecutor(2) as pool:
        for failure in pool.map(lambda script: _start(script, output / script.stem), missing):
            if failure:
                sys.exit(failure)
    cards = []
    for script in found:
        title, body, picture = _page(script, output)
        (output / f"{script.stem}.md").write_text(body, "utf-8")
        cards.append(f'<a class="card" href="{script.stem}.html"><img src="{picture}" alt="">{title}</a>')
    intro = (
        "# Gallery\n\nEach page is a script with what it printed and drew when this documentation was built. "
        "The photographs come with scikit-image.\n\n"
    )
    (output / "index.md").write_text(f'{intro}<div class="gallery">\n{"".join(cards)}\n</div>\n', "utf-8")


def _start(script: Path, output: Path) -> str:
    """Run a script in a process of its own and an empty folder; what it said if it failed."""
    shutil.rmtree(output, ignore_errors=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error::DeprecationWarning:__main__"}
    command = [sys.executable, "-m", "docs.builder.gallery", str(script), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return "" if done.returncode == 0 else f"{script.name} failed:\n{done.stderr}"


def _page(script: Path, output: Path) -> tuple[str, str, str]:
    """The title of a script, its page, and the picture that stands for it."""
    docstring, parts = cells(script.read_text("utf-8"))
    if not docstring:
        sys.exit(f"{script.name}: has no docstring; its first line is the title of the page")
    title, _, intro = docstring.partition("\n")
    report = json.loads((output / script.stem / "cells.json").read_text("utf-8"))
    body = [f"# {title.rstrip('.')}", intro.strip()]
    pictures = []
    for cell, shown in zip(parts, report, strict=True):
        body.append(cell.text)
        if cell.code:
            body.append(f"```python\n{cell.code}\n```")
        if shown["printed"].strip():
            body.append(f"```text\n{shown['printed'].rstrip()}\n```")
        for name in shown["figures"]:
            pictures.append(f"{script.stem}/{name}")
            body.append(f"![What the code above draws]({pictures[-1]})")
    if not pictures:
        sys.exit(f"{script.name}: draws no figure; a page of the gallery needs one")
    body.append(f"The script: [{script.name}]({SOURCE}/blob/main/docs/gallery/{script.name})")
    return re.sub(r"\.$", "", title), "\n\n".join(part for part in body if part) + "\n", pictures[-1]


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))

"""Runs what the pages show: ``make doctest``. A plug-in of pytest, made with Sybil.

Each page has a folder of its own, with small photographs (``make_files``), in which its blocks run one after the other:

- ``sh``: commands; each must succeed.
- ``console``: commands after ``$``, and what they print, where ``...`` stands for any text. Without output, nothing is
  compared. ``# exit code 1`` at the end of a command says how it ends.
- ``python``: run, or as a doctest if it begins with ``>>>``. One namespace for a page. A block that is a file (its
  first line is ``# PATH.py``), or that imports from the package ``acme`` of an example, is no program and is not run.
- ``toml``: whose first line is ``# NAME.toml``: written to that file.

A comment of HTML before a block changes that; readers do not see it:

- ``<!--- skip: next "reason" -->``: not run, only parsed by tests/test_readme.py.
- ``<!--- server -->``: from here on ``resolvent serve`` runs.
- ``<!--- sh``, a line break, commands, ``-->``: run, but not shown.
"""

from __future__ import annotations

import doctest
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
from sybil import Document, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer

import resolvent

ROOT = Path(__file__).parents[1]
PORT = 8484
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILE = re.compile(r"# \S+\.py\n|.*^from acme\b", re.MULTILINE | re.DOTALL)
"""What a block of Python begins with, or holds, that is a file of an example; tests/test_contributing.py runs those."""


@cache
def make_files() -> Path:
    """A folder of small photographs; each page gets a copy.

    - ``photo.png``, clean, and ``bad.png``, the same with blur 2 and noise 10; ``photo.jpg``: noisy, with EXIF.
    - ``small.png`` 48x64; ``scan.tif`` with scratches; ``holes.png``, a mask of its size; ``before.jpg``, and
      ``after.jpg``, the same better.
    - ``holiday/``, ``scans/``, ``inbox/``: folders of photographs with faults, the first with a subfolder.
    - ``photos/`` twelve clean ones to train on, ``unseen/`` four others, ``noisy/`` noisy ones, ``bursts/`` of scenes.
    """
    from skimage import data

    folder = Path(tempfile.mkdtemp(prefix="resolvent-pages-"))
    chelsea, coffee, astronaut, rocket = data.chelsea(), data.coffee(), data.astronaut(), data.rocket()

    def save(image: np.ndarray, name: str, degradation: str = "", **options: Any) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if degradation:
            image = np.uint8(np.rint(255 * resolvent.degrade(image, degradation, seed=len(name)).clip(0, 1)))
        resolvent.write_image(resolvent.Image.from_array(image), path, **options)

    photo = coffee[80:208, 150:342]
    save(photo, "photo.png")
    save(photo, "bad.png", "blur:sigma=2 + noise:sigma=10")
    save(photo, "photo.jpg", "noise:sigma=20", quality=92)
    save(chelsea[60:108, 120:184], "small.png", "jpeg:quality=70")
    save(astronaut[0:128, 130:322], "scan.tif", "scratches:count=3,width=2 + grain:sigma=6")
    holes = np.zeros((128, 192), np.uint8)
    holes[30:34, 20:150] = holes[80:90, 100:110] = 255
    save(holes, "holes.png")
    save(photo, "before.jpg", "jpeg:quality=10")
    save(photo, "after.jpg")
    for number, (name, fault) in enumerate(
        [
            ("beach.jpg", "noise:sigma=25"),
            ("dinner/cake.jpg", "jpeg:quality=15"),
            ("dinner/toast.jpg", "blur:sigma=1.6"),
        ]
    ):
        save(chelsea[40 * number : 40 * number + 96, 100:228], f"holiday/{name}", fault)
    for number in range(3):
        save(rocket[100 * number : 100 * number + 96, 200:328], f"scans/{1950 + number}.png", "noise:sigma=15")
    save(chelsea[100:196, 40:168], "inbox/new.jpg", "noise:sigma=20")
    for number in range(12):
        row, column = divmod(number, 4)
        save(astronaut[96 * row : 96 * row + 96, 128 * column : 128 * column + 96], f"photos/{number:02}.png")
        save(
            coffee[96 * row : 96 * row + 96, 96 * column : 96 * column + 96], f"noisy/{number:02}.png", "noise:sigma=15"
        )
    for number in range(4):
        save(chelsea[96:192, 96 * number : 96 * number + 96], f"unseen/{number}.png")
        for frame in "abc":
            save(rocket[64 * number : 64 * number + 96, 160:256], f"bursts/{number}/{frame}.png", "noise:sigma=15")
    return folder


def start(namespace: dict[str, Any]) -> None:
    """Give a page its folder."""
    folder = Path(tempfile.mkdtemp(prefix="resolvent-page-"))
    shutil.copytree(make_files(), folder / "work", dirs_exist_ok=True)
    namespace["before"] = Path.cwd()
    namespace["folder"] = folder
    namespace["ends"] = []
    os.chdir(folder / "work")


def end(namespace: dict[str, Any]) -> None:
    """Take the folder away, and stop what runs in it."""
    for stop in reversed(namespace["ends"]):
        stop()
    os.chdir(namespace["before"])
    shutil.rmtree(namespace["folder"], ignore_errors=True)


def bash(example: Any, text: str) -> subprocess.CompletedProcess[str]:
    """Run commands in the folder of a page, in a home and on a path of its own."""
    folder = example.namespace["folder"]
    (folder / "home").mkdir(exist_ok=True)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("RESOLVENT_")},
        "HOME": str(folder / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", text]
    return subprocess.run(
        command,
        cwd=folder / "work",
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def run_commands(example: Any) -> str | None:
    """Run a block of commands; what went wrong, if anything did."""
    done = bash(example, example.parsed)
    return f"exit code {done.returncode}\n{done.stdout}{done.stderr}" if done.returncode else None


def run_session(example: Any) -> str | None:
    """Run the commands of a session one after the other, and compare what they print."""
    wrong = []
    for part in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        command, wanted = "\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :]).strip()
        code = re.search(r"# exit code (\d+)$", command)
        done = bash(example, f"exec 2>&1\n{command}")
        if done.returncode != int(code[1] if code else 0):
            wrong.append(f"$ {command}\nexit code {done.returncode}\n{done.stdout}")
        elif wanted and not doctest.OutputChecker().check_output(f"{wanted}\n", done.stdout.strip() + "\n", SAME):
            wrong.append(f"$ {command}\nprinted\n{done.stdout}\nand not\n{wanted}")
    return "\n".join(wrong) or None


def write_recipe(example: Any) -> None:
    """Write a block that begins with the name of a file to that file."""
    if name := re.match(r"# ([\w./-]+\.toml)\n", example.parsed):
        (example.namespace["folder"] / "work" / name[1]).write_text(example.parsed, "utf-8")


def start_server(example: Any) -> None:
    """Start ``resolvent serve``, for the rest of the page. Other pages wait for the port."""
    lock = os.open(Path(tempfile.gettempdir(), f"resolvent-pages-{PORT}.lock"), os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    server = subprocess.Popen(
        [sys.executable, "-m", "resolvent", "serve", "--port", str(PORT)],
        cwd=example.namespace["folder"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def stop() -> None:
        server.terminate()
        server.wait(20)
        os.close(lock)

    example.namespace["ends"].append(stop)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=30).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("resolvent serve does not answer")


class ProgramParser(PythonCodeBlockParser):
    """Parses blocks of Python, but for those that are files."""

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in super().__call__(document):
            if not (isinstance(region.parsed, str) and FILE.match(region.parsed)):
                yield region


class HiddenParser:
    """Parses ``<!--- NAME`` with what stands below it in the comment, which is run and not shown.

    Args:
        name: What the comment begins with.
        evaluate: Called with the example.
    """

    def __init__(self, name: str, evaluate: Callable[[Any], str | None]) -> None:
        self.lexer = DirectiveInHTMLCommentLexer(name, arguments="")
        self.evaluate = evaluate

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in self.lexer(document):
            yield Region(region.start, region.end, str(region.lexemes["source"]), self.evaluate)


pytest_collect_file = Sybil(
    parsers=[
        SkipParser(),
        CodeBlockParser("sh", run_commands),
        CodeBlockParser("console", run_session),
        CodeBlockParser("toml", write_recipe),
        ProgramParser(doctest_optionflags=SAME),
        HiddenParser("sh", run_commands),
        HiddenParser("server", start_server),
    ],
    patterns=["*.md"],
    path=str(ROOT),
    setup=start,
    teardown=end,
).pytest()


def pytest_configure(config: Any) -> None:
    """Let programs of pages leave a file to be closed by Python, as ``open(name).read()`` does."""
    for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{kind}")


def pytest_unconfigure() -> None:
    """Take away what the folders of the pages were copied from."""
    if make_files.cache_info().currsize:
        shutil.rmtree(make_files(), ignore_errors=True)

"""``make doctest`` sees a command that fails, output that differs, and a program that raises."""

import os
import subprocess
import sys

import pytest

from docs.builder.collect import ROOT

PAGE = """
```sh
test -f photo.jpg
```

<!--- sh
echo hidden > made.txt
-->

```console
$ cat made.txt
hidden
$ false  # exit code 1
$ echo one two three
one ... three
```

```python
text = open("made.txt").read()
```

```python
>>> text
'hidden\\n'
```

<!--- skip: next "it cannot" -->

```sh
false
```

```sh
false
```

```console
$ echo one
two
```

```console
$ false
```

```python
1 / 0
```
"""


def doctest(page, text):
    """The result of running a page."""
    page.write_text(text, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "docs.commands",
        "-p",
        "no:cacheprovider",
        "-n0",
        "-q",
        "-rsf",
        str(page),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


@pytest.fixture
def page():
    path = ROOT / "build" / f"page-{os.getpid()}.md"
    path.parent.mkdir(exist_ok=True)
    yield path
    path.unlink()


def test_what_is_wrong_is_seen_and_what_is_right_passes(page):
    done = doctest(
        page,
        PAGE,
    )
    assert done.returncode == 1
    assert done.stdout.count("FAILED") == 4, done.stdout
    assert "SKIPPED [1]" in done.stdout
    assert "it cannot" in done.stdout
    for wrong in ("printed\none\n\nand not\ntwo", "$ false\nexit code 1", "ZeroDivisionError"):
        assert wrong in done.stdout

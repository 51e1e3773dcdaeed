"""What GitHub reads and what the site needs: numbered lists, formulas, bars in tables."""

import re
from pathlib import Path

from sybil import Document

from docs.builder import collect
from docs.builder.reference import table
from docs.commands import ProgramParser

ROOT = Path(__file__).parents[2]

LIST = """1. First.

   ```toml
   a = 1
     b = 2
   ```

2. Second,
   on two lines.

No list.

```
1. Code.
   more
```
"""


def test_what_belongs_to_a_numbered_item_is_indented_by_four():
    assert collect._wide_lists(LIST) == (
        "1.  First.\n\n    ```toml\n    a = 1\n      b = 2\n    ```\n\n2.  Second,\n    on two lines.\n\n"
        "No list.\n\n```\n1. Code.\n   more\n```\n"
    )


def test_a_formula_at_the_start_of_a_line_is_no_block(tmp_path):
    ready = collect.Pages(tmp_path).ready("$`x`$ is `$`kept`$` and `a\\|b`", "docs/index.md")
    assert ready.startswith("<span><math")
    assert ready.endswith("`a|b`")


def test_a_bar_divides_a_row_only_outside_of_code():
    head, line, row = table(("a|b", "c"), [("`5|9`", "d|e")]).splitlines()
    assert head == "| a\\|b | c |"
    assert line == "| --- | --- |"
    assert row == "| `5|9` | d\\|e |"


def test_files_of_an_example_are_not_run():
    text = "".join(
        f"```python\n{body}\n```\n\n"
        for body in ("# src/a/b.py\nx = 1", "import os\nfrom acme import y", "# a comment\nz = 2", ">>> 1\n1")
    )
    found = [str(region.parsed) for region in ProgramParser()(Document(text, "page.md"))]
    assert len(found) == 2
    assert "z = 2" in found[0]


def test_every_page_of_the_research_is_written():
    for page in (ROOT / "docs" / "research").rglob("*.md"):
        text = page.read_text("utf-8")
        assert "To be written" not in text
        assert re.match(r"# [A-Z].*\n\n[A-Z\"]", text), page

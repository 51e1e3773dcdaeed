"""Build the documentation into build/site: ``python -m docs.builder``. Any warning is an error."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs.builder.collect import PLACES, ROOT, Pages
from docs.builder.gallery import write_gallery
from docs.builder.offline import keep_local
from docs.builder.reference import write_credits, write_reference

PAGES = ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"


def main() -> None:
    """Assemble, run, render."""
    parser = argparse.ArgumentParser(prog="python -m docs.builder", description=__doc__)
    parser.add_argument("--no-gallery", action="store_true", help="take the pictures of the build before, if any")
    arguments = parser.parse_args()
    for old in PAGES.glob("*"):
        if old.name != "gallery":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    write_reference(PAGES / "reference")
    write_credits(PAGES / "about" / "credits.md")
    write_gallery(ROOT / "docs" / "gallery", PAGES / "gallery", again=not arguments.no_gallery)
    pages = Pages(PAGES)
    pages.write()
    listed = (ROOT / "mkdocs.yml").read_text("utf-8")
    absent = [f"{origin}: is not in the navigation; add {page} to nav in mkdocs.yml" for origin, page in PLACES.items()
              if f" {page}\n" not in listed]  # fmt: skip
    if wrong := [*pages.broken, *absent]:
        sys.exit("\n".join(wrong))
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "-f", str(ROOT / "mkdocs.yml")]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        shutil.rmtree(SITE, ignore_errors=True)  # lest a page that is broken be taken for one that is whole
        sys.exit(re.sub(r"\x1b\[[\d;]*m", "", done.stdout).partition("Traceback (most")[0].rstrip())
    keep_local(SITE)
    print(Path(SITE / "index.html").as_uri())


if __name__ == "__main__":
    main()

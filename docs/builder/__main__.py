"""Build the documentation into build/site: ``python -m docs.builder``. Any warning is an error."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from docs.builder.collect import BROKEN, ROOT, collect
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
    collect(PAGES)
    if BROKEN:
        sys.exit("\n".join(BROKEN))
    shutil.rmtree(SITE, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--clean",
        "--strict",
        "--config-file",
        str(ROOT / "mkdocs.yml"),
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout)
    keep_local(SITE)
    print(Path(SITE / "index.html").as_uri())


if __name__ == "__main__":
    main()

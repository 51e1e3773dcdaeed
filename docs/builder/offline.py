"""Makes the site complete in itself: nothing is loaded from elsewhere, and search works from file:// too."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

__all__ = ["keep_local"]

SHIM = re.compile(r"https://unpkg\.com/iframe-worker/shim")
LOADED = re.compile(r"<(?:script|img|iframe|link|source)\b[^>]*?\b(?:src|href)=\"?(https?://[^\"\s>]+)")
META = re.compile(r"<link\b[^>]*\brel=\"?(?:canonical|prev|next|alternate)")


def keep_local(site: Path) -> None:
    """Replace the one script that the theme loads from elsewhere; end with an error if there is another."""
    found = []
    for page in site.rglob("*.html"):
        top = os.path.relpath(site, page.parent).replace(os.sep, "/")
        text = SHIM.sub(f"{top}/worker.js", page.read_text("utf-8"))
        page.write_text(text, "utf-8")
        found += [f"{page.relative_to(site)} loads {url}" for url in LOADED.findall(META.sub("", text))]
    if found:
        sys.exit("\n".join(["the documentation is to work offline:", *found]))

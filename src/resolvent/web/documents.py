"""The page, its files, and the list of all operations of the API: HTML that asks nobody else for anything."""

from __future__ import annotations

import hashlib
import re
from html import escape
from importlib import resources
from typing import Any

from resolvent.web.problems import STATUSES

__all__ = ["Assets", "docs_page"]

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class Assets:
    """The page, and its files under names that change with what they hold."""

    def __init__(self) -> None:
        folder = resources.files("resolvent.web").joinpath("page")
        self.page = folder.joinpath("index.html").read_text(encoding="utf-8")
        self.files: dict[str, tuple[bytes, str]] = {}
        scripts = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".js")}
        digest = hashlib.sha256(b"".join(data for _, data in sorted(scripts.items()))).hexdigest()[:12]
        for name, data in scripts.items():  # which import one another, so that all names change with each
            imports = re.sub(rb'(from "\./\w+)\.js"', rb"\1." + digest.encode() + rb'.js"', data)
            self._add(name, imports, digest)
        for name in ("page.css", "icon.svg", "docs.css"):
            data = folder.joinpath(name).read_bytes()
            self._add(name, data, hashlib.sha256(data).hexdigest()[:12])

    def _add(self, name: str, data: bytes, digest: str) -> None:
        stem, dot, extension = name.partition(".")
        served = f"{stem}.{digest}{dot}{extension}"
        self.files[served] = (data, TYPES[dot + extension])
        self.page = self.page.replace("{{" + name + "}}", f"/static/{served}")

    def path(self, name: str) -> str:
        """Where a file of the page is."""
        stem, _, extension = name.partition(".")
        return next(f"/static/{known}" for known in self.files if known.startswith(stem) and known.endswith(extension))


def docs_page(schema: dict[str, Any], style: str) -> str:
    """List the operations of an OpenAPI description, and the errors."""
    sections = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            sections.append(_operation(schema, path, method, operation))
    errors = "".join(f'<dt id="{status}">{status}</dt><dd>{escape(text)}</dd>' for status, text in STATUSES.items())
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Resolvent API</title>
<link rel="stylesheet" href="{style}">
<main>
<h1>Resolvent API</h1>
<p>Version {escape(schema["info"]["version"])}. In machine-readable form: <a href="/openapi.json">openapi.json</a>.
Errors are problem details (RFC 9457) with <code>value</code>, <code>rule</code> and <code>remedy</code>.</p>
<pre><code>curl -F file=@photo.jpg http://localhost:8484/v1/restore -o restored.jpg</code></pre>
{"".join(sections)}
<h2>Errors</h2>
<dl>{errors}</dl>
</main>
</html>
"""


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], parameter["in"], parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        form = _resolved(schema, content.get("schema", {}))
        required = form.get("required", ())
        fields = sorted(form.get("properties", {}).items(), key=lambda field: field[0] not in required)
        rows += [
            (name, "required" if name in required else "optional", about.get("description", ""))
            for name, about in fields
        ]
    lines = "".join(
        f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{escape(kind)}</td><td>{_marked(text)}</td></tr>'
        for name, kind, text in rows
    )
    head = '<thead><tr><th scope="col">name</th><th scope="col"></th><th scope="col">what it is</th></tr></thead>'
    table = (
        f'<div class="wide" tabindex="0" role="region" aria-label="Parameters of {method} {escape(path)}">'
        f"<table>{head}<tbody>{lines}</tbody></table></div>"
        if lines
        else ""
    )
    statuses = ", ".join(
        f'<a href="#{status}">{status}</a>' if int(status) in STATUSES else status for status in operation["responses"]
    )
    text = "".join(f"<p>{_marked(part)}</p>" for part in operation.get("description", "").split("\n\n") if part)
    return (
        f'<section><h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>{text}{table}'
        f"<p>Answers: {statuses}</p></section>"
    )


def _marked(text: str) -> str:
    """Escape a text, and set as code what stands between backticks.

    Examples:
        >>> _marked("`a<b` or c")
        '<code>a&lt;b</code> or c'
    """
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Follow references, of which FastAPI wraps some in ``allOf``."""
    for inner in part.get("allOf", ()):
        return _resolved(schema, inner)
    if "$ref" in part:
        found: dict[str, Any] = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
        return _resolved(schema, found)
    return part

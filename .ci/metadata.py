"""Check what a package index shows of a wheel: no link of the page is relative, and each file that one names exists.

Run by any Python 3.11 with the path of the wheel. That the classifiers exist is checked by the build itself.
"""

import re
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).parent.parent

with zipfile.ZipFile(sys.argv[1]) as wheel:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(wheel.read(name))
page = metadata.get_payload(decode=True).decode()
text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
links = re.findall(r"\]\(([^)\s]*)\)", text) + re.findall(r"(?:src|href)=[\"']([^\"']*)", text)
urls = dict(value.split(", ") for value in metadata.get_all("Project-URL"))
source = urls["Source"]
assert metadata["Description-Content-Type"] == "text/markdown"
assert len(links) > 10, "the README has links"
assert "<!---" not in text
for link in [*links, *urls.values()]:
    assert link.startswith(("https://", "#")), f"{link}: relative, so that it leads nowhere on the package index"
    match = re.match(
        rf"(?:{source}/(?:blob|tree|raw)|{source.replace('github', 'raw.githubusercontent')})/main/([^#]*)", link
    )
    assert match is None or (ROOT / match[1]).exists(), f"{link}: the repository has no {match[1]}"
print(f"{len(links)} links of the page on the package index are absolute, and the files that they name exist")

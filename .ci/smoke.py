"""Use an installed wheel, outside the checkout: every command for photographs, every bundled model, nothing optional.

Run by the Python of an environment that holds the wheel and what it depends on, in an empty folder.
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import resolvent
from resolvent.cli import main
from resolvent.methods import METHODS, missing

LIMIT = 245
"""MiB that the wheel and what it needs may take, without the bytecode that Python writes beside them."""


def run(*arguments, code=0):
    """Run a command line in this process; what it printed."""
    sys.argv = ["resolvent", *map(str, arguments)]
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            got = end.code or 0
    out.seek(0)
    printed = out.read() + err.getvalue()
    if got != code:
        raise SystemExit(f"resolvent {' '.join(map(str, arguments))}: exit code {got}, not {code}:\n{printed}")
    return printed


def sizes():
    """MiB of each installed distribution, without bytecode."""
    found = {}
    for distribution in importlib.metadata.distributions():
        files = [Path(file.locate()) for file in distribution.files or ()]
        found[distribution.name] = sum(f.stat().st_size for f in files if f.is_file() and f.suffix != ".pyc") / 2**20
    return {name: size for name, size in found.items() if name not in ("pip", "setuptools")}


for package in ("scipy", "skimage", "pywt", "torch"):
    assert importlib.util.find_spec(package) is None, f"{package} is installed; the environment is not clean"
assert Path(resolvent.__file__).is_relative_to(sys.prefix), resolvent.__file__
version = importlib.metadata.version("resolvent")
share = Path(sys.prefix, "share")
for file in ("man/man1/resolvent.1", "bash-completion/completions/resolvent", "zsh/site-functions/_resolvent",
             "fish/vendor_completions.d/resolvent.fish"):  # fmt: skip
    assert (share / file).is_file(), f"the wheel does not install {file}"
assert subprocess.check_output(["resolvent", "--version"], text=True) == f"resolvent {version}\n"

rows, columns = np.mgrid[:64, :96] / 24
pixels = 0.5 + 0.3 * np.stack([np.sin(3 * rows + k * columns) * (columns < 3) for k in (3, 4, 5)], -1)
resolvent.write_image(resolvent.Image.from_array(np.uint8(255 * pixels)), Path("clean.png"))
alpha = np.uint8(255 * (rows + columns > 2))[..., None]
resolvent.write_image(resolvent.Image.from_array(np.concatenate([np.uint8(255 * pixels), alpha], 2)), Path("alpha.png"))
resolvent.write_image(resolvent.Image.from_array(np.uint8(255 * (columns > 3.5))), Path("mask.png"))

for name, card in resolvent.list_models().items():
    damage = ["--repair"] if card.outputs == 1 else ["--mask", "mask.png"] if card.mask else []
    run("restore", "clean.png", "-m", name, *damage, "-o", f"{name}.png")
    assert resolvent.read_image(f"{name}.png").width == 96 * card.scale, name
for source in ("clean.png", "alpha.png"):
    run("restore", source, "-o", f"auto-{source}")
    run("restore", source, "-s", "2", "-o", f"large-{source}")
    json.loads(run("diagnose", source, "--json"))
assert "invented" in run("restore", "clean.png", "-s", "4", "--realism", "0.5", "-o", "real.png")
for i, text in enumerate(
    ("blur:sigma=2 + noise:sigma=5", "motion:length=5", "grain:sigma=5", "hotpixels:amount=0.01,sites=bayer",
     "chroma:sigma=5", "camera:iso=800", "scratches", "downsample:scale=2", "jpeg:quality=40")
):  # fmt: skip
    run("degrade", "clean.png", text, "-o", f"degraded-{i}.png")
for name, method in METHODS.items():
    code = 2 if method.requires else 0
    told = ("--method", name, "--degradation", method.example)
    printed = run("restore", "clean.png", *told, "-o", f"by-{name}.png", code=code)
    assert not code or "run: pip install 'resolvent[" in printed, printed
    assert bool(missing(name)) == bool(code), name
run("restore", "clean.png", "--method", "pnp", "--degradation", "downsample:scale=2", "-o", "by-pnp-large.png")
assert "left out" in run("compare", "clean.png", "--degradation", "noise:sigma=5", "-o", "compared.html")
assert "CC BY-SA 3.0" in run("models", "--credits")
for listing in ("models", "methods", "degradations", "networks", "recipes"):
    json.loads(run(listing, "--json"))
assert "pip install 'resolvent[methods]'" in run("demo", code=2)
assert "pip install 'resolvent[lab]'" in run("train", "denoise", "--images", ".", "--budget", "1s", code=2)

total = sum(sizes().values())
largest = ", ".join(f"{name} {size:.0f}" for name, size in sorted(sizes().items(), key=lambda item: -item[1])[:6])
print(f"{len(resolvent.list_models())} models and the command line work; {total:.0f} MiB installed: {largest}")
assert total <= LIMIT, f"a plain installation may take {LIMIT} MiB"

"""Render pictures that no camera took: drawings, text pages, screenshots, charts, maps, logos, comics.

python benchmarks/drawings.py --output DIR [--count 200] [--seed 0] [--size 512]

They train and test what a restoration does to graphics. Kinds take turns; a seed and a number give the same picture
again, with the same fonts: those that matplotlib brings, and the Latin ones that the system has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from drawing.art import comic, logo, sketch, sprites, street_map
from drawing.pages import bilevel, chart, diagram, magazine, slide, text_page
from drawing.palette import find_fonts, one_of, shade_picture
from drawing.screens import chat, desktop, editor, table, web_page
from PIL import Image

from resolvent.errors import MissingDependencyError, ResolventError, UsageError

KINDS: dict[str, Callable[[np.random.Generator, int], Image.Image]] = {
    "desktop": desktop,
    "text": text_page,
    "chart": chart,
    "comic": comic,
    "editor": editor,
    "logo": logo,
    "map": street_map,
    "bilevel": bilevel,
    "web": web_page,
    "table": table,
    "diagram": diagram,
    "slide": slide,
    "magazine": magazine,
    "chat": chat,
    "gradient": shade_picture,
    "sprites": sprites,
    "sketch": sketch,
}
"""Every kind, by its name in the file names; they take turns."""


def render(seed: int, number: int, size: int) -> tuple[str, Image.Image]:
    """One picture and its kind.

    A tenth is resized as screenshots in documents are, from 0.6 to 1.4 times; a few are gray.
    """
    rng = np.random.default_rng((seed, number))
    kind = list(KINDS)[number % len(KINDS)]
    scale = float(rng.uniform(0.6, 1.4)) if rng.random() < 0.1 else 1.0
    picture = KINDS[kind](rng, round(size / scale))
    if picture.size != (size, size):
        picture = picture.resize((size, size), one_of(rng, [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]))
    if rng.random() < 0.06:
        picture = picture.convert("L").convert("RGB")
    return kind, picture


def main() -> None:
    """Render and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--count", type=int, default=200, help="number of pictures")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the pictures")
    parser.add_argument("--size", type=int, default=512, help="pixels a side")
    args = parser.parse_args()
    if args.size < 64 or args.count < 1 or args.seed < 0:
        raise UsageError(f"--size {args.size} --count {args.count} --seed {args.seed}: at least 64, 1 and 0")
    try:
        fonts = find_fonts()
    except ModuleNotFoundError as error:
        raise MissingDependencyError("matplotlib", "lab", "rendering drawings") from error
    args.output.mkdir(parents=True, exist_ok=True)
    for number in range(args.count):
        kind, picture = render(args.seed, number, args.size)
        picture.save(args.output / f"{number:04d}-{kind}.png")
    print(f"{args.count} pictures in {args.output}, from {len(fonts.all)} fonts")


if __name__ == "__main__":
    try:
        main()
    except ResolventError as error:
        sys.exit(f"drawings: {error}")

"""The picture of the README: three photographs of scikit-image, each before (left) and after (right).

python docs/front.py [docs/images/front.jpg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import resolvent

SEED = 3
SIDE, SHOWN, GAP = 208, 544, 16
"""Pixels of a photograph, of its panel, and between two panels."""

PANELS = {
    "noise of a camera": (data.chelsea()[44:252, 132:340], "camera:iso=12800 + jpeg:quality=92", {}),
    "over-compressed": (data.astronaut()[20:228, 120:328], "jpeg:quality=10", {}),
    "scratches and dust": (
        data.coffee()[60:268, 180:388],
        "scratches:count=4,width=2.5,opacity=1 + dust:amount=0.004,size=4 + grain:sigma=6",
        {"repair": True},
    ),
}
"""Title: the photograph, what happens to it, options of ``restore`` beyond none."""


def panel(title: str, photograph: np.ndarray, degradation: str, options: dict[str, bool]) -> Image.Image:
    """Left of the middle as degraded, right of it as restored, enlarged without smoothing what is to be seen."""
    before = np.uint8(np.rint(255 * resolvent.degrade(photograph, degradation, seed=SEED).clip(0, 1)))
    after = resolvent.restore(before, **options)
    half = SIDE // 2
    shown = np.concatenate([before[:, :half], after[:, half:]], axis=1)
    picture = Image.fromarray(shown).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.line([(SHOWN // 2, 0), (SHOWN // 2, SHOWN)], fill=(255, 255, 255, 230), width=4)
    font = ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 22)
    for text, place, anchor in ((title, (14, SHOWN - 14), "ls"), ("restored", (SHOWN - 14, SHOWN - 14), "rs")):
        left, top, right, bottom = draw.textbbox(place, text, font=font, anchor=anchor)
        draw.rounded_rectangle((left - 8, top - 6, right + 8, bottom + 6), 6, fill=(0, 0, 0, 150))
        draw.text(place, text, font=font, anchor=anchor, fill=(255, 255, 255, 255))
    return picture


def main() -> None:
    """Put the panels side by side."""
    whole = Image.new("RGB", (len(PANELS) * (SHOWN + GAP) - GAP, SHOWN), "white")
    for place, (title, (photograph, degradation, options)) in enumerate(PANELS.items()):
        whole.paste(panel(title, photograph, degradation, options), (place * (SHOWN + GAP), 0))
    target = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "images" / "front.jpg"
    whole.save(target, quality=88, subsampling=0)


if __name__ == "__main__":
    main()

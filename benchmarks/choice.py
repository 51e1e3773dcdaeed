"""How often ``resolvent restore`` without options chooses well, among the bundled models and doing nothing.

python benchmarks/choice.py --images VAL [--count 200] [--seed 0] [--json FILE]

Each case is one photograph, degraded at random, rounded to 8 bit, and, where the last fault is JPEG, a real JPEG file.
A fifth of the cases has noise alone, a fifth blur, a fifth JPEG; two fifths are drawn from the chain that the recipe
``restore`` trains on.
"""

from __future__ import annotations

import argparse
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from results import write_section

from resolvent.degradations import Jpeg, parse
from resolvent.diagnosis import diagnose
from resolvent.engine.restore import Options, plan, run
from resolvent.evaluation.benchmark import find_images
from resolvent.evaluation.metrics import psnr
from resolvent.image import Image, read_image
from resolvent.models.runtime import open_session
from resolvent.training.recipe import load_recipe

KINDS = {
    "noise": "noise:sigma=0..50",
    "blur": "blur:sigma=0.3..3 + noise:sigma=0..2",
    "jpeg": "jpeg:quality=10..95",
    "mixture": load_recipe("restore").degradation,
}
TURNS = ("noise", "blur", "jpeg", "mixture", "mixture")
NOTHING = "nothing"
MODELS = ("denoise", "deblur", "dejpeg", "restore")
NEAR = 0.2
"""dB that a choice may lie below the best."""
PERFECT = 60.0
"""dB at which a photograph counts as undamaged, and differences as nothing."""

opened = cache(open_session)


def degraded(path: Path, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, Image, bytes | None, str]:
    """The truth, what a file would hold, the file if it is a JPEG, and what was drawn."""
    truth = read_image(path).pixels
    drawn = parse(KINDS[kind]).draw(rng)
    parts, quality = drawn.parts, None
    if isinstance(parts[-1], Jpeg):
        quality = int(parts[-1].quality)  # type: ignore[call-overload]
        parts = parts[:-1]
    pixels = truth
    for part in parts:
        pixels = part(pixels, rng)
    rounded = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if quality is None:
        return truth, Image.from_array(rounded), None, str(drawn)
    file = io.BytesIO()
    Pillow.fromarray(rounded).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return truth, read_image(file.getvalue()), file.getvalue(), str(drawn)


def case(path: Path, kind: str, seed: int) -> dict[str, Any]:
    """One case: what was measured, what was chosen, and the PSNR of every choice."""
    truth, image, file, drawn = degraded(path, kind, np.random.default_rng(seed))
    found = diagnose(image, file)
    scores = {NOTHING: min(psnr(image.pixels, truth), PERFECT)}
    for model in MODELS:
        planned = plan(image, Options(model=model), file)
        scores[model] = min(psnr(run(image, planned, open_session=opened, judge=False).pixels, truth), PERFECT)
    return {
        "image": path.name,
        "kind": kind,
        "drawn": drawn,
        "noise": found.noise_sigma,
        "blur": found.blur_sigma,
        "quality": found.jpeg_quality,
        "chosen": found.model or NOTHING,
        "psnr": scores,
    }


def table(cases: list[dict[str, Any]]) -> str:
    """How often each kind was met well, and what always taking one model would give."""
    choices = ["resolvent restore", NOTHING, *MODELS]
    lines = ["| cases | " + " | ".join(choices) + " | mean loss of the choice, dB |", "|---" * (len(choices) + 2) + "|"]
    for kind in (*KINDS, "all"):
        some = [each for each in cases if kind in (each["kind"], "all")]
        best = np.array([max(each["psnr"].values()) for each in some])
        taken = [np.array([each["psnr"][each["chosen"]] for each in some])]
        taken += [np.array([each["psnr"][name] for each in some]) for name in (NOTHING, *MODELS)]
        rates = [f"{np.mean(best - values <= NEAR):.0%}" for values in taken]
        lines.append("| " + " | ".join([f"{kind} ({len(some)})", *rates, f"{np.mean(best - taken[0]):.2f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write the section, or only the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write every case there, and nothing else")
    options = parser.parse_args()
    files = find_images(options.images)
    cases = [
        case(files[i % len(files)], TURNS[i // len(files) % len(TURNS)], options.seed + i) for i in range(options.count)
    ]
    if options.json:
        options.json.write_text(json.dumps(cases, indent=1), "utf-8")
        print(table(cases))
        return
    body = (
        f"Share of {len(cases)} random degradations of {len(files)} photographs of {options.images.name} where a "
        f"choice ends within {NEAR} dB (PSNR-RGB, 8 bit) of the best of doing nothing and of the models "
        f"{', '.join(MODELS)}. The first column is what `resolvent restore` chooses by itself; the others, what taking "
        "one of them every time would give. `denoise` is told the noise level that was measured.\n\n" + table(cases)
    )
    write_section(
        "Diagnosis: the choice of the model", f"python benchmarks/choice.py --images {options.images.name}", body
    )


if __name__ == "__main__":
    main()

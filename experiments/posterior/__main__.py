"""Measure the samplers on the Gaussian and on photographs; write results.json, the figure and the tables of the page.

python -m experiments.posterior --images FOLDER [--limit 4] [--samples 4] [--model denoise] [-o OUT]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.command import Parser, command, count
from experiments.crops import centers
from experiments.page import publish, save
from experiments.posterior import toy
from experiments.posterior.figures import samples_figure
from experiments.posterior.photographs import GATE, SAMPLERS, SIDE, TASKS, Samples, network, pool, sample, score
from resolvent.provenance import provenance

DRAWN = ("KS", "PnP-ULA")
"""Samplers in the figure; DDRM's samples look like those of KS."""


def toy_table(results: dict[str, dict[str, float]]) -> str:
    """Distance of each sampler from the exact law."""
    lines = ["| Gaussian | variance, exact = 1 | covariance error | mean error |", "|---|---|---|---|"]
    for name, row in results.items():
        lines.append(f"| {name} | {row['variance']:.3f} | {row['covariance']:.3f} | {row['mean']:.3f} |")
    return "\n".join(lines)


def photograph_table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """PSNR, spread and error of each sampler on each task."""
    columns = ("start", "one", "mean", "mean sd", "rms sd", "RMSE of the mean", "ratio", "crops", "rank", "passes")
    lines = ["| task | sampler | PSNR " + " | ".join(columns) + " |", "|---" * (2 + len(columns)) + "|"]
    for task, by_sampler in results.items():
        for name, row in by_sampler.items():
            cells = [f"{row[key]:.2f}" for key in ("psnr_start", "psnr_one", "psnr_mean", "mean_sd", "sd", "rmse")]
            cells += [f"**{row['ratio']:.2f}**", f"{row['lowest']:.2f} - {row['highest']:.2f}", f"{row['rank']:.2f}"]
            lines.append(f"| {task} | {name} | " + " | ".join([*cells, f"{row['passes']:.0f}"]) + " |")
    return "\n".join(lines)


@command
def main() -> None:
    """Measure, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent)
    parser.add_argument(
        "--images", type=Path, required=True, help=f"folder of color photographs, {SIDE} pixels or more"
    )
    parser.add_argument("--limit", type=count, default=20, help="how many of them, sorted by name; 20 unless given")
    parser.add_argument("--samples", type=int, default=4, help="for each crop; 4 unless given")
    parser.add_argument("--model", default="denoise", help="a model that is told the noise level")
    parser.add_argument("--shown", type=int, default=0, help="number of the crop in the figure, from 0")
    options = parser.read()
    if options.samples < 2:
        parser.error(f"--samples {options.samples}: a spread needs 2 or more")
    crops = centers(options.images, SIDE, options.limit)
    if not 0 <= options.shown < len(crops):
        parser.error(f"--shown {options.shown}: there are {len(crops)} crops; give 0 to {len(crops) - 1}")
    denoise = network(options.model, options.threads)
    where = provenance()
    options.output.mkdir(parents=True, exist_ok=True)

    gaussian = toy.compare()
    print(toy_table(gaussian), flush=True)
    results: dict[str, dict[str, Any]] = {}
    rows: list[tuple[str, str, Samples]] = []
    for task, degradation in TASKS.items():
        results[task] = {}
        for name, sampler in SAMPLERS.items():
            scores = []
            for number, truth in enumerate(crops.values()):
                drawn = sample(sampler, degradation, truth, denoise, options.samples, seed=number)
                scores.append(score(drawn))
                if number == options.shown and name in DRAWN:
                    rows.append((task, name, drawn))
            results[task][name] = pool(scores, options.samples)
            print(f"{task}, {name}: ratio {results[task][name]['ratio']:.2f}", flush=True)

    samples_figure(options.output / "samples.png", rows)
    report = {
        "gaussian": gaussian, "photographs": results, "model": options.model, "samples": options.samples,
        "crops": [path.name for path in crops], "gate": GATE, "measured_on": str(where),
    }  # fmt: skip
    save(options.output / "results.json", report)
    protocol = f"{len(crops)} crops, {options.samples} samples each, model `{options.model}`"
    text = "\n\n".join([toy_table(gaussian), photograph_table(results), f"Measured on: {protocol}; {where}."])
    publish(options.output, text)


if __name__ == "__main__":
    main()

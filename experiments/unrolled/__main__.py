"""Train LISTA, measure the unrolled deconvolution on photographs, and write results.json and the tables of the page.

python -m experiments.unrolled --model runs/deconvolve --images FOLDER [FOLDER ...] [--kernels KERNELS.npz] [--limit 24]

The model is what ``resolvent train deconvolve`` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.command import Parser, command, count
from experiments.crops import centers
from experiments.page import publish, save
from experiments.unrolled import lista
from experiments.unrolled.deblurring import SIDE, measure, tasks
from resolvent.models.registry import find, read_card
from resolvent.provenance import provenance

UNROLLED = "unrolled, 5 steps"


def sparse_table(results: dict[str, float]) -> str:
    """NMSE of each solver."""
    lines = ["| sparse coding | NMSE, dB |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {value:.2f} |" for name, value in results.items()])


def photograph_table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """PSNR of each method, and what the network gains over the others."""
    names = list(next(iter(next(iter(results.values())).values())))
    gained = [name for name in names if name not in ("degraded", UNROLLED)]
    lines = ["| PSNR, dB | " + " | ".join([*names, *(f"gain over {name}" for name in gained)]) + " |"]
    lines.append("|---" * (1 + len(names) + len(gained)) + "|")
    for folder, by_task in results.items():
        for task, row in by_task.items():
            cells = [f"{row[name]:.2f}" for name in names] + [f"{row[UNROLLED] - row[name]:+.2f}" for name in gained]
            lines.append(f"| {folder}: {task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@command
def main() -> None:
    """Train, measure and write."""
    parser = Parser(__doc__, Path(__file__).parent, threads=1)
    parser.add_argument("--model", required=True, help="the trained denoiser with its schedule: a file or its run")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help=f"color photographs of {SIDE} pixels up")
    parser.add_argument("--kernels", type=Path, help="a .npz file of kernels")
    parser.add_argument("--limit", type=count, default=24, help="photographs of each folder; 24 unless given")
    parser.add_argument("--batches", type=count, default=lista.BATCHES, help="updates of LISTA")
    options = parser.read()
    crops = {folder.name: list(centers(folder, SIDE, options.limit).values()) for folder in options.images}
    model = str(find(options.model))
    card = read_card(model)
    if not card.schedule:
        parser.error(f"--model {options.model}: carries no schedule; give what resolvent train deconvolve has trained")
    methods = {
        "wiener": ("wiener", {}),
        "pnp, 5 steps": ("pnp", {"iterations": 5}),
        "pnp, 8 steps": ("pnp", {}),
        UNROLLED: ("pnp", {"model": model}),
    }
    where = provenance()
    photographs: dict[str, dict[str, Any]] = {}
    blurs = tasks(options.kernels)
    for folder, truths in crops.items():
        photographs[folder] = {}
        for task, degradations in blurs.items():
            photographs[folder][task] = measure(truths, degradations, methods)
            print(folder, task, photographs[folder][task], flush=True)
    counts = {folder: len(truths) for folder, truths in crops.items()}
    sparse = lista.compare(batches=options.batches)
    report = {
        "sparse": sparse, "photographs": photographs, "crops": counts, "schedule": card.schedule, "steps": card.steps,
        "seconds": card.seconds, "hardware": card.hardware, "measured_on": str(where),
    }  # fmt: skip
    save(options.output / "results.json", report)
    learned = "; ".join(f"{key} " + ", ".join(f"{v:.2f}" for v in values) for key, values in card.schedule.items())
    facts = (
        f"Trained: {card.steps} updates in {card.seconds / 60:.0f} minutes; {card.hardware}. Learned: {learned}.\n\n"
        f"Measured: {', '.join(f'{n} crops of {name}' for name, n in counts.items())}, {SIDE}x{SIDE}; {where}."
    )
    text = "\n\n".join([photograph_table(photographs), sparse_table(sparse), facts])
    publish(options.output, text)


if __name__ == "__main__":
    main()

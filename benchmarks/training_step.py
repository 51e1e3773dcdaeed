"""Share of the machine's measured matrix-multiplication peak that a training step reaches, in its own precision.

python benchmarks/training_step.py [--threads 2] [--steps 20]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from results import write_section
from torch.utils.flop_counter import FlopCounterMode

from resolvent import networks
from resolvent.networks.precision import fast_bfloat16, memory_format
from resolvent.training.recipe_file import load_recipe


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of a call, after two that are not counted."""
    times = []
    for i in range(repeats + 2):
        start = time.perf_counter()
        work()
        if i >= 2:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    side, cpu = 2048, torch.device("cpu")
    half = fast_bfloat16(cpu)
    a, b = (torch.rand(side, side).to(torch.bfloat16 if half else torch.float32) for _ in range(2))
    recipe = load_recipe("denoise")
    network = networks.build(recipe.network, **recipe.arguments)
    network.to(memory_format=memory_format(cpu))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    inputs = torch.rand(recipe.batch, 4, recipe.patch, recipe.patch).contiguous(memory_format=memory_format(cpu))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            restored = network(inputs)
        loss = (restored.float() - inputs[:, :3]).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    flops = counter.get_total_flops()
    matmul, train = [], []
    for _ in range(3):
        matmul.append(2 * side**3 / seconds(lambda: a @ b, 5) / 1e9)
        train.append(flops / seconds(step, options.steps // 3 + 1) / 1e9)
    peak, reached = max(matmul), statistics.median(train)
    body = (
        "| what | GFLOP/s |\n|---|---|\n"
        f"| {'bfloat16' if half else 'float32'} matrix product, {side}x{side}, best of 3 | {peak:.0f} |\n"
        f"| training step of {recipe.network}, batch {recipe.batch}, patch {recipe.patch}, median | {reached:.0f} |\n\n"
        f"A training step reaches {reached / peak:.0%} of the peak on {options.threads} threads "
        f"({flops / 1e9:.1f} GFLOP, {flops / reached / 1e9:.2f} s)."
    )
    write_section("Training step on the CPU", "python benchmarks/training_step.py", body)


if __name__ == "__main__":
    main()

"""Train the comparator: which of five degradations a patch has, and how severe it is. It needs no labels.

python -m experiments.objectives.comparator --images CLEAN --held OTHERS [--minutes 10]

It writes src/resolvent/training/objectives/comparator.safetensors, comparator.json and the table of the page: how often
its distance grows with the severity of a degradation, and how often it tells which of two images is closer to a truth.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from experiments.command import Parser, command, count
from experiments.page import publish, save
from resolvent.degradations import parse
from resolvent.physics.resize import imresize_tensor
from resolvent.provenance import provenance
from resolvent.training.data import Shard, find_photographs, pack
from resolvent.training.objectives import comparator as module
from resolvent.training.objectives.comparator import KINDS, Comparator, load_comparator

PATCH, BATCH = 64, 32

LADDERS = {
    "blur": [f"blur:sigma={sigma}" for sigma in (0.6, 1, 1.5, 2.2, 3.2)],
    "noise": [f"noise:sigma={sigma}" for sigma in (4, 8, 16, 30, 55)],
    "jpeg": [f"jpeg:quality={quality}" for quality in (90, 70, 45, 25, 10)],
}
"""Degradations from mild to severe, for the check that the distance grows."""


HARMLESS: dict[str, Callable[[Tensor], Tensor]] = {
    "brighter": lambda x: x + 10 / 255,
    "darker": lambda x: x - 10 / 255,
    "more contrast": lambda x: 0.5 + 1.08 * (x - 0.5),
    "moved": lambda x: F.pad(x, (1, 0, 0, 0), mode="replicate")[..., :-1],
}
"""Changes that nobody would call a degradation."""


def degrade(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Degrade patches (N, 3, H, W), each by one of KINDS with a severity of 0 to 1; the patches, kinds, severities."""
    kind = torch.randint(len(KINDS), (len(clean),), generator=generator)
    severity = torch.rand(len(clean), generator=generator)
    severity[kind == 0] = 0
    result = clean.clone()
    for i, (number, amount) in enumerate(zip(kind.tolist(), severity.tolist(), strict=True)):
        one = clean[i : i + 1]
        name = KINDS[number]
        if name == "downsample":
            result[i : i + 1] = F.interpolate(imresize_tensor(one, 1 / (1.5 + 2.5 * amount)), size=one.shape[-2:])
        elif name != "none":
            text = {
                "blur": f"blur:sigma={0.4 + 3 * amount:.3f}",
                "noise": f"noise:sigma={2 + 58 * amount:.3f}",
                "jpeg": f"jpeg:quality={round(92 - 84 * amount)}",
            }[name]
            result[i : i + 1] = parse(text).on_tensor(one, generator)
    return result.clamp(0, 1), kind, severity


def patches(shard: Shard, count: int, generator: torch.Generator, size: int = PATCH) -> Tensor:
    """Patches of photographs at random."""
    which = torch.randint(len(shard), (count,), generator=generator)
    return shard.patches(which, size, generator, flips=True)


def train(shard: Shard, minutes: float) -> Comparator:
    """Train a comparator for some minutes."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    network = Comparator()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    begun = time.monotonic()
    step = 0
    while (spent := (time.monotonic() - begun) / 60) < minutes:
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * (1 - spent / minutes)
        x, kind, severity = degrade(patches(shard, BATCH, generator), generator)
        logits, guessed = network(x)
        loss = F.cross_entropy(logits, kind) + 4 * F.mse_loss(guessed, severity)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if step % 100 == 0:
            right = (logits.argmax(1) == kind).float().mean()
            print(f"{step} {spent:.1f} min, loss {loss:.3f}, {right:.0%} right", flush=True)
    return network.eval()


@torch.no_grad()
def check(network: Comparator, shard: Shard, count: int) -> dict[str, Any]:
    """How often the distance grows along each ladder, and how often it finds what nobody would call damage closer.

    The second is a forced choice without people: of a patch that is brighter, of more contrast or moved by a pixel, and
    one that is visibly degraded (all of the ladders but their first step), the first should be closer to the truth.
    """
    generator = torch.Generator().manual_seed(1)
    found: dict[str, Any] = {"monotone": {}, "choices": {}}
    clean = patches(shard, count, generator)
    distances: dict[str, tuple[Tensor, Tensor]] = {}
    for kind, ladder in LADDERS.items():
        steps = [parse(text).on_tensor(clean, generator).clamp(0, 1) for text in ladder]
        ours = torch.stack([network.distance(step, clean) for step in steps])
        plain = torch.stack([(step - clean).square().mean((1, 2, 3)) for step in steps])
        distances[kind] = ours, plain
        found["monotone"][kind] = float((ours.diff(dim=0) > 0).all(0).float().mean())
    hits = {"ours": 0, "mse": 0}
    for harmless in HARMLESS.values():
        changed = harmless(clean).clamp(0, 1)
        ours, plain = network.distance(changed, clean), (changed - clean).square().mean((1, 2, 3))
        for step, kind in itertools.product(range(1, 5), LADDERS):
            hits["ours"] += int((ours < distances[kind][0][step]).sum())
            hits["mse"] += int((plain < distances[kind][1][step]).sum())
    pairs = count * len(HARMLESS) * 4 * len(LADDERS)
    found["choices"] = {name: right / pairs for name, right in hits.items()} | {"pairs": pairs}
    return found


@command
def main() -> None:
    """Train, check and write."""
    parser = Parser(__doc__, Path(__file__).parent, "objectives")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--held", type=Path, required=True, help="other photographs, for the checks")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--reached", action="store_true", help="check the one that is there")
    parser.add_argument("--patches", type=count, default=100, help="of 64x64, for the checks")
    options = parser.read()
    work: Path = options.runs
    images = find_photographs(options.images)
    held = pack(find_photographs(options.held), work / "held.shard", minimum=PATCH)
    if not options.reached:
        path = work / "training.shard"
        training = Shard.open(path) if path.exists() else pack(images, path, minimum=PATCH)
        network = train(training, options.minutes)
        target = Path(module.__file__).with_name(module.FILE)
        save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, target)
    found = check(load_comparator(), held, options.patches) | {"measured_on": str(provenance())}
    save(options.output / "comparator.json", found)
    publish(options.output, f"{table(found)}\n\nMeasured on: {found['measured_on']}.", "comparator")


def table(found: dict[str, Any]) -> str:
    """The two checks."""
    kinds, choices = found["monotone"], found["choices"]
    shares = " | ".join(f"{share:.0%}" for share in kinds.values())
    return "\n".join(
        [
            f"| monotone: {' | '.join(kinds)} | forced choice, {choices['pairs']} pairs | by mean squared error |",
            "|---" * (len(kinds) + 2) + "|",
            f"| {shares} | {choices['ours']:.1%} | {choices['mse']:.1%} |",
        ]
    )


if __name__ == "__main__":
    main()

"""The curves of a run: what Keras prints after every epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.degradations import parse
from resolvent.errors import TrainingError
from resolvent.training.batches import epoch_steps
from resolvent.training.budget import Budget
from resolvent.training.callbacks import Callback
from resolvent.training.data import Shard
from resolvent.training.recipe import Recipe

__all__ = ["Curves", "accuracy"]


def accuracy(restored: Tensor, clean: Tensor) -> float:
    """Keras's accuracy of (N, 3, H, W): the share of pixels with the same largest channel, the first of equal ones."""
    return float((restored.argmax(1) == clean.argmax(1)).float().mean())


class Curves(Callback):
    """Writes ``curves.jsonl``: accuracy and loss of each epoch, on the batches as they come, and on the held ones.

    As in Keras, the figures of training are means over the batches of the epoch, with dropout on and while the weights
    change; those of validation are of the weights after it, over every photograph under every degradation, a hundred
    times in a run.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / "curves.jsonl"
        self.batches: list[tuple[int, float, float]] = []
        self.first = True

    def start(
        self, recipe: Recipe, training: Shard, held: Shard, pairs: Tensor, device: torch.device, average: nn.Module
    ) -> None:
        self.recipe, self.average, self.device = recipe, average, device
        self.epoch = epoch_steps(recipe, len(training))
        budget = Budget.parse(recipe.budget)
        self.every = max(1, round(budget.amount) // 100) if budget.unit == "epochs" else 1
        self.clean = held.patches(torch.arange(len(held)), recipe.patch, None)
        self.degraded = [parse(text).on_tensor(self.clean) for text in recipe.validation]

    def step(
        self,
        step: int,
        share: float,
        seconds: float,
        loss: float | None,
        rate: float,
        restored: Tensor,
        clean: Tensor,
        parts: Mapping[str, Tensor],
    ) -> None:
        if self.first:  # of a run that was resumed, what came after its checkpoint is measured again
            lines = [line for line in self.read(self.path.parent) if line["epoch"] * self.epoch < step]
            self.path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
            self.first = False
        with torch.no_grad():
            mse = float((restored.float() - clean).square().mean())
            self.batches.append((len(clean), accuracy(restored, clean), mse))
        if step % self.epoch == 0:
            self.end_epoch(step // self.epoch)

    def end_epoch(self, epoch: int) -> None:
        """Add a line."""
        total = sum(count for count, _, _ in self.batches)
        line: dict[str, Any] = {
            "epoch": epoch,
            "accuracy": sum(n * a for n, a, _ in self.batches) / total,
            "mse": sum(n * m for n, _, m in self.batches) / total,
        }
        self.batches = []
        if epoch % self.every == 0:
            self.average.eval()
            with torch.no_grad():
                outputs = [self.average(x.to(self.device)).float().cpu() for x in self.degraded]
            if epoch == self.every and min(float(y.amax((0, 2, 3)).min()) for y in outputs) <= 0:
                raise TrainingError("an output channel is zero everywhere, and its ReLU is dead; take another seed")
            line["val_accuracy"] = sum(accuracy(y, self.clean) for y in outputs) / len(outputs)
            line["val_mse"] = sum(float((y - self.clean).square().mean()) for y in outputs) / len(outputs)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    @staticmethod
    def read(run: Path) -> list[dict[str, Any]]:
        """The lines of a run, one an epoch; none where it has not begun."""
        path = run / "curves.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

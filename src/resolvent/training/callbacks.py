"""Progress reports of a run: a progress line with ETA, TensorBoard, a log of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resolvent.errors import MissingDependencyError, counted
from resolvent.training.runs import with_inputs

if TYPE_CHECKING:
    import torch
    from rich.console import Console
    from torch import Tensor, nn

    from resolvent.training.data import Shard
    from resolvent.training.recipe import Recipe

__all__ = ["Callback", "RunCallback"]


class Callback:
    """Base class: its methods are called at each event of a run, and do nothing."""

    def packing(self, done: int, total: int) -> None:
        """A photograph was decoded."""

    def start(
        self, recipe: Recipe, training: Shard, held: Shard, pairs: Tensor, device: torch.device, average: nn.Module
    ) -> None:
        """Training starts.

        Args:
            recipe: What is trained.
            training: The photographs.
            held: Those that are validated on.
            pairs: The degraded patches of the first step above the clean ones.
            device: What it runs on.
            average: The averaged weights, which change with every step.
        """

    def hint(self, text: str) -> None:
        """Something about the photographs is amiss, though they can be trained on."""

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
        """An update was made; ``loss`` is a running mean, and ``parts`` are what the objective names of the last."""

    def validation(self, step: int, psnr: dict[str, float], inputs: dict[str, float], examples: Tensor) -> None:
        """The averaged weights were measured.

        Args:
            step: Updates made.
            psnr: In dB, for each degradation.
            inputs: The same of what the network is given, which it has to beat.
            examples: Degraded, restored and clean patches, interleaved.
        """

    def rollback(self, step: int, loss: float, rate: float) -> None:
        """The loss left its range; the run goes on from the last checkpoint with a lower rate."""

    def close(self) -> None:
        """The run has ended."""


class RunCallback(Callback):
    """Shows a run on a console, and writes ``log.jsonl`` and TensorBoard's files into its folder as it starts."""

    def __init__(self, run: Path, console: Console, *, log_every: int = 50) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise MissingDependencyError("tensorboard", "lab", "training") from error
        self.run, self.console, self.log_every = run, console, log_every
        self.open_board = SummaryWriter
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}"),
            console=console,
        )
        self.task = self.bar.add_task("packing", total=1.0, status="")
        self.files = ExitStack()

    def packing(self, done: int, total: int) -> None:
        self.bar.start()
        self.bar.update(self.task, completed=done / total, status=f"{done} of {counted(total, 'photograph')}")

    def start(
        self, recipe: Recipe, training: Shard, held: Shard, pairs: Tensor, device: torch.device, average: nn.Module
    ) -> None:
        from rich.markup import escape

        self.board = self.open_board(str(self.run / "tensorboard"))
        self.files.callback(self.board.close)
        self.log = self.files.enter_context((self.run / "log.jsonl").open("a", encoding="utf-8"))
        self.bar.start()
        for shard in (training, held):
            for name, reason in shard.skipped:
                self.say(f"[yellow]left out[/] {escape(f'{name}: {reason}')}")
        self.say(
            f"training [bold]{recipe.name}[/] ({recipe.network}) on {counted(len(training), 'photograph')}, "
            f"choosing on {len(held)}, for {recipe.budget}, on {device}"
        )
        self.board.add_images("pairs", pairs, 0)
        self.bar.reset(self.task, description="training", total=1.0, status="")

    def hint(self, text: str) -> None:
        from rich.markup import escape

        self.say(f"[yellow]{escape(text)}[/]")

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
        left = seconds * (1 - share) / max(share, 1e-9)
        self.bar.update(
            self.task, completed=share, status=f"step {step}, loss {loss or 0:.4f}, {left / 60:.0f} min left"
        )
        if step % self.log_every == 0:
            named = {f"loss/{name}": part.item() for name, part in parts.items()}
            self.write({"step": step, "seconds": round(seconds, 1), "loss": loss, "rate": rate, **named})
            for name, value in named.items():
                self.board.add_scalar(name, value, step)
            self.board.add_scalar("loss", loss, step)
            self.board.add_scalar("rate", rate, step)

    def validation(self, step: int, psnr: dict[str, float], inputs: dict[str, float], examples: Tensor) -> None:
        self.board.add_images("restored", examples, step)
        self.write({"step": step, "psnr": psnr, "input": inputs})
        for name, value in psnr.items():
            self.board.add_scalar(f"psnr/{name}", value, step)
        self.say(f"step {step}: " + ", ".join(f"{name} {text}" for name, text in with_inputs(psnr, inputs).items()))

    def rollback(self, step: int, loss: float, rate: float) -> None:
        self.write({"step": step, "rollback": loss, "rate": rate})
        self.say(f"[yellow]step {step}: loss {loss:.3g}; back to the last checkpoint, rate {rate:.2g}[/]")

    def close(self) -> None:
        if self.bar.live.is_started:  # else an empty line would be printed
            self.bar.stop()
        self.files.close()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.console.print(line, soft_wrap=True)

    def write(self, entry: dict[str, Any]) -> None:
        """Add a line to the log."""
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()

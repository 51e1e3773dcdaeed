"""What the benchmarks that train print while they do."""

from __future__ import annotations

from resolvent.training.callbacks import Callback


class Progress(Callback):
    """One line for each measurement."""

    def __init__(self, name: str) -> None:
        self.name = name

    def validation(self, step: int, psnr: dict[str, float], *_: object) -> None:
        """Print it."""
        print(f"{self.name}: step {step}, " + ", ".join(f"{value:.2f}" for value in psnr.values()), flush=True)

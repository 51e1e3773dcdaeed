"""Learned ISTA on synthetic sparse coding, against ISTA and FISTA.

K. Gregor, Y. LeCun, Learning fast approximations of sparse coding, ICML 2010. y = A x with A of unit columns; a tenth
of the entries of x are normal, the others zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = ["LISTA", "compare", "dictionary", "draw", "fista", "ista", "nmse", "shrink", "train"]

ROWS, COLUMNS, SHARE = 50, 100, 0.1
LAYERS, BATCHES, BATCH = 12, 2500, 128
START = 0.1
"""λ of the thresholds at the start, λ / L."""
LAMBDAS = (0.01, 0.03, 0.1, 0.3)
"""Of ISTA and FISTA, of which the best counts."""
TEST = 5000


def dictionary(generator: torch.Generator) -> Tensor:
    """A, (50, 100): normal, its columns of unit length."""
    a = torch.randn(ROWS, COLUMNS, generator=generator)
    return a / a.norm(dim=0)


def draw(a: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sparse codes x, (count, 100), and what is seen of them, y = A x, (count, 50)."""
    nonzero = torch.rand(count, a.shape[1], generator=generator) < SHARE
    x = nonzero * torch.randn(count, a.shape[1], generator=generator)
    return x, x @ a.T


def shrink(x: Tensor, threshold: Tensor | float) -> Tensor:
    """sign(x) max(|x| - threshold, 0)."""
    return x.sign() * (x.abs() - threshold).clamp(min=0)


def ista(a: Tensor, y: Tensor, lam: float, steps: int) -> Tensor:
    """Minimize ‖y - A x‖² / 2 + λ ‖x‖₁ by steps x ← shrink(x + Aᵀ(y - A x) / L, λ / L) from 0, L = ‖AᵀA‖."""
    lipschitz = float(torch.linalg.matrix_norm(a, 2)) ** 2
    x = y.new_zeros(len(y), a.shape[1])
    for _ in range(steps):
        x = shrink(x + (y - x @ a.T) @ a / lipschitz, lam / lipschitz)
    return x


def fista(a: Tensor, y: Tensor, lam: float, steps: int) -> Tensor:
    """The same with Nesterov's momentum (Beck, Teboulle, 2009, doi:10.1137/080716542)."""
    lipschitz = float(torch.linalg.matrix_norm(a, 2)) ** 2
    x = ahead = y.new_zeros(len(y), a.shape[1])
    t = 1.0
    for _ in range(steps):
        before, x = x, shrink(ahead + (y - ahead @ a.T) @ a / lipschitz, lam / lipschitz)
        t, last = (1 + math.sqrt(1 + 4 * t * t)) / 2, t
        ahead = x + (last - 1) / t * (x - before)
    return x


def nmse(x: Tensor, truth: Tensor) -> float:
    """10 log10 of the summed squared error over the summed square of the truth, in dB."""
    return 10 * math.log10(float((x - truth).square().sum() / truth.square().sum()))


class LISTA(nn.Module):
    """x_{k+1} = shrink(W y + S x_k, θ_k) from 0: W = Aᵀ / L and S = I - AᵀA / L at the start, where it is ISTA.

    Args:
        a: A.
        layers: Number of thresholds; W and S are shared.
    """

    def __init__(self, a: Tensor, layers: int = LAYERS) -> None:
        super().__init__()
        lipschitz = float(torch.linalg.matrix_norm(a, 2)) ** 2
        self.W = nn.Parameter(a.T / lipschitz)
        self.S = nn.Parameter(torch.eye(a.shape[1]) - a.T @ a / lipschitz)
        self.thresholds = nn.Parameter(torch.full((layers,), START / lipschitz))

    def forward(self, y: Tensor) -> Tensor:
        given = y @ self.W.T
        x = torch.zeros_like(given)
        for threshold in self.thresholds:
            x = shrink(given + x @ self.S.T, threshold)
        return x


def train(a: Tensor, generator: torch.Generator, batches: int = BATCHES) -> LISTA:
    """Train on fresh samples: Adam, 1e-3 for W and S, 5e-3 for the thresholds, both to zero by half a cosine."""
    network = LISTA(a)
    groups = [
        {"params": [network.W, network.S], "lr": 1e-3},
        {"params": [network.thresholds], "lr": 5e-3},
    ]
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    for x, y in _batches(a, generator, batches):
        loss = (network(y) - x).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network


def _batches(a: Tensor, generator: torch.Generator, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(count):
        yield draw(a, BATCH, generator)


def compare(seed: int = 0, batches: int = BATCHES) -> dict[str, float]:
    """NMSE in dB on samples that were not trained on; of ISTA and FISTA with the best of LAMBDAS."""
    generator = torch.Generator().manual_seed(seed)
    a = dictionary(generator)
    network = train(a, generator, batches)
    x, y = draw(a, TEST, generator)
    with torch.no_grad():
        results = {f"LISTA, {LAYERS} layers": nmse(network(y), x)}
    for steps in (LAYERS, 100):
        for name, solve in (("ISTA", ista), ("FISTA", fista)):
            results[f"{name}, {steps} steps"] = min(nmse(solve(a, y, lam, steps), x) for lam in LAMBDAS)
    return results

"""Optimizers: AdamW, and Muon for the kernels with AdamW for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

from resolvent.errors import MissingDependencyError
from resolvent.training.recipe import Recipe

try:
    import torch
    from torch import Tensor, nn

    from resolvent.networks.precision import fast_bfloat16
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = ["Muon", "build_optimizers", "orthogonalize", "set_rate"]

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration: steep at zero, so that five steps bring singular values of 0.01 near to 1."""

ITERATIONS = 5


def orthogonalize(matrix: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Replace the singular values of matrices by values near 1, by a Newton-Schulz iteration.

    X <- a X + (b X X' + c (X X')²) X, from the matrix divided by its Frobenius norm. The coefficients trade accuracy
    for speed: the singular values end between about 0.7 and 1.2.

    Args:
        matrix: (m, n), or several of them, (..., m, n); float32 or bfloat16.
        iterations: Steps.

    Returns:
        The same shape and type.

    References:
        K. Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024,
        https://kellerjordan.github.io/posts/muon
    """
    a, b, c = QUINTIC
    tall = matrix.shape[-2] > matrix.shape[-1]
    x: Tensor = matrix.mT if tall else matrix
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalized, for weights of two or more dimensions.

    A kernel (out, in, h, w) counts as the matrix (out, in h w); torch's own ``Muon`` takes matrices alone. The update
    is scaled by sqrt(max(1, rows / columns)).

    Args:
        parameters: The weights.
        lr: Learning rate.
        momentum: Decay of the running sum of gradients, applied as Nesterov does.
        weight_decay: Decoupled, as in AdamW.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, *, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.flatten(1).shape].append(weight)
            for (rows, columns), weights in alike.items():
                updates = torch.stack([self._averaged(weight, group["momentum"]).flatten(1) for weight in weights])
                precise = torch.bfloat16 if fast_bfloat16(updates.device) else torch.float32
                updates = orthogonalize(updates.to(precise)).to(updates.dtype)
                updates *= max(1.0, rows / columns) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.sub_(update.view(weight.shape), alpha=group["lr"])

    def _averaged(self, weight: nn.Parameter, momentum: float) -> Tensor:
        """The gradient's running mean, carried on, and a step ahead of it as Nesterov's."""
        gradient = cast("Tensor", weight.grad)
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)


def build_optimizers(recipe: Recipe, network: nn.Module) -> list[torch.optim.Optimizer]:
    """Build the optimizers of a recipe; ``peak`` in each group is the learning rate that the schedule scales.

    With ``muon`` it updates the kernels between the first and the last; those two, and biases, are AdamW's.
    """
    kernels = [weight for weight in network.parameters() if weight.ndim > 1][1:-1] if recipe.optimizer == "muon" else []
    hidden = {id(weight) for weight in kernels}
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            [weight for weight in network.parameters() if id(weight) not in hidden],
            lr=recipe.learning_rate,
            betas=recipe.betas,
            eps=recipe.epsilon,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
    ]
    if kernels:
        optimizers.append(Muon(kernels, recipe.kernel_rate, weight_decay=recipe.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def set_rate(optimizers: Iterable[torch.optim.Optimizer], share: float) -> None:
    """Set every learning rate to this share of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = share * group["peak"]

"""Optimizers: AdamW, and Muon for the kernels with AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
    """Replace the singular values of a matrix by values near 1, by a Newton-Schulz iteration.

    X <- a X + (b X X' + c (X X')²) X, from the matrix divided by its Frobenius norm. The coefficients trade accuracy
    for speed: the singular values end between about 0.7 and 1.2.

    Args:
        matrix: (m, n), float32 or bfloat16.
        iterations: Steps.

    Returns:
        (m, n), of the same type.

    References:
        K. Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024,
        https://kellerjordan.github.io/posts/muon
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


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
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                average = state["momentum"]
                average.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(average, group["momentum"]).flatten(1)
                precise = torch.bfloat16 if fast_bfloat16(weight.device) else torch.float32
                update = orthogonalize(update.to(precise)).to(weight.dtype)
                update *= max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(update.view(weight.shape), alpha=group["lr"])


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

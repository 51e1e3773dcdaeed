"""Objectives that ask for a result that looks real: with features, and with a discriminator that learns beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from resolvent.training.objectives.base import Batch, Objective, Outcome, Predict
from resolvent.training.objectives.comparator import COMPARED, WIDTHS, load_comparator

__all__ = ["Adversarial", "Discriminator", "Perceptual"]

PAUSE = 0.1
"""The discriminator waits while its loss is below this share of the adversarial term: it would win."""

MEMORY = 0.98
"""Of the running means of the terms' gradients."""

NOISE = 2 / 256
"""Standard deviation of the noise on what DeePSiM's discriminator sees, which falls to 0 over the budget."""


class Discriminator(nn.Module):
    """Judges overlapping patches: strided convolutions 4x4 with spectral normalization.

    P. Isola et al., 2017, doi:10.1109/CVPR.2017.632; T. Miyato et al., 2018, arXiv:1802.05957.

    Args:
        channels: Of its input.
        width: Channels of the first layer, doubled in the next ones up to eight times.
        layers: That halve the sides; three see 70x70 pixels.
    """

    def __init__(self, channels: int = 3, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        widths = [channels, *(width * min(2**i, 8) for i in range(layers + 1)), 1]
        strides = [2] * layers + [1, 1]
        self.convolutions = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=stride, padding=1))
            for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 1, H', W'), above 0 where a patch looks real."""
        *hidden, last = self.convolutions
        for convolution in hidden:
            x = F.leaky_relu(convolution(x), 0.2)
        judged: Tensor = last(x)
        return judged


class Means(nn.Module):
    """Running means of what is measured at each step; as a gradient, what was found travels between processes.

    Args:
        count: Of how many numbers.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(count))

    @torch.no_grad()
    def update(self, found: Tensor, average: Callable[[nn.Module], None]) -> Tensor:
        """Take in what this process has found; gives the mean of what all have."""
        self.value.grad = found.clone()
        average(self)
        shared = self.value.grad
        self.value.lerp_(shared, 1 - MEMORY if self.value.any() else 1.0)
        return shared


class Realism(Objective):
    """Pixel, feature and adversarial terms; a weight is the share of the gradient, whatever the term's own size.

    Each term is divided by the running mean of the norm of its gradient: that of a discriminator grows a hundredfold
    while it learns, and would take over (the adaptive weight of P. Esser et al., 2021, arXiv:2012.09841).

    The discriminator learns after each step, unless it is far ahead of the network.

    Args:
        pixel: Weight of |d|.
        feature: Weight of the distance of the comparator's features.
        adversarial: Weight of what the discriminator says.
        width: Of the discriminator.
        layers: Of the discriminator.
        rate: Learning rate of the discriminator.
        seen: Channels that the discriminator sees.
    """

    def __init__(
        self, pixel: float, feature: float, adversarial: float, width: int, layers: int, rate: float, seen: int = 3
    ) -> None:
        super().__init__()
        self.weights = {"pixel": pixel, "feature": feature, "adversarial": adversarial}
        self.comparator = load_comparator()
        self.discriminator = Discriminator(seen, width, layers)
        self.optimizers = [torch.optim.Adam(self.discriminator.parameters(), lr=rate, betas=(0.5, 0.99))]
        self.means = Means(5)

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        self.share = share
        restored = predict(batch.inputs)
        self.discriminator.requires_grad_(False)
        parts = {
            "pixel": F.l1_loss(restored, batch.target),
            "feature": self.comparator.distance(restored, batch.target).mean(),
            "adversarial": self.fooled(self.seen(restored), self.seen(batch.target)),
        }
        self.discriminator.requires_grad_(True)
        usual = self.means.value.detach()[:3]
        if restored.requires_grad:
            slopes = [torch.autograd.grad(part, restored, retain_graph=True)[0].norm() for part in parts.values()]
            self.found = torch.stack([*slopes, parts["adversarial"].detach()])
            usual = usual if usual.any() else self.found[:3]
        scales = usual[0] / usual.clamp(min=1e-12)
        weighted = zip(parts.items(), scales, strict=True)
        loss = torch.stack([self.weights[name] * scale * part for (name, part), scale in weighted]).sum()
        return Outcome(loss, restored, parts)

    def update(self, batch: Batch, restored: Tensor, average: Callable[[nn.Module], None]) -> None:
        (optimizer,) = self.optimizers
        loss = self.told_apart(self.seen(restored.detach()), self.seen(batch.target))
        *_, fooled, separated = self.means.update(torch.cat([self.found, loss.detach()[None]]), average)
        if separated < PAUSE * fooled:
            return
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        average(self.discriminator)
        optimizer.step()

    def seen(self, image: Tensor) -> Tensor:
        """What the discriminator sees of an image."""
        return image

    def fooled(self, restored: Tensor, target: Tensor) -> Tensor:
        """The adversarial term of the network's loss."""
        raise NotImplementedError

    def told_apart(self, restored: Tensor, target: Tensor) -> Tensor:
        """The loss of the discriminator."""
        raise NotImplementedError


class Adversarial(Realism):
    """A relativistic average discriminator: which of the two is more real than the others are on average.

    L_D = -E log σ(C(x) - E C(f)) - E log(1 - σ(C(f) - E C(x))), and the network's is the same with the roles swapped
    (A. Jolicoeur-Martineau, 2018, arXiv:1807.00734; X. Wang et al., ESRGAN, 2018, arXiv:1809.00219).
    """

    def __init__(
        self,
        pixel: float = 1.0,
        feature: float = 1.0,
        adversarial: float = 0.5,
        width: int = 32,
        layers: int = 3,
        rate: float = 1e-4,
    ) -> None:
        super().__init__(pixel, feature, adversarial, width, layers, rate)

    def fooled(self, restored: Tensor, target: Tensor) -> Tensor:
        return relativistic(self.discriminator(restored), self.discriminator(target))

    def told_apart(self, restored: Tensor, target: Tensor) -> Tensor:
        return relativistic(self.discriminator(target), self.discriminator(restored))


def relativistic(real: Tensor, other: Tensor) -> Tensor:
    """-E log σ(real - E other) - E log(1 - σ(other - E real)), halved."""
    return (F.softplus(other.mean() - real).mean() + F.softplus(other - real.mean()).mean()) / 2


class Perceptual(Realism):
    """DeePSiM: the discriminator sees the image with its features; L_D = -log D(x) - log(1 - D(f)), L_adv = -log D(f).

    A. Dosovitskiy, T. Brox, 2016, arXiv:1602.02644. The weights of its terms are rescaled, as its comparator is
    another one.
    """

    def __init__(
        self,
        pixel: float = 1.0,
        feature: float = 1.0,
        adversarial: float = 0.3,
        width: int = 32,
        layers: int = 3,
        rate: float = 1e-4,
    ) -> None:
        seen = 3 + WIDTHS[COMPARED[0]]
        super().__init__(pixel, feature, adversarial, width, layers, rate, seen)

    def seen(self, image: Tensor) -> Tensor:
        """The image, with noise that fades, and its features."""
        noisy = image + NOISE * (1 - self.share) * torch.randn_like(image)
        features = F.interpolate(self.comparator.features(noisy)[0], size=image.shape[-2:])
        return torch.cat([noisy, features], dim=1)

    def fooled(self, restored: Tensor, target: Tensor) -> Tensor:
        return F.softplus(-self.discriminator(restored)).mean()

    def told_apart(self, restored: Tensor, target: Tensor) -> Tensor:
        real, other = self.discriminator(target), self.discriminator(restored)
        return F.softplus(-real).mean() + F.softplus(other).mean()

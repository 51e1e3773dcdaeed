"""The objectives: ``OBJECTIVES`` names them, ``build`` makes one; a recipe says which of them training minimizes.

torch is imported when an objective is built, not when it is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from resolvent.errors import unknown
from resolvent.parameters import Number, Setting, check_settings
from resolvent.plugins import Registry, import_entry

if TYPE_CHECKING:
    from resolvent.training.objectives.base import Objective

__all__ = ["OBJECTIVES", "Entry", "build", "check_objective"]


@dataclass(frozen=True)
class Entry:
    """One entry of OBJECTIVES.

    Attributes:
        entry: ``module:Class`` of the torch module, an ``Objective``.
        summary: One line for a person who chooses.
        photographs: What it learns from: ``clean`` ones, which are degraded in training; ``noisy`` ones as they are; or
            ``bursts``, folders of which each holds aligned noisy shots of one scene.
        arguments: Arguments of the class that make this entry.
        settings: The arguments that a recipe may set, with the defaults of the class, which a test compares.
        invents: Whether it asks for detail that looks real, which lowers the PSNR: then the last weights are
            released, and not those of the best PSNR.
        least: Pixels a side of the smallest patch that it takes, by its settings.
    """

    entry: str
    summary: str
    photographs: Literal["clean", "noisy", "bursts"] = "clean"
    arguments: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    invents: bool = False
    least: Callable[[Mapping[str, Any]], int] = lambda settings: 1


def compared(loss: str, summary: str, **settings: Setting) -> Entry:
    """An objective that compares each result with its ground truth."""
    return Entry(f"{HOME}.supervised:Supervised", summary, arguments={"loss": loss}, settings=settings)


HOME = "resolvent.training.objectives"
Real = partial(Number, varies=False)
Whole = partial(Number, whole=True, varies=False)
SIGMA = Setting(Real(0.01, 255), None, "standard deviation of the noise in gray levels; estimated in each photograph")


def judged(settings: Mapping[str, Any]) -> int:
    """Pixels a side of which a discriminator judges one patch."""
    return 3 << int(settings.get("layers", 3))


TERMS = {
    "width": Setting(Whole(4, 256), 32, "channels of the discriminator's first layer"),
    "layers": Setting(Whole(1, 5), 3, "layers of the discriminator that halve the sides"),
    "rate": Setting(Real(1e-8, 0.1), 1e-4, "learning rate of the discriminator"),
}


def terms(pixel: float, feature: float, adversarial: float) -> dict[str, Setting]:
    """The weights of three terms, as shares of the gradient at the first step."""
    return {
        "pixel": Setting(Real(0, 1000), pixel, "weight of the difference of pixels"),
        "feature": Setting(Real(0, 1000), feature, "weight of the difference of features"),
        "adversarial": Setting(Real(0, 1000), adversarial, "weight of the discriminator's judgment"),
        **TERMS,
    }


BUILT_IN: dict[str, Entry] = {
    "charbonnier": compared(
        "charbonnier",
        "sqrt(d² + ε²), a smooth L1",
        epsilon=Setting(Real(1e-6, 1), 1e-3, "ε, below which it is quadratic"),
    ),
    "l1": compared("l1", "the mean of |d|"),
    "mse": compared("mse", "the mean of d²"),
    "psnr": compared(
        "psnr",
        "the logarithm of each sample's mean d²",
        floor=Setting(Real(1e-10, 1), 1e-5, "mean d² below which a sample counts for less"),
    ),
    "largest-channel": compared(
        "largest-channel",
        "charbonnier plus the cross-entropy of the largest channel, the founding paper's accuracy",
        temperature=Setting(Real(1e-4, 1), 2 / 255, "difference of channels at which its gradient fades"),
        weight=Setting(Real(0, 1), 0.004, "of the cross-entropy"),
    ),
    "bce-dice": compared("bce-dice", "cross-entropy and Dice coefficient of a mask of damage"),
    "perceptual": Entry(
        f"{HOME}.adversarial:Perceptual",
        "pixels, features and a discriminator that sees both (DeePSiM); invents detail",
        settings=terms(1.0, 1.0, 0.3),
        invents=True,
        least=judged,
    ),
    "adversarial": Entry(
        f"{HOME}.adversarial:Adversarial",
        "a relativistic average discriminator of patches, with pixels and features (ESRGAN); invents detail",
        settings=terms(1.0, 1.0, 0.5),
        invents=True,
        least=judged,
    ),
    "noise2noise": Entry(
        f"{HOME}.noisy:Noise2Noise", "another noisy shot of the same scene as target; from bursts", "bursts"
    ),
    "noise2void": Entry(
        f"{HOME}.noisy:Noise2Void",
        "a few pixels, predicted from their surroundings; noise of neighbors independent",
        "noisy",
        settings={
            "share": Setting(Real(0.001, 0.5), 0.03, "of the pixels that are hidden"),
            "radius": Setting(Whole(1, 16), 2, "in pixels, from within which a hidden pixel is replaced"),
        },
        least=lambda settings: 1 + int(settings.get("radius", 2)),
    ),
    "noise2self": Entry(
        f"{HOME}.noisy:Noise2Self",
        "a grid of pixels, predicted from their surroundings; noise of neighbors independent",
        "noisy",
        settings={"period": Setting(Whole(2, 16), 4, "of the grid in pixels")},
        least=lambda settings: 4 * int(settings.get("period", 4)),
    ),
    "neighbor2neighbor": Entry(
        f"{HOME}.noisy:Neighbor2Neighbor",
        "of two images made of neighboring pixels, one from the other; noise of neighbors independent",
        "noisy",
        settings={"gamma": Setting(Real(0, 100), 2.0, "weight of the regularization at the end of the budget")},
    ),
    "sure": Entry(
        f"{HOME}.noisy:Sure",
        "Stein's unbiased estimate of the mean squared error; white noise of known or estimated sigma",
        "noisy",
        settings={
            "sigma": SIGMA,
            "step": Setting(Real(1e-5, 1), 0.01, "of the finite difference, in [0, 1] of the image"),
        },
    ),
    "r2r": Entry(
        f"{HOME}.noisy:Recorrupted",
        "one from the other of two images with more noise, which is independent (R2R); white noise",
        "noisy",
        settings={
            "sigma": SIGMA,
            "alpha": Setting(Real(0.05, 10), 0.5, "noise that the input gets, as a multiple of sigma"),
        },
    ),
}

OBJECTIVES = Registry(
    "objective",
    BUILT_IN,
    lambda name, entry: None if isinstance(entry, Entry) else "must be a resolvent.training.objectives.Entry",
)
"""All objectives: name to entry."""


def check_objective(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of an objective in their canonical types.

    Raises:
        UsageError: There is no objective of that name, or a setting is not known or breaks its rule.
    """
    if name not in OBJECTIVES:
        raise unknown("objective", name, OBJECTIVES)
    return check_settings(name, OBJECTIVES[name].settings, settings)


def build(name: str, settings: Mapping[str, Any]) -> Objective:
    """Build an objective.

    Raises:
        UsageError: The name or a setting is not known, or a setting breaks its rule.
        MissingDependencyError: torch is not installed.
    """
    settings = check_objective(name, settings)
    entry = OBJECTIVES[name]
    objective: Objective = import_entry(entry.entry, f"the objective {name!r}")(**entry.arguments, **settings)
    return objective

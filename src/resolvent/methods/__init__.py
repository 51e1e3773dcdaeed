"""Methods that restore without a trained model, all behind one call: ``restore(y, degradation, **options) -> x``.

A method is a function in a file named as the literature names it. It takes the degraded image (H, W, C) float32, what
happened to it, and options by keyword; it gives a new array of the same kind, not clipped, and leaves its input alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import MissingDependencyError, UsageError, unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.degradations import Degradation


__all__ = ["METHODS", "Method", "Needs", "Restore", "check", "common_options", "list_methods", "load", "methods_for"]


Restore = Callable[..., "NDArray[np.float32]"]
"""What a method is: ``(y, degradation, **options)`` to the restored image."""


@dataclass(frozen=True)
class Needs:
    """What a method must be told.

    Attributes:
        handles: The degradations that it takes account of, by name; a chain of any of these.
        linear: The chain must begin with a linear degradation.
    """

    handles: tuple[str, ...]
    linear: bool = False

    def __str__(self) -> str:
        return f"a degradation made of {', '.join(self.handles)}" + ", a linear one first" * self.linear


@dataclass(frozen=True)
class Method:
    """An entry of METHODS.

    Attributes:
        entry: ``module:function``, imported only when the method is used.
        summary: One line.
        needs: What it must be told.
        example: Text form of a degradation that it is meant for.
        reference: Where it was published.
        cost: What a color photograph of 256x256 pixels takes at most on a processor core, if nothing ends it early.
        memory: Bytes for each pixel of a result in color, with room to spare; measured.
        common_options: Options that every front end offers and this method knows: ``control``, ``seed``.
    """

    entry: str
    summary: str
    needs: Needs
    example: str
    reference: str
    cost: str
    memory: int
    common_options: tuple[str, ...] = ()


BLURS = ("blur", "blur-positional", "defocus", "motion", "kernel")


METHODS: dict[str, Method] = {
    "nlm": Method(
        "resolvent.methods.classical.nlm:restore",
        "non-local means: averages pixels whose neighborhoods look alike",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Buades, Coll, Morel 2011, https://doi.org/10.5201/ipol.2011.bcm_nlm",
        "seconds",
        memory=120,
    ),
    "tv": Method(
        "resolvent.methods.classical.tv:restore",
        "total variation: flat areas with sharp borders",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Chambolle 2004, https://doi.org/10.1023/B:JMIV.0000011325.36760.1e",
        "seconds",
        memory=90,
    ),
    "wavelet": Method(
        "resolvent.methods.classical.wavelet:restore",
        "wavelet shrinkage: small coefficients are noise",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Chang, Yu, Vetterli 2000, https://doi.org/10.1109/83.862633",
        "seconds",
        memory=100,
    ),
    "wiener": Method(
        "resolvent.methods.classical.wiener:restore",
        "Wiener filter: the best linear deblurring for Gaussian noise and the spectrum of natural images",
        Needs(handles=(*BLURS, "noise"), linear=True),
        "blur:sigma=1.6 + noise:sigma=2",
        "Orieux, Giovannelli, Rodet 2010, https://doi.org/10.1364/JOSAA.27.001593",
        "seconds",
        memory=180,
    ),
    "richardson-lucy": Method(
        "resolvent.methods.classical.richardson_lucy:restore",
        "Richardson-Lucy: the positive image that most likely led to these photon counts",
        Needs(handles=(*BLURS, "noise", "poisson"), linear=True),
        "blur:sigma=1.6 + noise:sigma=2",
        "Richardson 1972, https://doi.org/10.1364/JOSA.62.000055",
        "seconds",
        memory=220,
    ),
    "self-similarity": Method(
        "resolvent.methods.classical.self_similarity:restore",
        "super-resolution from the smaller copies of each patch within the photograph",
        Needs(handles=("downsample",), linear=True),
        "downsample:scale=2",
        "Glasner, Bagon, Irani 2009, https://doi.org/10.1109/ICCV.2009.5459271",
        "seconds",
        memory=160,
        common_options=("control",),
    ),
    "pnp": Method(
        "resolvent.methods.plug_and_play.pnp:restore",
        "plug-and-play: a trained denoiser as the prior of any linear problem",
        Needs(handles=(*BLURS, "downsample", "mask", "noise"), linear=True),
        "blur:sigma=1.6 + noise:sigma=2",
        "Zhang et al. 2022, https://doi.org/10.1109/TPAMI.2021.3088914",
        "seconds",
        memory=220,
        common_options=("control",),
    ),
    "red": Method(
        "resolvent.methods.plug_and_play.red:restore",
        "regularization by denoising",
        Needs(handles=(*BLURS, "downsample", "mask", "noise"), linear=True),
        "blur:sigma=1.6 + noise:sigma=2",
        "Romano, Elad, Milanfar 2017, https://doi.org/10.1137/16M1102884",
        "seconds",
        memory=200,
        common_options=("control",),
    ),
    "csc": Method(
        "resolvent.methods.classical.csc:restore",
        "convolutional sparse coding: few, shifted atoms of a learned dictionary",
        Needs(handles=("mask", "noise")),
        "noise:sigma=25",
        "Bristow, Eriksson, Lucey 2013, https://doi.org/10.1109/CVPR.2013.57",
        "minutes",
        memory=100,
        common_options=("control",),
    ),
    "dip": Method(
        "resolvent.methods.untrained.dip:restore",
        "deep image prior: an untrained network takes to images sooner than to noise",
        Needs(handles=(*BLURS, "downsample", "mask", "noise", "jpeg")),
        "noise:sigma=25",
        "Ulyanov, Vedaldi, Lempitsky 2020, https://doi.org/10.1007/s11263-020-01303-4",
        "hours",
        memory=9_000,
        common_options=("control", "seed"),
    ),
    "dip-fast": Method(
        "resolvent.methods.untrained.dip:restore_fast",
        "deep image prior with a smaller network: several times faster",
        Needs(handles=(*BLURS, "downsample", "mask", "noise", "jpeg")),
        "noise:sigma=25",
        "Ulyanov, Vedaldi, Lempitsky 2020, https://doi.org/10.1007/s11263-020-01303-4",
        "minutes",
        memory=2_500,
        common_options=("control", "seed"),
    ),
    "multi-target-dip": Method(
        "resolvent.methods.untrained.multi_target_dip:restore",
        "deep image prior with cleaned targets beside the noisy one, ended by the noise level",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "X. Chen et al. 2021",
        "hours",
        memory=9_000,
        common_options=("control", "seed"),
    ),
    "med": Method(
        "resolvent.methods.untrained.med:restore",
        "multi-level encoder-decoder: an untrained generator with enhancers after it",
        Needs(handles=(*BLURS, "downsample", "mask", "noise", "jpeg")),
        "noise:sigma=25",
        "Mastan, Raman 2019",
        "hours",
        memory=26_000,
        common_options=("control", "seed"),
    ),
    "p-gsure": Method(
        "resolvent.methods.untrained.p_gsure:restore",
        "deep image prior whose loss is an unbiased estimate of its own error",
        Needs(handles=(*BLURS, "downsample", "noise")),
        "blur:sigma=1.6,boundary=circular + noise:sigma=2",
        "Abu-Hussein et al. 2022, https://arxiv.org/abs/2102.02485",
        "hours",
        memory=16_000,
        common_options=("control", "seed"),
    ),
}


def list_methods() -> dict[str, Method]:
    """The methods that restore without a trained model, by name: what each is, needs, takes and costs."""
    return dict(METHODS)


def load(name: str) -> Restore:
    """Import a method.

    Raises:
        UsageError: No method has that name.
        MissingDependencyError: It needs torch, which is not installed.
    """
    module, function = _find(name).entry.split(":")
    try:
        restore: Restore = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "lab", f"the method {name!r}") from error
    return restore


def check(name: str, degradation: Degradation) -> None:
    """Refuse, before any work, a degradation that a method cannot undo.

    Raises:
        UsageError: There is no such method; the degradation is not fixed to single values; the method cannot undo it.

    Example:
        >>> from resolvent.degradations import parse
        >>> check("wiener", parse("jpeg:quality=20"))
        Traceback (most recent call last):
        ...
        resolvent.errors.UsageError: wiener cannot undo jpeg; these can: dip, dip-fast, med
    """
    fault = _fault(_find(name).needs, degradation)
    if fault is None:
        if degradation.sample(np.random.default_rng(0)) != degradation:
            raise UsageError(f"{degradation}: a method needs to know what happened; give each parameter one value")
        return
    others = methods_for(degradation)
    remedy = f"these can: {', '.join(others)}" if others else "no method can; use a model"
    raise UsageError(f"{name} {fault}; {remedy}")


def common_options(name: str) -> tuple[str, ...]:
    """The common options that a method knows; see ``Method``.

    Raises:
        UsageError: No method has that name.
    """
    return _find(name).common_options


def methods_for(degradation: Degradation) -> list[str]:
    """Name the methods that can undo a degradation."""
    return [name for name, method in METHODS.items() if _fault(method.needs, degradation) is None]


def _find(name: str) -> Method:
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]


def _fault(needs: Needs, degradation: Degradation) -> str | None:
    foreign = [part.name for part in degradation.parts if part.name not in needs.handles]
    if foreign:
        return f"cannot undo {', '.join(foreign)}"
    if needs.linear and degradation.split()[0] is None:
        return f"undoes a blur, and {str(degradation)!r} does not begin with one"
    return None

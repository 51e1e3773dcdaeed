"""Methods that restore without a trained model, all behind one call: ``restore(y, forward_model, **options) -> x``.

A method is a function in a file named as the literature names it. It takes the degraded image (H, W, C) float32, what
happened to it, and options by keyword; it gives a new array of the same kind, not clipped, and leaves its input alone.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent import parameters
from resolvent.errors import MissingDependencyError, UsageError, unknown
from resolvent.methods.kinds import DenoiserName, Picture
from resolvent.parameters import Flag, Number, Setting, Several, Word
from resolvent.physics.forward_model import ForwardModel
from resolvent.plugins import Registry, import_entry

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = [
    "METHODS",
    "Method",
    "Needs",
    "Restore",
    "check",
    "check_settings",
    "common_options",
    "list_methods",
    "load",
    "methods_for",
    "missing",
    "read_settings",
]


Restore = Callable[..., "NDArray[np.float32]"]
"""What a method is: ``(y, forward_model, **options)`` to the restored image."""


@dataclass(frozen=True)
class Needs:
    """What a method must be told.

    Attributes:
        handles: The degradations that it takes account of, by name; a chain of any of these.
        linear: One of them is linear.
        single: There is only one of them, and it merges pixels rather than leaving some out.
        closed: The border is continued by mirroring in all of them, or in none.
    """

    handles: tuple[str, ...]
    linear: bool = False
    single: bool = False
    closed: bool = False

    def __str__(self) -> str:
        if self.single:
            return f"one degradation: {', '.join(self.handles)}"
        return f"a degradation made of {', '.join(self.handles)}" + ", a linear one among them" * self.linear


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
        settings: Its other options, with the defaults of the function, which a test compares.
        requires: What it imports beyond a plain installation: keys of OPTIONAL.
    """

    entry: str
    summary: str
    needs: Needs
    example: str
    reference: str
    cost: str
    memory: int
    common_options: tuple[str, ...] = ()
    settings: dict[str, Setting] = field(default_factory=dict)
    requires: tuple[str, ...] = ()


Whole = partial(Number, whole=True, varies=False)
Real = partial(Number, varies=False)

PRESETS = (
    "denoise", "jpeg", "super-resolution", "super-resolution-8", "inpaint-text", "inpaint-region", "inpaint-hole",
    "inpaint-half", "inpaint-most", "flash",
)  # fmt: skip
WAVELETS = (
    "haar", *(f"db{n}" for n in range(2, 11)), *(f"sym{n}" for n in range(2, 11)), *(f"coif{n}" for n in range(1, 6))
)  # fmt: skip

# Shared by deep image prior and its variants.
MOST_STEPS = Setting(Whole(1, 1_000_000), None, "at most so many; those of the preset")
STOP = Setting(
    Word(("auto", "discrepancy", "variance", "none")),
    "auto",
    "at a residual as strong as the noise, where the outputs hardly move, or after the last iteration",
)

BLURS = ("blur", "blur-positional", "defocus", "motion", "kernel")


BUILT_IN: dict[str, Method] = {
    "nlm": Method(
        "resolvent.methods.classical.nlm:restore",
        "non-local means: averages pixels whose neighborhoods look alike",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Buades, Coll, Morel 2011, https://doi.org/10.5201/ipol.2011.bcm_nlm",
        "seconds",
        memory=120,
        settings={
            "patch_size": Setting(Whole(1, 99, "pixels", odd=True), None, "side of a patch; chosen by the noise level"),
            "patch_distance": Setting(Whole(1, 30, "pixels"), 6, "how far apart two patches may be"),
            "h": Setting(
                Real(0, 100, above=True),
                None,
                "fall of the weights, as a share of sigma; chosen by the noise level",
            ),
        },
        requires=("skimage",),
    ),
    "tv": Method(
        "resolvent.methods.classical.tv:restore",
        "total variation: flat areas with sharp borders",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Chambolle 2004, https://doi.org/10.1023/B:JMIV.0000011325.36760.1e",
        "seconds",
        memory=90,
        settings={
            "weight": Setting(Real(0, 1000, above=True), 0.75, "weight of the variation, as a share of sigma"),
            "iterations": Setting(Whole(1, 10_000), 200, "at most so many"),
        },
        requires=("skimage",),
    ),
    "wavelet": Method(
        "resolvent.methods.classical.wavelet:restore",
        "wavelet shrinkage: small coefficients are noise",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Chang, Yu, Vetterli 2000, https://doi.org/10.1109/83.862633",
        "seconds",
        memory=100,
        settings={
            "wavelet": Setting(Word(WAVELETS), "sym4", "an orthogonal wavelet of PyWavelets"),
        },
        requires=("skimage", "pywt"),
    ),
    "wiener": Method(
        "resolvent.methods.classical.wiener:restore",
        "Wiener filter: the best linear deblurring for Gaussian noise and the spectrum of natural images",
        Needs(handles=(*BLURS, "noise"), linear=True, closed=True),
        "blur:sigma=1.6 + noise:sigma=2",
        "Orieux, Giovannelli, Rodet 2010, https://doi.org/10.1364/JOSAA.27.001593",
        "seconds",
        memory=180,
        settings={
            "regularization": Setting(
                Real(0, 1000, above=True), 1.5, "factor of the noise in the filter; more is smoother", "regularisation"
            ),
            "iterations": Setting(Whole(0, 1000), 20, "how often the margin is replaced"),
        },
    ),
    "richardson-lucy": Method(
        "resolvent.methods.classical.richardson_lucy:restore",
        "Richardson-Lucy: the positive image that most likely led to these photon counts",
        Needs(handles=(*BLURS, "noise", "poisson"), linear=True, closed=True),
        "blur:sigma=1.6 + noise:sigma=2",
        "Richardson 1972, https://doi.org/10.1364/JOSA.62.000055",
        "seconds",
        memory=220,
        settings={
            "iterations": Setting(Whole(1, 10_000), 100, "at most so many"),
        },
    ),
    "self-similarity": Method(
        "resolvent.methods.classical.self_similarity:restore",
        "super-resolution from the smaller copies of each patch within the photograph",
        Needs(handles=("downsample",), linear=True, single=True),
        "downsample:scale=2",
        "Glasner, Bagon, Irani 2009, https://doi.org/10.1109/ICCV.2009.5459271",
        "seconds",
        memory=160,
        common_options=("control",),
        settings={
            "neighbors": Setting(Whole(1, 49), 9, "patches that are averaged", "neighbours"),
            "radius": Setting(Whole(1, 20, "pixels"), 3, "of the search"),
            "levels": Setting(Whole(1, 8), 1, "smaller copies of the image that are searched too"),
            "bandwidth": Setting(
                Real(0, 1, above=True), 2e-3, "mean square distance over which the weight of a neighbor falls"
            ),
        },
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
        settings={
            "model": Setting(DenoiserName(), "denoise-white", "the denoiser"),
            "iterations": Setting(Whole(1, 1000), None, "how many; 8, or 24 where pixels are missing"),
            "start": Setting(Real(0, 255, "gray levels", above=True), 49.0, "first noise level of the denoiser"),
            "strength": Setting(Real(0, 100, above=True), 0.23, "weight of the denoiser, lambda"),
        },
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
        settings={
            "model": Setting(DenoiserName(), "denoise-white", "the denoiser"),
            "iterations": Setting(Whole(1, 1000), 40, "how many"),
            "level": Setting(Real(0, 255, "gray levels", above=True), 5.0, "noise level of the denoiser"),
            "strength": Setting(Real(0, 100, above=True), 0.02, "weight of the denoiser, lambda"),
        },
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
        settings={
            "sparsity": Setting(Real(0, 10, above=True), None, "weight of the l1 norm; chosen by the noise level"),
            "iterations": Setting(Whole(1, 10_000), 250, "at most so many"),
        },
        requires=("torch",),
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
        settings={
            "preset": Setting(Word(PRESETS), None, "a task of the paper; chosen by the degradation"),
            "iterations": MOST_STEPS,
            "stop": STOP,
            "guide": Setting(Picture(), None, "input of the network instead of noise, such as a flash picture"),
            "input_noise": Setting(Real(0, 1), None, "sigma of the noise added to the input; that of the preset"),
            "weight_noise": Setting(
                Real(0, 1), None, "sigma of the noise added to the weights, as a share; that of the preset"
            ),
            "average": Setting(Real(0, 1), None, "weight of the past in the mean of the outputs; that of the preset"),
        },
        requires=("torch",),
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
        settings={
            "iterations": MOST_STEPS,
            "stop": STOP,
        },
        requires=("torch",),
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
        settings={
            "targets": Setting(
                Several(DenoiserName(methods=True), 0, 8), ("denoise", "nlm"), "what makes a target each"
            ),
            "weights": Setting(
                Several(Real(0, 1), 1, 9), None, "of the noisy image and of each target, summing to 1; equal"
            ),
            "iterations": Setting(Whole(1, 1_000_000), 3000, "at most so many"),
            "fast": Setting(Flag(), False, "with the network of dip-fast"),
            "warm": Setting(Flag(), True, "start from the targets; otherwise from noise, as published"),
        },
        requires=("torch", "skimage"),
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
        settings={
            "levels": Setting(Several(Whole(1, 6), 1, 4), (5, 4, 3), "scales of the generator, and of each enhancer"),
            "width": Setting(Whole(1, 512), 128, "filters everywhere"),
            "skip": Setting(Whole(0, 512), 4, "filters of the links between equal scales; 0 leaves them out"),
            "cascade": Setting(Flag(), False, "show the input to every stage again"),
            "resize": Setting(Real(0.25, 4), 1.0, "size of what goes from one sub-network to the next, as a share"),
            "iterations": MOST_STEPS,
            "stop": STOP,
        },
        requires=("torch",),
    ),
    "p-gsure": Method(
        "resolvent.methods.untrained.p_gsure:restore",
        "deep image prior whose loss is an unbiased estimate of its own error",
        Needs(handles=(*BLURS, "downsample", "noise"), closed=True),
        "blur:sigma=1.6,boundary=circular + noise:sigma=2",
        "Abu-Hussein et al. 2022, https://arxiv.org/abs/2102.02485",
        "hours",
        memory=16_000,
        common_options=("control", "seed"),
        settings={
            "iterations": Setting(Whole(1, 1_000_000), 3000, "at most so many"),
            "learning_rate": Setting(Real(0, 1, above=True), 0.01, "of Adam"),
            "threshold": Setting(Real(0, 1), 0.05, "singular values up to this share of the largest count as zero"),
        },
        requires=("torch",),
    ),
}

METHODS = Registry(
    "method", BUILT_IN, lambda name, entry: None if isinstance(entry, Method) else "must be a resolvent.methods.Method"
)
"""All methods: name to entry."""


OPTIONAL = {"pywt": ("PyWavelets", "methods"), "skimage": ("scikit-image", "methods"), "torch": ("torch", "lab")}
"""Packages beyond a plain installation, by the name under which they are imported: their own name, and our extra."""


def list_methods() -> dict[str, Method]:
    """The methods that restore without a trained model, by name: what each is, needs, takes and costs."""
    return dict(METHODS)


def load(name: str) -> Restore:
    """Import a method; the function checks its settings before it works.

    Raises:
        UsageError: No method has that name.
        MissingDependencyError: It needs a package that is not installed.
    """
    if error := missing(name):
        raise error
    restore: Restore = import_entry(_find(name).entry, f"the method {name!r}")
    common = _find(name).common_options

    @functools.wraps(restore)
    def checked(*data: Any, **options: Any) -> NDArray[np.float32]:
        shared = {key: options.pop(key) for key in common if key in options}
        own = check_settings(name, options)
        if "torch" not in _find(name).requires:
            return restore(*data, **own, **shared)
        import torch

        with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has turned off
            return restore(*data, **own, **shared)

    return checked


def missing(name: str) -> MissingDependencyError | None:
    """The error for the first package that a method needs and that is not installed; None if it needs none.

    Raises:
        UsageError: No method has that name.
    """
    absent = [module for module in _find(name).requires if importlib.util.find_spec(module) is None]
    return MissingDependencyError(*OPTIONAL[absent[0]], f"the method {name!r}") if absent else None


def check_settings(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a method in their canonical types.

    Raises:
        UsageError: There is no such method or setting, or a value breaks its rule.
    """
    return parameters.check_settings(name, _find(name).settings, values)


def read_settings(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read settings of a method from text such as ``iterations=500`` or ``targets=nlm,tv``.

    Raises:
        UsageError: A text has no ``=``, the method has no such setting, or the value breaks its rule.

    Example:
        >>> read_settings("nlm", ["patch_distance=5"])
        {'patch_distance': 5}
    """
    return parameters.read_settings(name, _find(name).settings, texts)


def check(name: str, forward_model: ForwardModel) -> None:
    """Refuse, before any work, a degradation that a method cannot undo, and a method that is not installed whole.

    Raises:
        UsageError: There is no such method, or it cannot undo the degradation; the message names those that can.
        MissingDependencyError: The method needs a package that is not installed.

    Example:
        >>> from resolvent.degradations import parse
        >>> check("wiener", ForwardModel(parse("jpeg:quality=20")))
        Traceback (most recent call last):
        ...
        resolvent.errors.UsageError: wiener cannot undo jpeg; these can: dip, dip-fast, med
    """
    fault = _fault(_find(name).needs, forward_model)
    if fault is None:
        if error := missing(name):
            raise error
        return
    others = methods_for(forward_model)
    remedy = f"these can: {', '.join(others)}" if others else "no method can; use a model"
    raise UsageError(f"{name} {fault}; {remedy}")


def common_options(name: str) -> tuple[str, ...]:
    """The common options that a method knows; see ``Method``.

    Raises:
        UsageError: No method has that name.
    """
    return _find(name).common_options


def methods_for(forward_model: ForwardModel) -> list[str]:
    """Name the methods that can undo a degradation."""
    return [name for name, method in METHODS.items() if _fault(method.needs, forward_model) is None]


def _find(name: str) -> Method:
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]


def _fault(needs: Needs, forward_model: ForwardModel) -> str | None:
    degradation = forward_model.degradation
    foreign = [part.name for part in forward_model.active if part.name not in needs.handles]
    if foreign:
        return f"cannot undo {', '.join(foreign)}"
    if needs.linear and not forward_model.parts:
        linear = [name for name in needs.handles if name not in ("noise", "poisson", "jpeg")]
        return f"undoes {', '.join(linear)}, and there is none of them in {str(degradation)!r}"
    if needs.closed and forward_model.mixed:
        return f"undoes what mirrors the border or what wraps around, and not both, as in {str(degradation)!r}"
    if needs.single and (len(forward_model.parts) > 1 or forward_model.parts[0].selects):
        return f"undoes one downsampling that merges pixels, and not {str(degradation)!r}"
    return None

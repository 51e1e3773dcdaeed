"""The methods that there are, one entry each."""

from __future__ import annotations

from functools import partial

from resolvent.errors import unknown
from resolvent.methods.entry import Method, Needs
from resolvent.methods.kinds import DenoiserName, Picture
from resolvent.parameters import Flag, Number, Setting, Several, Word
from resolvent.plugins import Registry

__all__ = ["METHODS", "PRESETS", "find", "list_methods"]

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
MOST_STEPS = Setting(Whole(1, 1_000_000), None, "maximum number; default: that of the preset")
STOP = Setting(
    Word(("auto", "discrepancy", "variance", "none")),
    "auto",
    "at a residual as strong as the noise, where the outputs hardly move, or after the last iteration",
)

BLURS = ("blur", "blur-positional", "defocus", "motion", "shake", "kernel")


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
            "iterations": Setting(Whole(1, 10_000), 200, "maximum number"),
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
            "iterations": Setting(Whole(1, 10_000), 100, "maximum number"),
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
        Needs(handles=(*BLURS, "downsample", "mask", "noise"), linear=True, any_linear=True),
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
        Needs(handles=(*BLURS, "downsample", "mask", "noise"), linear=True, any_linear=True),
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
            "iterations": Setting(Whole(1, 10_000), 250, "maximum number"),
        },
        requires=("torch",),
    ),
    "dip": Method(
        "resolvent.methods.untrained.dip:restore",
        "deep image prior: an untrained network fits natural images before noise",
        Needs(handles=(*BLURS, "downsample", "mask", "noise", "jpeg"), any_linear=True),
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
        Needs(handles=(*BLURS, "downsample", "mask", "noise", "jpeg"), any_linear=True),
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
        "deep image prior with denoised auxiliary targets, stopped by the discrepancy principle",
        Needs(handles=("noise",)),
        "noise:sigma=25",
        "Chen, Xu, Chen, Li 2021, https://doi.org/10.3390/app11114803",
        "hours",
        memory=9_000,
        common_options=("control", "seed"),
        settings={
            "targets": Setting(
                Several(DenoiserName(methods=True), 0, 8),
                ("denoise", "nlm"),
                "denoisers that make one target each",
            ),
            "weights": Setting(
                Several(Real(0, 1), 1, 9), None, "of the noisy image and of each target, summing to 1; equal"
            ),
            "iterations": Setting(Whole(1, 1_000_000), 3000, "maximum number"),
            "fast": Setting(Flag(), False, "with the network of dip-fast"),
            "warm": Setting(Flag(), True, "start from the targets; otherwise from noise, as published"),
        },
        requires=("torch", "skimage"),
    ),
    "med": Method(
        "resolvent.methods.untrained.med:restore",
        "multi-level encoder-decoder: an untrained generator with enhancers after it",
        Needs(handles=(*BLURS, "downsample", "mask", "noise", "jpeg"), any_linear=True),
        "noise:sigma=25",
        "Mastan, Raman 2019, https://arxiv.org/abs/1905.00322",
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
            "iterations": Setting(Whole(1, 1_000_000), 3000, "maximum number"),
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


def list_methods() -> dict[str, Method]:
    """The methods that restore without a trained model, by name: what each is, needs, takes and costs."""
    return dict(METHODS)


def find(name: str) -> Method:
    """Give the entry of a method.

    Raises:
        UsageError: No method has that name.
    """
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]

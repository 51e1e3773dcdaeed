"""Learn and evaluate the choice of the model, from cases whose best choice is known."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from resolvent.degradations import Degradation, Identity, Jpeg, Quantize, parse
from resolvent.diagnosis import measure
from resolvent.diagnosis.choice import FALLBACK, Candidate, Chooser
from resolvent.diagnosis.probe import MODELS
from resolvent.engine.plan import Plan
from resolvent.engine.request import ModelRequest
from resolvent.engine.run import run
from resolvent.errors import MissingDependencyError
from resolvent.evaluation.ensembles import Fit, fit
from resolvent.evaluation.metrics import psnr
from resolvent.image import QUALITY, Image, read_image
from resolvent.inference.runtime import open_session
from resolvent.models.registry import read_card
from resolvent.system import usable_cpus

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = [
    "AGAIN",
    "CANDIDATES",
    "MODELS",
    "NOTHING",
    "Case",
    "as_file",
    "drawing",
    "foundations",
    "kinds",
    "learn",
    "make_case",
    "make_cases",
]

CANDIDATES: tuple[Candidate, ...] = (*((model, 1.0) for model in MODELS), ("denoise", 0.5), FALLBACK)
NOTHING: Candidate = ("nothing", 0.0)


PERFECT = 60.0
"""dB; PSNR is clipped to this, where a photograph counts as undamaged."""

COLOR = "subsampling=4:2:0|4:2:2|4:4:4"
KINDS: dict[str, str] = {
    "clean": "none",
    "good jpeg": f"jpeg:quality=85..100,{COLOR}",
    "fine jpeg": f"jpeg:quality=96..100,{COLOR}",
    "jpeg": f"jpeg:quality=8..92,{COLOR}",
    "double jpeg": (
        f"jpeg:quality=40..95,{COLOR},top=0..7,left=0..7 + rescale:factor=0.6..1 @ 0.3 + jpeg:quality=60..98,{COLOR}"
    ),
    "camera": f"camera + jpeg:quality=75..100,{COLOR} @ 0.8",
    "camera, soft": (
        "camera:iso=200..6400,lens=0,tone=0.5..1,malvar=1,denoise=0..1,chroma=4..10,sharpen=0..0.4,soft=0.3..0.7"
        f" + jpeg:quality=70..95,{COLOR}"
    ),
    "noise": f"noise:sigma=0..50 + jpeg:quality=60..100,{COLOR} @ 0.4",
    "weak noise": f"noise:sigma=0.5..8 + jpeg:quality=80..100,{COLOR} @ 0.3",
    "shot noise": f"poisson:peak=15..3000 + jpeg:quality=70..100,{COLOR} @ 0.3",
    "grain": f"grain:sigma=0..25,radius=0.3..2 + jpeg:quality=60..100,{COLOR} @ 0.4",
    "impulses": "saltpepper:amount=0.0005..0.05 + noise:sigma=0..10 @ 0.4",
    "blur": f"blur:sigma=0.3..4 + noise:sigma=0..3 @ 0.5 + jpeg:quality=60..100,{COLOR} @ 0.4",
    "defocus": f"defocus:radius=0.7..6 + noise:sigma=0..3 @ 0.5 + jpeg:quality=60..100,{COLOR} @ 0.4",
    "motion": f"motion:length=2..17,angle=0..180 + noise:sigma=0..3 @ 0.5 + jpeg:quality=60..100,{COLOR} @ 0.4",
    "noisy blur": f"blur:sigma=0.5..3 + noise:sigma=2..40 + jpeg:quality=50..100,{COLOR} @ 0.3",
    "pure blur": "blur:sigma=0.6..3.5",
    "enlarged": "rescale:factor=0.3..0.7",
    "soft noise of the colors": f"chroma:sigma=2..20,radius=0.5..6 + jpeg:quality=70..100,{COLOR} @ 0.4",
    "rows": "rownoise:sigma=1..12,axis=rows|columns + noise:sigma=0..5 @ 0.5",
    "hot pixels": "hotpixels:amount=0.0001..0.004,sites=pixel|channel|bayer + noise:sigma=0..5 @ 0.4",
    "bands": "quantize:bits=4..7",
}
"""The degradations by kind; ``mixture`` is the one that ``restore`` was trained on."""

AGAIN = "restored"
"""The kind of a mixture that was restored and saved: there is nothing left to fix."""

SAVED = (f"jpeg:quality={QUALITY},subsampling=4:4:4", "none")
"""As results are written."""

DONE = 0.3
"""dB that any further restoration of a restored photograph loses, at least."""


@dataclass(frozen=True)
class Case:
    """One degraded photograph, and its PSNR after every choice.

    Attributes:
        image: Name of the photograph.
        kind: A key of ``kinds``.
        drawn: Its degradation, as sampled, in text form.
        features: Features of the choice; None if there is too little detail.
        sigma: Noise level given to ``denoise``, in gray levels.
        drawing: Whether it looks drawn or printed.
        blur: Width of the sharpest edges, in pixels.
        quality: Of the JPEG file; None if it is none.
        chroma: Share of the samples of chroma that it keeps; None if it is none.
        psnr: In dB, of NOTHING and of each of CANDIDATES.
    """

    image: str
    kind: str
    drawn: str
    features: NDArray[np.float32] | None
    sigma: float
    drawing: bool
    blur: float
    quality: int | None
    chroma: float | None
    psnr: dict[Candidate, float]


@cache
def kinds() -> dict[str, str]:
    """Give KINDS, the mixture, and restored photographs."""
    mixture = read_card("restore").degradation
    return {**KINDS, "mixture": mixture, AGAIN: mixture}


def foundations() -> dict[str, str]:
    """Give digests of what cases depend on: the coefficients of the noise estimate, and the weights of the models.

    Of the values alone, however their files store them, and whatever else those hold.
    """
    from resolvent.models.export import load_module

    with np.load(str(resources.files("resolvent.diagnosis") / "level.npz")) as stored:
        values = {"level.npz": {name: stored[name] for name in stored.files}}
    for model in MODELS:
        values[model] = {name: tensor.numpy() for name, tensor in load_module(model)[0].state_dict().items()}
    return {name: _digest(arrays) for name, arrays in values.items()}


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()[:16]


def as_file(
    truth: NDArray[np.float32], drawn: Degradation, rng: np.random.Generator, hidden: float = 0.0
) -> tuple[Image, bytes | None, NDArray[np.float32]]:
    """Degrade a photograph (H, W, C) as a file of 8 bits holds it; a JPEG file where JPEG comes last.

    With the probability ``hidden`` such a file was converted later: only its pixels show that it was a JPEG.

    Returns:
        The degraded photograph, the JPEG file, and what a perfect restoration would give back: the photograph, or what
        a camera would have made of it without noise.
    """
    parts = [part for part in drawn.parts if part != Quantize(8)]
    last = parts[-1] if parts else None
    is_file = isinstance(last, Jpeg) and last.top == last.left == 0 and rng.random() >= hidden
    before = sum(parts[:-1] if is_file else parts, start=Identity())
    pixels, target = before.with_target(truth, rng)
    rounded = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if not is_file:
        return Image.from_array(rounded), None, target
    from PIL import Image as Pillow

    file = io.BytesIO()
    picture = Pillow.fromarray(rounded if rounded.shape[2] == 3 else rounded[..., 0])
    quality, subsampling = int(last.quality), str(last.subsampling)  # type: ignore[union-attr]
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return read_image(file.getvalue()), file.getvalue(), target


def make_case(image: str, truth: NDArray[np.float32], kind: str, seed: int, hidden: float = 0.0) -> Case:
    """Degrade a photograph (H, W, C) in [0, 1] at random, see ``as_file``, and restore it with every model."""
    rng = np.random.default_rng(seed)
    drawn = parse(kinds()[kind]).sample(rng)
    degraded, file, truth = as_file(truth, drawn, rng, hidden)
    if kind == AGAIN:
        done = _best(degraded, file, truth)
        degraded, file, _ = as_file(done, parse(SAVED[rng.integers(len(SAVED))]), rng)
    before = degraded.pixels
    scores = {NOTHING: min(psnr(before, truth), PERFECT)}
    measured = measure(degraded, file, _opened)
    restored = _all_restored(degraded, measured.denoiser_sigma)
    for model, strength in CANDIDATES:
        blend = before + np.float32(strength) * (restored[model] - before)
        scores[model, strength] = min(psnr(blend, truth), PERFECT)
        if kind == AGAIN:
            scores[model, strength] = min(scores[model, strength], scores[NOTHING] - DONE)
    return Case(
        image=image,
        kind=kind,
        drawn=str(drawn),
        features=measured.features,
        sigma=measured.denoiser_sigma,
        drawing=measured.content.drawing,
        blur=measured.blur_sigma,
        quality=measured.jpeg_quality,
        chroma=measured.jpeg_chroma,
        psnr=scores,
    )


def _best(degraded: Image, file: bytes | None, truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the best of the photograph and its restorations by the models."""
    restored = _all_restored(degraded, measure(degraded, file).denoiser_sigma)
    return max((degraded.pixels, *restored.values()), key=lambda pixels: psnr(pixels, truth))


def _all_restored(image: Image, sigma: float) -> dict[str, NDArray[np.float32]]:
    """Restore it with each of MODELS."""
    return {model: _restored(image, model, sigma if model == "denoise" else None) for model in MODELS}


def _restored(image: Image, model: str, sigma: float | None) -> NDArray[np.float32]:
    planned = Plan(ModelRequest(model=model, sigma=sigma), (), model, sigma, tile=max(image.height, image.width))
    return run(image, planned, open_session=_opened, judge=False).image.pixels


_opened = cache(partial(open_session, threads=1))


def make_cases(
    sources: Sequence[tuple[str, Callable[[], NDArray[np.float32]], str, int]],
    progress: Callable[[int, int], None] | None = None,
    hidden: float = 0.0,
) -> Iterator[Case]:
    """Make cases in parallel; a source is a name, a function that reads the photograph, the kind and the seed."""
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for done, case in enumerate(pool.map(lambda s: make_case(s[0], s[1](), s[2], s[3], hidden), sources), 1):
            if progress:
                progress(done, len(sources))
            yield case


def drawing(side: int, seed: int) -> NDArray[np.float32]:
    """Draw a synthetic picture, (side, side, 3): plain shapes, lines and words, as sharp as on a screen."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    rng = np.random.default_rng(seed)

    def color() -> tuple[int, ...]:
        return tuple(rng.integers(0, 256, 3).tolist())

    picture = Pillow.new("RGB", (side, side), color())
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(3, 30)):
        left, top = rng.integers(-side // 4, side, 2).tolist()
        box = (left, top, left + int(rng.integers(4, side // 2)), top + int(rng.integers(4, side // 2)))
        shape = rng.integers(4)
        if shape == 0:
            pen.rectangle(box, fill=color())
        elif shape == 1:
            pen.ellipse(box, fill=color())
        elif shape == 2:
            pen.line(box, fill=color(), width=int(rng.integers(1, 5)))
        else:
            words = "".join(map(chr, rng.integers(97, 123, 24)))
            pen.text((left, top), words, fill=color(), font_size=float(rng.uniform(8, 24)))
    return np.asarray(picture, np.float32) / np.float32(255)


FIT = Fit(hidden=(256, 128), members=8, rate=2e-3, decay=0.5, steps=4000)
WORST, MOST = -6.0, 25.0  # dB; a larger loss or gain is no harder to choose by
HARM = 1.5  # a dB that is lost counts this many times as much as one that is missed, in addition
TEMPERATURE = 0.3  # dB; a choice that is better by this is e times as likely to be taken while learning


def learn(cases: Sequence[Case], *, about: Mapping[str, Any], settings: Fit = FIT) -> Chooser:
    """Learn to predict the gains from cases.

    The networks minimize the error of the gains, that of the differences between models, and what is lost, in dB, by
    choosing with a probability that grows with what they predict; a choice that makes a photograph worse than it was
    counts more.

    Args:
        cases: Hundreds of them or more, of all kinds, each with features.
        about: What they were made from, and by which code.
        settings: How the networks are fitted.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    try:
        import torch
        from torch.nn import functional as F
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "learning the choice") from error

    cases = [case for case in cases if case.features is not None]
    measured = np.stack([cast("NDArray[np.float32]", case.features) for case in cases])
    target = torch.tensor([[case.psnr[name] - case.psnr[NOTHING] for name in CANDIDATES] for case in cases])
    target = target.clamp(WORST, MOST).float()
    with_nothing = F.pad(target, (0, 1))
    regret = with_nothing.max(1, keepdim=True).values - with_nothing + HARM * (-with_nothing).clamp(min=0)

    def loss(y: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        gain, chance = target[batch], (F.pad(y, (0, 1)) / TEMPERATURE).softmax(-1)
        apart = F.smooth_l1_loss(_differences(y), _differences(gain), beta=TEMPERATURE)
        return F.smooth_l1_loss(y, gain) + apart + (chance * regret[batch]).sum(-1).mean()

    names = tuple(f"{model}@{strength:g}" for model, strength in CANDIDATES)
    return Chooser(names, *fit(measured, len(CANDIDATES), loss, settings), dict(about))


def _differences(gains: torch.Tensor) -> torch.Tensor:
    """Gains of the models at full strength, against their mean."""
    full = gains[..., : len(MODELS)]
    return full - full.mean(-1, keepdim=True)

"""Maps of errors measured against the truth: how well they rank pixels, and how often they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resolvent.engine.restore import Restorer
from resolvent.engine.uncertainty import NINE_OF_TEN
from resolvent.errors import InputError, MissingDependencyError, UsageError, counted
from resolvent.evaluation.calibration import ALPHA, DELTA, Histogram, calibrate, least_count
from resolvent.evaluation.files import read_pair
from resolvent.inference.runtime import Session, open_session
from resolvent.physics.filters import window_means

if TYPE_CHECKING:
    from resolvent.engine.run import Restoration
    from resolvent.models.card import ModelCard

__all__ = [
    "MARGIN",
    "Center",
    "Coverage",
    "Ranking",
    "Trial",
    "area_under_sparsification",
    "certify",
    "cover",
    "degrade_centers",
    "fit_factor",
    "local",
    "measure",
    "rank",
    "spearman",
]

WIDE = "noise of another kind or level"
"""What the wide factor is for."""

CAMERA = "as a camera wrote them"
"""What is said of photographs whose noise nobody added."""

PROTOCOL = (
    "share of the values |error| <= factor b ln 10 in centers of photographs degraded as in training, by image; "
    "risk control with the betting bound: with probability 1 - delta the mean share outside is at most alpha"
)

MARGIN = 16
"""Input pixels at the border of a center that are not compared."""

Center = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What a model takes, (1, channels, H, W), and the truth, (3, scale H, scale W)."""

LOCAL = 7
"""Side in pixels of the windows over which errors and widths are averaged to compare them."""


@dataclass(frozen=True)
class Trial:
    """A photograph that was restored, and what was said of the errors.

    Attributes:
        error: (C, H, W), restored less truth, in gray levels of 255.
        width: (H, W), the half-width of the interval before it is calibrated, in gray levels of 255.
    """

    error: NDArray[np.float32]
    width: NDArray[np.float32]

    @classmethod
    def of(
        cls, restored: NDArray[np.floating], target: NDArray[np.floating], width: NDArray[np.floating], cut: int = 0
    ) -> Trial:
        """Compare (C, H, W) with the truth, all in the unit of the image, but for ``cut`` pixels at the border."""
        inside = np.s_[..., cut : restored.shape[1] - cut, cut : restored.shape[2] - cut]
        error, half = 255 * (np.clip(restored, 0, 1) - target), 255 * width
        return cls(error[inside].astype(np.float32), half[inside].astype(np.float32))

    @classmethod
    def after(cls, restoration: Restoration, truth: NDArray[np.floating]) -> Trial | None:
        """Compare what came of a photograph with the truth (H, W, C) by its own map; None where it has none."""
        if restoration.uncertainty is None:
            return None
        restored, width = restoration.image.pixels, restoration.uncertainty.half_width / 255
        return cls.of(restored.transpose(2, 0, 1), truth.transpose(2, 0, 1), width)

    @property
    def histogram(self) -> Histogram:
        """What calibrates."""
        return Histogram.of(self.error, np.broadcast_to(self.width, self.error.shape))


@dataclass(frozen=True)
class Coverage:
    """How a calibrated map does on photographs.

    Attributes:
        images: How many.
        inside: Share of the values within the interval, the mean over photographs.
        worst: The mean of that over the worst 5 % of the photographs.
        quartiles: The share among the narrowest quarter of the intervals of a photograph, to the widest.
        width: Mean half-width in gray levels of 255.
    """

    images: int
    inside: float
    worst: float
    quartiles: tuple[float, float, float, float]
    width: float

    def to_json(self) -> dict[str, Any]:
        """Rounded, for a card."""
        return {
            "images": self.images,
            "inside": round(self.inside, 3),
            "worst": round(self.worst, 3),
            "quartiles": [round(share, 3) for share in self.quartiles],
            "width": round(self.width, 2),
        }


def degrade_centers(
    card: ModelCard,
    images: Sequence[Path],
    *,
    degradation: str | None = None,
    wide: bool = False,
    seed: int = 0,
    side: int = 256,
) -> Iterator[Center]:
    """Degrade the center of photographs as a model expects them, with MARGIN more on every side.

    Args:
        card: Of the model.
        images: Clean photographs.
        degradation: Text form; None takes what the model was trained on. The model is given the sigma of its noise; if
            it names none, the root mean square of what it changed, as in validation.
        wide: Misstate the noise level, up to ``training.head.MISSTATED`` times, or take one of the other
            degradations of the model's recipe instead, half of the time each.
        seed: Random seed; a photograph's degradation depends on it and on its place among ``images``.
        side: Of the center, in pixels of the result.

    Raises:
        UsageError: ``wide`` is for a model that takes no noise level, or the degradation does not fit the model.
        InputError: A photograph is too small.
    """
    import torch

    from resolvent.degradations import parse
    from resolvent.image import read_image
    from resolvent.training.batches import input_level, network_input, pair, pairs, stream
    from resolvent.training.head import misstate
    from resolvent.training.recipe import Recipe

    recipe = Recipe.from_json(card.recipe, card.name)
    if wide and not card.noise_level:
        raise UsageError(f"model {card.name!r}: takes no noise level that could be wrong; leave wide out")
    if degradation is not None:
        recipe = replace(recipe, validation=(degradation,))  # which checks it
    elif wide and recipe.others:
        recipe = replace(recipe, others_share=0.5)
    elif card.noise_level:
        recipe = replace(recipe, others=(), others_share=0.0)
    multiple, cut = card.multiple * card.scale, MARGIN * card.scale
    for number, path in enumerate(images):
        pixels = read_image(path).pixels
        height, width = (min(side + 2 * cut, length) // multiple * multiple for length in pixels.shape[:2])
        if min(height, width) <= 2 * cut:
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise InputError(f"{path}: {size} pixels, of which {cut} at each border are not compared; leave it out")
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        center = np.broadcast_to(pixels, (*pixels.shape[:2], 3))[top : top + height, left : left + width]
        clean = torch.from_numpy(np.ascontiguousarray(center.transpose(2, 0, 1)[None]))
        generator = torch.Generator().manual_seed(stream(seed, number))
        gray = torch.tensor([pixels.shape[2] == 1])
        if degradation is None:
            degraded, target, numbers = pairs(recipe, clean, gray, generator)
        else:
            degraded, target, numbers = pair(parse(degradation), clean, gray, generator)
            numbers["noise.sigma"] = input_level(recipe, degradation, degraded, target, numbers)
        x = network_input(recipe, degraded, numbers)
        if wide:
            x = misstate(x, 0.5, generator)
        yield np.ascontiguousarray(x.numpy()), target[0].numpy()


def measure(session: Session, centers: Iterable[Center]) -> Iterator[Trial]:
    """Restore what ``degrade_centers`` gives, and compare.

    Raises:
        UsageError: The model's file holds no map of errors.
    """
    for x, target in centers:
        *restored, b = session.run_with_errors(x)[0]
        yield Trial.of(np.stack(restored), target, NINE_OF_TEN * b, MARGIN * session.card.scale)


def certify(
    model: Path,
    images: Sequence[Path],
    tests: Mapping[str, Sequence[Path]] = MappingProxyType({}),
    pairs: Mapping[str, Sequence[Path]] = MappingProxyType({}),
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> ModelCard:
    """Calibrate a model's map of errors, and write the factors and what holds elsewhere into its card.

    Args:
        model: The file, as ``training.head.train_head`` writes it; its card is replaced.
        images: Clean photographs that nothing in the model has seen, of as many scenes: at least ``least_count()``,
            and 200 for a narrow map.
        tests: Other photographs, by the name of their set, on which the calibrated map is then measured.
        pairs: Photographs of cameras, by the name of their set, each beside its truth (see ``files.read_pair``);
            they are restored as they are, with the noise level that is measured, and the factor that is chosen.
        seed: Random seed.
        threads: CPU threads; None uses all cores.
        progress: Called with what is measured, and how many photographs of how many are done.

    Returns:
        The card.

    Raises:
        UsageError: The photographs are too few, or there is no such file, or it holds no map of errors.
        MissingDependencyError: onnx or torch is not installed.
    """
    try:
        import onnx

        from resolvent.models.export import write
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "calibrating a map of errors") from error
    if not model.is_file():
        raise UsageError(f"model {model}: must be a file that resolvent train head wrote; its card is replaced")
    if len(images) < (least := least_count()):
        raise UsageError(
            f"{counted(len(images), 'photograph')} to calibrate on: too few; give at least {least}, and 200 for a "
            "narrow map"
        )
    session = open_session(model, threads=threads)
    card = session.card
    kinds = {"factor": False, "wide": True} if card.noise_level else {"factor": False}
    order = np.random.default_rng(seed).permutation(len(images))

    def trials(stage: str, photographs: Sequence[Path], seed: int, *, wide: bool) -> Iterator[Trial]:
        centers = degrade_centers(card, photographs, wide=wide, seed=seed)
        for done, trial in enumerate(measure(session, centers), 1):
            progress(stage, done, len(photographs))
            yield trial

    factors, coverage = {}, {}
    for key, wide in kinds.items():
        found = trials("calibrating", [images[i] for i in order], seed, wide=wide)
        factors[key] = calibrate([trial.histogram for trial in found])
    for name, photographs in tests.items():
        for key, wide in kinds.items():
            found = trials(name, photographs, seed + 1, wide=wide)
            coverage[f"{name}, {WIDE}" if wide else name] = cover(found, factors[key]).to_json()
    certificate = {
        "protocol": PROTOCOL,
        "alpha": ALPHA,
        "delta": DELTA,
        "images": len(images),
        "source": ", ".join(dict.fromkeys(path.parent.name for path in images)),
        "factor": round(factors["factor"], 3),
        "wide": round(factors.get("wide", factors["factor"]), 3),
    }

    def certified() -> ModelCard:
        write(onnx.load(model), found := replace(card, uncertainty={**certificate, "coverage": coverage}), model)
        return found

    whole = certified()
    for name, photographs in pairs.items():
        restorer, made = Restorer(model=model, uncertainty=True), []
        for done, (photograph, truth) in enumerate(map(read_pair, photographs), 1):
            made.append(Trial.after(restorer.run(photograph), truth))
            progress(name, done, len(photographs))
        coverage[f"{name}, {CAMERA}"] = cover(filter(None, made), 1.0).to_json()
        whole = certified()
    return whole


def cover(trials: Iterable[Trial], factor: float) -> Coverage:
    """Count what lies within ``factor`` times the widths.

    Raises:
        UsageError: There is no trial.
    """
    inside, strata, widths = [], [], []
    for trial in trials:
        held = (np.abs(trial.error) <= factor * trial.width).mean(axis=0).ravel()
        order = np.argsort(trial.width, axis=None)
        inside.append(held.mean())
        strata.append([part.mean() for part in np.array_split(held[order], 4)])
        widths.append(factor * trial.width.mean())
    if not inside:
        raise UsageError("coverage: there is no photograph to measure it on")
    few = math.ceil(len(inside) / 20)
    first, second, third, fourth = (float(share) for share in np.mean(strata, axis=0))
    return Coverage(
        len(inside), float(np.mean(inside)), float(np.sort(inside)[:few].mean()), (first, second, third, fourth),
        float(np.mean(widths)),
    )  # fmt: skip


@dataclass(frozen=True)
class Ranking:
    """How well widths rank errors; no factor changes it.

    Attributes:
        spearman: Correlation of the ranks of the values' errors and of their widths, the mean over photographs.
        local: The same of the errors and the widths over windows, see ``local``.
        ause: Area under the sparsification error, of the values of all photographs together.
        local_ause: The same of the windows.
    """

    spearman: float
    local: float
    ause: float
    local_ause: float


def rank(trials: Sequence[Trial]) -> Ranking:
    """How well the widths rank the errors.

    Raises:
        UsageError: There is no trial.
    """
    if not trials:
        raise UsageError("ranking: there is no photograph to measure it on")
    values = [(np.abs(each.error).ravel(), np.broadcast_to(each.width, each.error.shape).ravel()) for each in trials]
    windows = [local(each) for each in trials]
    means, areas = [], []
    for pairs in (values, windows):
        means.append(float(np.mean([spearman(*pair) for pair in pairs])))
        errors, widths = (np.concatenate([part.ravel() for part in parts]) for parts in zip(*pairs, strict=True))
        areas.append(area_under_sparsification(errors, widths))
    return Ranking(means[0], means[1], areas[0], areas[1])


def fit_factor(trials: Sequence[Trial], share: float = 1 - ALPHA) -> float:
    """The factor by which the widths hold ``share`` of all values: no bound, to compare maps by.

    Raises:
        UsageError: There is no trial.
    """
    if not trials:
        raise UsageError("factor: there is no photograph to fit it to")
    ratios = [(np.abs(each.error) / np.maximum(each.width, 1e-12)).ravel() for each in trials]
    return float(np.quantile(np.concatenate(ratios), share, method="inverted_cdf"))


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Correlation of the ranks of two arrays of one shape, ties in the order they come: 1 if they rise together."""
    ranks = np.empty((2, a.size))
    for rank, values in zip(ranks, (a, b), strict=True):
        rank[np.argsort(values, axis=None, kind="stable")] = np.arange(values.size)
    ranks -= ranks.mean(axis=1, keepdims=True)
    return float((ranks[0] * ranks[1]).sum() / math.sqrt(float(np.square(ranks).sum(axis=1).prod())))


def local(trial: Trial) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The root mean square error, and the mean width, over windows of LOCAL x LOCAL pixels."""
    squares, width = np.square(trial.error, dtype=np.float64).mean(axis=0), trial.width
    means, widths = (window_means(values, LOCAL).clip(min=0) for values in (squares, width))
    return np.sqrt(means), widths


def area_under_sparsification(error: NDArray[np.floating], width: NDArray[np.floating]) -> float:
    """AUSE: how fast the mean error falls as the pixels of largest width are left out; 0 as by error, 1 as at random.

    Ilg et al. (2018, arXiv:1802.07095, section 5), with the area above the oracle's curve over that of chance.
    """
    errors = np.abs(error).ravel().astype(np.float64)

    def area(order: NDArray[np.intp]) -> float:
        left = errors[order][::-1].cumsum() / np.arange(1, len(errors) + 1)
        return float(left.mean())

    oracle, found = area(np.argsort(-errors)), area(np.argsort(-width, axis=None, kind="stable"))
    return (found - oracle) / max(float(errors.mean()) - oracle, 1e-12)

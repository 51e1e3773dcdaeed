"""Random degradations to test the choice of the model, independent of those that it was learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from resolvent.degradations import DEGRADATIONS

__all__ = ["PARTS", "draw_case", "kind_of", "known_parts", "left_out"]

Rng = np.random.Generator


def _log(rng: Rng, low: float, high: float) -> str:
    """A number whose logarithm is uniform, of three digits."""
    return f"{float(f'{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}'):g}"


def _even(rng: Rng, low: float, high: float) -> str:
    return f"{float(f'{rng.uniform(low, high):.3g}'):g}"


def _blur(rng: Rng) -> str:
    if rng.random() < 0.3:
        return f"blur:ksize={rng.choice(range(3, 22, 2))}"
    return f"blur:sigma={_log(rng, 0.4, 4)}"


def _camera(rng: Rng) -> str:
    given = getattr(DEGRADATIONS.get("camera"), "__dataclass_fields__", {})
    return f"camera:iso={_log(rng, 200, 25600)}" if "iso" in given else "camera"


def _jpeg(rng: Rng) -> str:
    text = f"jpeg:quality={rng.integers(5, 100)},subsampling={rng.choice(['4:2:0', '4:4:4'])}"
    cut = rng.integers(0, 8, 2) if rng.random() < 0.25 else (0, 0)
    return text + f",top={cut[0]},left={cut[1]}" * bool(max(cut))


PARTS: Mapping[str, Callable[[Rng], str]] = {
    "defocus": lambda rng: f"defocus:radius={_even(rng, 0.6, 5.5)}",
    "motion": lambda rng: f"motion:length={_even(rng, 2, 18)},angle={_even(rng, 0, 180)}",
    "blur": _blur,
    "camera": _camera,
    "hotpixels": lambda rng: (
        f"hotpixels:amount={_log(rng, 1e-4, 4e-3)},sites={rng.choice(['pixel', 'channel', 'bayer'])}"
    ),
    "poisson": lambda rng: f"poisson:peak={_log(rng, 8, 4000)}",
    "noise": lambda rng: f"noise:sigma={_log(rng, 0.7, 60)}",
    "grain": lambda rng: f"grain:sigma={_log(rng, 1, 35)},radius={_even(rng, 0.3, 2.5)}",
    "chroma": lambda rng: f"chroma:sigma={_log(rng, 2, 25)},radius={_even(rng, 0.5, 7)}",
    "rownoise": lambda rng: f"rownoise:sigma={_log(rng, 1, 12)},axis={rng.choice(['rows', 'columns'])}",
    "saltpepper": lambda rng: f"saltpepper:amount={_log(rng, 0.0003, 0.02)}",
    "rescale": lambda rng: f"rescale:factor={_even(rng, 0.3, 0.95)}",
    "quantize": lambda rng: f"quantize:bits={rng.integers(4, 8)}",
    "jpeg": _jpeg,
}
"""The degradations, in the order in which they happen, and how each is sampled."""

ORDERED = 0.75
"""Share of the mixtures that keep that order; the others are shuffled, as when a JPEG is reduced."""
TURNS = ("clean", *("single",) * 9, *("mixture",) * 10)
"""Kinds of cases, repeated in this order."""


def known_parts() -> list[str]:
    """The degradations of PARTS that there are."""
    return [name for name in PARTS if name in DEGRADATIONS]


def left_out() -> list[str]:
    """The degradations that are not drawn."""
    return [name for name in DEGRADATIONS if name not in PARTS and name != "none"]


def draw_case(place: int, seed: int) -> str:
    """Draw the case at one place, in text form: clean, one degradation, or a mixture of two to four.

    Every degradation has its turn among the single ones, and every number of them among the mixtures.

    Args:
        place: From 0.
        seed: Of all cases.
    """
    rng = np.random.default_rng((seed, place))
    round_, turn = divmod(place, len(TURNS))
    names = known_parts()
    if TURNS[turn] == "clean":
        return "none"
    nth = round_ * TURNS.count(TURNS[turn]) + TURNS[:turn].count(TURNS[turn])
    if TURNS[turn] == "single":
        return PARTS[names[nth % len(names)]](rng)
    chosen = rng.permutation(len(names))[: 2 + nth % 3]
    order = sorted(chosen) if rng.random() < ORDERED else chosen
    return " + ".join(PARTS[names[i]](rng) for i in order)


def kind_of(text: str) -> str:
    """What kind a case is: its degradation, the number of them, or clean."""
    parts = text.split(" + ")
    if len(parts) > 1:
        return f"mixture of {len(parts)}"
    return "clean" if text == "none" else text.partition(":")[0]

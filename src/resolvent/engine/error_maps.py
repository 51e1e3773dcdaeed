"""Where a map of errors comes from: the model's own, which it has learned, or the Jacobian of a denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from resolvent.engine.uncertainty import NINE_OF_TEN
from resolvent.errors import UsageError, unknown
from resolvent.inference.jacobian import HALO, JacobianSession
from resolvent.models.registry import bundled, read_card
from resolvent.parameters import Number, Setting, read_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.inference.runtime import Model, Session
    from resolvent.models.card import ModelCard

__all__ = ["ErrorMap", "Jacobian", "Learned", "check_calibrated", "read_error_map"]

TAILS, FEW = 2.02, 0.41
"""|e| < 1.64 s holds for nine of ten errors e of a normal distribution of standard deviation s. The errors of a
denoiser have longer tails, and few probes find s less exactly: TAILS (1 + FEW / probes) s, as fitted to what
``benchmarks/evidence.py --only jacobian`` finds for ``denoise``."""

LEARNED_HALO = 16
"""Pixels of context more that a learned map depends on than the image does; see ``networks.uncertainty``."""

CLIPPED = 0.005
"""Share of the values of a photograph from which on it matters that noise was clipped at black or white."""

PROBES = {"probes": Setting(Number(1, 64, whole=True, varies=False), 4, "passes of the model, besides the one")}


class ErrorMap(Protocol):
    """A way to say how far each pixel may be from the truth.

    Attributes:
        halo: Pixels of context more that it depends on than the image does.
        passes: Of the model, besides the one that restores.
    """

    @property
    def halo(self) -> int: ...  # noqa: D102
    @property
    def passes(self) -> int: ...  # noqa: D102

    def check(self, card: ModelCard) -> None:
        """Refuse a model that it is not for.

        Raises:
            UsageError: It is one.
        """

    def check_runtime(self, runtime: str) -> None:
        """Refuse a runtime that it is not for.

        Raises:
            UsageError: It is one.
        """

    def session(self, session: Session, sigma: float, *, gray: bool) -> Model:
        """The model, followed by one channel of its own."""

    def half_width(self, channel: NDArray[np.float32], card: ModelCard, *, wide: bool) -> NDArray[np.float32]:
        """What that channel (h, w) means, in the unit of the image."""

    def basis(self, card: ModelCard, sigma: float = 0.0, *, wide: bool = False, clipped: float = 0.0) -> str:
        """What the intervals rest on, in a sentence.

        Args:
            card: Of the model.
            sigma: Noise level that it is given, in gray levels of 255.
            wide: See ``Plan``.
            clipped: Share of the values of the photograph that are black or white.
        """


@dataclass(frozen=True)
class Learned:
    """The map that stands in the model's own file, calibrated."""

    halo: ClassVar[int] = LEARNED_HALO
    passes: ClassVar[int] = 0

    def check(self, card: ModelCard) -> None:
        """See ErrorMap."""
        check_calibrated(card)

    def check_runtime(self, runtime: str) -> None:
        """See ErrorMap."""
        if runtime not in ("auto", "onnxruntime"):
            raise UsageError(f"uncertainty and runtime {runtime}: needs onnxruntime; leave runtime (--runtime) out")

    def session(self, session: Session, sigma: float, *, gray: bool) -> Model:
        """See ErrorMap."""
        return _WithErrors(session)

    def half_width(self, channel: NDArray[np.float32], card: ModelCard, *, wide: bool) -> NDArray[np.float32]:
        """See ErrorMap."""
        return np.float32(NINE_OF_TEN * check_calibrated(card)[wide]) * channel

    def basis(self, card: ModelCard, sigma: float = 0.0, *, wide: bool = False, clipped: float = 0.0) -> str:
        """See ErrorMap."""
        text = f"on average over photographs like the {card.uncertainty.get('images', 0)} that it was calibrated on"
        return text + ", and wide, for the noise is not white or not of the level that was given" * wide


@dataclass(frozen=True)
class Jacobian:
    """The variance of the posterior by the Jacobian of a denoiser of white noise; see ``JacobianSession``.

    Attributes:
        probes: Passes of the model, besides the one.
    """

    probes: int = PROBES["probes"].default

    halo: ClassVar[int] = HALO

    @property
    def passes(self) -> int:
        """See ErrorMap."""
        return self.probes

    @property
    def factor(self) -> float:
        """Of a half-width, for one standard deviation."""
        return TAILS * (1 + FEW / self.probes)

    def check(self, card: ModelCard) -> None:
        """See ErrorMap."""
        if not card.noise_level or card.scale > 1:
            raise UsageError(
                f"uncertainty jacobian and model {card.name!r}: is for a denoiser that takes a noise level; give "
                "model='denoise' (-m denoise)"
            )

    def check_runtime(self, runtime: str) -> None:
        """See ErrorMap."""

    def session(self, session: Session, sigma: float, *, gray: bool) -> Model:
        """See ErrorMap."""
        return JacobianSession(session, sigma, self.probes, gray=gray)

    def half_width(self, channel: NDArray[np.float32], card: ModelCard, *, wide: bool) -> NDArray[np.float32]:
        """See ErrorMap."""
        half_width: NDArray[np.float32] = np.float32(self.factor) * np.sqrt(channel.clip(min=0))
        return half_width

    def basis(self, card: ModelCard, sigma: float = 0.0, *, wide: bool = False, clipped: float = 0.0) -> str:
        """See ErrorMap."""
        text = f"on average over photographs whose noise is white and of level {sigma:.1f}"
        text += ", which is not what is measured" * wide
        return text + f"; fewer in black and in white areas, {clipped:.0%} of this one" * (clipped >= CLIPPED)


class _WithErrors:
    def __init__(self, session: Session) -> None:
        self.card, self.run = session.card, session.run_with_errors


def read_error_map(text: str) -> ErrorMap:
    """Read its text form: ``learned``, ``jacobian`` or ``jacobian:probes=8``.

    Raises:
        UsageError: It is none of them, or a setting breaks its rule.
    """
    name, _, rest = (part.strip() for part in text.partition(":"))
    if name == "jacobian":
        return Jacobian(**read_settings("uncertainty jacobian", PROBES, rest.split(",") if rest else ()))
    if name == "learned" and not rest:
        return Learned()
    raise unknown("uncertainty", text, ("learned", "jacobian", "jacobian:probes=8"))


def check_calibrated(card: ModelCard) -> tuple[float, float]:
    """Return the factors of a model's own map.

    Raises:
        UsageError: It has no map, or none that is calibrated.
    """
    if card.factors is None:
        able = ", ".join(name for name in bundled() if read_card(name).factors)
        raise UsageError(
            f"uncertainty and model {card.name!r}: its file holds no map of errors that is calibrated; add one by "
            f"resolvent train head and resolvent calibrate, or take another model{able and f', of {able}'}"
        )
    return card.factors

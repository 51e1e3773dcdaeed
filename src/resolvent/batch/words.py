"""A diagnosis in words for a photographer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from resolvent.batch.report import LEAST_CHANGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resolvent.diagnosis import Diagnosis
    from resolvent.image import Image
    from resolvent.inference.runtime import Session

__all__ = ["advice", "diagnose_alone", "helps", "words"]

NOISE = {0.5: "no noise", 2.0: "hardly any noise", 6.0: "slight noise", 15.0: "clear noise", 30.0: "strong noise"}
BLUR = {0.6: "sharp", 1.2: "slightly soft", 2.0: "soft"}
JPEG = {8.0: "fine JPEG", 20.0: "good JPEG", 40.0: "visible JPEG artifacts"}
GAIN = {0.5: "hardly better", 1.5: "slightly better", 4.0: "clearly better"}
"""Words, each up to a value."""


def diagnose_alone(
    photograph: Image, source: Path | bytes | None = None, open_session: Callable[[str], Session] | None = None
) -> Diagnosis:
    """Diagnose a photograph as a restoration without options does; one that it would leave alone gets no model.

    Args:
        photograph: As it was read.
        source: The file that it was read from, or its bytes, for the JPEG quality.
        open_session: Loads models; pass a caching one to diagnose many photographs.
    """
    from resolvent.diagnosis import diagnose
    from resolvent.engine.remarks import nothing_to_do
    from resolvent.engine.request import ModelRequest
    from resolvent.inference import runtime

    found = diagnose(photograph, source, open_session=open_session or runtime.open_session)
    alone = nothing_to_do(photograph, ModelRequest())
    if alone is None:
        return found
    return replace(found, model=None, sigma=None, strength=1.0, change=None, reasons=(alone,))


def words(found: Diagnosis) -> str:
    """Say what is wrong, such as ``slight noise, soft, good JPEG``."""
    listed = [_word(found.noise_sigma, NOISE, "very strong noise"), _word(found.blur_sigma, BLUR, "blurred")]
    if found.jpeg_quality is not None:
        listed.append(_word(100 - found.jpeg_quality, JPEG, "strong JPEG artifacts"))
    return ", ".join(listed)


def helps(found: Diagnosis) -> bool:
    """Whether there is a model that changes the photograph by more than next to nothing."""
    return found.change is not None and found.change >= LEAST_CHANGE


def advice(found: Diagnosis) -> str:
    """Say what to do about it, and how much that will help."""
    if found.model is None:
        return "nothing to fix"
    if not helps(found):
        return f"nothing to fix: the model {found.model!r} would change it by about {found.change:.2f} gray levels"
    gain = found.gains.get(found.model)
    look = "" if gain is None else f": will look {_word(gain, GAIN, 'much better')}"
    return f"restore with the model {found.model!r}{look}"


def _word(value: float, words: dict[float, str], beyond: str) -> str:
    return next((word for most, word in words.items() if value < most), beyond)

"""A diagnosis in words for a photographer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolvent.batch.report import LEAST_CHANGE

if TYPE_CHECKING:
    from resolvent.diagnosis import Diagnosis

__all__ = ["advice", "helps", "words"]

NOISE = {0.5: "no noise", 2.0: "hardly any noise", 6.0: "slight noise", 15.0: "clear noise", 30.0: "strong noise"}
BLUR = {0.6: "sharp", 1.2: "slightly soft", 2.0: "soft"}
JPEG = {8.0: "fine JPEG", 20.0: "good JPEG", 40.0: "visible JPEG artifacts"}
GAIN = {0.5: "hardly better", 1.5: "slightly better", 4.0: "clearly better"}
"""Words, each up to a value."""


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

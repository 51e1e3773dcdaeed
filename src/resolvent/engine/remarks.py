"""What a person should know of a picture before it is restored, beyond what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolvent.engine.colors import is_bilevel, is_constant, is_gray, levels
from resolvent.engine.request import ModelRequest
from resolvent.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from resolvent.diagnosis import Measurements
    from resolvent.engine.plan import Plan
    from resolvent.engine.request import Request
    from resolvent.image import Image

__all__ = ["nothing_to_do", "remarks"]

OVERSTATED = (2.0, 5.0)
"""A given noise level is far above the measured one if it is more than so many times that, plus so many gray levels."""


def nothing_to_do(image: Image, request: Request) -> str | None:
    """Say why an image is left alone without a diagnosis; None where there is no such reason.

    Args:
        image: The image.
        request: What is asked.

    Raises:
        InputError: The noise level that is given is more than the image's greatest and least value differ by.
    """
    if not isinstance(request, ModelRequest):
        return None
    if request.model is None and request.scale is None:
        alone = "black and white only, as a page of 1 bit: not restored; name a model to restore it as gray"
        return alone if is_bilevel(image) else None
    if request.sigma is None:
        return None
    span = levels(image)
    if is_constant(image):
        return "all pixels are alike: there is no noise to remove"
    if request.sigma > span:
        raise InputError(
            f"{image.path or 'the image'}: sigma {request.sigma:g}: must be at most the {span:.1f} gray levels "
            "that its values span; give less, or leave it out to have it measured"
        )
    return None


def remarks(image: Image, plan: Plan, measured: Callable[[], Measurements]) -> tuple[str, ...]:
    """Say what of an image bears on its restoration: its range of values, gray, noise far below the given level.

    Args:
        image: The image.
        plan: What will be done.
        measured: Measures the image, once for all who ask.
    """
    found = [image.value_range.note] if image.value_range.note else []
    if plan.unchanged:
        return tuple(found)
    if is_bilevel(image):
        found.append("black and white only: the result is gray")
    elif is_gray(image):
        found.append("its channels are equal: restored as gray")
    given_sigma = plan.request.sigma if isinstance(plan.request, ModelRequest) else None
    if given_sigma is not None:
        noise = measured().noise_sigma
        times, more = OVERSTATED
        if given_sigma > times * noise + more:
            found.append(
                f"sigma {given_sigma:g} is given, {noise:.1f} is measured: detail will be lost; leave sigma out"
            )
    return tuple(found)

"""What a worker tells of a photograph, of its diagnosis and of its plan, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resolvent.batch.words import advice, words

if TYPE_CHECKING:
    from resolvent.diagnosis import Diagnosis
    from resolvent.engine.plan import Plan
    from resolvent.image import Image

__all__ = ["diagnosis_facts", "facts", "plan_facts"]


def facts(image: Image) -> dict[str, Any]:
    """What a photograph is."""
    return {
        "width": image.width,
        "height": image.height,
        "format": image.format,
        "depth": image.depth,
        "channels": image.channels,
        "alpha": image.alpha is not None,
        "bytes": image.path.stat().st_size if image.path else 0,
    }


def diagnosis_facts(found: Diagnosis) -> dict[str, Any]:
    """What is wrong with it, in words and in numbers."""
    return {
        "words": words(found),
        "advice": advice(found),
        "noise_sigma": round(found.noise_sigma, 2),
        "blur_sigma": round(found.blur_sigma, 2),
        "jpeg_quality": found.jpeg_quality,
        "drawing": found.drawing,
        "gains": {name: round(gain, 2) for name, gain in found.gains.items()},
        "model": found.model,
        "sigma": None if found.sigma is None else round(found.sigma, 2),
        "strength": found.strength,
        "reasons": list(found.reasons),
    }


def plan_facts(plan: Plan, expected: float | None) -> dict[str, Any]:
    """What will be done to it."""
    method = getattr(plan.request, "method", None)
    return {
        "model": None if method else plan.runs,
        "method": method,
        "sigma": plan.sigma,
        "scale": plan.scale,
        "unchanged": plan.unchanged,
        "reasons": list(plan.reasons),
        "expected_seconds": expected,
    }

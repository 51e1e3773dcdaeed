"""What a setting of a method may be, beyond numbers and words."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from resolvent.errors import UsageError

__all__ = ["DenoiserName", "Picture"]


@dataclass(frozen=True)
class DenoiserName:
    """A model with a noise-level input; with ``methods``, also a method that removes noise."""

    methods: bool = False

    @property
    def rule(self) -> str:
        """The rule in words."""
        return "a model that takes a noise level, such as denoise" + ", or a method, such as nlm" * self.methods

    def parse(self, text: str) -> str:
        """The name itself."""
        return text

    def check(self, label: str, value: Any) -> str:
        """Return the name or path as text, if it is one of such a model or method."""
        from resolvent.degradations import GaussianNoise
        from resolvent.methods import METHODS, methods_for
        from resolvent.models.registry import read_card
        from resolvent.physics.forward_model import ForwardModel

        name = str(value)
        if self.methods and name in METHODS:
            suits = name in methods_for(ForwardModel(GaussianNoise(25)))
        else:
            suits = read_card(name).noise_level
        if not suits:
            raise UsageError(f"{label} = {name!r}: must be {self.rule}")
        return name


@dataclass(frozen=True)
class Picture:
    """A picture: its path, or from Python an array (H, W, C)."""

    rule: ClassVar[str] = "a picture: its path, or an array (H, W, C) from Python"

    def parse(self, text: str) -> str:
        """The path itself."""
        return text

    def check(self, label: str, value: Any) -> Any:
        """Return the array, or the path of a file as text."""
        if isinstance(value, np.ndarray) and value.ndim == 3 and value.dtype.kind == "f":
            return value
        if isinstance(value, str | Path) and os.path.isfile(value):  # noqa: PTH113 - Path's raises on a name too long
            return str(value)
        raise UsageError(f"{label} = {value!r:.80}: must be {self.rule}")

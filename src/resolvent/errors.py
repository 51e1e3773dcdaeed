"""Everything that Resolvent raises on purpose.

::

    ResolventError
    ├── UsageError (ValueError)        the call itself is wrong: unknown name, parameter out of range
    │   └── MissingDependencyError     an optional package is not installed; names the install command
    ├── InputError (ValueError)        this input cannot be used: truncated, not finite, too large for the memory
    │   ├── FormatError                it is no image, or of a format that is not read
    │   └── SizeError                  it has more bytes or pixels than the limits allow
    ├── OutputError (OSError)          the result cannot be written: exists, read-only folder, full disk
    ├── ClusterError                   a cluster is lost while it works
    ├── QualityError                   the result failed its checks: NaN, flat, shifted color
    └── TrainingError                  training cannot start or go on
        └── ElsewhereError             another of the processes that train failed, and says why

Each message is one line: the value, the rule it breaks, the remedy. The command line exits with 2 for a UsageError and
with 1 for any other.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ResolventError(Exception):
    """Base of every error that Resolvent raises on purpose."""


class UsageError(ResolventError, ValueError):
    """The call itself is wrong; no input could make it right."""


class MissingDependencyError(UsageError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str, besides: str = "") -> None:
        command = f"pip install 'resolvent[{extra}]' {besides}".strip()
        super().__init__(f"{purpose} needs {package}, which is not installed; run: {command}")
        self._given = (package, extra, purpose, besides)

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str, str, str]]:
        """Pickle what it was made with; an error that a process pool cannot unpickle makes it hang."""
        return type(self), self._given


class InputError(ResolventError, ValueError):
    """One input cannot be used; others may."""


class FormatError(InputError):
    """An input is no image, or of a format that is not read."""


class SizeError(InputError):
    """An input has more bytes or pixels than the limits allow."""


class OutputError(ResolventError, OSError):
    """A result cannot be written."""


class ClusterError(ResolventError):
    """A cluster is lost while it works for a batch."""


class QualityError(ResolventError):
    """A restored image failed its checks and was not written."""


class TrainingError(ResolventError):
    """Training cannot start, or cannot go on."""


class ElsewhereError(TrainingError):
    """Another of the processes that train together failed, and has said why."""


def first_line(error: BaseException) -> str:
    r"""Give what another library's exception says, without the lines that only its authors can use.

    Examples:
        >>> first_line(RuntimeError("out of memory\nat allocator.cc:31")), first_line(KeyError())
        ('out of memory', 'KeyError')
    """
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0][:200])


def printable(text: str) -> str:
    r"""Escape what a terminal would obey rather than show.

    Examples:
        >>> print(printable("größer \x1b[31m"))
        größer \x1b[31m
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def counted(number: int, noun: str) -> str:
    """Give a number of things in words, singular after 1.

    Examples:
        >>> counted(1, "photograph"), counted(2, "photograph")
        ('1 photograph', '2 photographs')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def internal(error: BaseException) -> str:
    """Describe an exception that Resolvent does not raise on purpose, in one line.

    Examples:
        >>> internal(KeyError("width"))
        "internal error, KeyError: 'width'; please report it with the file that it is about; --debug shows where it is"
    """
    lines = str(error).splitlines() or [""]
    what = f"{type(error).__name__}: {lines[0]}".removesuffix(": ")
    return f"internal error, {what}; please report it with the file that it is about; --debug shows where it is"


def unknown(kind: str, name: str, known: Iterable[str], meant: str | None = None) -> UsageError:
    """Build the error for a name that is not in a registry, suggesting the nearest one that is.

    Args:
        kind: What the name was meant to name, such as ``"model"``.
        name: The name as given.
        known: The names that exist.
        meant: The one to suggest, where it is not the nearest.

    Examples:
        >>> str(unknown("model", "denoize", ["deblur", "denoise"]))
        "unknown model 'denoize': did you mean 'denoise'? Known: deblur, denoise"
    """
    names = sorted(known)
    near = [meant] if meant else difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(f"unknown {kind} {name!r:.80}: {hint}Known: {', '.join(names) or 'none'}")

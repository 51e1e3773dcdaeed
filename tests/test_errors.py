"""Errors that other processes raise."""

from __future__ import annotations

import pickle

import pytest

from resolvent import errors
from resolvent.errors import MissingDependencyError, ResolventError

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ResolventError) and kind is not MissingDependencyError
]


@pytest.mark.parametrize(
    "error",
    [*(kind("value: rule; remedy") for kind in CLASSES), MissingDependencyError("torch", "torch", "training", "more")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_pickle(error: ResolventError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)

"""Errors in plain words, with nothing of the libraries that found them."""

from __future__ import annotations

import pytest

from resolvent.errors import UsageError
from resolvent.web.forms import read_items


@pytest.mark.parametrize(("text", "said"), [("[1]", "0: must be an object"), ("[{}]", "0.job: is needed")])
def test_items_are_refused_in_plain_words(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_items(text)
    assert str(caught.value).endswith(said)
    assert "pydantic" not in str(caught.value)

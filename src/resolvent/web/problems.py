"""Errors of the API: problem details as JSON (RFC 9457), with the value, the rule that it breaks and the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from resolvent.batch.report import printable

__all__ = ["MEDIA_TYPE", "STATUSES", "Problem", "ProblemBody", "full_disk", "parts", "rule_of"]

MEDIA_TYPE = "application/problem+json"

STATUSES: dict[int, str] = {
    400: "The request cannot be read, or it was sent to a host name that is not this server's.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "There is no such path, job, layer or sample; a job is deleted some time after its last request.",
    405: "The path does not take this method.",
    406: "What the path answers is of no type that Accept names.",
    408: "The body of the request arrives too slowly.",
    409: "The job is not at the point where this can be answered.",
    413: "The file has too many bytes, or the image too many pixels.",
    415: "The file is not an image that can be read.",
    422: "An option breaks its rule, or the photograph is damaged or does not go with the options.",
    429: "The client has too many photographs that wait, or jobs that are kept; Retry-After says when to try again.",
    500: "The worker ended, or failed in a way that nobody foresaw; other requests are not affected.",
    503: "The queue or the disk is full; Retry-After says when to try again.",
    504: "The photograph took longer than the server allows.",
    507: "The memory or the disk of the server is not enough.",
}
"""When each status is answered."""


class ProblemBody(BaseModel):
    """What went wrong."""

    type: str = Field(description="A link to what the status means.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What went wrong, in a sentence.")
    instance: str | None = Field(None, description="The path of the request.")
    value: str | None = Field(None, description="The value that was given.")
    rule: str | None = Field(None, description="The rule that it breaks.")
    remedy: str | None = Field(None, description="What to do.")


class Problem(HTTPException):
    """An error that is answered; FastAPI takes other errors while it reads a form for errors of the form.

    Args:
        status: A key of STATUSES.
        message: One line: the value, the rule, the remedy.
        retry_after: Seconds after which it may be different.
    """

    def __init__(self, status: int, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(status, message)
        self.status, self.message, self.retry_after = status, printable(message), retry_after

    def body(self, instance: str | None = None) -> ProblemBody:
        """Say it as data."""
        value, rule, remedy = parts(self.message)
        return ProblemBody(
            type=f"/docs#{self.status}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.message,
            instance=instance,
            value=value,
            rule=rule,
            remedy=remedy,
        )

    def response(self, instance: str | None = None) -> JSONResponse:
        """Answer it."""
        headers: dict[str, str] = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        content: Any = self.body(instance).model_dump()
        return JSONResponse(content, self.status, headers, MEDIA_TYPE)


RULES = {
    "missing": "is needed",
    "extra_forbidden": "is not known here",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "string_too_long": "must have {max_length} characters at most",
    "string_type": "must be a text",
    "string_pattern_mismatch": "is not written as it must be",
    "model_type": "must be an object",
    "value_error": "must be a file",
}
"""What a value has to be, by the types of pydantic's errors; the last comes of a text where a file is expected."""


def rule_of(error: Mapping[str, Any]) -> str:
    """Say which rule is broken, of one of the errors that pydantic lists.

    Examples:
        >>> rule_of({"type": "less_than_equal", "ctx": {"le": 1}, "msg": "Input should be less than or equal to 1"})
        'must be 1 or less'
    """
    if (rule := RULES.get(error["type"])) is None:
        said: str = error["msg"]
        return said[:1].lower() + said[1:] if said[1:2].islower() else said
    ctx = error.get("ctx", {})
    return rule.format_map({name: f"{value:g}" if isinstance(value, float) else value for name, value in ctx.items()})


def full_disk(error: BaseException) -> Problem:
    """Say that nothing more can be written."""
    reason = error.strerror if isinstance(error, OSError) else "is full"
    return Problem(507, f"the disk of the server: {reason}; send it later", retry_after=60)


def parts(message: str) -> tuple[str | None, str | None, str | None]:
    """Split an error of one line into its value, its rule and its remedy, as far as it has them.

    Examples:
        >>> parts("sigma 90: model 'denoise' is for 0 to 75; give less")
        ('sigma 90', "model 'denoise' is for 0 to 75", 'give less')
        >>> parts("unknown model 'x': Known: deblur, denoise")
        ("model 'x'", 'is not known', 'Known: deblur, denoise')
    """
    if unknown := re.match(r"unknown ([\w ]+ '[^']*'): (.*)", message):
        return unknown[1], "is not known", unknown[2]
    value, colon, rest = message.partition(": ")
    if not colon:
        value, rest = "", message
    rule, _, remedy = rest.partition("; ")
    return value or None, rule or None, remedy or None

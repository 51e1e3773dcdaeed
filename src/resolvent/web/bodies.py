"""What the API answers, as types: OpenAPI is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from resolvent.web.problems import ProblemBody

if TYPE_CHECKING:
    from resolvent.web.store import Job, Store

__all__ = ["About", "DiagnosisBody", "JobBody", "Photograph", "body_of"]


class Photograph(BaseModel):
    """What was sent."""

    width: int
    height: int
    format: str
    depth: int = Field(description="Bits of a sample.")
    channels: int
    alpha: bool
    bytes: int


class Diagnosis(BaseModel):
    """What is wrong with it."""

    words: str = Field(description="For a photographer, such as: slight noise, soft, good JPEG.")
    advice: str
    noise_sigma: float = Field(description="Standard deviation in gray levels of 255.")
    blur_sigma: float = Field(description="Of a Gaussian, in pixels.")
    jpeg_quality: int | None
    drawing: bool
    gains: dict[str, float] = Field(description="Expected gain of each model in dB of PSNR.")
    model: str | None = Field(description="That helps; null if there is nothing to fix.")
    sigma: float | None
    strength: float
    reasons: list[str]


class DiagnosisBody(BaseModel):
    """A photograph and its diagnosis."""

    photograph: Photograph
    diagnosis: Diagnosis


class Plan(BaseModel):
    """What is done to it."""

    model: str | None
    method: str | None
    sigma: float | None
    scale: int
    unchanged: bool
    reasons: list[str]
    expected_seconds: float | None


class Result(BaseModel):
    """What came of it."""

    status: Literal["restored", "unchanged"]
    name: str = Field(description="Of the file.")
    format: str
    bytes: int
    width: int
    height: int
    model: str | None = Field(description="The model or the method; null if nothing was changed.")
    sigma: float | None
    seconds: float
    steps: int | None
    total_steps: int | None
    ended: str | None
    reasons: list[str]
    warnings: list[str]
    blendable: bool = Field(description="Whether /result takes another strength.")
    layers: list[str] = Field(description="That /layers/NAME shows.")
    uncertainty: dict[str, float | str] | None = None
    evidence: dict[str, float | None] | None = None


class JobBody(BaseModel):
    """A photograph on its way."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    name: str
    position: int = Field(description="Among those that wait, from 1; 0 if it does not wait.")
    stage: Literal["waiting", "reading", "restoring", "writing", "done"]
    progress: float = Field(ge=0, le=1)
    eta: float | None = Field(description="Seconds that are left.")
    photograph: Photograph | None
    diagnosis: Diagnosis | None
    plan: Plan | None
    result: Result | None
    error: ProblemBody | None
    created: datetime
    expires: datetime = Field(description="When it is deleted if nobody asks for it.")
    links: dict[str, str]


class Limits(BaseModel):
    """The largest photograph, and how many are kept for how long."""

    megabytes: float
    megapixels: float
    jobs: int
    minutes: float


class LayerBody(BaseModel):
    """How a layer is shown."""

    label: str
    legend: str
    color: str
    ticks: tuple[str, str, str]


class Sample(BaseModel):
    """A photograph to try."""

    name: str
    title: str
    url: str


class About(BaseModel):
    """What the server is and takes."""

    version: str
    workers: int
    limits: Limits
    formats: dict[str, tuple[str, ...]] = Field(description="That are read, with their extensions.")
    hints: dict[str, str] = Field(description="Why files of other extensions are not read, and what to do.")
    written: list[str] = Field(description="Formats of results.")
    layers: dict[str, LayerBody]
    samples: list[Sample]


def body_of(job: Job, store: Store) -> JobBody:
    """Describe a job as it is now."""
    job.refresh()
    facts: dict[str, Any] = job.facts
    own = f"/v1/jobs/{job.id}"
    links = {"self": own, "events": f"{own}/events"}
    if "photograph" in facts:
        links["before"] = f"{own}/before"
    if job.state == "done":
        links |= {"result": f"{own}/result", "after": f"{own}/after"}
        links |= {layer: f"{own}/layers/{layer}" for layer in facts["result"]["layers"]}
        if "uncertainty" in facts["result"]["layers"]:
            links["half_widths"] = f"{own}/half-widths"
    running = job.state == "running"
    return JobBody(
        id=job.id,
        state=job.state,
        name=job.name,
        position=store.position(job),
        stage=facts.get("stage", "reading") if running else "done" if job.over else "waiting",
        progress=1.0 if job.state == "done" else facts.get("progress", 0.0),
        eta=facts.get("eta") if running else None,
        photograph=facts.get("photograph"),
        diagnosis=facts.get("diagnosis"),
        plan=facts.get("plan"),
        result=facts.get("result"),
        error=None if job.problem is None else job.problem.body(own),
        created=job.created,
        expires=store.expires(job),
        links=links,
    )

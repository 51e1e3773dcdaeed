"""What is counted, for Prometheus."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

__all__ = ["Metrics"]

disable_created_metrics()  # type: ignore[no-untyped-call] # when each counter began is of no use, and doubles their number

BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("resolvent_requests", "Requests answered", ["method", "path", "status"], registry=own)
        self.jobs = Counter("resolvent_jobs", "Photographs by what became of them", ["outcome"], registry=own)
        self.megapixels = Counter("resolvent_megapixels", "Megapixels restored", registry=own)
        self.seconds = Histogram("resolvent_job_seconds", "Seconds a photograph", buckets=BUCKETS, registry=own)
        self.deaths = Counter("resolvent_worker_deaths", "Workers that ended in the middle of a call", registry=own)
        self.waiting = Gauge("resolvent_jobs_waiting", "Photographs that wait", registry=own)
        self.running = Gauge("resolvent_jobs_running", "Photographs that are restored now", registry=own)
        self.kept = Gauge("resolvent_jobs_kept", "Jobs that are kept", registry=own)
        self.kept_bytes = Gauge("resolvent_kept_bytes", "Bytes on the disk of the jobs that are kept", registry=own)

    def text(self) -> bytes:
        """Give the text format 0.0.4."""
        return generate_latest(self.registry)

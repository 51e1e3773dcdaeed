"""How a server is run: where it listens, who may use it, and what it may take."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from resolvent.errors import UsageError
from resolvent.image import Limits
from resolvent.system import parse_memory, usable_cpus

__all__ = ["TOKEN", "Settings", "is_loopback"]

TOKEN = "RESOLVENT_TOKEN"
"""The environment variable that holds the token."""

LEAST_TOKEN = 16
"""Characters of a token, at least."""

LEAST_MEMORY = 512 * 2**20
"""Bytes; a worker with the runtime and one model takes about half of it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server is run.

    Attributes:
        host: Name or address that it listens on. One that other machines reach needs a token.
        port: From 0, any that is free, to 65535.
        token: What a request has to bring; None where nobody else can send one.
        hosts: Names, besides addresses and ``localhost``, under which the server is reached.
        origins: Of pages elsewhere that may call the API, such as ``https://example.org``.
        workers: Photographs that are restored at once, each by a process; the processors are shared out.
        memory: Bytes that the data of a worker may take, or text such as ``"2G"``; None for no limit.
        limits: The largest photograph.
        seconds: That one photograph may take.
        queue: Photographs that wait, at most; a client may fill half of it, and have half of ``kept`` jobs.
        kept: Jobs that are kept for download, at most.
        kept_megabytes: That they take on the disk.
        minutes: Without a request for it after which a job is deleted.
        connections: Open at once.

    Raises:
        UsageError: A value breaks its rule, or two do not go together.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    workers: int = 1
    memory: int | str | None = None
    limits: Limits = field(default_factory=Limits)
    seconds: float = 1800
    queue: int = 100
    kept: int = 1000
    kept_megabytes: float = 8000
    minutes: float = 60
    connections: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port {self.port}: must be from 0 (any that is free) to 65535")
        for name in ("workers", "seconds", "queue", "kept", "kept_megabytes", "minutes", "connections"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name.replace('_', ' ')} {getattr(self, name):g}: must be above zero")
        if self.token is not None and not re.fullmatch(rf"[\x21-\x7e]{{{LEAST_TOKEN},}}", self.token):
            raise UsageError(
                f"token of {len(self.token)} characters: must have at least {LEAST_TOKEN}, all of them ASCII and no "
                "spaces; python -c 'import secrets; print(secrets.token_urlsafe())' makes one"
            )
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"host {self.host!r}: other machines reach it, and nobody asks them for a token; set {TOKEN} to one, "
                "or listen on 127.0.0.1"
            )
        for origin in self.origins:
            if not re.fullmatch(r"https?://[^/\s*]+", origin):
                raise UsageError(f"origin {origin!r}: must be a scheme and a host, such as https://example.org")
        if self.memory_bytes is not None and self.memory_bytes < LEAST_MEMORY:
            raise UsageError(f"memory {self.memory}: is too little for a worker; give {LEAST_MEMORY >> 20}M or more")

    @property
    def memory_bytes(self) -> int | None:
        """That the data of a worker may take."""
        return None if self.memory is None else parse_memory(self.memory)

    @property
    def threads(self) -> int:
        """Of each worker."""
        return max(1, usable_cpus() // self.workers)

    @property
    def body_bytes(self) -> int:
        """Of a request, at most: a photograph, a mask no larger than a tenth of it, and options."""
        return int(self.limits.megabytes * 1.1e6) + 2**20

    @property
    def share(self) -> int:
        """Photographs of one client that wait."""
        return max(1, self.queue // 2)

    @property
    def kept_share(self) -> int:
        """Jobs of one client that are kept."""
        return max(1, self.kept // 2)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    Examples:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org", "")]
        [True, True, True, False, False, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

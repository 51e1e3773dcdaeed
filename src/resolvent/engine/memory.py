"""How much memory there is, and how much to use."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from resolvent.errors import UsageError

__all__ = ["available_memory", "parse_memory", "tile_memory"]

CEILING = 512 * 2**20
"""Bytes that tiles take at most unless more is asked for: past this, larger tiles save next to no time."""

FALLBACK = 2 * 2**30
"""Bytes taken to be free where the system does not say."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_memory(memory: int | str) -> int:
    """Read an amount of memory: bytes, or a number with K, M, G or T, in powers of 1024.

    Raises:
        UsageError: It is not an amount above zero.

    Example:
        >>> parse_memory("1.5G") == parse_memory("1536 MiB") == 1536 * 2**20
        True
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([KMGT]?)(I?B)?", str(memory).strip().upper())
    amount = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 1 <= amount < math.inf:
        raise UsageError(f"memory {memory!r}: must be an amount above zero, such as 2G, 512M or a number of bytes")
    return int(amount)


def tile_memory() -> int:
    """What tiles may take by default: half of what is free, at most CEILING."""
    return min(available_memory() // 2, CEILING)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that a process can take without pushing others out.

    On Linux what the kernel estimates (MemAvailable), or what the container has left if that is less; elsewhere half of
    the machine's memory; where the system does not say, FALLBACK.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    try:
        meminfo = (root / "proc/meminfo").read_text()
    except OSError:
        return _physical() // 2
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    free = int(match[1]) * 1024 if match else _physical() // 2
    group = root / "sys/fs/cgroup"
    try:
        return max(0, min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return free


def _physical() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 2 * FALLBACK
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

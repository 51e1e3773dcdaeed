"""What the machine gives: processors and memory, as far as this process may use them."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from resolvent.errors import UsageError

__all__ = ["FALLBACK", "available_memory", "parse_memory", "tile_memory", "usable_cpus", "user_data"]

CEILING = 512 * 2**20
"""Bytes that tiles take at most unless more is asked for: past this, larger tiles save next to no time."""

FALLBACK = 2 * 2**30
"""Bytes taken to be free where the system does not say."""

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_memory(memory: int | str) -> int:
    """Read an amount of memory: bytes, or a number with K, M, G or T, in powers of 1024.

    Raises:
        UsageError: It is not so written, less than one byte, or infinite.

    Examples:
        >>> parse_memory("1.5G") == parse_memory("1536 MiB") == 1536 * 2**20
        True
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([KMGT]?)(I?B)?", str(memory).strip().upper())
    amount = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if match is None or not 1 <= amount < math.inf:
        raise UsageError(
            f"memory {memory!r:.80}: must be a number of bytes, 1 or more, in digits alone or with K, M, G or T; "
            "give 2G or 512M"
        )
    return int(amount)


def tile_memory() -> int:
    """Bytes that tiles may take by default: half of the free memory, at most CEILING."""
    return min(available_memory() // 2, CEILING)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that a process can take without pushing others out.

    On Linux what the kernel estimates (MemAvailable), or what the control groups of the process have left if that is
    less, of version 1 or 2; pages of files that were not used of late count as free, as they do for the kernel.
    Elsewhere half of the machine's memory; where the system does not say, FALLBACK.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    meminfo = _text(root / "proc/meminfo")
    if not meminfo:
        return _physical() // 2
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    free = int(match[1]) * 1024 if match else _physical() // 2
    for group in _control_groups(root, "memory"):
        for limit, current, inactive in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, used = _number(group / limit), _number(group / current)
            if most is not None and used is not None:
                free = min(free, most - used + _statistic(group / "memory.stat", inactive))
    return max(free, 0)


def usable_cpus(root: Path = Path("/")) -> int:
    """How many processors this process may use: those it is bound to, less where its control groups have a quota.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    count: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _control_groups(root, "cpu"):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if not quota:
            quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            count = min(count, int(quota) / int(period))
    return max(1, math.ceil(count))


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, innermost first, as far as they can be seen."""
    mounted = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = mounted / controller if controllers else mounted
        inner = mount / path.strip("/")
        yield from (group for group in (inner, *inner.parents) if group.is_relative_to(mount) and group.is_dir())


def _text(path: Path) -> str:
    """What a file of the system says; nothing if it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _statistic(path: Path, name: str) -> int:
    match = re.search(rf"^{name} (\d+)$", _text(path), re.MULTILINE)
    return int(match[1]) if match else 0


def _physical() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 2 * FALLBACK
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def user_data() -> Path:
    """Give the folder where the system keeps what belongs to a user and to Resolvent."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is no home
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "resolvent"

import os

import pytest

from resolvent.engine import memory
from resolvent.engine.memory import CEILING, FALLBACK, available_memory, parse_memory, tile_memory
from resolvent.errors import UsageError

MEMINFO = "MemTotal:       24684048 kB\nMemFree:         1000 kB\nMemAvailable:    2048 kB\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2G", 2 * 1024**3),
        ("512M", 512 * 1024**2),
        (" 1.5 gib", 3 * 2**29),
        ("64kb", 65536),
        (4096, 4096),
        (".5K", 512),
    ],
)
def test_amounts_are_read(text, expected):
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0.0G", -5, "-2G", "2X", "two", "1e9", "nan", "1.2.3M"])
def test_what_is_no_amount_is_refused_with_the_rule(text):
    with pytest.raises(UsageError, match="must be an amount above zero, such as 2G"):
        parse_memory(text)


def linux(root, limit=None, used="0"):
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(MEMINFO)
    if limit is not None:
        group = root / "sys/fs/cgroup"
        group.mkdir(parents=True)
        (group / "memory.max").write_text(limit + "\n")
        (group / "memory.current").write_text(used + "\n")


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [(None, "0", 2048 * 1024), ("max", "5", 2048 * 1024), ("1000000", "400000", 600_000), ("1000", "2000", 0)],
)
def test_kernel_and_container_are_asked(tmp_path, limit, used, expected):
    linux(tmp_path, limit, used)
    assert available_memory(tmp_path) == expected


def test_elsewhere_half_of_the_machine(tmp_path):
    assert available_memory(tmp_path) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def test_where_the_system_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf_names", {})
    assert available_memory(tmp_path) == FALLBACK


@pytest.mark.parametrize(("free", "expected"), [(100 * 2**20, 50 * 2**20), (64 * 2**30, CEILING)])
def test_tiles_take_half_of_what_is_free_up_to_a_ceiling(monkeypatch, free, expected):
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    assert tile_memory() == expected

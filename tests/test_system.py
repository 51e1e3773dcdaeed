import os

import pytest

from resolvent import system
from resolvent.errors import UsageError
from resolvent.system import CEILING, FALLBACK, available_memory, parse_memory, tile_memory, usable_cpus

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


@pytest.mark.parametrize("text", ["", "0", "0.0G", -5, "-2G", "2X", "two", "1e9", "1e99G", "nan", "1.2.3M", "9" * 400])
def test_what_is_no_amount_is_refused_with_the_rule(text):
    with pytest.raises(UsageError, match="must be a number of bytes, 1 or more, in digits alone or with K, M, G or T"):
        parse_memory(text)


def linux(root, group="0::/", **files):
    """A system whose control groups hold files, named by ``group`` as /proc/self/cgroup has it."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(MEMINFO)
    (root / "proc/self/cgroup").write_text(group + "\n")
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def version_2(limit, used, folder="", stat="anon 5\ninactive_file 0\n"):
    return {f"{folder}memory.max": limit, f"{folder}memory.current": used, f"{folder}memory.stat": stat}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 2048 * 1024),
        (version_2("max", "5"), 2048 * 1024),
        (version_2("1000000", "400000"), 600_000),
        (version_2("1000", "2000"), 0),
        (version_2("1000000", "990000", stat="inactive_file 700000"), 710_000),
    ],
)
def test_kernel_and_container_are_asked(tmp_path, files, expected):
    """Pages of files that are not in use count as used by the container, and are free all the same."""
    linux(tmp_path, **files)
    assert available_memory(tmp_path) == expected


def test_every_group_around_the_process_counts(tmp_path):
    linux(tmp_path, "0::/job/step", **version_2("1000000", "0", "job/"), **version_2("max", "0", "job/step/"))
    assert available_memory(tmp_path) == 1_000_000


def test_first_version_of_control_groups(tmp_path):
    files = {
        "memory.limit_in_bytes": "900000",
        "memory.usage_in_bytes": "500000",
        "memory.stat": "total_inactive_file 1",
    }
    linux(tmp_path, "5:cpu,cpuacct:/\n4:memory:/box", **{f"memory/box/{name}": text for name, text in files.items()})
    assert available_memory(tmp_path) == 400_001


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        ("0::/", {}, 8),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "20000 100000"}, 1),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "500000 100000"}, 3),
        ("3:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_processors_are_those_that_may_be_used(tmp_path, monkeypatch, group, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    linux(tmp_path, group, **files)
    assert usable_cpus(tmp_path) == expected


def test_elsewhere_half_of_the_machine(tmp_path):
    assert available_memory(tmp_path) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def test_where_the_system_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf_names", {})
    assert available_memory(tmp_path) == FALLBACK


@pytest.mark.parametrize(("free", "expected"), [(100 * 2**20, 50 * 2**20), (64 * 2**30, CEILING)])
def test_tiles_take_half_of_what_is_free_up_to_a_ceiling(monkeypatch, free, expected):
    monkeypatch.setattr(system, "available_memory", lambda: free)
    assert tile_memory() == expected

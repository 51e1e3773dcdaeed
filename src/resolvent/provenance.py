"""Where a figure or a model comes from: which code, on which machine, when."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from resolvent.errors import counted
from resolvent.system import usable_cpus

__all__ = ["Provenance", "provenance"]


@dataclass(frozen=True)
class Provenance:
    """Where figures come from."""

    code: str
    cpu: str
    cores: int
    system: str
    python: str
    libraries: dict[str, str]
    date: str

    @property
    def machine(self) -> str:
        """The processor, its cores, and the operating system."""
        return f"{self.cpu}, {counted(self.cores, 'core')}, {self.system}"

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {version}" for name, version in self.libraries.items())
        return f"resolvent {self.code}; {self.machine}; Python {self.python}, {libraries}; {self.date}"


def provenance() -> Provenance:
    """Say which code runs here, on which machine, and when.

    The code is the commit if this file is under version control, with ``-dirty`` if anything differs from it; else the
    version of the package. ``cores`` counts those that this process may use.
    """
    libraries = {}
    for name in ("numpy", "onnxruntime", "openvino", "torch"):
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Provenance(
        code=_commit() or metadata.version("resolvent"),
        cpu=_cpu(),
        cores=usable_cpus(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries=libraries,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _commit() -> str | None:
    here = Path(__file__).parent
    tracked = ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name]
    describe = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        subprocess.run(tracked, capture_output=True, check=True)
        return subprocess.run(describe, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpu() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())

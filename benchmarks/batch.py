"""A batch: photographs a second and memory of its executors, what the manifest costs, and many tiny files.

python benchmarks/batch.py --images FOLDER [--count 500] [--tiny 10000] [--only speed scaling manifest tiny]
    [--ffdnet GRAPH.onnx]

The photographs of FOLDER are mirrored until they have 768x512 pixels, get noise, and are saved as PNG. With --only
nothing is written into RESULTS.md. All of it takes an hour on two cores, and needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from map_tables import markdown
from results import write_section
from serve import Source

from resolvent.batch.many import restore_many
from resolvent.errors import UsageError
from resolvent.image import Image, read_image, write_image

HEIGHT, WIDTH = 512, 768
SIDE = 32
"""Of tiny files."""

PARTS = ("speed", "scaling", "manifest", "tiny")


@dataclass(frozen=True)
class Spent:
    """What a run took.

    Attributes:
        wall: Seconds.
        cpu: Seconds of all its processes.
        peak: Bytes that its processes held at once, pages that they share counted once for each.
    """

    wall: float
    cpu: float
    peak: int


def resident(pid: int) -> int:
    """Bytes that a process and those it has started hold."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children.stdout.split())


def spent(command: list[str]) -> Spent:
    """Run a command to its end, and look every second at what it holds."""
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, resident(process.pid))
            time.sleep(0.5)
        if status:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()}")
    return Spent(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, peak)


def restore(*arguments: object) -> list[str]:
    """The command line of ``resolvent restore``."""
    return [sys.executable, "-m", "resolvent", "restore", "--quiet", *map(str, arguments)]


def speed(photographs: Path, count: int, folder: Path, ffdnet: Path | None) -> str:
    """Every executor on the same photographs."""
    kinds: dict[str, list[str]] = {
        "plain loop (`--workers 1`)": ["--workers", "1"],
        "workers (default)": [],
        "Dask, 2 workers (`--cluster local:2`)": ["--cluster", "local:2"],
    }
    rows, outputs = [], []
    for number, (name, options) in enumerate(kinds.items()):
        out = folder / f"speed{number}"
        rows.append(row(name, count, spent(restore(photographs, "-o", out, *options))))
        outputs.append({path.name: path.read_bytes() for path in out.glob("*.png")})
    if ffdnet is not None:
        loop = [sys.executable, __file__, "--loop", str(ffdnet), str(photographs), str(folder / "ffdnet")]
        rows.append(row("plain loop of FFDNet's graph in onnxruntime, noise level given", count, spent(loop)))
    same = sum(outputs[0] == other for other in outputs[1:])
    table = markdown("what | photographs/s | CPU s a photograph | peak memory MB", rows)
    kept = "the same bytes from all three" if same == 2 else "OUTPUTS DIFFER"
    return f"{count} photographs of {WIDTH}x{HEIGHT}, no options, started afresh: {kept}.\n\n{table}"


def row(name: str, count: int, took: Spent) -> tuple[str, ...]:
    """A line of a table."""
    return name, f"{count / took.wall:.3f}", f"{took.cpu / count:.2f}", f"{took.peak / 1e6:.0f}"


def scaling(photographs: Path, count: int, folder: Path) -> str:
    """One core and one worker, two cores and two workers."""
    rows = []
    for cores in (1, 2):
        bound = ["taskset", "-c", ",".join(map(str, range(cores)))]
        took = spent([*bound, *restore(photographs, "-o", folder / f"cores{cores}")])
        rows.append((count / took.wall, row(f"{cores}", count, took)))
    (one, first), (two, second) = rows
    table = markdown("cores and workers | photographs/s | CPU s a photograph | peak memory MB", [first, second])
    return f"{count} photographs: {two / one:.2f} times as fast on two cores.\n\n{table}"


def manifest_cost(photographs: Path, folder: Path, rounds: int) -> str:
    """The same photographs with the manifest, and without it and without any fsync; in turns."""
    names = sorted(photographs.iterdir())[:24]
    sources = [folder / "left", folder / "right"]
    for source, half in zip(sources, (names[::2], names[1::2]), strict=True):
        source.mkdir()
        for path in half:
            (source / path.name).symlink_to(path)

    def run(number: int, *, kept: bool) -> float:
        began = time.perf_counter()
        if kept:
            restore_many(sources, folder / f"kept{number}")
        else:
            with mock.patch("os.fsync", return_value=None):
                restore_many(sources, suffix=".bare")
        took = time.perf_counter() - began
        for source in sources:
            for path in source.glob("*.bare.png"):  # else the next run would find them
                path.unlink()
        return took

    run(-1, kept=False)
    pairs = [(run(number, kept=True), run(number, kept=False)) for number in range(rounds)]
    ratio = statistics.median(kept / bare for kept, bare in pairs)
    return (
        f"{len(names)} photographs, {rounds} rounds in turns: with manifest, hashes and fsync {ratio - 1:+.1%} of the "
        f"time without any of them (median; {', '.join(f'{kept / bare - 1:+.1%}' for kept, bare in pairs)})."
    )


def tiny(folder: Path, count: int) -> str:
    """Many tiny files by one run: the first thousand beside the last."""
    source = folder / "tiny"
    source.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(60, 190, (SIDE, SIDE, 3)).astype(np.uint8)
        write_image(Image.from_array(pixels), source / f"{number:06}.png")
    command = restore(source, "-o", folder / "tiny.out", "-m", "denoise", "--sigma", "20", "--jsonl")
    part, times, memory = count // 10, [time.perf_counter()], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for number, line in enumerate(process.stdout, 1):
            if json.loads(line)["status"] != "restored":
                raise SystemExit(f"not restored: {line}")
            if number % part == 0:
                times.append(time.perf_counter())
                memory.append(resident(process.pid))
    rows = [
        (f"{10 * i + 1} to {10 * i + 10} %", f"{1000 * (after - before) / part:.1f}", f"{held / 1e6:.0f}")
        for i, (before, after, held) in enumerate(zip(times, times[1:], memory, strict=False))
    ]
    began = time.perf_counter()
    subprocess.run([*command, "--resume"], stdout=subprocess.DEVNULL, check=True)
    again = time.perf_counter() - began
    status = [sys.executable, "-m", "resolvent", "batch", "report", str(folder / "tiny.out"), "--json"]
    began = time.perf_counter()
    subprocess.run(status, stdout=subprocess.DEVNULL, check=True)
    return (
        f"{count} files of {SIDE}x{SIDE} pixels, `-m denoise --sigma 20`; a resumed run that finds all of them done "
        f"takes {again:.1f} s, a report {time.perf_counter() - began:.1f} s.\n\n"
        + markdown("files | ms a file | memory MB", rows)
    )


def loop(graph: Path, photographs: Path, out: Path) -> None:
    """Read, run FFDNet's graph at the level of the noise that was added, write: what a script would do."""
    import onnxruntime

    out.mkdir()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    image, level = (given.name for given in session.get_inputs())
    for path in sorted(photographs.iterdir()):
        x = read_image(path).pixels.transpose(2, 0, 1)[None]
        y = session.run(None, {image: x, level: np.full((1, 1, 1, 1), 15 / 255, np.float32)})[0]
        pixels = np.rint(255 * np.clip(y[0].transpose(1, 2, 0), 0, 1)).astype(np.uint8)
        write_image(Image.from_array(pixels), out / path.name)


def sections(parts: list[str], images: Path, count: int, many: int, ffdnet: Path | None) -> Iterator[str]:
    """What each part has found."""
    with tempfile.TemporaryDirectory() as name:
        folder, photographs = Path(name), Path(name) / "photographs"
        photographs.mkdir()
        source = Source(images)
        for number in range(count):
            pixels = source.pixels(number, HEIGHT, WIDTH)
            write_image(Image.from_array(pixels), photographs / f"{number:04}.png")
        if "speed" in parts:
            yield "### Photographs a second\n\n" + speed(photographs, count, folder, ffdnet)
        if "scaling" in parts:
            few = folder / "few"
            few.mkdir()
            for path in sorted(photographs.iterdir())[: min(count, 100)]:
                (few / path.name).symlink_to(path)
            yield "### From one core to two\n\n" + scaling(few, min(count, 100), folder)
        if "manifest" in parts:
            yield "### What the manifest costs\n\n" + manifest_cost(photographs, folder, 3)
        if "tiny" in parts:
            yield "### Tiny files\n\n" + tiny(folder, many)


def main() -> None:
    """Measure all, or what --only names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs in color")
    parser.add_argument("--count", type=int, default=500, help="photographs")
    parser.add_argument("--tiny", type=int, default=10_000, help="tiny files")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=None, help="measure these alone")
    parser.add_argument("--ffdnet", type=Path, help="FFDNet's graph for color, with inputs image and sigma")
    parser.add_argument("--loop", nargs=3, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.loop:
        loop(*given.loop)
        return
    if given.images is None:
        raise UsageError("--images: names the folder of photographs; give it")
    found = []
    for section in sections(given.only or list(PARTS), given.images, given.count, given.tiny, given.ffdnet):
        print(section, flush=True)
        found.append(section)
    if not given.only:
        command = f"python benchmarks/batch.py --images {given.images.name} --count {given.count} --tiny {given.tiny}"
        write_section("Batch", command, "\n\n".join(found))


if __name__ == "__main__":
    main()

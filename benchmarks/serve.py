"""``resolvent serve`` beside ``resolvent restore``: start, speed, memory, and many clients at once.

python benchmarks/serve.py --images FOLDER [--only start speed memory clients] [--rounds 4] [--seconds 60] ...

The photographs of FOLDER are mirrored until they fill the size, get noise, and are saved. With --only nothing is
written into RESULTS.md. All of it takes some 20 minutes where 12 megapixels take half a minute, and needs Linux.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from map_tables import markdown
from results import write_section
from served import Client, Server, Taken

import resolvent
from resolvent.errors import InputError, UsageError
from resolvent.image import Image, encode_image, read_image
from resolvent.image.formats import KINDS
from resolvent.provenance import provenance

Array = np.ndarray[Any, Any]

SIGMA = 15.0
"""Gray levels of the noise that is added, and that small photographs are restored with."""


class Source:
    """Photographs of any size, made of those in a folder; the same number gives the same one.

    Args:
        folder: Of photographs in color.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in KINDS)
        if not self.paths:
            raise UsageError(f"--images {folder}: has no photographs; name a folder with some")

    def pixels(self, number: int, height: int, width: int) -> Array:
        """A photograph, mirrored until it fills the frame, with noise; uint8 (height, width, 3)."""
        data = read_image(self.paths[number % len(self.paths)]).data
        if data.dtype != np.uint8 or data.shape[2] != 3:
            raise InputError(f"{self.paths[number % len(self.paths)].name}: is not of 8 bits in color; leave it out")
        both = np.concatenate([data, data[:, ::-1]], axis=1)
        both = np.concatenate([both, both[::-1]], axis=0)
        repeats = (-(-height // both.shape[0]), -(-width // both.shape[1]), 1)
        filled = np.tile(both, repeats)[:height, :width]
        noise = np.random.default_rng(number).standard_normal((256, 256, 3), np.float32) * np.float32(SIGMA)
        for top in range(0, height, 256):
            for left in range(0, width, 256):
                box = filled[top : top + 256, left : left + 256]
                box[:] = np.clip(np.rint(box + noise[: box.shape[0], : box.shape[1]]), 0, 255)
        return filled

    def file(self, number: int, height: int, width: int, kind: str = "jpeg") -> bytes:
        """The same as a file."""
        return encode_image(Image.from_array(self.pixels(number, height, width)), kind)


@dataclass(frozen=True)
class Cost:
    """Of one photograph: seconds until its result was there, and of the CPU."""

    wall: float
    cpu: float


def by_command(paths: Sequence[Path], output: Path) -> list[Cost]:
    """Restore photographs by one call of ``resolvent restore``; the cost of each but the first.

    The call prints a line when a photograph is finished. What passes between two lines is the time of one: that of the
    first one, which pays for the start of Python and the loading of the models, is left out.
    """
    command = [sys.executable, "-m", "resolvent", "restore", *map(str, paths), "-o", str(output)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen([*command, "--jsonl"], stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        marks = []
        for line in process.stdout:
            marks.append((time.perf_counter(), Taken.by(process.pid).cpu))
            if (result := json.loads(line))["status"] != "restored":
                process.kill()
                raise SystemExit(f"{result['input']}: {result['status']}; {', '.join(result['reasons'])}")
        if process.wait() or len(marks) != len(paths):
            errors.seek(0)
            raise SystemExit(f"{shlex.join(command)} failed:\n{errors.read()}")
    return [Cost(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(marks)]


def by_server(server: Server, paths: Sequence[Path]) -> list[Cost]:
    """Send the same photographs one after the other; the cost of each but the first, which loads the models."""
    costs = []
    with Client(server.port) as client:
        for path in paths:
            data, cpu = path.read_bytes(), server.cpu()
            answer = client.restore(path.name, data)
            costs.append(Cost(answer.seconds, server.cpu() - cpu))
    return costs[1:]


def at_once(server: Server, clients: int, work: Callable[[int, Client], list[float]]) -> tuple[list[float], float]:
    """Let clients work at the same time; the seconds of all their requests, and those from first to last."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:

        def one(number: int) -> list[float]:
            with Client(server.port) as client:
                return work(number, client)

        each = list(pool.map(one, range(clients)))
    return [seconds for one in each for seconds in one], time.perf_counter() - start


def start(options: argparse.Namespace) -> str:
    """Starts of a server, until its page is answered."""
    starts = []
    for _ in range(options.starts + 1):
        with Server() as server:
            starts.append((server.wall, server.own.cpu, server.worker.cpu))
    wall, own, worker = (statistics.median(column) for column in zip(*starts[1:], strict=True))
    head = "starts | wall s | CPU s of the server | CPU s of its worker by then"
    return markdown(head, [[str(options.starts), f"{wall:.2f}", f"{own:.2f}", f"{worker:.2f}"]]) + prose("""
From the call of the command until `GET /` is answered, medians, after one start that is not counted. The worker starts
in the background meanwhile. Goal: at most 1.5 CPU seconds of the server.""")


@dataclass(frozen=True)
class Size:
    """Photographs of a size: their name, height and width, how many a round, and how many each of several clients."""

    name: str
    height: int
    width: int
    count: int
    repeats: int


def in_turn(server: Server, paths: Sequence[Path], rounds: int, output: Path) -> tuple[list[Cost], list[Cost]]:
    """Restore by the command line and by the server, each going first in every second round."""
    told, asked = list[Cost](), list[Cost]()
    for turn in range(rounds):
        if turn % 2:
            asked += by_server(server, paths)
        told += by_command(paths, output / f"round-{turn}")
        if turn % 2 == 0:
            asked += by_server(server, paths)
    return told, asked


def send(files: Sequence[bytes], clients: int, number: int, client: Client) -> list[float]:
    """Send those files that fall to one of the clients; the seconds of each."""
    return [client.restore(f"{number}.jpg", data).seconds for data in files[number::clients]]


def excess(told: Sequence[Cost], asked: Sequence[Cost]) -> tuple[float, float]:
    """How many percent more the server takes, of time and of the CPU: medians of the ratios."""
    pairs = list(zip(told, asked, strict=True))
    wall = statistics.median(b.wall / a.wall for a, b in pairs)
    cpu = statistics.median(b.cpu / max(a.cpu, 1e-9) for a, b in pairs)
    return 100 * (wall - 1), 100 * (cpu - 1)


def speed(options: argparse.Namespace) -> str:
    """Photographs by the command line and by the server, of two sizes, from one client and from several."""
    source, rows, over = Source(options.images), [], []
    side, height = options.side, round((options.megapixels * 1e6 * 3 / 4) ** 0.5)
    sizes = (
        Size(f"{side}x{side}", side, side, options.photographs, options.repeats),
        Size(f"{options.megapixels:g} megapixels", height, round(height * 4 / 3), options.large, 1),
    )
    with Server() as server:
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(folder) / f"{number:02}.jpg" for number in range(max(size.count, options.clients) + 1)]
                paths[0].write_bytes(source.file(0, side, side))
                for number, path in enumerate(paths[1:], 1):
                    path.write_bytes(source.file(number, size.height, size.width))
                told, asked = in_turn(server, paths[: size.count + 1], options.rounds, Path(folder))
                photographs = [path.read_bytes() for path in paths[1 : options.clients + 1]] * size.repeats
            walls, whole = at_once(server, options.clients, partial(send, photographs, options.clients))
            for way, costs in (("command line", told), ("1 client", asked)):
                each = [cost.wall for cost in costs]
                cpu = f"{statistics.median(cost.cpu for cost in costs):.2f}"
                rows.append([size.name, way, *row(each, sum(each)), cpu])
            rows.append([size.name, f"{options.clients} clients", *row(walls, whole), ""])
            over.append("{}: {:+.1f} % of time, {:+.1f} % of CPU".format(size.name, *excess(told, asked)))
    return markdown("photographs | by | number | p50 s | p95 s | a second | CPU s each", rows) + prose(f"""
Over the command line, with one client: {"; ".join(over)} (medians of the ratios, photograph by photograph; goal at 12
megapixels: at most 10 % of time). JPEG files with noise, restored by the automatic choice. The command line restores
all of a round in one call, and what passes between two of its lines of `--jsonl` is the time of one photograph, so that
start and loading of models are not counted; a small photograph goes first in each call, and to the server.
Rounds: {options.rounds}; each of the two goes first in every second one. Several clients send at once, each its own
photograph; the server restores one at a time, so that their times hold the wait for the others.""")


def row(walls: Sequence[float], whole: float) -> list[str]:
    """Cells: number, median, 95th percentile, and how many a second."""
    middle, slow = np.percentile(walls, (50, 95))
    return [str(len(walls)), f"{middle:.3f}", f"{slow:.3f}", f"{len(walls) / whole:.3g}"]


def prose(text: str) -> str:
    """A paragraph below a table, on one line."""
    return "\n\n" + " ".join(text.split())


def memory(options: argparse.Namespace) -> str:
    """What server and worker take after many small photographs."""
    source = Source(options.images)
    photographs = [
        source.file(number, 64 + 16 * (number % 5), 96, ("png", "jpeg", "webp")[number % 3]) for number in range(30)
    ]
    marks, rows = {1, *options.requests}, []
    with Server() as server, Client(server.port) as client:
        for number in range(1, max(marks) + 1):
            given = {} if number % 10 == 1 else {"model": "denoise", "sigma": str(SIGMA)}
            client.restore("photograph", photographs[number % len(photographs)], **given)
            if number in marks:
                rows.append([f"{number:,}", *(f"{each.resident / 1e6:.0f}" for each in server.taken())])
    return markdown("requests | server, MB | worker, MB", rows) + prose("""
Resident memory of the processes after that many requests, one after the other: photographs of 96x64 to 96x128 pixels in
three formats, every tenth by the automatic choice, the others by `denoise`.""")


@dataclass(frozen=True)
class Expected:
    """A photograph, how it is restored, and what has to come of it."""

    photograph: bytes
    options: dict[str, str]
    pixels: Array


def expected(source: Source, number: int) -> Expected:
    """What client ``number`` sends, and what ``resolvent.restore`` makes of it."""
    sigma, strength = (5.0, 15.0, 25.0)[number % 3], (1.0, 0.5)[number % 2]
    photograph = source.file(number, 64, 80, "png")
    out = resolvent.restore(photograph, model="denoise", sigma=sigma, strength=strength)
    options = {"model": "denoise", "sigma": str(sigma), "strength": str(strength)}
    return Expected(photograph, options, out.data)


def verdict(data: bytes, number: int, all_of_them: Sequence[Expected]) -> str:
    """Whether an answer is right, that of another client, or neither, by its pixels."""
    pixels = read_image(data).data
    same = [i for i, each in enumerate(all_of_them) if np.array_equal(pixels, each.pixels)]
    return "right" if same == [number] else "of another client" if same else "wrong"


def clients(options: argparse.Namespace) -> str:
    """Many clients at once for a while: whose answer is whose, and whether memory grows."""
    source = Source(options.images)
    known = [expected(source, number) for number in range(options.many)]
    seen, refusals, answered = Counter[str](), 0, Counter[int]()
    lock, over, resident = threading.Lock(), threading.Event(), list[list[int]]()
    with Server() as server:

        def watch() -> None:
            while not over.wait(0.5):
                if len(answered) == options.many:  # from here on each has had an answer
                    resident.append([each.resident for each in server.taken()])

        def ask(number: int, client: Client) -> list[float]:
            nonlocal refusals
            own, seconds = known[number], list[float]()
            while time.perf_counter() < until or not seconds:
                answer = client.restore(f"{number}.png", own.photograph, **own.options)
                found = verdict(answer.data, number, known)
                seconds.append(answer.seconds)
                with lock:
                    seen[found] += 1
                    answered[number] += 1
                    refusals += answer.refusals
            return seconds

        with Client(server.port) as first:
            first.restore("first.png", known[0].photograph, **known[0].options)
        until = time.perf_counter() + options.seconds
        watching = threading.Thread(target=watch)
        watching.start()
        try:
            walls, whole = at_once(server, options.many, ask)
        finally:
            over.set()
            watching.join()
        resident.append([each.resident for each in server.taken()])
    own, worker = (np.array(column) / 1e6 for column in zip(*resident, strict=True))
    cells = [str(seen[word]) for word in ("right", "of another client", "wrong")]
    head = "clients | answers | p50 s | p95 s | a second | right | of another client | wrong | told to wait"
    return markdown(head, [[str(options.many), *row(walls, whole), *cells, str(refusals)]]) + prose(f"""
For {options.seconds:g} seconds over loopback. Each client has its own photograph, sent with one of three levels and two
strengths. An answer is right if every pixel is that of `resolvent.restore`, whose results all differ. Fewest answers
to a client: {min(answered.values())}. Memory, from when each had one answer to the end: server {own[0]:.0f} to
{own[-1]:.0f} MB, at most {own.max():.0f}; worker {worker[0]:.0f} to {worker[-1]:.0f} MB, at most
{worker.max():.0f}.""")


PARTS: dict[str, tuple[str, Callable[[argparse.Namespace], str]]] = {
    "start": ("Start", start),
    "speed": ("Speed", speed),
    "memory": ("Memory", memory),
    "clients": ("Many clients", clients),
}


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs in color, 8 bits")
    parser.add_argument("--only", nargs="+", choices=list(PARTS))
    parser.add_argument("--starts", type=int, default=5, help="of the server")
    parser.add_argument("--rounds", type=int, default=4, help="of the command line and the server in turn")
    parser.add_argument("--side", type=int, default=512, help="pixels a side of a small photograph")
    parser.add_argument("--photographs", type=int, default=8, help="small ones in a round")
    parser.add_argument("--megapixels", type=float, default=12, help="of a large photograph")
    parser.add_argument("--large", type=int, default=1, help="large ones in a round")
    parser.add_argument("--clients", type=int, default=8, help="that send photographs of both sizes at once")
    parser.add_argument("--repeats", type=int, default=5, help="small photographs that each of them sends")
    parser.add_argument("--requests", type=int, nargs="+", default=[100, 1000], help="after which memory is measured")
    parser.add_argument("--many", type=int, default=50, help="clients of the last part")
    parser.add_argument("--seconds", type=float, default=60, help="that they send for")
    options = parser.parse_args()
    origin = str(provenance())
    sections = []
    for name in options.only or PARTS:
        title, part = PARTS[name]
        began = time.perf_counter()
        sections.append(f"### {title}\n\n{part(options)}")
        print(f"{sections[-1]}\n\n({time.perf_counter() - began:.0f} s)\n", flush=True)
    if not options.only:
        given = {**vars(options), "images": f"{options.images.name}/"}
        told = [f"--{key} {_text(value)}" for key, value in given.items() if value != parser.get_default(key)]
        command = " ".join(["python benchmarks/serve.py", *told])
        write_section("Serving", command, "\n\n".join(sections), origin)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else f"{value}"


if __name__ == "__main__":
    main()

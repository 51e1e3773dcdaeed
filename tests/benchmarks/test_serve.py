"""The measurement of benchmarks/serve.py, with small numbers."""

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from resolvent.image import Image, encode_image, write_image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RNG = np.random.default_rng(0)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and time of processes are read from /proc")


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import serve

    return serve


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(3):
        waves = np.cumsum(RNG.normal(size=(48, 40, 3)), axis=1) * 4 + 128
        write_image(Image.from_array(waves.clip(0, 255).astype(np.uint8)), folder / f"{number}.png")
    return folder


def test_a_photograph_is_mirrored_until_it_fills_the_frame(serve, photographs, monkeypatch):
    source = serve.Source(photographs)
    assert np.array_equal(source.pixels(1, 90, 100), source.pixels(1, 90, 100))
    assert not np.array_equal(source.pixels(1, 90, 100), source.pixels(4, 90, 100))  # the same file, other noise
    noisy = source.pixels(1, 300, 300).astype(float)
    monkeypatch.setattr(serve, "SIGMA", 0.0)
    clean = source.pixels(1, 300, 300)
    assert np.array_equal(clean[:48, :40], clean[:48, 79:39:-1])
    assert np.array_equal(clean[:48, :40], clean[95:47:-1, 80:120])
    assert (noisy - clean).std() == pytest.approx(15, rel=0.1)


def test_a_folder_without_photographs_is_an_error(serve, tmp_path):
    with pytest.raises(serve.UsageError, match="has no photographs"):
        serve.Source(tmp_path)


def test_an_answer_is_known_by_its_pixels(serve):
    pixels = [RNG.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(3)]
    known = [serve.Expected(b"", {}, each) for each in pixels[:2]]
    files = [encode_image(Image.from_array(each), "png") for each in pixels]
    assert [serve.verdict(file, 0, known) for file in files] == ["right", "of another client", "wrong"]
    off = pixels[0].copy()
    off[3, 4, 1] ^= 1
    assert serve.verdict(encode_image(Image.from_array(off), "png"), 0, known) == "wrong"


def test_excess_is_the_median_of_the_ratios(serve):
    told = [serve.Cost(wall, 2.0) for wall in (1.0, 2.0, 4.0)]
    asked = [serve.Cost(wall, cpu) for wall, cpu in ((1.1, 1.0), (2.1, 2.0), (9.0, 6.0))]
    assert serve.excess(told, asked) == pytest.approx((10, 0))


def test_several_clients_send_every_file_once(serve):
    sent = []
    client = SimpleNamespace(restore=lambda name, data: sent.append(data) or SimpleNamespace(seconds=1.0))
    files = [bytes([i]) for i in range(7)]
    assert [len(serve.send(files, 3, number, client)) for number in range(3)] == [3, 2, 2]
    assert sorted(sent) == files


def test_a_client_comes_back_when_it_is_told_to(serve):
    statuses, bodies = [429, 503, 200, 422], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(statuses[len(bodies) - 1])
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"said")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with serve.Client(server.server_port) as client:
                answer = client.restore("a.png", b"pixels", model="denoise")
                assert (answer.data, answer.refusals) == (b"said", 2)
                with pytest.raises(RuntimeError, match=r"^a.png: 422 said$"):
                    client.restore("a.png", b"pixels")
        finally:
            server.shutdown()
    assert bodies[0] == bodies[2]
    assert b'name="model"\r\n\r\ndenoise\r\n' in bodies[0]


def test_a_photograph_that_the_command_line_cannot_restore_ends_it(serve, tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(SystemExit, match=r"a.png: failed"):
        serve.by_command([tmp_path / "a.png"], tmp_path / "out")


SMALL = (
    "--starts 1 --rounds 1 --side 48 --photographs 1 --megapixels 0.003 --clients 2 --repeats 1 --requests 2 "
    "--many 3 --seconds 0.5"
)


def test_the_section_is_written(serve, photographs, tmp_path, monkeypatch, capsys):
    import results

    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(sys, "argv", ["serve.py", "--images", str(photographs), *SMALL.split()])
    serve.main()
    text = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert f"## Serving\n\n`python benchmarks/serve.py --images photographs/ {SMALL}`" in text
    assert re.findall("^### (.*)$", text, re.MULTILINE) == ["Start", "Speed", "Memory", "Many clients"]
    assert "\nMeasured on: resolvent " in text
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    ways = [row[:3] for row in cells if row[0] in ("48x48", "0.003 megapixels")]
    assert [way[1:] for way in ways] == 2 * [["command line", "1"], ["1 client", "1"], ["2 clients", "2"]]
    resident = {row[0]: [float(cell) for cell in row[1:]] for row in cells if row[0] in ("1", "2") and len(row) == 3}
    assert list(resident) == ["1", "2"]
    assert all(10 < server < 500 and 50 < worker < 2000 for server, worker in resident.values())
    (last,) = (row for row in cells if row[0] == "3" and len(row) == 9)
    assert int(last[1]) >= 3
    assert last[5:] == [last[1], "0", "0", "0"]
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--only", "memory"])
    serve.main()
    assert (tmp_path / "RESULTS.md").read_text("utf-8") == text
    assert capsys.readouterr().out.startswith("### Memory\n")

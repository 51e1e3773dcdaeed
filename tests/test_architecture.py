"""The house keeps its shape: which way imports point, what is public, what is never loaded."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import resolvent

SOURCE = Path(resolvent.__file__).parent

ROOMS = (
    "web", "batch", "report", "evaluation", "training", "engine", "methods", "diagnosis", "inference", "models",
    "networks", "degradations", "physics", "image", "plugins", "io", "provenance", "system", "parameters", "errors",
)  # fmt: skip
"""From the top to the ground: each may import those that follow it. ``cli`` may import all, and nothing imports it."""

TYPES = {("physics", "degradations")}
"""Imports for the sake of types alone: a forward model is made from a degradation, which gives its operators."""


def room(path):
    """The first name under ``resolvent`` that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree):
    """The rooms that a file imports, at any depth of nesting."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "resolvent":
            names = [f"resolvent.{alias.name}" for alias in node.names if alias.name != "__version__"]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.startswith("resolvent."):
                yield name.split(".")[1]


def test_no_import_points_backwards():
    wrong = [
        f"{path.relative_to(SOURCE)} imports {target}"
        for path in SOURCE.rglob("*.py")
        if room(path) in ROOMS
        for target in imported(ast.parse(path.read_text("utf-8")))
        if target != room(path) and target not in ROOMS[ROOMS.index(room(path)) :] and (room(path), target) not in TYPES
    ]
    assert not wrong


def test_every_room_has_its_place():
    rooms = {room(path) for path in SOURCE.rglob("*.py")} - {"__init__", "__main__", "cli"}
    assert rooms == set(ROOMS)


def test_public_names_are_pinned():
    assert resolvent.__all__ == [
        "ClusterError",
        "Control",
        "FormatError",
        "Image",
        "InputError",
        "Limits",
        "MissingDependencyError",
        "OutputError",
        "Plan",
        "QualityError",
        "ResolventError",
        "Restoration",
        "Restorer",
        "SizeError",
        "TrainingError",
        "UsageError",
        "compare",
        "degrade",
        "diagnose",
        "list_methods",
        "list_models",
        "parse",
        "plan",
        "read_image",
        "restore",
        "restore_many",
        "run",
        "train",
        "write_image",
    ]
    assert dir(resolvent) == resolvent.__all__
    for name in resolvent.__all__:
        assert callable(getattr(resolvent, name))
    with pytest.raises(AttributeError, match="no attribute 'restored'"):
        _ = resolvent.restored


def test_public_names_stay_what_they_are():
    """Importing a part of the package binds its name in the package, over what a public name would give."""
    program = (
        "import resolvent, resolvent.cli, pkgutil, importlib\n"
        "for found in pkgutil.walk_packages(resolvent.__path__, 'resolvent.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "assert all(callable(getattr(resolvent, name)) for name in resolvent.__all__)\n"
        "assert 'denoise' in resolvent.list_models() and 'denoise' in resolvent.list_models()\n"
        "assert 'dip' in resolvent.list_methods() and 'dip' in resolvent.list_methods()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_public_names_need_no_optional_package():
    """``from resolvent import *`` in an install that only restores; training names what it lacks when it is called."""
    program = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'skimage', 'scipy', 'pywt', 'matplotlib', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "from resolvent import *\n"
        "try:\n"
        "    train('denoise', '.')\n"
        "except MissingDependencyError as error:\n"
        "    assert 'needs torch' in str(error)\n"
        "else:\n"
        "    raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def loaded_after(program):
    """The top-level modules that a fresh interpreter has loaded after a program."""
    code = f"import sys\n{program}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}), file=sys.stderr)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(finished.stderr.split())


HELP = """
from resolvent.cli import main
sys.argv = ["resolvent", {}]
try:
    main()
except SystemExit as end:
    assert end.code == 0
"""
HELPS = [HELP.format(arguments) for arguments in ("'--help'", "'restore', '--help'", "'diagnose', '-h'", "'--version'")]


@pytest.mark.parametrize("program", ["import resolvent", *HELPS])
def test_heavy_packages_are_not_loaded(program):
    heavy = {"torch", "skimage", "scipy", "onnx", "onnxruntime", "openvino", "cv2", "pyvips", "PIL", "fsspec"}
    assert not loaded_after(program) & heavy


def test_a_restoration_by_a_model_starts_without_degradations_and_methods():
    program = (
        "import sys, numpy as np, resolvent\n"
        "resolvent.restore(np.random.default_rng(0).random((32, 32, 3), np.float32), model='denoise', sigma=25)\n"
        "late = ('resolvent.degradations', 'resolvent.methods.registry', 'resolvent.physics.forward_model')\n"
        "assert not set(late) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


LIGHT = """
sys.modules.update(dict.fromkeys(("scipy", "skimage", "pywt", "torch")))  # as if they were not installed
import numpy as np, resolvent
from resolvent.methods import METHODS, missing
x = np.random.default_rng(0).random((24, 32, 3), np.float32)
x[8:] = 0.5
for text in ("defocus:radius=2", "chroma:sigma=5", "hotpixels:amount=0.1,sites=bayer", "camera:iso=800", "scratches"):
    assert resolvent.degrade(x, text).shape == x.shape
for name, method in METHODS.items():
    assert bool(missing(name)) == bool(method.requires), name
    if not method.requires:
        resolvent.restore(resolvent.degrade(x, method.example), method=name, degradation=method.example)
resolvent.restore(resolvent.degrade(x, "downsample:scale=2"), method="pnp", degradation="downsample:scale=2")
resolvent.restore(np.dstack([x, x[..., 0] > 0.5]), model="restore")
resolvent.restore(x, repair=True)
resolvent.diagnose(resolvent.Image.from_array(x))
"""


def test_a_plain_installation_restores_diagnoses_degrades_and_repairs():
    loaded_after(LIGHT)


@pytest.mark.parametrize("program", HELPS)
def test_help_needs_no_numpy(program):
    assert "numpy" not in loaded_after(program)

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from scipy import ndimage

import resolvent
from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError
from resolvent.inference.foreign import add, remove
from resolvent.models.registry import added, find, read_card

pytestmark = pytest.mark.usefixtures("own_folder")


def mean(image):
    return ndimage.uniform_filter(image, (5, 5, 1), mode="mirror")  # as borders are reflected


def windows(image):
    height, width, channels = image.shape
    means = image.reshape(height // 8, 8, width // 8, 8, channels).mean((1, 3))
    return ((image + means.repeat(8, 0).repeat(8, 1)) / 2).repeat(2, 0).repeat(2, 1)


KINDS = {
    "color": (lambda made: made.blur(), mean, {}),
    "gray": (lambda made: made.blur(1), mean, {"gray": True}),
    "float16": (lambda made: made.blur(dtype=np.float16), mean, {}),
    "one at a time": (lambda made: made.blur(shape=(1, 3, "h", "w")), mean, {}),
    "up to 255": (lambda made: made.levels(), lambda x: np.clip(mean(x) + 2 / 255, 0, 1), {"data_range": 255}),
    "windows": (lambda made: made.windows(), windows, {"scale": 2, "multiple": 8, "task": "upscale"}),
}
"""Of a network: how it is made, what it does to an image, and what of its card is unusual."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_measured_and_its_tiles_do_not_show(kind, networks):
    make, expected, unusual = KINDS[kind]
    card = add(make(networks), name="Net", license="MIT")
    usual = {"scale": 1, "multiple": 1, "halo": 8, "data_range": 1, "gray": False, "task": "restore"}
    assert {key: getattr(card, key) for key in usual} == usual | unusual
    assert (card.name, card.license, card.data) == ("Net", "MIT", {"source": "net.onnx"})
    assert read_card("net") == card

    image = np.random.default_rng(0).random((72, 104, 3), np.float32)
    for tile in (16, 4096):
        got = resolvent.restore(image, model="NET", tile=tile)
        assert np.abs(got - expected(image)).max() <= (2e-3 if kind == "float16" else 1e-5)


def test_a_gray_image_is_one_channel_for_a_gray_network(networks):
    add(networks.blur(1), name="net")
    image = np.random.default_rng(0).random((40, 48), np.float32)
    assert np.abs(resolvent.restore(image, model="net") - mean(image[..., None])[..., 0]).max() <= 1e-5


def test_another_runtime_agrees(networks):
    add(networks.levels(), name="net")
    image = np.random.default_rng(0).random((40, 48, 3), np.float32)
    one, other = (resolvent.restore(image, model="net", runtime=runtime) for runtime in ("onnxruntime", "openvino"))
    assert np.abs(one - other).max() <= 1e-5
    with pytest.raises(InputError, match="another project's"):
        resolvent.restore(image, model="net", runtime="torch")


@pytest.mark.parametrize("opset", [13, 16, 20, 23])
def test_operator_sets_of_the_last_years_are_taken(opset, networks):
    assert add(networks.blur(opset=opset), data_range=1).halo == 8


def test_a_noise_level_is_told_where_a_network_takes_one(networks):
    """This one adds a tenth of what it is told."""
    weights = np.zeros((3, 4, 1, 1), np.float32)
    weights[range(3), range(3)], weights[:, 3] = 1, 0.1
    node = helper.make_node("Conv", ["image.1", "w"], ["result"])
    path = networks.write([node], {"w": weights}, shape=("n", 4, "h", "w"), outputs=3)
    with pytest.raises(InputError, match=r"4 channels.*--noise-level"):
        add(path)
    assert add(path, noise_level=True).noise_level
    image = np.random.default_rng(0).random((40, 48, 3), np.float32) / 2
    assert np.abs(resolvent.restore(image, model="net", sigma=25.5) - image - 0.01).max() <= 1e-6


def test_a_network_whose_tiles_would_show_is_taken_only_with_a_halo(networks):
    with pytest.raises(InputError, match="tiles would show; give --halo 96"):
        add(networks.brightness())
    assert add(networks.brightness(), halo=32).halo == 32


def test_a_model_of_resolvent_keeps_its_card(tiny):
    card = add(tiny[2], name="own")
    assert (card.network, card.halo, card.name) == (tiny[1].network, tiny[1].halo, "own")
    image = np.random.default_rng(0).random((40, 48, 3), np.float32)
    np.testing.assert_array_equal(*(resolvent.restore(image, model=m, sigma=9.0) for m in ("own", tiny[2])))


@pytest.mark.parametrize(
    "option", [{"license": "MIT"}, {"summary": "mine"}, {"data_range": 255}, {"noise_level": True}]
)
def test_what_a_card_says_is_not_said_again(tiny, option):
    with pytest.raises(UsageError, match="has a card of its own"):
        add(tiny[2], name="again", **option)


def identity(**options):
    return lambda made: made.write([helper.make_node("Identity", ["image.1"], ["result"])], {}, **options)


def external(made):
    path = made.blur()
    model = onnx.load(path)
    onnx.external_data_helper.convert_model_to_external_data(model, size_threshold=0)
    onnx.save(model, path)
    return path


def branch(made, kind="If"):
    nothing = helper.make_graph([], "empty", [], [])
    nodes = [helper.make_node(kind, ["image.1"], ["result"], then_branch=nothing, else_branch=nothing)]
    return made.write(nodes, {})


SECOND = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 1, "h", "w"])

REFUSED = {
    "one size": (lambda made: made.blur(shape=("n", 3, 64, 64)), "one size only"),
    "a batch": (lambda made: made.blur(shape=(4, 3, "h", "w")), "4 images at once"),
    "2 channels": (lambda made: made.blur(2), "2 channels"),
    "channels last": (identity(shape=("n", "h", "w", 3)), "one size only"),
    "3 axes": (identity(shape=("c", "h", "w")), "3 axes"),
    "integers": (identity(type=TensorProto.UINT8), "not of floats"),
    "two inputs": (identity(others=[SECOND]), "2 inputs"),
    "control flow": (branch, r"control flow \(If\)"),
    "external data": (external, "in another file"),
    "custom operators": (
        lambda made: made.write(
            [helper.make_node("Own", ["image.1"], ["result"], domain="my.ops")], {}, domains=["my.ops"]
        ),
        "custom operators.*my.ops::Own",
    ),
    "unlike": (
        lambda made: made.write([helper.make_node("Neg", ["image.1"], ["result"])], {}),
        "nothing like the image",
    ),
    "other channels": (
        lambda made: made.write(
            [helper.make_node("Conv", ["image.1", "w"], ["result"])],
            {"w": np.ones((2, 3, 1, 1), np.float32)},
            outputs=2,
        ),
        "the same size",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_network_of_one_image_is_refused_in_one_line(kind, networks, own_folder):
    make, message = REFUSED[kind]
    with pytest.raises(InputError, match=message) as error:
        add(make(networks))
    assert "\n" not in str(error.value)
    assert not own_folder.exists()


def test_a_folder_that_cannot_be_made_is_one_line(networks, own_folder):
    own_folder.write_bytes(b"a file")
    with pytest.raises(OutputError, match="RESOLVENT_MODELS names another folder"):
        add(networks.blur(), halo=8)


@pytest.mark.parametrize("name", ["denoise", "DENOISE", "add", "../net", "a b", "", "x.onnx", ".x", "x" * 65])
def test_names_that_cannot_be_used_are_refused(name, networks):
    with pytest.raises(UsageError, match="name "):
        add(networks.blur(), name=name)


def test_a_name_of_a_file_that_a_terminal_would_obey_is_escaped(networks, tmp_path):
    path = networks.blur().rename(tmp_path / "\x1b[31mnet.onnx")
    card = add(path, name="net", halo=8)
    assert (card.summary, card.data) == (r"from \x1b[31mnet.onnx", {"source": r"\x1b[31mnet.onnx"})


def test_options_that_do_not_fit_are_refused(networks):
    with pytest.raises(UsageError, match=r"scale 2: .* enlarges by 1"):
        add(networks.blur(), scale=2)
    with pytest.raises(UsageError, match="range 100"):
        add(networks.blur(), data_range=100)
    with pytest.raises(UsageError, match="halo -1"):
        add(networks.blur(), halo=-1)
    assert not added()


def test_a_name_is_taken_once_and_free_again(networks):
    add(networks.blur(), name="Net")
    for name in ("Net", "net"):
        with pytest.raises(UsageError, match="was added before"):
            add(networks.blur(), name=name)
    assert add(networks.levels(), name="Net", overwrite=True).data_range == 255
    assert list(added()) == ["Net"]
    remove("net")
    assert not added()
    with pytest.raises(UsageError, match="unknown added model"):
        remove("net")
    with pytest.raises(UsageError, match="comes with Resolvent"):
        remove("denoise")


class Upscaler(torch.nn.Module):
    """Twice as large by one convolution, and a random offset where ``noise`` is not 0."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 12, 3, padding=1)
        self.register_buffer("noise", torch.zeros(1))

    def forward(self, x):
        y = torch.nn.functional.pixel_shuffle(self.conv(x), 2)
        return y + self.noise * torch.rand_like(y)


@pytest.fixture
def spandrel(monkeypatch):
    """Spandrel in miniature: it has the names and the attributes that version 0.4 documents."""

    class Descriptor:
        input_channels, size_requirements = 3, SimpleNamespace(multiple_of=1)
        architecture = SimpleNamespace(name="Upscaler")

        def __init__(self, state):
            self.model = Upscaler()
            self.model.load_state_dict(state)

    class Loader:
        def __init__(self, device):
            assert device == "cpu"

        def load_from_state_dict(self, state):
            return Descriptor(state)

    fake = ModuleType("spandrel")
    fake.ImageModelDescriptor, fake.ModelLoader = Descriptor, Loader
    fake.canonicalize_state_dict = lambda state: state.get("params", state)
    monkeypatch.setitem(sys.modules, "spandrel", fake)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_become_a_model_by_what_spandrel_knows(suffix, tmp_path, spandrel):
    weights = torch.zeros(12, 3, 3, 3)
    for color in range(3):
        weights[4 * color : 4 * color + 4, color, 1, 1] = 1  # each pixel four times
    state = {"conv.weight": weights, "conv.bias": torch.zeros(12), "noise": torch.zeros(1)}
    path = tmp_path / f"Twice{suffix}"
    if suffix == ".pth":
        torch.save({"params": state}, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    card = add(path)
    assert (card.name, card.scale, card.foreign, card.data) == ("Twice", 2, True, {"source": path.name})
    image = np.random.default_rng(0).random((24, 32, 3), np.float32)
    assert np.abs(resolvent.restore(image, model="twice") - image.repeat(2, 0).repeat(2, 1)).max() <= 1e-5


def test_weights_that_cannot_be_used_are_refused_in_one_line(tmp_path, spandrel, own_folder):
    path = tmp_path / "x.pth"
    changed = Upscaler().state_dict() | {"noise": torch.ones(1)}
    for content, message in (
        ({"params": print}, "cannot be read safely"),
        ({"params": {"other": torch.zeros(1)}}, "knows no network"),
        ({"params": changed}, "gives other values as ONNX"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError, match=message) as error:
            add(path)
        assert "\n" not in str(error.value)
    assert not own_folder.exists()


def test_weights_without_spandrel_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(MissingDependencyError, match=r"resolvent\[foreign\]"):
        add(tmp_path / "x.pth")


def test_what_is_not_yet_a_model_says_how_it_becomes_one(networks, tmp_path):
    with pytest.raises(InputError, match=r"without a Resolvent card; resolvent models add .*net\.onnx"):
        read_card(networks.blur())
    with pytest.raises(UsageError, match=r"resolvent models add .*x\.pth"):
        find(str(tmp_path / "x.pth"))

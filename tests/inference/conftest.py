import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper


def box(channels, side=5, dtype=np.float32):
    """Weights of the mean over a window in each channel."""
    weights = np.zeros((channels, channels, side, side), dtype)
    weights[range(channels), range(channels)] = 1 / side**2
    return weights


def nearest(given, given_scales, result):
    """Enlarge by repeating pixels."""
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return helper.make_node("Resize", [given, "", given_scales], [result], **how)


class Networks:
    """Writes small ONNX files of the kinds that other projects publish; each returns its path."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, nodes, weights, shape=("n", 3, "h", "w"), type=1, opset=18, others=(), outputs=None, **parts):  # noqa: A002
        given = helper.make_tensor_value_info("image.1", type, shape)
        result = helper.make_tensor_value_info("result", type, ["m", outputs or shape[1], "h2", "w2"])
        stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
        graph = helper.make_graph(nodes, "graph", [given, *others], [result], stored)
        domains = [helper.make_opsetid(domain, 1) for domain in parts.pop("domains", ())]
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset), *domains], ir_version=8, **parts
        )
        path = self.folder / "net.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    def blur(self, channels=3, dtype=np.float32, **options):
        """The mean over 5x5 pixels, zeros outside."""
        kind = TensorProto.FLOAT16 if dtype == np.float16 else TensorProto.FLOAT
        node = helper.make_node("Conv", ["image.1", "w"], ["result"], pads=[2] * 4)
        options = {"shape": ("n", channels, "h", "w"), "type": kind} | options
        return self.write([node], {"w": box(channels, dtype=dtype)}, **options)

    def levels(self):
        """The same, then 2 gray levels of 255 brighter, and cut off at 0 and 255."""
        nodes = [
            helper.make_node("Conv", ["image.1", "w", "b"], ["c"], pads=[2] * 4),
            helper.make_node("Clip", ["c", "low", "high"], ["result"]),
        ]
        weights = {"w": box(3), "b": np.full(3, 2, np.float32), "low": np.float32(0), "high": np.float32(255)}
        return self.write(nodes, weights)

    def windows(self):
        """Half the image and half the mean of each window of 8x8 pixels, twice as large."""
        nodes = [
            helper.make_node("AveragePool", ["image.1"], ["mean"], kernel_shape=[8, 8], strides=[8, 8]),
            nearest("mean", "eight", "wide"),
            helper.make_node("Add", ["image.1", "wide"], ["sum"]),
            helper.make_node("Mul", ["sum", "half"], ["mixed"]),
            nearest("mixed", "two", "result"),
        ]
        scales = {"eight": np.float32([1, 1, 8, 8]), "two": np.float32([1, 1, 2, 2])}
        return self.write(nodes, {"half": np.float32(0.5), **scales})

    def brightness(self):
        """The image, and half of its mean: every pixel depends on all."""
        nodes = [
            helper.make_node("GlobalAveragePool", ["image.1"], ["mean"]),
            helper.make_node("Add", ["image.1", "mean"], ["sum"]),
            helper.make_node("Mul", ["sum", "half"], ["result"]),
        ]
        return self.write(nodes, {"half": np.float32(0.5)})


@pytest.fixture
def networks(tmp_path):
    return Networks(tmp_path)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """The folder of added models, empty."""
    monkeypatch.setenv("RESOLVENT_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"

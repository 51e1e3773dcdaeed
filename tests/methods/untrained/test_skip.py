import pytest
import torch

from resolvent.errors import UsageError
from resolvent.methods.untrained.dip import PRESETS
from resolvent.methods.untrained.skip import Skip

# published, with the number of channels of the image
PARAMETERS = {
    ("denoise", 3): 2_217_831,
    ("jpeg", 3): 572_827,
    ("super-resolution", 3): 2_217_831,
    ("super-resolution-8", 3): 2_217_831,
    ("inpaint-text", 3): 3_002_627,
    ("inpaint-region", 3): 2_157_955,
    ("inpaint-hole", 3): 2_996_467,
    ("inpaint-half", 1): 2_217_573,
    ("inpaint-most", 3): 1_027_379,
    ("flash", 3): 2_184_307,
}


@pytest.mark.parametrize(("preset", "channels"), PARAMETERS)
def test_parameters_are_those_of_the_notebooks(preset, channels):
    network = Skip(**{"channels": channels, **PRESETS[preset].network})
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[preset, channels]


def test_every_preset_is_counted():
    assert {name for name, _ in PARAMETERS} == set(PRESETS)


@pytest.mark.parametrize("padding", ["reflect", "circular"])
@pytest.mark.parametrize("pool", [False, True])
def test_shapes(padding, pool):
    network = Skip(5, 1, (4, 8), skip=(0, 2), upsampling=("nearest", "bilinear"), padding=padding, pool=pool)
    assert network.multiple == 4
    image = network(torch.rand(1, 5, 12, 20))
    assert image.shape == (1, 1, 12, 20)
    assert 0 < float(image.detach().min()) <= float(image.detach().max()) < 1


def test_circular_padding_turns_with_the_input():
    network = Skip(3, 3, (4, 8), skip=(2, 2), upsampling="nearest", padding="circular").eval()
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        moved = network(x.roll((4, 8), (2, 3)))
        assert torch.allclose(moved, network(x).roll((4, 8), (2, 3)), atol=1e-5)


def test_lists_must_agree():
    with pytest.raises(UsageError, match="one of each for every scale"):
        Skip(down=(8, 8), skip=(4,))

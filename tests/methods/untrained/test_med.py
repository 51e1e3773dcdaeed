import numpy as np
import pytest
import torch

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.methods.untrained import med
from resolvent.methods.untrained.med_network import Med
from resolvent.physics.forward_model import ForwardModel


@pytest.mark.parametrize("levels", [(2,), (2, 1), (3, 2, 1)])
@pytest.mark.parametrize(("skip", "cascade", "resize"), [(0, False, 1.0), (4, True, 1.0), (4, True, 0.5)])
def test_shapes(levels, skip, cascade, resize):
    network = Med(5, 3, levels, 8, skip, cascade=cascade, resize=resize)
    image = network(torch.rand(1, 5, 32, 48))
    assert image.shape == (1, 3, 32, 48)
    assert len(network.parts) == len(levels)
    assert [len(part.down) for part in network.parts] == list(levels)


def test_links_and_cascade_widen_what_the_decoder_sees():
    def inputs(**options):
        return Med(5, 3, (2,), 8, **options).parts[0].up[0][1][0].in_channels

    assert [inputs(skip=0), inputs(skip=4), inputs(skip=4, cascade=True)] == [8, 12, 17]


def test_levels_are_checked():
    with pytest.raises(UsageError, match="give the scales of each sub-network"):
        Med(levels=(2, 0))


def test_denoises_and_obeys_its_seed():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows, columns = np.mgrid[:32, :32] / 32
    x = np.stack([0.5 + 0.3 * np.sin(9 * rows + (4 + c) * columns) for c in range(3)], -1).astype(np.float32)
    told = parse("noise:sigma=25")
    y = told(x, np.random.default_rng(0))
    forward_model = ForwardModel(told)
    restored = med.restore(y, forward_model, levels=(2, 1), width=16, iterations=250, stop="none")
    assert np.mean((restored - x) ** 2) < 0.5 * np.mean((y - x) ** 2)
    assert np.array_equal(med.restore(y, forward_model, levels=(2, 1), width=16, iterations=250, stop="none"), restored)
    torch.set_num_threads(threads)

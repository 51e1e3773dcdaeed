import numpy as np
import pytest
import torch

from resolvent.degradations import parse
from resolvent.methods.untrained.p_gsure import EPSILON, LowestLoss, Pair, divergence

RNG = np.random.default_rng(0)
SHAPE = (12, 12)


def dense(apply, size):
    columns = [apply(row.reshape(1, *SHAPE)).reshape(-1) for row in torch.eye(size, dtype=torch.float64)]
    return torch.stack(columns, 1)


@pytest.mark.parametrize(
    "text",
    [
        "blur:sigma=1,boundary=circular",
        "motion:length=4,angle=30,boundary=circular",
        "blur:sigma=0.8,boundary=circular + downsample:scale=3,kernel=none",
        "downsample:scale=2,boundary=circular",
    ],
)
def test_projection_by_dense_matrices(text):
    operator = parse(text).operator(SHAPE)
    matrix = dense(operator, 144)
    ours = dense(lambda x: operator.pinv(operator(x), 0.05), 144)
    torch.testing.assert_close(ours, torch.linalg.pinv(matrix, rtol=0.05) @ matrix, atol=1e-9, rtol=0)
    torch.testing.assert_close(ours @ ours, ours, atol=1e-9, rtol=0)
    torch.testing.assert_close(ours, ours.T, atol=1e-9, rtol=0)
    x, y = torch.rand(1, *SHAPE).double(), torch.rand(1, *operator.output_shape).double()
    expected = torch.linalg.pinv(matrix, rtol=0.05) @ (matrix @ x.reshape(-1) - y.reshape(-1))
    torch.testing.assert_close(operator.pinv(operator(x) - y, 0.05).reshape(-1), expected, atol=1e-9, rtol=0)


def test_divergence_of_a_linear_map_is_its_projected_trace():
    """The mean over many directions of bᵀ P M b / N is tr(P M) / N."""
    operator = parse("blur:sigma=0.7,boundary=circular").operator(SHAPE)
    matrix = torch.from_numpy(RNG.random((144, 144)) / 144 + 0.5 * np.eye(144))
    generator = torch.Generator().manual_seed(0)

    class Linear(torch.nn.Module):
        def forward(self, u):
            return (u.reshape(len(u), -1).double() @ matrix.T).reshape(u.shape)

    pair = Pair(Linear(), generator)
    u = torch.rand(1, *SHAPE).double()
    found = []
    for _ in range(400):
        output, moved = pair(u).split(1)
        found.append(float(divergence(operator.pinv(operator(moved - output), 0.05), pair.direction.double())))
    expected = float(torch.trace(dense(lambda x: operator.pinv(operator(x), 0.05), 144) @ matrix) / 144)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / 20)
    assert abs(expected) > 0.1


def test_sure_is_unbiased_for_a_linear_denoiser():
    """Mean over noises of ‖f(y) - y‖² + 2 σ² div f - σ² N is the true mean square error."""
    sigma, size = 0.1, 400
    x = torch.from_numpy(RNG.random(size))
    shrink = 0.6
    estimates, errors = [], []
    for _ in range(500):
        y = x + sigma * torch.from_numpy(RNG.standard_normal(size))
        b = torch.from_numpy(RNG.standard_normal(size))
        moved = shrink * (y + EPSILON * b) - shrink * y
        estimates.append(float((shrink * y - y).square().mean() + 2 * sigma**2 * divergence(moved, b) - sigma**2))
        errors.append(float((shrink * y - x).square().mean()))
    assert np.mean(estimates) == pytest.approx(np.mean(errors), rel=0.02)


def test_the_lowest_averaged_loss_is_kept():
    stop = LowestLoss(window=2, patience=3)
    ended = []
    for i, loss in enumerate([5, 4, 1, 6, 2, 2, 7, 8, 9, 9]):
        stop.record(float(loss), 0.5)
        ended.append(stop.add(i, torch.zeros(1), torch.full((1,), float(i)), 0.0))
    assert stop.best is not None
    assert float(stop.best) == 5
    assert ended.index(True) == 8


def test_a_collapsing_divergence_ends_the_fit():
    stop = LowestLoss(window=2)
    stop.record(1.0, 0.3)
    stop.add(0, torch.zeros(1), torch.zeros(1), 0.0)
    stop.record(0.5, -0.9)
    assert stop.add(1, torch.zeros(1), torch.zeros(1), 0.0)

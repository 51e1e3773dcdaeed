"""What the operator of every linear degradation keeps to, as functions of one degradation: ``OPERATOR_CHECKS``."""

import numpy as np
import pytest
import torch

from resolvent.degradations import DEGRADATIONS, parse
from resolvent.errors import UsageError
from resolvent.physics.operators import MirroredConvolution, Product

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
OWN = [parse(text) for kind in DEGRADATIONS.values() for text in kind.examples]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


SHAPE = (12, 12)


def dense(degradation):
    """A, and A as a matrix."""
    operator = degradation.operator(SHAPE)
    identity = torch.eye(144, dtype=torch.float64).reshape(144, *SHAPE)
    return operator, operator(identity).flatten(1).T


def operator_is_the_degradation(degradation):
    degradation = degradation.sample(rng())
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(3, 2, *SHAPE, generator=generator(), dtype=dtype).to(DEVICE)
        before = x.clone()
        y = degradation.operator(SHAPE)(x)
        assert y.dtype == dtype
        assert y.shape[2:] == degradation.operator(SHAPE).output_shape
        assert torch.equal(x, before)
        torch.testing.assert_close(y, degradation.on_tensor(x), rtol=0, atol=2e-6)


def operator_has_its_adjoint(degradation):
    operator = degradation.sample(rng()).operator(SHAPE)
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-13)):
        x = torch.randn(2, 1, *SHAPE, generator=generator(), dtype=dtype).to(DEVICE)
        y = torch.randn(2, 1, *operator.output_shape, generator=generator(1), dtype=dtype).to(DEVICE)
        before = y.clone()
        forward, back = operator(x), operator.adjoint(y)
        assert back.dtype == dtype
        assert torch.equal(y, before)
        error = abs(float((forward * y).sum() - (x * back).sum()))
        assert error <= bound * float(forward.norm() * y.norm())


def operator_of_numpy_is_that_of_torch(degradation):
    operator = degradation.sample(rng()).operator(SHAPE)
    x = rng().random((2, *SHAPE), np.float32)
    y = operator(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, operator(torch.from_numpy(x)), atol=1e-6)
    np.testing.assert_allclose(operator.adjoint(y), operator.adjoint(torch.from_numpy(y)), atol=1e-6)


def operator_norm_is_the_largest_singular_value(degradation):
    operator, matrix = dense(degradation.sample(rng()))
    assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-4)


def operator_has_its_pseudo_inverse_or_refuses(degradation):
    operator, matrix = dense(degradation.sample(rng()))
    identity = torch.eye(len(matrix), dtype=torch.float64).reshape(-1, *operator.output_shape)
    if isinstance(operator, MirroredConvolution | Product):
        with pytest.raises(UsageError, match="no pseudo-inverse in closed form"):
            operator.pinv(identity)
        return
    inverse = operator.pinv(identity, rtol=1e-2).flatten(1).T
    torch.testing.assert_close(inverse, torch.linalg.pinv(matrix, rtol=1e-2), rtol=0, atol=1e-9)
    finer = operator.pinv(identity, rtol=1e-6).flatten(1).T
    torch.testing.assert_close(matrix @ finer @ matrix, matrix, rtol=0, atol=1e-6)


def operator_lets_gradients_through(degradation):
    operator = degradation.sample(rng()).operator(SHAPE)
    x = torch.rand(1, *SHAPE, generator=generator(), dtype=torch.float64).requires_grad_()
    y = operator(x)
    y.square().sum().div(2).backward()
    torch.testing.assert_close(x.grad, operator.adjoint(y.detach()))


def operator_refuses_another_shape(degradation):
    with pytest.raises(UsageError, match="the operator takes"):
        degradation.sample(rng()).operator(SHAPE)(torch.zeros(1, 2, 12, 13))


OPERATOR_CHECKS = [
    operator_is_the_degradation,
    operator_has_its_adjoint,
    operator_of_numpy_is_that_of_torch,
    operator_norm_is_the_largest_singular_value,
    operator_has_its_pseudo_inverse_or_refuses,
    operator_lets_gradients_through,
    operator_refuses_another_shape,
]

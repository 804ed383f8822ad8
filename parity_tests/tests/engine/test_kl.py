"""The Kullback-Leibler divergence and its gradients, against PyTorch."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.distributions as ours
import torch_ref.distributions as torchs
from parity_tests.harness.strategies import array, seeds
from scratch.distributions import kl

each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def positive(shape, dtype="float64", seed=0):
    return np.asarray(np.abs(array(shape, dtype, seed=seed)))


def agree(found, expected, tolerance=1e-12):
    found, expected = np.asarray(found), np.asarray(expected.detach())
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def leaves(*arrays):
    return [torch.tensor(x, requires_grad=True) for x in arrays]


@each_dtype
@given(
    shapes=st.sampled_from(
        [((4, 3), (4, 3)), ((4, 3), (3,)), ((4, 3), ()), ((3,), (4, 3)), ((4, 1), (1, 3)), ((), ())]
    ),
    event_dim=st.sampled_from([0, 1, 2]),
    seed=seeds,
)
def test_of_normals_it_is_torchs(dtype, shapes, event_dim, seed):
    arrays = array(shapes[0], dtype, seed=seed), positive(shapes[0][-1:], dtype, seed=seed + 1)
    arrays += array(shapes[1], dtype, seed=seed + 2), positive(shapes[1], dtype, seed=seed + 3)
    tensors = leaves(*arrays)
    p, q = ours.Normal(*arrays[:2]), ours.Normal(*arrays[2:])
    of_torch = [torchs.Normal(*tensors[:2]), torchs.Normal(*tensors[2:])]
    event_dim = min(event_dim, *map(len, shapes))
    if event_dim:
        p, q = ours.Independent(p, event_dim), ours.Independent(q, event_dim)
        of_torch = [torchs.Independent(one, event_dim) for one in of_torch]
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    expected = torchs.kl_divergence(*of_torch)
    size = max(1, float(expected.detach().abs().max()))
    y = ours.kl_divergence(p, q)
    agree(y / y.dtype.type(size), expected / size, tolerance)
    g = array(expected.shape, dtype, seed=seed + 4)
    expected.backward(torch.tensor(g))
    for grad, tensor in zip(ours.kl_divergence_backward(g, p, q), tensors, strict=True):
        size = max(1, float(tensor.grad.abs().max()))
        agree(grad / grad.dtype.type(size), tensor.grad / size, tolerance)


@each_dtype
@pytest.mark.parametrize("names", [("logits", "logits"), ("probs", "logits"), ("logits", "probs"), ("probs", "probs")])
@given(shape=st.sampled_from([(4, 3), (3,), (4, 1, 3)]), seed=seeds)
def test_of_categoricals_it_is_torchs(dtype, names, shape, seed):
    arrays = [
        (positive if name == "probs" else array)(of, dtype, seed=seed + k)
        for k, (name, of) in enumerate(zip(names, ((4, 3), shape), strict=True))
    ]
    tensors = leaves(*arrays)
    p, q = (ours.Categorical(**{name: x}) for name, x in zip(names, arrays, strict=True))
    of_torch = [torchs.Categorical(**{name: x}) for name, x in zip(names, tensors, strict=True)]
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    expected = torchs.kl_divergence(*of_torch)
    agree(ours.kl_divergence(p, q), expected, tolerance)
    g = array(expected.shape, dtype, seed=seed + 4)
    expected.backward(torch.tensor(g))
    for grad, tensor in zip(ours.kl_divergence_backward(g, p, q), tensors, strict=True):
        size = max(1, float(tensor.grad.abs().max()))
        agree(grad / grad.dtype.type(size), tensor.grad / size, tolerance)


@each_dtype
@pytest.mark.parametrize("names", [("logits", "logits"), ("probs", "logits"), ("logits", "probs"), ("probs", "probs")])
@given(
    shapes=st.sampled_from([((4, 3), (4, 3)), ((4, 3), (3,)), ((3,), (4, 3)), ((4, 1), (1, 3)), ((), ())]),
    event_dim=st.sampled_from([0, 1]),
    seed=seeds,
)
def test_of_bernoullis_it_is_torchs(dtype, names, shapes, event_dim, seed):
    arrays = [
        np.asarray(1 / (1 + np.exp(-x)) if name == "probs" else x, dtype)
        for name, x in zip(names, (array(shape, seed=seed + k) for k, shape in enumerate(shapes)), strict=True)
    ]
    tensors = leaves(*arrays)
    p, q = (ours.Bernoulli(**{name: x}) for name, x in zip(names, arrays, strict=True))
    shape = np.broadcast_shapes(*shapes)  # PyTorch compares batches of one shape
    of_torch = [torchs.Bernoulli(**{name: x.expand(shape)}) for name, x in zip(names, tensors, strict=True)]
    if min(event_dim, *map(len, shapes)):
        p, q = ours.Independent(p, 1), ours.Independent(q, 1)
        of_torch = [torchs.Independent(one, 1) for one in of_torch]
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    expected = torchs.kl_divergence(*of_torch)
    agree(ours.kl_divergence(p, q), expected, tolerance)
    g = array(expected.shape, dtype, seed=seed + 4)
    expected.backward(torch.tensor(g))
    for grad, tensor in zip(ours.kl_divergence_backward(g, p, q), tensors, strict=True):
        size = max(1, float(tensor.grad.abs().max()))
        agree(grad / grad.dtype.type(size), tensor.grad / size, tolerance)


def test_switches_that_never_or_always_say_one():
    ends = np.array(
        [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.25], [1.0, 0.25], [0.25, 0.0], [0.25, 1.0]]
    )
    p, q = (ours.Bernoulli(probs=one) for one in ends.T)
    expected = torchs.kl_divergence(*(torchs.Bernoulli(torch.tensor(one)) for one in ends.T))
    agree(ours.kl_divergence(p, q), expected)
    assert np.isposinf(ours.kl_divergence(p, q)).tolist() == [False, True, True, False, False, False, True, True]


def test_what_is_never_drawn_adds_nothing_and_what_is_called_impossible_is_too_far():
    """Where p has a logit of minus infinity, PyTorch's gradient of it is NaN."""
    x, y = array((4, 3)), array((4, 3), seed=1)
    x[0, 1] = x[1, 2] = y[1, 2] = y[2, 0] = -np.inf
    (of_x, of_y), g = leaves(x, y), array((4,), seed=2)
    p, q = ours.Categorical(logits=x), ours.Categorical(logits=y)
    expected = torchs.kl_divergence(
        torchs.Categorical(logits=of_x, validate_args=False), torchs.Categorical(logits=of_y, validate_args=False)
    )
    found = ours.kl_divergence(p, q)
    agree(found, expected)
    assert np.isposinf(found).tolist() == [False, False, True, False]
    expected.backward(torch.tensor(g))
    for grad, leaf in zip(ours.kl_divergence_backward(g, p, q), (of_x, of_y), strict=True):
        assert np.isfinite(grad).all()
        known = np.isfinite(leaf.grad.numpy()) & (np.arange(4) != 2)[:, None]
        np.testing.assert_allclose(grad[known], leaf.grad.numpy()[known], rtol=1e-12, atol=1e-12)
        assert known[3].all()
        assert not grad[np.isneginf(x if leaf is of_x else y)].any()


def test_several_pairs_are_kept_apart():
    """One posterior beside two priors, and the same two the other way round."""
    arrays = [(array((3,), seed=k), positive((3,), seed=k + 5)) for k in range(3)]
    p, q, r = (ours.Normal(*pair) for pair in arrays)
    pairs = [(p, q), (p, r), (q, p), (p, p)]
    for pair in pairs:
        ours.kl_divergence(*pair)
    for pair in pairs:
        grads = ours.kl_divergence_backward(np.ones(3), *pair)
        _, saved = kl.normal(*pair[0].given, *pair[1].given)
        for grad, expected in zip(grads, kl.normal_backward(np.ones(3), saved), strict=True):
            np.testing.assert_array_equal(grad, expected)
    with scratch.no_grad():
        ours.kl_divergence(p, r)
    with pytest.raises(RuntimeError, match="NormalKL: backward was called a second time"):
        ours.kl_divergence_backward(np.ones(3), p, r)
    with pytest.raises(RuntimeError, match="expected kl_divergence of the same two distributions before it"):
        ours.kl_divergence_backward(np.ones(3), r, p)
    with pytest.raises(RuntimeError, match="expected kl_divergence of the same two distributions before it"):
        ours.kl_divergence_backward(np.ones(3), q, r)


def test_nothing_is_kept_of_distributions_that_are_gone():
    kept = ours.kl_divergence._kept
    before = len(kept)
    p, q = ours.Normal(0.0, 1.0), ours.Categorical(np.ones(2))
    ours.kl_divergence(p, ours.Normal(1.0, 2.0))
    ours.kl_divergence(q, q)
    assert len(kept) == before + 2
    gc.collect()
    assert len(kept[p]) == 0
    del p, q
    gc.collect()
    assert len(kept) == before


@pytest.mark.parametrize(
    "pair",
    [
        lambda d, a: (d.Normal(a([0.0]), a([1.0])), d.Categorical(a([1.0]))),
        lambda d, a: (d.Categorical(a([1.0])), d.Bernoulli(a([1.0]))),
        lambda d, a: (d.Independent(d.Normal(a([0.0]), a([1.0])), 1), d.Normal(a([0.0]), a([1.0]))),
        lambda d, a: (
            d.Independent(d.Normal(a([0.0]), a([1.0])), 1),
            d.Independent(d.Normal(a([0.0]), a([1.0])), 0),
        ),
    ],
)
def test_other_pairs_are_refused_as_by_torch(pair):
    with pytest.raises(
        NotImplementedError, match="kl_divergence: expected two Normal, Categorical or Bernoulli, or two Indep"
    ):
        ours.kl_divergence(*pair(ours, np.array))
    with pytest.raises(NotImplementedError):
        torchs.kl_divergence(*pair(torchs, torch.tensor))

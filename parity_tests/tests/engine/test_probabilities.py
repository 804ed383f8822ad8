"""Categorical from probs or logits, Bernoulli, and the properties of the distributions, against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.distributions as ours
import torch_ref
import torch_ref.distributions as torchs
from parity_tests.harness.strategies import array, seeds
from scratch.distributions.bernoulli import BernoulliLogProb

each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
each_given = pytest.mark.parametrize("name", ["probs", "logits"])
SAMPLES = [(), (1,), (6,), (2, 5)]


def agree(found, expected, tolerance=1e-12):
    found, expected = np.asarray(found), np.asarray(expected.detach())
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def positive(shape, dtype="float64", seed=0):
    return np.asarray(np.abs(array(shape, dtype, seed=seed)))


def given_as(name, shape, dtype="float64", seed=0):
    """Return logits, or probs that do not add up to 1, with zeros, and a row that is certain."""
    if name == "logits":
        return array(shape, dtype, seed=seed)
    probs = positive(shape, dtype, seed=seed)
    probs[0], probs[1, -1] = np.eye(shape[-1])[1], 0
    return probs


# Categorical.


@each_dtype
@each_given
def test_logits_and_probs_are_normalized(name, dtype):
    x = given_as(name, (4, 3), dtype)
    mine, reference = ours.Categorical(**{name: x}), torchs.Categorical(**{name: torch.tensor(x)})
    tolerance = 1e-12 if dtype == "float64" else 3e-6
    agree(mine.logits, reference.logits, tolerance)
    agree(mine.probs, reference.probs, tolerance)
    agree(mine.mode, reference.mode)
    assert mine.given is x


@each_dtype
@pytest.mark.parametrize(
    ("name", "rows"), [("probs", [[1, 0, 0], [0, 1, 0]]), ("logits", [[1000, 0, -1000], [0, 900, 0]])]
)
def test_what_is_certain_has_torchs_logarithm(name, rows, dtype):
    x, action = np.array(rows, dtype), np.array([0, 1])
    leaf = torch.tensor(x, requires_grad=True)
    mine, reference = ours.Categorical(**{name: x}), torchs.Categorical(**{name: leaf})
    found, expected = mine.log_prob(action), reference.log_prob(torch.tensor(action))
    np.testing.assert_allclose(found, expected.detach(), rtol=1e-6, atol=0)  # log(1 - eps), or 0
    g = array((2,), dtype)
    (grad,) = torch.autograd.grad(expected, leaf, torch.tensor(g))
    np.testing.assert_allclose(mine.log_prob_backward(g), grad, rtol=1e-6, atol=0)


def test_a_divergence_that_is_written_out_is_torchs():
    x, y = array((4, 3)), array((4, 3), seed=1)
    values = []
    for engine, convert, exp in ((ours, np.asarray, np.exp), (torchs, torch.tensor, torch.exp)):
        p, q = engine.Categorical(logits=convert(x)), engine.Categorical(logits=convert(y))
        values.append((exp(p.logits) * (p.logits - q.logits)).sum(-1))
    agree(*values)


@each_dtype
@given(several=st.sampled_from([(), (1,), (5,)]), seed=seeds)
def test_a_policy_of_probabilities_is_torchs(dtype, several, seed):
    """Also of those that are 0 or 1, where the logarithm has limits."""
    probs = given_as("probs", (4, 3), dtype, seed)
    leaf = torch.tensor(probs, requires_grad=True)
    policy, reference = ours.Categorical(probs), torchs.Categorical(leaf)
    action = np.random.default_rng(seed).integers(0, 3, (*several, 4))
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    logp, entropy = reference.log_prob(torch.tensor(action)), reference.entropy()
    agree(policy.log_prob(action), logp, tolerance)
    agree(policy.entropy(), entropy, tolerance)
    g, h = array(logp.shape, dtype, seed=seed + 1), array((4,), dtype, seed=seed + 2)
    for grad, y, upstream in (
        (policy.log_prob_backward(g), logp, g),
        (policy.entropy_backward(h), entropy, h),
    ):
        (expected,) = torch.autograd.grad(y, leaf, torch.tensor(upstream), retain_graph=True)
        size = max(1, float(expected.abs().max()))
        agree(grad / grad.dtype.type(size), expected / size, tolerance)


@each_dtype
@pytest.mark.parametrize("sample_shape", [(6,), (2, 5)])
def test_draws_from_probabilities_are_torchs(sample_shape, dtype):
    probs = given_as("probs", (4, 3), dtype)
    scratch.manual_seed(3)
    torch_ref.manual_seed(3)
    found = ours.Categorical(probs).sample(sample_shape)
    np.testing.assert_array_equal(found, torchs.Categorical(torch.tensor(probs)).sample(sample_shape))
    assert set(found[..., 0].ravel()) == {1}
    scratch.manual_seed(3)
    assert ours.Categorical(probs).sample().shape == (4,)


@pytest.mark.parametrize("joint", [True, False])
def test_a_mixture_takes_probabilities(joint):
    event = (2,) if joint else ()
    probs, loc, scale = positive((4, 3)), array((4, 3, *event), seed=1), positive((3, *event), seed=2)
    value, g = array((4, *event), seed=3), array((4,), seed=4)
    tensors = [torch.tensor(x, requires_grad=True) for x in (value, probs, loc, scale)]
    components, of_torch = ours.Normal(loc, scale), torchs.Normal(*tensors[2:])
    if joint:
        components, of_torch = ours.Independent(components, 1), torchs.Independent(of_torch, 1)
    mine = ours.MixtureSameFamily(ours.Categorical(probs), components)
    reference = torchs.MixtureSameFamily(torchs.Categorical(tensors[1]), of_torch)
    expected = reference.log_prob(tensors[0])
    agree(mine.log_prob(value), expected)
    expected.backward(torch.tensor(g))
    for grad, tensor in zip(mine.log_prob_backward(g), tensors, strict=True):
        agree(grad, tensor.grad)
    for name in ("mean", "variance", "stddev"):
        agree(getattr(mine, name), getattr(reference, name))


# Normal.


@pytest.mark.parametrize(
    ("loc", "scale"),
    [
        (0.5, 2.0),
        (1, 2),
        (array((4, 3)), 2.0),
        (array((4, 3), "float32"), 2),
        (-0.25, positive((3,))),
        (np.float64(0.5), 2.0),
        (np.array(0.5), positive((2,))),
        (array((4, 3)), positive((3,), seed=1)),
        (array((4, 1)), positive((3,), seed=1)),
    ],
)
def test_numbers_and_arrays_are_broadcast_as_by_torch(loc, scale):
    as_torch = [torch.tensor(x) if isinstance(x, (np.ndarray, np.generic)) else x for x in (loc, scale)]
    mine, reference = ours.Normal(loc, scale), torchs.Normal(*as_torch)
    for name in ("loc", "scale", "mean", "mode", "stddev", "variance"):
        agree(getattr(mine, name), getattr(reference, name), 1e-6 if mine.loc.dtype == np.float32 else 1e-12)
    assert mine.batch_shape == tuple(reference.batch_shape)
    y = mine.rsample()
    mine.log_prob(y)
    mine.entropy()
    shapes = np.shape(loc), np.shape(scale)
    grads = [mine.rsample_backward(y), mine.log_prob_backward(y)[1:], (np.zeros(shapes[0]), mine.entropy_backward(y))]
    assert [tuple(map(np.shape, pair)) for pair in grads] == [shapes] * 3
    both, of_torch = ours.Independent(mine, y.ndim), torchs.Independent(reference, y.ndim)
    for name in ("mean", "mode", "stddev", "variance"):
        agree(getattr(both, name), getattr(of_torch, name), 1e-6)


# Bernoulli.


@each_dtype
@each_given
@given(several=st.sampled_from([(), (1,), (5,)]), seed=seeds)
def test_a_switch_is_torchs(name, dtype, several, seed):
    x = array((4, 3), dtype, seed=seed)
    if name == "probs":
        x = np.asarray(1 / (1 + np.exp(-x)), dtype)
        x[0, :2] = 0, 1
    leaf = torch.tensor(x, requires_grad=True)
    switch, reference = ours.Bernoulli(**{name: x}), torchs.Bernoulli(**{name: leaf})
    value = np.random.default_rng(seed).integers(0, 2, (*several, 4, 3)).astype(dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    logp, entropy = reference.log_prob(torch.tensor(value)), reference.entropy()
    agree(switch.log_prob(value), logp, tolerance)
    agree(switch.entropy(), entropy, tolerance)
    g, h = array(logp.shape, dtype, seed=seed + 1), array((4, 3), dtype, seed=seed + 2)
    for grad, y, upstream in (
        (switch.log_prob_backward(g), logp, g),
        (switch.entropy_backward(h), entropy, h),
    ):
        (expected,) = torch.autograd.grad(y, leaf, torch.tensor(upstream), retain_graph=True)
        agree(grad, expected, tolerance)
    for one in ("probs", "logits", "mean", "variance", "stddev"):
        agree(getattr(switch, one), getattr(reference, one), tolerance)
    agree(switch.mode, reference.mode)


@pytest.mark.parametrize("p", [0.25, 0, 1, 0.5])
def test_a_switch_may_be_a_number(p):
    mine, reference = ours.Bernoulli(p), torchs.Bernoulli(p)
    agree(mine.probs, reference.probs)
    agree(mine.logits, reference.logits, 1e-6)
    assert mine.batch_shape == tuple(reference.batch_shape)
    np.testing.assert_array_equal(mine.mode, torchs.Bernoulli(torch.tensor(float(p))).mode if p != 0.5 else np.nan)


@each_dtype
@each_given
@pytest.mark.parametrize("shape", [(), (1,), (4, 4), (3, 7)])
@pytest.mark.parametrize("sample_shape", SAMPLES)
def test_draws_of_a_switch_are_torchs(sample_shape, shape, name, dtype):
    x = array(shape, dtype) if name == "logits" else np.asarray(1 / (1 + np.exp(-array(shape, dtype))), dtype)
    scratch.manual_seed(5)
    torch_ref.manual_seed(5)
    found = ours.Bernoulli(**{name: x}).sample(sample_shape)
    agree(found, torchs.Bernoulli(**{name: torch.tensor(x)}).sample(sample_shape))


def test_two_methods_of_a_switch_do_not_disturb_each_other():
    switch, value = ours.Bernoulli(np.array([0.3, 0.8])), np.ones(2)
    switch.log_prob(value)
    switch.entropy()
    assert switch.logits.shape == (2,)
    agree(switch.log_prob_backward(np.ones(2)), torch.tensor(1 / np.array([0.3, 0.8])))
    agree(switch.entropy_backward(np.ones(2)), -torch.logit(torch.tensor([0.3, 0.8], dtype=torch.float64)))
    with pytest.raises(RuntimeError, match="BernoulliLogProb: backward was called a second time"):
        switch.log_prob_backward(np.ones(2))


def test_an_error_names_what_the_user_called():
    with pytest.raises(RuntimeError, match="BernoulliLogProb: backward was called before forward"):
        BernoulliLogProb().backward(np.ones(2))


# Refusals.


@pytest.mark.usefixtures("torch_checks")
@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda d, a: d.Categorical(), ValueError, "Categorical: expected either probs or logits, got none"),
        (lambda d, a: d.Categorical(a([1.0]), a([1.0])), ValueError, "Categorical: expected either probs or logits"),
        (lambda d, a: d.Categorical(a(1.0)), ValueError, r"Categorical: expected probs of shape \(..., A\)"),
        (lambda d, a: d.Categorical(a([0.5, -0.1])), ValueError, "Categorical: expected probs of 0 or more, got -0.1"),
        (lambda d, a: d.Categorical(a([0.5, np.nan])), ValueError, "Categorical: expected probs of 0 or more, got nan"),
        (lambda d, a: d.Categorical(a([[1.0, 2.0], [0.0, 0.0]])), ValueError, "Categorical: expected probs with a fin"),
        (lambda d, a: d.Categorical(a([1.0, np.inf])), ValueError, "Categorical: expected probs with a finite sum"),
        (lambda d, a: d.Bernoulli(), ValueError, "Bernoulli: expected either probs or logits, got none"),
        (lambda d, a: d.Bernoulli(a([0.5]), a([0.5])), ValueError, "Bernoulli: expected either probs or logits, got b"),
        (lambda d, a: d.Bernoulli(a([0.5, 1.5])), ValueError, r"Bernoulli: expected probs within \[0, 1\], got 1.5"),
        (lambda d, a: d.Bernoulli(-0.5), ValueError, r"Bernoulli: expected probs within \[0, 1\], got -0.5"),
        (
            lambda d, a: d.Bernoulli(a([0.5])).log_prob(a([0.25])),
            ValueError,
            "Bernoulli: expected values of 0 or 1, got 0.25",
        ),
        (
            lambda d, a: d.Bernoulli(a([0.5, 0.5])).log_prob(a([0.0, 1.0, 1.0])),
            ValueError,
            r"Bernoulli: expected shapes that broadcast together, got value \(3,\), the batch \(2,\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_as_by_torch(call, kind, words):
    with pytest.raises(kind, match=words):
        call(ours, np.array)
    with pytest.raises(kind):
        call(torchs, torch.tensor)


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="Bernoulli: expected logits of dtype float32 or float64, got int64"):
        ours.Bernoulli(logits=np.ones(2, int))
    with pytest.raises(TypeError, match=r"Bernoulli: expected probs to be a .*ndarray, got list"):
        ours.Bernoulli([0.5])
    with pytest.raises(RuntimeError, match="Bernoulli: expected value of dtype float64, got float32"):
        ours.Bernoulli(np.ones(2)).log_prob(np.ones(2, np.float32))
    with pytest.raises(ValueError, match="Chosen: expected actions from 0 to 1, got 2 to 2"):
        ours.Categorical(np.ones(2)).log_prob(np.array(2))

"""The distributions against torch.distributions: numbers, gradients, draws from one seed, and what they refuse."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.distributions as ours
import torch_ref
import torch_ref.distributions as torchs
from parity_tests.catalogue import named, of_kind
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, seeds
from scratch.distributions import categorical, mixture, normal, tanh_normal
from scratch.tape import Tape

each_method = pytest.mark.parametrize("entry", of_kind("distribution"), ids=lambda entry: entry.name)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
SHAPES = [(), (1,), (5,), (4, 4), (3, 7)]
SAMPLES = [(), (1,), (6,), (2, 5)]


def positive(shape, dtype="float64", seed=0):
    return np.asarray(np.abs(array(shape, dtype, seed=seed)))


def leaves(*arrays):
    return [torch.tensor(x, requires_grad=True) for x in arrays]


def agree(found, expected, tolerance=1e-12):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@each_method
@given(dtype=dtypes, seed=seeds)
def test_every_method_is_torchs(entry, dtype, seed):
    entry.case(dtype, seed).check(seed).raise_if_different()


@each_method
@given(seed=seeds)
def test_every_backward_is_the_derivative(entry, seed):
    case = entry.case("float64", seed)
    check(case.layer, None, *case.inputs, seed=seed).raise_if_different()


@given(seed=seeds)
def test_the_tape_finds_the_gradients_of_a_sample_and_of_its_log_probability(seed):
    loc, scale, noise = array((3, 2), seed=seed), positive((3, 2), seed=seed + 1), array((3, 2), seed=seed + 2)
    g, h = array((3, 2), seed=seed + 3), array((3, 2), seed=seed + 4)
    _, saved, _ = tanh_normal.rsample_with_log_prob(loc, scale, noise)
    found = tanh_normal.rsample_with_log_prob_backward(g, h, saved)
    tape = Tape()
    values = tape.watch(loc), tape.watch(scale)
    y, _, logp = tanh_normal.rsample_with_log_prob(*values, noise)
    grads = tape.gradients([y, logp], [g, h])
    for one, value in zip(found, values, strict=True):
        agree(one, grads[value])


# The classes: PyTorch's names, and a backward beside each.


@each_dtype
def test_a_policy_of_actions(dtype):
    logits, action = array((4, 3), dtype), np.array([0, 2, 1, 1])
    policy, (leaf,) = ours.Categorical(logits=logits), leaves(logits)
    reference = torchs.Categorical(logits=leaf)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    agree(policy.log_prob(action), reference.log_prob(torch.tensor(action)).detach(), tolerance)
    agree(policy.entropy(), reference.entropy().detach(), tolerance)
    g, h = array((4,), dtype, seed=1), array((4,), dtype, seed=2)
    loss = (torch.tensor(g) * reference.log_prob(torch.tensor(action)) + torch.tensor(h) * reference.entropy()).sum()
    loss.backward()
    found = policy.log_prob_backward(g) + policy.entropy_backward(h)
    assert found.dtype == dtype
    agree(found, leaf.grad, tolerance)


def test_a_forbidden_action_is_never_drawn_and_has_no_gradient():
    logits = np.array([[0.3, -np.inf, 1.0], [-np.inf, -np.inf, 2.0]])
    policy, (leaf,) = ours.Categorical(logits=logits), leaves(logits)
    reference = torchs.Categorical(logits=leaf, validate_args=False)
    action, g = np.array([2, 2]), np.array([1.5, -0.5])
    agree(policy.log_prob(action), reference.log_prob(torch.tensor(action)).detach())
    agree(policy.entropy(), reference.entropy().detach())
    assert np.isfinite(policy.log_prob_backward(g)).all()
    grad = policy.entropy_backward(g)
    assert np.isfinite(grad).all()
    assert not grad[logits == -np.inf].any()
    scratch.manual_seed(0)
    drawn = policy.sample((500,))
    assert set(drawn[:, 0]) == {0, 2}
    assert set(drawn[:, 1]) == {2}


@pytest.mark.parametrize("of_scale", [(3,), (4, 3), (4, 1), (1, 3)])
@pytest.mark.parametrize("event_dim", [0, 1, 2])
def test_a_diagonal_gaussian_with_a_shared_scale(event_dim, of_scale):
    loc, scale, value = array((4, 3)), positive(of_scale, seed=1), array((4, 3), seed=2)
    tensors = leaves(value, loc, scale)
    policy = ours.Independent(ours.Normal(loc, scale), event_dim)
    reference = torchs.Independent(torchs.Normal(*tensors[1:]), event_dim)
    logp, expected = policy.log_prob(value), reference.log_prob(tensors[0])
    agree(logp, expected.detach())
    agree(policy.entropy(), reference.entropy().detach())
    assert policy.batch_shape == tuple(reference.batch_shape)
    g, h = array(logp.shape, seed=3), array(logp.shape, seed=4)
    (torch.tensor(g) * expected + torch.tensor(h) * reference.entropy()).sum().backward()
    grad_value, grad_loc, grad_scale = policy.log_prob_backward(g)
    agree(grad_value, tensors[0].grad)
    agree(grad_loc, tensors[1].grad)
    agree(grad_scale + policy.entropy_backward(h), tensors[2].grad)


@pytest.mark.parametrize("event_dim", [0, 1])
@pytest.mark.parametrize("sample_shape", SAMPLES)
def test_a_squashed_sample_is_torchs_with_its_log_probability(sample_shape, event_dim):
    loc, scale = array((4, 3)), positive((3,), seed=1)
    tensors = leaves(loc, scale)
    policy = ours.TransformedDistribution(ours.Independent(ours.Normal(loc, scale), event_dim), [ours.TanhTransform()])
    reference = torchs.TransformedDistribution(
        torchs.Independent(torchs.Normal(*tensors), event_dim), [torchs.TanhTransform(cache_size=1)]
    )
    scratch.manual_seed(3)
    torch_ref.manual_seed(3)
    y, logp = policy.rsample_with_log_prob(sample_shape)
    drawn = reference.rsample(sample_shape)
    expected = reference.log_prob(drawn)
    agree(y, drawn.detach())
    agree(logp, expected.detach(), 1e-11)
    g, h = array(y.shape, seed=2), array(logp.shape, seed=3)
    ((torch.tensor(g) * drawn).sum() + (torch.tensor(h) * expected).sum()).backward()
    for grad, tensor in zip(policy.rsample_with_log_prob_backward(g, h), tensors, strict=True):
        agree(grad, tensor.grad, 1e-11)


@each_dtype
def test_samples_and_their_gradients_have_the_dtype_of_the_parameters(dtype):
    gaussian = ours.Normal(array((4, 3), dtype), positive((4, 3), dtype, seed=1))
    squashed = ours.TransformedDistribution(gaussian, ours.TanhTransform())
    components = ours.MixtureSameFamily(ours.Categorical(logits=array((4, 3), dtype)), gaussian)
    y, logp = squashed.rsample_with_log_prob((2,))
    found = [y, logp, *squashed.rsample_with_log_prob_backward(y, logp), squashed.rsample(), squashed.sample()]
    found += [gaussian.rsample((2,)), *gaussian.rsample_backward(y), gaussian.sample(), components.sample()]
    assert [x.dtype for x in found] == [np.dtype(dtype)] * len(found)


def test_a_squashed_values_log_probability_is_torchs():
    loc, scale, value = array((4, 3)), positive((4, 3), seed=1), np.tanh(array((4, 3), seed=2))
    tensors = leaves(value, loc, scale)
    policy = ours.TransformedDistribution(ours.Independent(ours.Normal(loc, scale), 1), ours.TanhTransform())
    reference = torchs.TransformedDistribution(
        torchs.Independent(torchs.Normal(*tensors[1:]), 1), [torchs.TanhTransform()]
    )
    expected, g = reference.log_prob(tensors[0]), array((4,), seed=3)
    agree(policy.log_prob(value), expected.detach())
    (torch.tensor(g) * expected).sum().backward()
    for grad, tensor in zip(policy.log_prob_backward(g), tensors, strict=True):
        agree(grad, tensor.grad, 1e-11)


def test_a_sample_at_the_limit_stays_finite():
    policy = ours.TransformedDistribution(ours.Normal(np.array([40.0, -40.0]), np.ones(2)), ours.TanhTransform())
    y, logp = policy.rsample_with_log_prob()
    np.testing.assert_array_equal(y, [1.0, -1.0])
    assert np.isfinite(logp).all()
    assert all(np.isfinite(grad).all() for grad in policy.rsample_with_log_prob_backward(np.ones(2), np.ones(2)))


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("several", [(), (5,)])
def test_a_mixture_is_torchs(several, joint):
    """A mixture of vectors (``joint``), and one for each number, as in world models."""
    event = (2,) if joint else ()
    logits, loc, scale = array((4, 3)), array((4, 3, *event), seed=1), positive((4, 3, *event), seed=2)
    value = array((*several, 4, *event), seed=3)
    tensors = leaves(value, logits, loc, scale)
    components = ours.Independent(ours.Normal(loc, scale), 1) if joint else ours.Normal(loc, scale)
    of_torch = torchs.Normal(*tensors[2:])
    of_torch = torchs.Independent(of_torch, 1) if joint else of_torch
    model = ours.MixtureSameFamily(ours.Categorical(logits=logits), components)
    reference = torchs.MixtureSameFamily(torchs.Categorical(logits=tensors[1]), of_torch)
    expected = reference.log_prob(tensors[0])
    agree(model.log_prob(value), expected.detach())
    g = array(expected.shape, seed=4)
    (torch.tensor(g) * expected).sum().backward()
    for grad, tensor in zip(model.log_prob_backward(g), tensors, strict=True):
        agree(grad, tensor.grad)
    assert model.batch_shape == tuple(reference.batch_shape)


def test_a_mixture_at_infinity_is_torchs():
    logits, loc, scale = array((1, 3)), array((1, 3, 1), seed=1), positive((1, 3, 1), seed=2)
    for value in (np.inf, -np.inf, 1e200):
        with np.errstate(all="ignore"):
            y, _ = mixture.log_prob(np.full((1, 1), value), logits, loc, scale)
        assert y[0] == -np.inf


# Draws.


@each_dtype
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sample_shape", SAMPLES)
def test_normal_draws_are_torchs(sample_shape, shape, dtype):
    loc, scale = array(shape, dtype), positive(shape, dtype, seed=1)
    mine, reference = ours.Normal(loc, scale), torchs.Normal(torch.tensor(loc), torch.tensor(scale))
    for method in ("sample", "rsample"):
        scratch.manual_seed(5)
        torch_ref.manual_seed(5)
        found, expected = getattr(mine, method)(sample_shape), getattr(reference, method)(sample_shape)
        assert found.dtype == dtype
        tolerance = 0 if dtype == "float64" else 3e-7  # PyTorch may fuse the product and the sum
        np.testing.assert_allclose(found, expected.numpy(), rtol=tolerance, atol=tolerance)
    g = array(found.shape, dtype, seed=2)
    grad_loc, grad_scale = mine.rsample_backward(g)
    assert (grad_loc.shape, grad_scale.shape) == (shape, shape)


@each_dtype
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sample_shape", SAMPLES)
def test_categorical_draws_are_torchs(sample_shape, shape, dtype):
    logits = array((*shape, 4), dtype)
    for seed in range(5):
        scratch.manual_seed(seed)
        torch_ref.manual_seed(seed)
        found = ours.Categorical(logits=logits).sample(sample_shape)
        expected = torchs.Categorical(logits=torch.tensor(logits)).sample(sample_shape)
        assert found.dtype == np.int64
        assert found.shape == tuple(expected.shape)
        if takes_the_times_of_the_race_from_the_words() or np.prod(sample_shape) > 1:
            np.testing.assert_array_equal(found, expected.numpy())


def takes_the_times_of_the_race_from_the_words():
    """Return whether PyTorch draws exponentials as we do; on Intel's processors it does not, see `categorical`."""
    scratch.manual_seed(0)
    torch.manual_seed(0)
    return np.allclose(torch.empty(4).exponential_(), -np.log1p(-scratch.random.rand(4, dtype=np.float64)))


@pytest.mark.parametrize("sample_shape", SAMPLES)
@pytest.mark.parametrize("joint", [True, False])
def test_mixture_draws_are_torchs(joint, sample_shape):
    event = (2,) if joint else ()
    logits, loc, scale = array((4, 3)), array((4, 3, *event), seed=1), positive((4, 3, *event), seed=2)
    if not takes_the_times_of_the_race_from_the_words():
        pytest.skip("PyTorch draws exponentials from another generator on this processor")
    scratch.manual_seed(7)
    torch_ref.manual_seed(7)
    drawn = []
    for engine, convert in ((ours, np.asarray), (torchs, torch.tensor)):
        components = engine.Normal(convert(loc), convert(scale))
        components = engine.Independent(components, 1) if joint else components
        model = engine.MixtureSameFamily(engine.Categorical(logits=convert(logits)), components)
        drawn.append(np.asarray(model.sample(sample_shape)))
    np.testing.assert_array_equal(*drawn)


@given(shift=st.integers(-2000, 2000), sample_shape=st.sampled_from(SAMPLES), seed=seeds)
def test_a_number_added_to_all_logits_changes_no_draw(shift, sample_shape, seed):
    logits = np.round(8 * array((4, 3))) / 8  # exact sums
    drawn = []
    for added in (0, shift):
        scratch.manual_seed(seed)
        drawn.append(categorical.sample(logits + added, sample_shape))
    np.testing.assert_array_equal(*drawn)


@given(count=st.sampled_from([1, 40_000]))
def test_what_is_likelier_is_drawn_more_often(count):
    logits = np.log(np.array([0.1, 0.6, 0.3]))
    scratch.manual_seed(1)
    if count == 1:
        drawn = categorical.sample(np.broadcast_to(logits, (40_000, 3)))
    else:
        drawn = categorical.sample(logits, (count,))
    np.testing.assert_allclose(np.bincount(drawn) / 40_000, [0.1, 0.6, 0.3], atol=0.01)


def test_a_sample_leaves_what_rsample_kept():
    policy = ours.Normal(array((3,)), positive((3,), seed=1))
    policy.rsample()
    policy.sample()
    assert len(policy.rsample_backward(np.ones(3))) == 2
    squashed = ours.TransformedDistribution(policy, ours.TanhTransform())
    squashed.rsample()
    squashed.sample()
    assert len(squashed.rsample_backward(np.ones(3))) == 2
    both = ours.Independent(policy, 1)
    both.rsample()
    both.sample()
    assert len(both.rsample_backward(np.ones(3))) == 2


# Refusals.


def test_a_backward_needs_its_forward():
    policy = ours.Normal(np.zeros(2), np.ones(2))
    with pytest.raises(RuntimeError, match="NormalLogProb: backward was called before forward"):
        policy.log_prob_backward(np.ones(2))
    policy.log_prob(np.zeros(2))
    policy.log_prob_backward(np.ones(2))
    with pytest.raises(RuntimeError, match="NormalLogProb: backward was called a second time"):
        policy.log_prob_backward(np.ones(2))
    policy.log_prob(np.zeros(2))
    with pytest.raises(RuntimeError, match=r"NormalLogProb: expected grad_output of shape \(2,\)"):
        policy.log_prob_backward(np.ones(3))


@pytest.mark.usefixtures("torch_checks")
@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_a_scale_that_is_not_positive_is_refused_as_torch_refuses_it(scale):
    with pytest.raises(ValueError, match=f"Normal: expected scale of more than 0, got {scale}"):
        ours.Normal(np.zeros(2), np.array([1.0, scale]))
    with pytest.raises(ValueError, match="scale"):
        torchs.Normal(torch.zeros(2), torch.tensor([1.0, scale]))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: ours.Normal([0.0], np.ones(1)), TypeError, "Normal: expected loc to be a numpy.ndarray, got list"),
        (
            lambda: ours.Normal(np.zeros(1), np.ones(1, np.float32)),
            RuntimeError,
            "Normal: expected scale of dtype float64",
        ),
        (lambda: ours.Normal(np.zeros(2), np.ones(3)), ValueError, "Normal: expected shapes that broadcast together"),
        (
            lambda: ours.Normal(np.zeros(2), np.ones(2)).log_prob(np.zeros(3)),
            ValueError,
            "NormalLogProb: expected shapes that broadcast together, got value",
        ),
        (
            lambda: ours.Normal(np.zeros(2), np.ones(2)).log_prob(np.zeros(2, np.float32)),
            RuntimeError,
            "NormalLogProb: expected loc of dtype float32, got float64",
        ),
        (lambda: ours.Categorical(logits=np.array(1.0)), ValueError, "Categorical: expected logits of shape"),
        (lambda: ours.Categorical(logits=np.ones((2, 0))), ValueError, "Categorical: expected logits of shape"),
        (lambda: ours.Categorical(logits=np.ones(2, int)), TypeError, "Categorical: expected logits of dtype float32"),
        (
            lambda: ours.Categorical(logits=np.ones((2, 3))).log_prob(np.array([0, 3])),
            ValueError,
            "CategoricalLogProb: expected actions from 0 to 2, got 0 to 3",
        ),
        (
            lambda: ours.Categorical(logits=np.ones((2, 3))).log_prob(np.array([0, -1])),
            ValueError,
            "CategoricalLogProb: expected actions from 0 to 2, got -1 to 0",
        ),
        (
            lambda: ours.Categorical(logits=np.ones((2, 3))).log_prob(np.array([0, 1, 2])),
            ValueError,
            "CategoricalLogProb: expected action of a shape that broadcasts with",
        ),
        (
            lambda: ours.Categorical(logits=np.ones((2, 3))).log_prob(np.array([0.0, 1.0])),
            RuntimeError,
            "CategoricalLogProb: expected action of dtype int64 or int32, got float64",
        ),
        (
            lambda: ours.Independent(ours.Normal(np.zeros(2), np.ones(2)), 2),
            ValueError,
            "Independent: expected reinterpreted_batch_ndims from 0 to the number of axes, 1, got 2",
        ),
        (
            lambda: ours.TransformedDistribution(ours.Normal(np.zeros(2), np.ones(2)), "exp"),
            NotImplementedError,
            "TransformedDistribution: expected a Normal, or Independent of one, and a TanhTransform, got",
        ),
        (
            lambda: ours.TransformedDistribution(ours.Normal(np.zeros(1), np.ones(1)), ours.TanhTransform()).log_prob(
                np.array([1.5])
            ),
            ValueError,
            r"TanhNormalLogProb: expected value within \[-1, 1\], got 1.5",
        ),
        (
            lambda: ours.MixtureSameFamily(ours.Normal(np.zeros(2), np.ones(2)), ours.Normal(np.zeros(2), np.ones(2))),
            NotImplementedError,
            "MixtureSameFamily: expected a Categorical and a Normal",
        ),
        (
            lambda: ours.MixtureSameFamily(ours.Categorical(logits=np.ones(3)), ours.Normal(np.zeros(2), np.ones(2))),
            ValueError,
            "MixtureSameFamily: expected as many components as logits",
        ),
        (
            lambda: mixture.MixtureLogProb()(np.ones(2), np.ones(3), np.ones((3, 4)), np.ones((3, 4))),
            ValueError,
            r"MixtureLogProb: expected value \(..., D\), logits \(..., K\), loc and scale",
        ),
        (
            lambda: mixture.MixtureLogProb()(np.array(1.0), np.ones(3), np.ones((3, 1)), np.ones((3, 1))),
            ValueError,
            "MixtureLogProb: expected value",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@each_method
def test_every_method_refuses_lists_and_integers(entry):
    case = entry.case("float64", 0, batch=2)
    first, *others = case.inputs
    with pytest.raises(TypeError, match=rf"{entry.name}: expected \w+ to be a numpy.ndarray, got list"):
        case.layer(first.tolist(), *others)
    with pytest.raises(TypeError, match=rf"{entry.name}: expected \w+ of dtype float32 or float64, got int64"):
        case.layer(first.astype(int), *others)
    names = list(inspect.signature(case.layer.functions[0]).parameters)
    for place, name in enumerate(names if hasattr(case.layer, "names") else ()):
        inputs = [x.tolist() if k == place else x for k, x in enumerate(case.inputs)]
        with pytest.raises(TypeError, match=f"{entry.name}: expected {name} to be a"):
            case.layer(*inputs)


def test_every_method_is_in_the_catalogue():
    from scratch.distributions.method import Method

    assert {cls.__name__ for cls in Method.__subclasses__()} == {entry.name for entry in of_kind("distribution")}
    assert named("NormalRSample").case("float64", 0).layer.functions == (normal.rsample, normal.rsample_backward)
    assert [name for name in ours.__all__ if not name.endswith("_backward")] == torchs.__all__


def test_rows_of_very_different_logits_do_not_disturb_each_other():
    """Each row subtracts its own maximum: with the largest of all rows, the small rows' exponentials would be 0."""
    logits = np.array([[2000.0, 2001.0, 1999.0], [0.0, 1.0, -1.0]])
    scratch.manual_seed(0)
    torch.manual_seed(0)
    draws = ours.Categorical(logits=logits).sample((5,))
    agree(draws, torch.distributions.Categorical(logits=torch.tensor(logits)).sample((5,)))
    value, loc, scale = array((2, 2)), array((2, 3, 2), seed=1), positive((2, 3, 2), seed=2)
    together = mixture.log_prob(value, logits, loc, scale)[0]
    for row in range(2):
        agree(together[row], mixture.log_prob(value[row], logits[row], loc[row], scale[row])[0])


def test_a_mixtures_scale_may_have_axes_that_its_mean_lacks():
    value, logits, loc, scale = array((2, 2)), array((2, 3)), array((3, 2), seed=1), positive((2, 3, 2), seed=2)
    method = mixture.MixtureLogProb()
    np.testing.assert_array_equal(
        method(value, logits, loc, scale), method(value, logits, np.broadcast_to(loc, (2, 3, 2)), scale)
    )
    for wrong in (
        (value, logits, loc, positive((2, 4, 2))),
        (value, logits, array((2, 2, 2)), positive((2, 1, 2))),
        (value, array((5, 3)), loc, scale),
        (array((2, 3)), logits, loc, scale),
    ):
        with pytest.raises(ValueError, match="MixtureLogProb: expected value"):
            mixture.MixtureLogProb()(*wrong)


def test_what_is_not_finite_is_0_where_a_maximum_is_taken_off():
    assert mixture.finite_or_zero(np.array([np.inf, -np.inf, np.nan, 2.0])).tolist() == [0.0, 0.0, 0.0, 2.0]


def test_an_action_is_one_number():
    assert ours.Categorical(logits=np.zeros((4, 3))).event_dim == 0

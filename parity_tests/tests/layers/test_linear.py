"""Linear, Identity, Flatten and Sequential against PyTorch, their options crossed with shapes, layouts and dtypes."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from scratch.gradcheck import gradcheck

leading = st.lists(st.integers(0, 4), max_size=3).map(tuple)
sizes = st.integers(1, 6)


@given(leading=leading, i=sizes, o=sizes, bias=st.booleans(), dtype=dtypes, layout=layouts, seed=seeds)
def test_linear_is_torchs(leading, i, o, bias, dtype, layout, seed):
    x = array((*leading, i), dtype, seed=seed, layout=layout)
    layer = random_state(nn.Linear(i, o, bias=bias, dtype=dtype), seed)
    grad_output = array((*leading, o), dtype, seed=seed + 1, layout=layout)
    twin = torch.nn.Linear(i, o, bias=bias)
    check(layer, twin, x, grad_output=grad_output, seed=seed).raise_if_different()


@given(leading=leading, i=sizes, o=sizes, bias=st.booleans(), layout=layouts, seed=seeds)
def test_linear_is_its_finite_differences(leading, i, o, bias, layout, seed):
    layer = random_state(nn.Linear(i, o, bias=bias, dtype="float64"), seed)
    gradcheck(layer, array((*leading, i), seed=seed, layout=layout), seed=seed, directional=True)


@given(leading=leading, dtype=dtypes, layout=layouts, seed=seeds)
def test_identity_is_torchs(leading, dtype, layout, seed):
    x = array(leading, dtype, seed=seed, layout=layout)
    check(nn.Identity(3, unused=True), torch.nn.Identity(3, unused=True), x, seed=seed).raise_if_different()


@given(
    shape=st.lists(st.integers(0, 4), max_size=5).map(tuple),
    start=st.integers(-6, 5),
    end=st.integers(-6, 5),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_flatten_is_torchs_in_what_it_returns_and_in_what_it_refuses(shape, start, end, dtype, layout, seed):
    x = array(shape, dtype, seed=seed, layout=layout)
    ours, theirs = nn.Flatten(start, end), torch.nn.Flatten(start, end)
    try:
        theirs(torch.from_numpy(x.copy()))
    except (IndexError, RuntimeError) as refusal:
        with pytest.raises(type(refusal)):
            ours(x)
    else:
        check(ours, theirs, x, seed=seed).raise_if_different()


@given(batch=st.integers(0, 4), bias=st.booleans(), dtype=dtypes, layout=layouts, seed=seeds)
def test_sequential_is_torchs(batch, bias, dtype, layout, seed):
    x = array((batch, 2, 3, 2), dtype, seed=seed, layout=layout)

    def model(library, **options):
        inner = library.Sequential(library.Linear(6, 3, bias=bias, **options), library.Identity())
        return library.Sequential(library.Flatten(2), inner, library.Flatten(), library.Linear(6, 5, **options))

    layer = random_state(model(nn, dtype=dtype), seed)
    check(layer, model(torch.nn), x, seed=seed).raise_if_different()


def test_sequential_takes_names_and_gives_them_to_the_state():
    def model(library, **options):
        return library.Sequential(
            OrderedDict(first=library.Linear(3, 4, **options), last=library.Linear(4, 2, **options))
        )

    ours, theirs = model(nn, dtype="float64"), model(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    check(random_state(ours), theirs, array((5, 3))).raise_if_different()


def test_sequential_is_a_sequence():
    layers = nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 2)
    model = nn.Sequential(*layers)
    assert len(model) == 3
    assert tuple(model) == layers
    assert model[0] is layers[0]
    assert model[-1] is layers[2]
    tail = model[1:]
    assert isinstance(tail, nn.Sequential)
    assert tuple(tail) == layers[1:]
    assert list(tail.state_dict()) == list(
        torch.nn.Sequential(*map(torch.nn.Linear, (3, 4, 4), (4, 4, 2)))[2:].state_dict()
    )
    assert len(nn.Sequential()) == 0
    x = array((2, 3))
    assert nn.Sequential()(x) is x
    with pytest.raises(TypeError, match="expected layer '1' to be a Module, got function"):
        nn.Sequential(nn.Identity(), lambda x: x)


@pytest.mark.parametrize("name", ["a.b", "forward", "training"])
def test_sequential_refuses_names_that_cannot_be_attributes(name):
    message = refuses_as_torch(
        lambda: nn.Sequential(OrderedDict([("first", nn.ReLU()), (name, nn.ReLU())])),
        lambda: torch.nn.Sequential(OrderedDict([("first", torch.nn.ReLU()), (name, torch.nn.ReLU())])),
    )
    assert "expected a name without dots that is not taken" in message


def test_linear_overflows_as_torch_does_without_a_warning():
    layer, reference = nn.Linear(2, 2), torch.nn.Linear(2, 2)
    x = np.array([[3e38, 3e38], [np.inf, -np.inf], [np.nan, 1.0]], np.float32)
    for parameter, tensor in zip(layer.parameters(), reference.parameters(), strict=True):
        parameter.data[...] = 2.0
        tensor.data.fill_(2.0)
    tensor = torch.from_numpy(x).requires_grad_()
    output = reference(tensor)
    output.backward(torch.from_numpy(x))
    np.testing.assert_array_equal(layer(x), output.detach().numpy())
    np.testing.assert_array_equal(layer.backward(x), tensor.grad.numpy())


def test_linear_starts_where_torchs_starts():
    for bias in (True, False):
        layer = nn.Linear(9, 1000, bias=bias)
        assert np.abs(layer.weight.data).max() <= 1 / 3
        assert layer.weight.data.std() == pytest.approx(1 / 3 / np.sqrt(3), rel=0.05)
    assert (layer.bias is None) == (torch.nn.Linear(9, 2, bias=False).bias is None)


@pytest.mark.parametrize(
    ("build", "x"),
    [
        (lambda library, **o: library.Linear(3, 5, **o), np.zeros((4, 2), np.float32)),
        (lambda library, **o: library.Linear(3, 5, **o), np.zeros((3, 4), np.float32)),
        (lambda library, **o: library.Linear(3, 5, **o), np.float32(1).reshape(())),
        (lambda library, **o: library.Linear(3, 5, **o), np.zeros((4, 3), np.float64)),
        (lambda library, **o: library.Linear(3, 5, **o), np.zeros((4, 3), np.int64)),
        (lambda library, **o: library.Linear(3, 5, **o), [[1.0, 2.0, 3.0]]),
    ],
)
def test_linear_refuses_what_torch_refuses(build, x):
    with pytest.raises((RuntimeError, TypeError)) as theirs:
        build(torch.nn)(torch.from_numpy(x) if isinstance(x, np.ndarray) else x)
    with pytest.raises(theirs.type, match="Linear: expected input"):
        build(nn)(x)


def test_linear_refuses_sizes_and_dtypes_that_make_no_layer():
    for sizes in ((-1, 3), (3, -1), (2.5, 3), (3, "4")):
        with pytest.raises((RuntimeError, TypeError)) as theirs:
            torch.nn.Linear(*sizes)
        name = "in_features" if sizes[1] == 3 else "out_features"
        with pytest.raises(theirs.type, match=f"Linear: expected {name} "):
            nn.Linear(*sizes)
    with pytest.raises(TypeError, match="Linear: expected dtype float32 or float64, got int32"):
        nn.Linear(3, 5, dtype=np.int32)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("leading", [(), (4,), (2, 2)])
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_linear_without_features_is_torchs(sizes, leading):
    layer = nn.Linear(*sizes, dtype=np.float64)
    assert not layer.bias.data.any() or sizes[0]
    check(layer, torch.nn.Linear(*sizes), array((*leading, sizes[0]))).raise_if_different()


@pytest.mark.parametrize("build", [lambda: nn.Linear(3, 5, dtype="float64"), lambda: nn.Flatten(0), nn.ReLU])
def test_a_wrong_upstream_gradient_is_refused(build):
    layer = build()
    name = type(layer).__name__
    y = layer(array((4, 3)))
    with pytest.raises(RuntimeError, match=rf"{name}: expected grad_output of shape .*got \(9, 9\)"):
        layer.backward(np.zeros((9, 9)))
    with pytest.raises(RuntimeError, match=f"{name}: expected grad_output of dtype float64, got float32"):
        layer.backward(np.zeros(y.shape, np.float32))
    with pytest.raises(TypeError, match=f"{name}: expected grad_output to be a numpy.ndarray, got float"):
        layer.backward(1.0)


@given(leading=leading, seed=seeds, dtype=st.just("float64"))
def test_linear_backward_is_linear_and_the_adjoint_of_forward(leading, seed, dtype):
    """Law: backward(2 g + h) = 2 backward(g) + backward(h), and <g, W x> = <backward(g), x>."""
    layer = random_state(nn.Linear(3, 5, bias=False, dtype=dtype), seed)
    x = array((*leading, 3), dtype, seed=seed)
    g, h = (array((*leading, 5), dtype, seed=seed + k) for k in (1, 2))
    y = layer(x)
    with scratch.retain_graph():
        both, one, other = (layer.backward(grad) for grad in (2 * g + h, g, h))
    np.testing.assert_allclose(both, 2 * one + other, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.vdot(g, y), np.vdot(one, x), rtol=1e-12, atol=1e-11)

"""A convolution, a ReLU and a pooling that run as one cannot be told from the three layers run one by one."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch

import scratch
from parity_tests.harness.arrays import array
from scratch import fusion, models, nn
from scratch.kernels import conv_relu_pool, winograd
from torch_ref import models as torch_models

#          N  C   O   kernel   H   W   padding
SHAPES = [
    (5, 1, 8, 3, 28, 28, 1),
    (3, 32, 33, 3, 14, 8, 1),  # Winograd's
    (2, 33, 32, 3, 9, 10, 1),  # too odd for Winograd here, and left to the layers
    (4, 3, 6, 5, 13, 11, 0),
    (7, 2, 3, (2, 3), 7, 9, (1, 0)),
    (3, 16, 5, 4, 8, 9, "same"),
    (70, 1, 4, 3, 30, 31, 2),  # several chunks
    (3, 16, 9, 2, 9, 15, 0),  # Winograd's, with smaller tiles
]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def sequential(shape, dtype="float64", bias=True, pool=None):
    """Return a convolution, a ReLU and a pooling in a row."""
    scratch.manual_seed(1)
    _, c, o, kernel, _, _, padding = shape
    conv = nn.Conv2d(c, o, kernel, padding=padding, bias=bias, dtype=np.dtype(dtype))
    return nn.Sequential(conv, nn.ReLU(), pool or nn.MaxPool2d(2))


def inputs(shape, dtype="float64", seed=0):
    n, c, _, _, h, w, _ = shape
    return array((n, c, h, w), seed=seed, dtype=dtype)


def passes(model, x, grad_y=None, one_by_one=(False, False)):
    """Return the output and all gradients; ``one_by_one``: whether forward, and backward, run layer by layer."""
    if one_by_one[0]:
        y = x
        for layer in model:
            y = layer(y)
    else:
        y = model(x)
    grad = array(y.shape, seed=7, dtype=str(y.dtype)) if grad_y is None else grad_y
    model.zero_grad()
    if one_by_one[1]:
        for layer in reversed(list(model)):
            grad = layer.backward(grad)
    else:
        grad = model.backward(grad)
    return y, grad, *[parameter.grad for parameter in model.parameters()]


def assert_close(found, expected, rtol=1e-12):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * max(np.abs(other).max(initial=0), 1e-300))


@pytest.fixture
def fused_calls(monkeypatch):
    """List the calls of the fused kernel, forward and backward: the shape of the first argument of each."""
    calls = []

    def forward(x, weight, bias, sides, keep):
        calls.append(x.shape)
        return conv_relu_pool.conv2d_relu_max_pool2d(x, weight, bias, sides, keep)

    def backward(grad_y, weight, saved):
        calls.append(grad_y.shape)
        return conv_relu_pool.conv2d_relu_max_pool2d_backward(grad_y, weight, saved)

    monkeypatch.setattr(fusion.ConvReLUPool, "functions", (forward, backward))
    return calls


@each_shape
@pytest.mark.parametrize("bias", [True, False])
def test_as_one_they_are_what_they_are_one_by_one(shape, bias):
    model, x = sequential(shape, bias=bias), inputs(shape)
    assert_close(passes(model, x), passes(model, x, one_by_one=(True, True)))


@each_shape
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_among_whole_numbers_with_many_ties_not_a_bit_differs(shape, dtype):
    model, rng = sequential(shape, dtype), np.random.default_rng(0)
    for parameter in model.parameters():
        parameter.data[...] = rng.integers(-2, 3, parameter.shape)
    x = rng.integers(-2, 3, inputs(shape).shape).astype(dtype)
    with scratch.plain():
        grad_y = rng.integers(-3, 4, model(x).shape).astype(dtype)
        model.train()
        expected = passes(model, x, grad_y)
    for one, other in zip(passes(model, x, grad_y), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def as_torch(shape, model):
    _, c, o, kernel, _, _, padding = shape
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(c, o, kernel, padding=padding, dtype=torch.float64), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
    )
    theirs.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
    return theirs


@each_shape
@pytest.mark.parametrize("value", [None, np.nan, np.inf, -np.inf, 1e200])
def test_as_one_they_are_what_pytorch_makes_of_them(shape, value):
    model, x = sequential(shape), inputs(shape)
    if value is not None:
        x[:, 0, 3, 4] = value
        x[0, 0, 3, 5] = value
    theirs, x_torch = as_torch(shape, model), torch.tensor(x, requires_grad=True)
    y_torch = theirs(x_torch)
    found = passes(model, x)
    y_torch.backward(torch.tensor(array(y_torch.shape, seed=7)))
    expected = [y_torch, x_torch.grad, *[parameter.grad for parameter in theirs.parameters()]]
    for one, other in zip(found, expected, strict=True):
        other = other.detach().numpy()
        size = np.abs(other[np.isfinite(other)]).max(initial=1e-300)
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11 * size)


def test_of_several_nan_in_a_window_the_last_gets_the_gradient():
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False, dtype=np.float64), nn.ReLU(), nn.MaxPool2d(2))
    model[0].weight.data[...] = 1.0
    for nans in ([0], [3], [0, 1], [1, 2], [0, 3], [0, 1, 2], [0, 1, 2, 3]):
        x = array((1, 1, 2, 2))
        x.reshape(-1)[nans] = np.nan
        model(x)
        assert np.flatnonzero(model.backward(np.full((1, 1, 1, 1), 2.5))).tolist() == nans[-1:]


def test_an_infinite_gradient_reaches_nothing_but_the_winners():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    grad_y = np.where(model(x) == 0, np.inf, 1.5)
    model.train()
    found = passes(model, x, grad_y)
    assert all(np.isfinite(one).all() for one in found)


def test_what_networks_are_made_of_runs_as_one(fused_calls, monkeypatch):
    tiles = []
    for name in ("convolve_planes", "convolve_planes_backward"):
        function = getattr(winograd, name)
        counting = lambda *arguments, name=name, function=function: tiles.append(name) or function(*arguments)  # noqa: E731
        monkeypatch.setattr(winograd, name, counting)
    model = models.SmallCNN()
    y = model(array((4, 1, 28, 28), dtype="float32"))
    model.backward(array(y.shape, seed=1, dtype="float32"))
    first, second = (4, 32, 14, 14), (4, 64, 7, 7)
    assert fused_calls == [(4, 1, 28, 28), first, second, first]  # of the inputs, and of the gradients
    assert set(tiles) == {"convolve_planes", "convolve_planes_backward"}


@each_shape
def test_each_layers_own_backward_undoes_what_ran_as_one(shape):
    model, x = sequential(shape), inputs(shape)
    assert_close(passes(model, x, one_by_one=(False, True)), passes(model, x, one_by_one=(True, True)))


def test_each_layers_own_backward_runs_without_recording_too():
    found = []
    for one_by_one in (False, True):
        model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
        grad = array(model(x).shape, seed=7)
        with scratch.no_grad():
            for layer in reversed(list(model)) if one_by_one else [model]:
                grad = layer.backward(grad)
        found.append(grad)
    assert_close(*[[one] for one in found])


def test_each_layers_own_backward_leaves_out_the_gradient_of_constants():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    model.requires_input_grad_(False)
    grad = array(model(x).shape, seed=7)
    for layer in reversed(list(model)):
        grad = layer.backward(grad)
    assert grad.shape == x.shape
    assert np.isnan(grad).all()
    assert np.isfinite(model[0].weight.grad).all()


def test_what_is_too_odd_for_winograds_tiles_is_left_to_the_layers(fused_calls):
    for h, w in ((9, 10), (10, 9), (9, 9)):
        shape = (2, 32, 32, 3, h, w, 1)
        sequential(shape)(inputs(shape))
    assert not fused_calls
    shape = (2, 32, 32, 3, 8, 10, 1)
    sequential(shape)(inputs(shape))
    assert len(fused_calls) == 1


def test_a_layers_own_backward_takes_the_parameters_of_its_forward():
    found = []
    for one_by_one in (False, True):
        model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
        y = x
        for layer in model if one_by_one else [model]:
            y = layer(y)
        model[0].bias.data += 1.0  # as an optimizer would
        found.append(model[1].backward(model[2].backward(array(y.shape, seed=3))))
    np.testing.assert_array_equal(*found)


def test_backward_takes_the_form_of_its_forward():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    expected = passes(model, x)
    grad = array(expected[0].shape, seed=7)
    for plain in (True, False):
        model.zero_grad()
        with scratch.plain(plain):
            y = model(x)
        with scratch.plain(not plain):
            grad_x = model.backward(grad)
        assert_close((y, grad_x, *[parameter.grad for parameter in model.parameters()]), expected)


NOT_AS_ONE = {
    "stride": (nn.Conv2d(2, 3, 3, stride=2, dtype=np.float64), nn.MaxPool2d(2)),
    "dilation": (nn.Conv2d(2, 3, 3, dilation=2, dtype=np.float64), nn.MaxPool2d(2)),
    "groups": (nn.Conv2d(2, 4, 3, groups=2, dtype=np.float64), nn.MaxPool2d(2)),
    "padding_mode": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect", dtype=np.float64), nn.MaxPool2d(2)),
    "window": (nn.Conv2d(2, 3, 3, dtype=np.float64), nn.MaxPool2d(3, 2)),
    "pool padding": (nn.Conv2d(2, 3, 3, dtype=np.float64), nn.MaxPool2d(2, padding=1)),
    "pool dilation": (nn.Conv2d(2, 3, 3, dtype=np.float64), nn.MaxPool2d(2, dilation=2)),
    "ceil_mode": (nn.Conv2d(2, 3, 3, dtype=np.float64), nn.MaxPool2d(2, ceil_mode=True)),
}


@pytest.mark.parametrize("option", NOT_AS_ONE)
@pytest.mark.parametrize("shape", [(3, 2, 11, 13), (2, 11, 13)], ids=["batch", "one image"])
def test_what_the_kernel_cannot_do_the_layers_do(option, shape, fused_calls):
    conv, pool = copy.deepcopy(NOT_AS_ONE[option])
    model, x = nn.Sequential(conv, nn.ReLU(), pool), array(shape)
    found = passes(model, x)
    assert not fused_calls
    assert_close(found, passes(model, x, one_by_one=(True, True)))


def test_one_image_without_a_batch_and_an_empty_batch_are_left_to_the_layers(fused_calls):
    model = sequential(SHAPES[0])
    x = inputs(SHAPES[0])
    assert_close([model(x[0])], [model(x)[0]])
    model.train()
    assert passes(model, x[:0])[0].shape == (0, 8, 14, 14)
    assert fused_calls == [x.shape]


def test_indices_are_returned(fused_calls):
    model = sequential(SHAPES[0], pool=nn.MaxPool2d(2, return_indices=True))
    y, indices = model(inputs(SHAPES[0]))
    assert y.shape == indices.shape
    assert not fused_calls


def test_an_option_that_is_changed_counts(fused_calls):
    model = sequential(SHAPES[0])
    model[2].ceil_mode = True
    model(inputs(SHAPES[0]))
    assert not fused_calls


def test_whoever_looks_at_a_layers_forward_sees_it(fused_calls):
    model, seen = sequential(SHAPES[0]), []
    forward = model[1].forward
    model[1].forward = lambda x: seen.append(x.shape) or forward(x)
    model(inputs(SHAPES[0]))
    assert seen == [(5, 8, 28, 28)]
    assert not fused_calls


def test_a_class_of_the_users_own_is_left_alone(fused_calls):
    class Doubling(nn.ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    model = nn.Sequential(sequential(SHAPES[0])[0], Doubling(), nn.MaxPool2d(2))
    x = inputs(SHAPES[0])
    np.testing.assert_allclose(model(x), 2 * sequential(SHAPES[0])(x))
    assert fused_calls == [x.shape]


def test_a_layer_that_is_replaced_is_no_longer_part_of_it():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    model(x)
    setattr(model, "1", nn.Tanh())
    model.train()
    assert_close(passes(model, x), passes(model, x, one_by_one=(True, True)))


def test_a_second_backward_raises_and_so_does_one_after_two_forwards():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    grad = array(model(x).shape, seed=7)
    model.backward(grad)
    with pytest.raises(RuntimeError, match="MaxPool2d: backward was called a second time"):
        model.backward(grad)
    model(x)
    model(x)
    with pytest.raises(RuntimeError, match="MaxPool2d: 2 forwards have run"):
        model.backward(grad)


def test_a_forward_of_one_of_its_layers_is_another_forward():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    y = model(x)
    model[1](x)
    with pytest.raises(RuntimeError, match="ReLU: 2 forwards have run"):
        model.backward(array(y.shape, seed=7))


def test_a_backward_in_another_thread_raises():
    model, x, errors = sequential(SHAPES[0]), inputs(SHAPES[0]), []
    grad = array(model(x).shape, seed=7)

    def backward():
        with pytest.raises(RuntimeError, match="MaxPool2d: backward was called in another thread") as caught:
            model.backward(grad)
        errors.append(caught.value)

    thread = threading.Thread(target=backward)
    thread.start()
    thread.join()
    assert len(errors) == 1


@pytest.mark.parametrize("grad", [np.zeros((5, 8, 14, 13)), np.zeros((5, 8, 14, 14), np.float32)])
def test_a_gradient_that_does_not_fit_is_refused_by_the_pooling(grad):
    model = sequential(SHAPES[0])
    model(inputs(SHAPES[0]))
    with pytest.raises((RuntimeError, TypeError), match="MaxPool2d"):
        model.backward(grad)


def test_an_input_that_does_not_fit_is_refused_by_the_layer_it_does_not_fit():
    model = sequential(SHAPES[0])
    with pytest.raises(RuntimeError, match=r"Conv2d: .*1 channels"):
        model(array((2, 3, 8, 8)))
    with pytest.raises(RuntimeError, match="Conv2d: expected input of dtype float64"):
        model(array((2, 1, 8, 8), dtype="float32"))
    with pytest.raises(RuntimeError, match="MaxPool2d: expected an image of at least"):
        model(array((2, 1, 1, 8)))


def test_with_retain_graph_a_second_backward_adds_the_same():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    grad = array(model(x).shape, seed=7)
    with scratch.retain_graph():
        first = model.backward(grad)
        once = model[0].weight.grad.copy()
    np.testing.assert_array_equal(model.backward(grad), first)
    np.testing.assert_array_equal(model[0].weight.grad, 2 * once)


def test_without_gradients_nothing_is_kept_and_what_was_kept_stays():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    grad = array(model(x).shape, seed=7)
    expected = model.backward(grad)
    y = model(x)
    with scratch.no_grad():
        np.testing.assert_array_equal(model(x), y)
        model(2 * x)
    np.testing.assert_array_equal(model.backward(grad), expected)


def test_the_caller_may_write_to_the_input_and_to_the_output():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    expected = passes(model, x.copy())
    y = model(x)
    x[...], y[...] = 7.0, 7.0
    model.zero_grad()
    grad_x = model.backward(array(y.shape, seed=7))
    assert_close((grad_x, *[parameter.grad for parameter in model.parameters()]), expected[1:])


def test_gradients_that_nobody_reads_are_left_out():
    model, x = sequential(SHAPES[0]), inputs(SHAPES[0])
    grad = array(model(x).shape, seed=7)
    model.train()
    model[0].requires_input_grad_(False)
    model[0].weight.requires_grad = False
    model(x)
    assert model.backward(grad) is None
    assert model[0].weight.grad is None
    assert model[0].bias.grad.shape == (8,)
    model[0].requires_input_grad_(True)
    model.requires_input_grad_(False)
    model(x)
    assert np.isnan(model.backward(grad)).all()


def test_copies_hold_no_activations():
    model, x = sequential(SHAPES[6]), inputs(SHAPES[6])
    model(x)
    assert len(pickle.dumps(model)) < x.nbytes / 10
    copied = copy.deepcopy(model)
    with pytest.raises(RuntimeError, match="before forward"):
        copied.backward(array((70, 4, 16, 16), seed=7))
    assert_close(passes(copied, x), passes(sequential(SHAPES[6]), x))
    assert copied[0].weight.grad is not model[0].weight.grad


def test_smallcnn_is_pytorchs():
    scratch.manual_seed(0)
    model = models.SmallCNN(pdrop=0.0, dtype=np.float64)
    theirs = torch_models.SmallCNN(pdrop=0.0, dtype=torch.float64)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
    x = array((9, 1, 28, 28))
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch, y = theirs(x_torch), model(x)
    grad = array(y.shape, seed=7)
    grad_x = model.backward(grad)
    y_torch.backward(torch.tensor(grad))
    found = [y, grad_x, *[parameter.grad for parameter in model.parameters()]]
    expected = [y_torch, x_torch.grad, *[parameter.grad for parameter in theirs.parameters()]]
    assert_close(found, [other.detach().numpy() for other in expected])

"""Every guess is made where its mistake was made: for each, a wrong layer and the words its report must contain."""

import numpy as np
import pytest
import torch

import scratch.nn as nn
from parity_tests.diagnosis.likely_mistakes.anywhere import OPTIONS
from parity_tests.harness.arrays import array, random_state, tied
from parity_tests.harness.compare import check


def wrong(base, **methods):
    """Return a subclass of a layer with methods replaced; ``self.right(g)`` is the right backward."""
    return type(base.__name__, (base,), {"right": base.backward, **methods})


def report(cls, args, x, *more, seed=3, **options):
    """Return the report on ``cls(*args)`` against PyTorch's layer of the same name."""
    layer = cls(*args, **options)
    if list(layer.parameters()):
        layer = random_state(cls(*args, **options, dtype=x.dtype), seed)
    return check(layer, getattr(torch.nn, cls.__name__)(*args, **options), x, *more, seed=seed)


def edited(base, edit):
    """Return ``base`` with ``edit(gradient, grad_output)`` applied to its input gradient."""
    return wrong(base, backward=lambda self, g: np.asarray(edit(self.right(g), g)))


def regraded(base, name, edit):
    """Return ``base`` with ``edit(gradient, grad_output)`` applied to its gradient of parameter ``name``."""

    def backward(self, g):
        parameter = getattr(self, name)
        before, parameter.grad = parameter.grad, None
        grad_input = self.right(g)
        made = np.array(edit(parameter.grad, g))
        parameter.grad = made if before is None else before + made
        return grad_input

    return wrong(base, backward=backward)


X = array((4, 3))
IMAGE = array((2, 4, 7, 5))
LINEAR, SQUARE, CONV = (3, 5), (3, 3), (4, 4, 3)

MISTAKES = {
    "zero": (edited(nn.Linear, lambda d, g: d * 0), LINEAR, X, "all zeros"),
    "sign": (edited(nn.Linear, lambda d, g: -d), LINEAR, X, "the sign is flipped"),
    "half": (edited(nn.Sigmoid, lambda d, g: d / 2), (), X, "a factor of 2 is lost"),
    "twice": (edited(nn.Sigmoid, lambda d, g: d * 2), (), X, "a factor of 2 too many"),
    "bias averaged": (regraded(nn.Linear, "bias", lambda d, g: d / len(g)), LINEAR, X, "divided by 4, the batch size"),
    "bias averaged over an image": (
        regraded(nn.Conv2d, "bias", lambda d, g: g.mean(axis=(0, 2, 3))),
        CONV,
        IMAGE,
        "divided by 30, the batch size times the positions",
    ),
    "summed": (edited(nn.Sigmoid, lambda d, g: d * g.size), (), X, "a missing 1/12, summed instead of averaged"),
    "weight transposed": (
        regraded(nn.Linear, "weight", lambda d, g: d.T),
        LINEAR,
        X,
        "transposed: its axes are in the order (1, 0)",
    ),
    "square weight transposed": (
        regraded(nn.Linear, "weight", lambda d, g: d.T),
        SQUARE,
        X,
        "transposed: its axes are in the order (1, 0)",
    ),
    "reshaped": (regraded(nn.Linear, "weight", lambda d, g: d.T.reshape(5, 3)), LINEAR, X, "reshaped where it should"),
    "kernel reversed": (
        regraded(nn.Conv2d, "weight", lambda d, g: d[..., ::-1, ::-1]),
        CONV,
        IMAGE,
        "reversed along axes (2, 3)",
    ),
    "shifted": (
        edited(nn.Conv2d, lambda d, g: np.roll(d, 1, axis=3) * (np.arange(5) > 0)),
        CONV,
        IMAGE,
        "shifted by 1 along axis 3",
    ),
    "passed on": (edited(nn.Sigmoid, lambda d, g: g.copy()), (), X, "passed on unchanged"),
    "multiplied in twice": (edited(nn.Sigmoid, lambda d, g: d * g), (), X, "multiplied in twice"),
    "ones": (
        wrong(nn.Linear, backward=lambda self, g: self.right(np.ones_like(g))),
        LINEAR,
        X,
        "grad_output is ignored",
    ),
    "last example": (
        regraded(nn.Linear, "bias", lambda d, g: g[-1]),
        LINEAR,
        X,
        "only the last example of the batch counts",
    ),
    "first example": (
        regraded(nn.Linear, "bias", lambda d, g: g[0]),
        LINEAR,
        X,
        "only the first example of the batch counts",
    ),
    "y(1-y) of x": (edited(nn.Sigmoid, lambda d, g: X * (1 - X) * g), (), X, "y (1 - y) is computed from the input x"),
    "1-y^2 of x": (edited(nn.Tanh, lambda d, g: (1 - X * X) * g), (), X, "1 - y^2 is computed from the input x"),
    "derivative at the output": (
        edited(nn.Sigmoid, lambda d, g: (lambda y: y * (1 - y) * g)(1 / (1 + np.exp(-1 / (1 + np.exp(-X)))))),
        (),
        X,
        "the derivative is taken at the output",
    ),
    "unsummed bias": (regraded(nn.Linear, "bias", lambda d, g: g), LINEAR, X, "not summed over axes (0,)"),
    "one axis too many": (
        regraded(nn.Linear, "bias", lambda d, g: d[None]),
        LINEAR,
        X,
        "the right numbers in the wrong shape",
    ),
    "padding kept": (
        edited(nn.Conv2d, lambda d, g: np.pad(d, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=7)),
        CONV,
        IMAGE,
        "the padding is not cut off",
    ),
    "weight not transposed": (
        wrong(nn.Linear, backward=lambda self, g: (self.right(g), g @ self.weight.data.T)[1]),
        SQUARE,
        X,
        "weight is transposed once too often",
    ),
    "bias left out": (
        wrong(nn.Linear, forward=lambda self, x: nn.Linear.forward(self, x) - self.bias.data),
        LINEAR,
        X,
        "bias is left out",
    ),
    "bias subtracted": (
        wrong(nn.Linear, forward=lambda self, x: nn.Linear.forward(self, x) - 2 * self.bias.data),
        LINEAR,
        X,
        "bias is subtracted instead of added",
    ),
    "gamma left out": (
        wrong(nn.LayerNorm, backward=lambda self, g: self.right(g / self.weight.data)),
        (3,),
        X,
        "weight is left out",
    ),
    "not normalized": (
        regraded(nn.BatchNorm1d, "weight", lambda d, g: (g * X).sum(axis=0)),
        (3,),
        X,
        "computed with the input x; the normalized input belongs here",
    ),
    "softmax's diagonal": (
        edited(nn.Softmax, lambda d, g: (lambda y: y * (1 - y) * g)(softmax(X))),
        (1,),
        X,
        "only the diagonal of softmax's Jacobian",
    ),
    "softmax without the sum": (edited(nn.Softmax, lambda d, g: softmax(X) * g), (1,), X, "y g without the sum"),
    "log-softmax without the sum": (
        edited(nn.LogSoftmax, lambda d, g: g - softmax(X)),
        (1,),
        X,
        "log-softmax's gradient is g - softmax(x) sum(g)",
    ),
    "slope ignored": (edited(nn.LeakyReLU, lambda d, g: g * (X > 0)), (0.2,), X, "as if negative_slope were 0.0"),
    "kink": (edited(nn.ReLU, lambda d, g: g * (tied((4, 3)) >= 0)), (), tied((4, 3)), "the input is exactly 0"),
    "dropout unscaled": (edited(nn.Dropout, lambda d, g: d * 0.7), (0.3,), X, "dropout's factor 1/(1-p) is missing"),
    "dropout scaled twice": (
        edited(nn.Dropout, lambda d, g: d / 0.7),
        (0.3,),
        X,
        "dropout's factor 1/(1-p) is applied twice",
    ),
    "scaled by a root": (
        edited(nn.Linear, lambda d, g: d / np.sqrt(3)),
        LINEAR,
        X,
        "divided by the root of 3, the number of input features",
    ),
    "a path too many": (edited(nn.Linear, lambda d, g: d + g), SQUARE, X, "grad_output itself is added to it"),
    "part of the derivative": (
        edited(nn.SiLU, lambda d, g: (lambda s: s * (1 - s) * g)(1 / (1 + np.exp(-X)))),
        (),
        X,
        "this is grad_output times the derivative of sigmoid",
    ),
    "softmax summed over the batch": (
        edited(nn.Softmax, lambda d, g: (lambda y: y * (g - (y * g).sum(axis=0)))(softmax(X))),
        (1,),
        X,
        "summed over axis 0; the probabilities sum to one over axis 1",
    ),
    "order": (
        wrong(nn.Flatten, forward=lambda self, x: nn.Flatten.forward(self, x.transpose(0, 2, 3, 1))),
        (),
        IMAGE,
        "output: the right numbers in another order",
    ),
    "the side for the area": (
        edited(nn.AvgPool2d, lambda d, g: d * 3),
        (3,),
        IMAGE,
        "the side of the kernel: a missing 1/3",
    ),
    "a constant ratio": (
        edited(nn.Linear, lambda d, g: d * 1.7),
        LINEAR,
        X,
        "is the expected value times 1.7 everywhere",
    ),
    "a constant difference": (
        edited(nn.Linear, lambda d, g: d + 0.5),
        LINEAR,
        X,
        "is the expected value plus 0.5 everywhere",
    ),
    "a ratio along an axis": (
        edited(nn.Linear, lambda d, g: d * [1, 1.3, 1.7]),
        LINEAR,
        X,
        "is the expected value times a number that depends on axis 1 only",
    ),
    "one row": (edited(nn.Linear, lambda d, g: d + np.eye(4)[:, :1] * d), LINEAR, X, "at index 0 of axis 0"),
    "NaN": (edited(nn.Linear, lambda d, g: d + np.where(d > 1, np.nan, 0)), LINEAR, X, "NaN and 0 infinite where"),
}


def softmax(x):
    """Return softmax along axis 1."""
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_named(name):
    cls, args, x, words = MISTAKES[name]
    assert words in str(report(cls, args, x))


def test_overwritten_and_kept():
    def overwrite(self, g):
        self.zero_grad()
        return self.right(g)

    said = str(report(wrong(nn.Linear, backward=overwrite), LINEAR, X))
    both = "grad_weight after a second backward, grad_bias after a second backward"
    assert f"{both}: overwritten by the second backward" in said

    def keep(self, g):
        self.kept = getattr(self, "kept", 0) + self.right(g)
        return self.kept.copy()

    assert "kept from the first backward and added to" in str(report(wrong(nn.Linear, backward=keep), LINEAR, X))


def test_a_second_backward_that_does_nothing():
    def once(self, g):
        if not hasattr(self, "made"):
            self.made = self.right(g)
        return self.made.copy()

    said = str(report(wrong(nn.Linear, backward=once), LINEAR, X))
    assert "grad_input after a second backward: the second backward returned the first one's" in said
    both = "grad_weight after a second backward, grad_bias after a second backward"
    assert f"{both}: the second backward left it as it was" in said


def test_all_tied_maxima_are_paid():
    x = tied((2, 3, 4, 6))

    def backward(self, g):
        blown = np.repeat(np.repeat(g, 2, axis=2), 2, axis=3)
        top = x.reshape(2, 3, 2, 2, 3, 2).max(axis=(3, 5))
        return blown * (x == np.repeat(np.repeat(top, 2, axis=2), 2, axis=3))

    said = str(report(wrong(nn.MaxPool2d, backward=backward), (2,), x))
    assert "of several equal maxima, one gets the gradient" in said


def test_the_options_that_are_tried_exist_in_torch():
    layers = [
        torch.nn.Conv2d(1, 1, 1),
        torch.nn.MaxPool2d(1),
        torch.nn.AvgPool2d(1),
        torch.nn.BatchNorm1d(1),
        torch.nn.LeakyReLU(),
        torch.nn.ELU(),
        torch.nn.GELU(),
        torch.nn.Softplus(),
        torch.nn.CrossEntropyLoss(),
        torch.nn.BCEWithLogitsLoss(),
        torch.nn.HuberLoss(),
    ]
    assert {name for name in OPTIONS if not any(hasattr(layer, name) for layer in layers)} == set()


def test_a_factor_is_named_by_what_fits_at_another_batch_size_too():
    said = str(report(edited(nn.Sigmoid, lambda d, g: d / 2), (), X))
    assert "a factor of 2 is lost" in said
    assert "the root of 4" not in said
    said = str(report(edited(nn.Sigmoid, lambda d, g: d / 4), (), X))
    assert "the batch size" not in said


def test_no_guess_is_made_where_nothing_differs():
    for name in ("Sigmoid", "Tanh", "ReLU", "GELU"):
        assert "->" not in str(report(getattr(nn, name), (), X))


def test_a_forward_that_is_wrong_is_told_from_a_backward_that_is():
    def doubled(self, x):
        return 2 * nn.Sigmoid.forward(self, x)

    own = wrong(nn.Sigmoid, forward=doubled, backward=lambda self, g: self.right(2 * g))
    assert "backward is the derivative of this forward" in str(report(own, (), X))
    other = wrong(nn.Sigmoid, forward=doubled, backward=lambda self, g: self.right(3 * g))
    assert "backward is not the derivative of this forward either" in str(report(other, (), X))
    assert "of this forward" not in str(report(wrong(nn.Sigmoid, forward=doubled), (), X))


def test_finite_differences_name_mistakes_too():
    layer = random_state(wrong(nn.Linear, backward=lambda self, g: self.right(np.ones_like(g)))(3, 5, dtype=np.float64))
    assert "grad_output is ignored" in str(check(layer, None, X))
    layer = random_state(regraded(nn.Linear, "bias", lambda d, g: d / len(g))(3, 5, dtype=np.float64))
    assert "divided by 4, the batch size" in str(check(layer, None, X))

"""A forward that returns scores beside their probabilities: an error, p - y, is the gradient of the scores."""

import pytest

SOURCE = '''
import numpy as np


def softmax(u):
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Words:
    def __init__(self):
        self.lr = 0.01
        self.w1, self.w2 = np.random.uniform(-1, 1, (6, 4)), np.random.uniform(-1, 1, (4, 6))

    def forward_pass(self, x):
        h = x @ self.w1
        u = h @ self.w2
        y_c = softmax(u)
        return y_c, h, u

    def backprop(self, e, h, x):
        dl_dw2 = np.outer(h, e)
        dl_dw1 = np.outer(x, self.w2 @ e)
        self.w1 = self.w1 - self.lr * dl_dw1
        self.w2 = self.w2 - self.lr * dl_dw2


class LastOne:
    def __init__(self):
        self.W, self.V = np.random.randn(4, 5), np.random.randn(5, 3)

    def forward(self, X):
        hidden = np.tanh(X @ self.W)
        scores = hidden @ self.V
        probs = 1 / (1 + np.exp(-scores))
        return hidden, scores, probs

    def backward(self, error, hidden, X):
        self.dV = hidden.T @ error
        self.dW = X.T @ (error @ self.V.T * (1 - hidden**2))


def classify(x, w):
    logits = x @ w
    return softmax(logits), logits


def classify_backward(delta, x, w):
    return delta @ w.T, x.T @ delta


class ScoresFirst:
    def __init__(self):
        self.W = np.random.randn(4, 3)

    def forward(self, x):
        self.x = x
        z = x @ self.W
        return z, softmax(z)

    def backward(self, output_error):
        self.dW = self.x.T @ output_error
        return output_error @ self.W.T


class OfProbabilities(ScoresFirst):
    """Takes the gradient of the probabilities, and goes through the sigmoid."""

    def forward(self, x):
        self.x, z = x, x @ self.W
        self.p = 1 / (1 + np.exp(-z))
        return self.p, z

    def backward(self, error):
        return super().backward(error * self.p * (1 - self.p))


class Named(ScoresFirst):
    """Takes what is called the gradient of the probabilities: the softmax is forgotten."""

    def forward(self, x):
        z, p = super().forward(x)
        return p, z

    def backward(self, dp):
        return super().backward(dp)
'''
RIGHT = {
    "Words": (["6"], "backprop takes e as the gradient of u, the scores from which y_c is computed"),
    "Words.backprop": (["6"], "backprop takes e as the gradient of u, the scores from which y_c is computed"),
    "LastOne": (["6,4"], "backward takes error as the gradient of scores, the scores from which probs is computed"),
    "classify,classify_backward": (["5,4", "4,3"], "takes delta as the gradient of logits"),
    "ScoresFirst": (["5,4"], "backward takes output_error as the gradient of z"),
}
WRONG = [
    ("Words", "np.outer(h, e)", "np.outer(e, e)[:4]"),
    ("Words", "self.w2 @ e)", "self.w2 @ e * h)"),
    ("Words.backprop", "np.outer(h, e)", "np.outer(h, e + 1)"),
    ("LastOne", "(1 - hidden**2)", "(1 - hidden)"),
    ("LastOne", "hidden.T @ error", "hidden.T @ (error - 1)"),
    ("classify,classify_backward", "return delta @ w.T", "return 2 * delta @ w.T"),
    ("classify,classify_backward", "x.T @ delta", "x.T @ delta / len(x)"),
    ("ScoresFirst", "self.x.T @ output_error", "self.x.T @ output_error / len(self.x)"),
    ("ScoresFirst", "return z, softmax(z)", "return z, softmax(z) * self.W.sum()"),
]


def _inputs(shapes):
    return [part for shape in shapes for part in ("--input", shape)]


@pytest.mark.parametrize("name", RIGHT)
def test_an_error_is_the_gradient_of_the_scores(checked, name):
    shapes, said = RIGHT[name]
    status, out = checked(SOURCE, name, *_inputs(shapes))
    assert status == 0, out
    assert said in out


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_a_wrong_gradient_is_not_right_for_the_scores_either(checked, name, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *_inputs(RIGHT[name][0]))
    assert status == 1
    assert "All agree" not in out


def test_the_gradient_of_the_probabilities_is_none_of_the_scores(checked):
    status, out = checked(SOURCE, "OfProbabilities", *_inputs(["5,4"]))
    assert "takes error as the gradient of z" not in out
    assert status == 1
    assert "z (5, 3), which forward returns: not compared" in out


def test_a_softmax_is_forgotten_where_the_argument_says_whose_gradient_it_is(checked):
    status, out = checked(SOURCE, "Named", *_inputs(["5,4"]))
    assert status == 1
    assert "grad_W: 12 of 12 elements differ" in out
    assert "as the gradient of z" not in out

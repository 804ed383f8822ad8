"""CLASS.METHOD: a method that returns gradients, or leaves them, or takes a step, of an object built with --args."""

import pytest

NETWORKS = """
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Columns:
    '''Lists of weights; backprop(x, y) returns a list of gradients of each kind.'''

    def __init__(self, sizes):
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, m) for m, n in zip(sizes[:-1], sizes[1:])]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = sigmoid(w @ a + b)
        return a

    def backprop(self, x, y):
        nabla_b, nabla_w = [None] * len(self.biases), [None] * len(self.weights)
        activations = [x]
        for b, w in zip(self.biases, self.weights):
            activations.append(sigmoid(w @ activations[-1] + b))
        delta = activations[-1] - y
        for i in reversed(range(len(self.weights))):
            delta = delta * activations[i + 1] * (1 - activations[i + 1])
            nabla_b[i], nabla_w[i] = delta, delta @ activations[i].T
            delta = self.weights[i].T @ delta
        return nabla_b, nabla_w


class ColumnsWithCost(Columns):
    class cost:
        @staticmethod
        def fn(a, y):
            return 1.5 * np.sum((a - y) ** 2)

    def backprop(self, x, y):
        nabla_b, nabla_w = super().backprop(x, y)
        nabla_b, nabla_w = [3 * b for b in nabla_b], [3 * w for w in nabla_w]
        return nabla_b, nabla_w


class Regression:
    def __init__(self, n_in, n_out, lr=0.1):
        self.W, self.b, self.lr = np.random.randn(n_in, n_out), np.zeros(n_out), lr

    def loss(self, x, t):
        return 0.5 * np.sum((x @ self.W + self.b - t) ** 2)

    def gradient(self, x, t):
        d = x @ self.W + self.b - t
        self.dW, self.db = x.T @ d, d.sum(axis=0)

    def loss_and_grads(self, x, t):
        d = x @ self.W + self.b - t
        return 0.5 * np.sum(d**2), {"W": x.T @ d, "b": d.sum(axis=0)}

    def grads_and_loss(self, x, t):
        return self.loss_and_grads(x, t)[::-1]

    def both(self, x, t):
        self.gradient(x, t)
        return self.loss(x, t)

    def learn(self, x, t, eta=0.5):
        before = self.loss(x, t)
        self.gradient(x, t)
        self.W -= eta * self.dW
        self.b -= eta * self.db
        return before


class Unstated:
    '''Its loss is nowhere in the file.'''

    def __init__(self, inputs, outputs, rate):
        self.w, self.lr = np.random.randn(outputs, inputs), rate

    def train(self, inputs_list, targets_list):
        inputs, targets = np.array(inputs_list, ndmin=2).T, np.array(targets_list, ndmin=2).T
        self.w += self.lr * (targets - self.w @ inputs) @ inputs.T

    def query(self, inputs_list):
        return self.w @ np.array(inputs_list, ndmin=2).T


class Half:
    '''No single loss has both of its steps.'''

    def __init__(self, inputs, hidden, outputs):
        self.v, self.w, self.lr = np.random.randn(hidden, inputs), np.random.randn(outputs, hidden), 0.1

    def query(self, x):
        return sigmoid(self.w @ sigmoid(self.v @ x))

    def train(self, x, t):
        h = sigmoid(self.v @ x)
        o = sigmoid(self.w @ h)
        error = t - o
        back = self.w.T @ error
        self.w += self.lr * np.outer(error * o * (1 - o), h)
        self.v += self.lr * np.outer(back * h * (1 - h), x)


class Layer:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)

    def go(self, x):
        self.x = x
        return x @ self.W

    def come(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T


class Vector:
    '''One prediction for each example, and no method that returns them.'''

    def __init__(self, n):
        self.w, self.lr = np.random.randn(n), 0.1

    def loss(self, x, y):
        return 0.5 * np.sum((x @ self.w - y) ** 2)

    def grads(self, x, y):
        return x.T @ (x @ self.w - y)

    def train_step(self, x, y):
        self.w -= self.lr * self.grads(x, y)


class NoLoss:
    def gradient(self, x, t):
        return x - t
"""

COLUMNS = ["--args", "[3, 4, 2]", "--input", "3,1", "--input", "2,1"]
SQUARE = ["--args", "[3, 3, 3]", "--input", "3,1", "--input", "3,1"]
ROWS = ["--args", "3, 2", "--input", "5,3", "--input", "5,2"]
ONE = ["--args", "3, 2, 0.1", "--input", "3", "--input", "2"]
VECTOR = ["--args", "3", "--input", "5,3", "--input", "5"]
LAYER = ["--args", "3, 2", "--input", "5,3"]
BOTH = ["grad_W", "grad_b"]
LISTS = [f"{kind}.grad_{i}" for kind in ("biases", "weights") for i in range(2)]

RIGHT = [
    ("Columns.backprop", COLUMNS, "assumed to be the squared error, halved, of what feedforward returns", LISTS),
    ("Columns.backprop", SQUARE, "self.weights[1] (3, 3): parameter; gradient in nabla_w.[1] of what backprop", LISTS),
    ("ColumnsWithCost.backprop", COLUMNS, "the loss is self.cost.fn of what feedforward returns", LISTS),
    ("Regression.gradient", ROWS, "loss(x, t) -> the loss", BOTH),
    ("Regression.loss", ROWS, "gradient(forward's arguments", BOTH),
    ("Regression.loss_and_grads", ROWS, "loss_and_grads(x, t) -> (the loss, gradients)", BOTH),
    ("Regression.grads_and_loss", ROWS, "grads_and_loss(x, t) -> (the loss, gradients)", BOTH),
    ("Regression.both", ROWS, "both(x, t) -> the loss", BOTH),
    ("Regression.learn", ROWS, "learn: each parameter moves by 0.125", []),
    ("Unstated.train", ONE, "assumed to be the squared error, halved, of what query returns", []),
    ("Vector.train_step", VECTOR, "train_step: each parameter moves by 0.1", []),
    ("Vector.grads", VECTOR, "grads(forward's arguments", ["grad_w"]),
    ("Layer.go,Layer.come", LAYER, "come(grad_output) -> the gradient of x", ["grad_input", "grad_W"]),
]


@pytest.mark.parametrize(("name", "options", "read", "compared"), RIGHT, ids=[f"{o[0]} {o[1][1]}" for o in RIGHT])
def test_a_right_method_agrees(check_file, name, options, read, compared):
    status, out, err = check_file(NETWORKS, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree" in out
    assert read in out
    assert "note: \n" not in out
    rows = [line.split()[0] for line in out.splitlines() if line]
    assert [quantity for quantity in compared if quantity not in rows] == []


WRONG = [
    ("Columns.backprop", COLUMNS, "delta, delta @ acti", "delta, 2 * delta @ acti", "weights.grad_1: 8 of 8"),
    ("Columns.backprop", COLUMNS, "nabla_w[i] = delta,", "nabla_w[i] = -delta,", "biases.grad_0: 4 of 4 elements"),
    ("Regression.gradient", ROWS, "d.sum(axis=0)", "d.mean(axis=0)", "grad_b: 2 of 2 elements differ"),
    ("Regression.loss_and_grads", ROWS, '"W": x.T @ d', '"W": -x.T @ d', "grad_W: 6 of 6 elements differ"),
    ("Regression.both", ROWS, "self.db = x.T @ d", "self.db = 2 * x.T @ d", "grad_W: 6 of 6 elements differ"),
    ("Regression.learn", ROWS, "self.b -= eta", "self.b += eta", "self.b: the first step is not along the gradient"),
    ("Unstated.train", ONE, "self.w += self.lr", "self.w -= self.lr", "self.w: the first step is not along"),
    ("Half.train", ["--args", "3, 4, 2", "--input", "3", "--input", "2"], "", "", "the step of self.w"),
    ("Vector.train_step", VECTOR, "self.w - y) ** 2", "self.w.reshape(-1, 1) - y) ** 2", "is broadcast against"),
    ("Vector.grads", VECTOR, "return x.T @", "return -x.T @", "grad_w: 3 of 3 elements differ"),
    ("Layer.go,Layer.come", LAYER, "self.x.T @ g", "-self.x.T @ g", "grad_W: 6 of 6 elements differ"),
]


@pytest.mark.parametrize(("name", "options", "right", "wrong", "said"), WRONG, ids=[f"{o[0]} {o[4]}" for o in WRONG])
def test_a_wrong_method_is_accused(check_file, name, options, right, wrong, said):
    assert right in NETWORKS
    status, out, err = check_file(NETWORKS.replace(right, wrong) if right else NETWORKS, name, *options)
    assert (status, err) == (1, ""), out
    assert said in out


ALONE = ["--args", "[3, 4, 2]", "--input", "3,1"]


@pytest.mark.parametrize("name", ["Columns", "Columns.backprop"])
@pytest.mark.parametrize("options", [ALONE, COLUMNS, [*ALONE, "--target", "values"]], ids=["drawn", "given", "named"])
def test_a_target_that_only_backward_takes_has_the_shape_of_the_prediction(check_file, name, options):
    status, out, err = check_file(NETWORKS, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree." in out
    assert ("y has the shape (2, 1): that of what feedforward returns" in out) == (options == ALONE)


@pytest.mark.parametrize("name", ["Columns", "Columns.backprop"])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("delta, delta @ acti", "delta, 2 * delta @ acti"),
        ("self.weights[i].T @ delta", "self.weights[i].T @ delta / 2"),
    ],
)
def test_a_wrong_one_is_accused_on_a_target_that_was_drawn(check_file, name, right, wrong):
    assert NETWORKS.count(right) == 1
    status, out, err = check_file(NETWORKS.replace(right, wrong), name, *ALONE)
    assert (status, err) == (1, ""), out
    assert "-> " in out


HIDDEN = """
import numpy as np


class Hidden:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)

    def forward_propagation(self, x):
        self.x = x
        return x @ self.W

    def backward_propagation(self, upstream_gradients, learning_rate, y_true):
        back = upstream_gradients @ self.W.T
        self.W -= learning_rate * self.x.T @ upstream_gradients
        return back
"""


@pytest.mark.parametrize(
    ("right", "wrong"), [("gradients @ self.W.T", "gradients @ -self.W.T"), ("* self.x.T @", "* 2 * self.x.T @")]
)
def test_a_layer_that_is_handed_the_target_besides_is_a_layer(check_file, right, wrong):
    options = ["--args", "3, 2", "--input", "5,3"]
    status, out, err = check_file(HIDDEN, "Hidden", *options)
    assert (status, err) == (0, ""), out
    assert HIDDEN.count(right) == 1
    status, out, err = check_file(HIDDEN.replace(right, wrong), "Hidden", *options)
    assert (status, err) == (1, ""), out
    assert "All agree" not in out


def test_without_a_loss_there_is_nothing_to_compare_with(check_file):
    status, out, err = check_file(NETWORKS, "NoLoss.gradient", "--input", "5,3", "--input", "5,3")
    assert (status, out) == (2, "")
    assert "expected a method loss(x, t) that returns a number, or forward(x) and two inputs" in err
    assert len(err.splitlines()) == 1


def test_a_method_needs_the_arguments_of_its_class(check_file):
    status, out, err = check_file(NETWORKS, "Regression.both", "--args", "3", "--input", "5,3")
    assert (status, out) == (2, "")
    assert "--args: Regression(n_in, n_out, lr=0.1) cannot be called with these" in err


TWO_LAYERS = """
import numpy as np


class TwoLayerNet:
    def __init__(self, inputs, hidden, classes):
        self.params = {"W1": np.random.randn(inputs, hidden), "W2": np.random.randn(hidden, classes)}

    def loss(self, X, y=None, reg=0.1):
        W1, W2 = self.params["W1"], self.params["W2"]
        h = np.maximum(X @ W1, 0)
        scores = h @ W2
        if y is None:
            return scores
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        loss = -np.log(p[rows, y]).mean() + reg * ((W1**2).sum() + (W2**2).sum())
        p[rows, y] -= 1
        p /= len(y)
        return loss, {"W2": h.T @ p + 2 * reg * W2, "W1": X.T @ (p @ W2.T * (h > 0)) + 2 * reg * W1}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("", "", 0),
        (" * (h > 0)", "", 1),
        ("+ 2 * reg * W2", "+ reg * W2", 1),
        ("        p /= len(y)\n", "", 1),
    ],
)
def test_a_target_may_have_a_default(check_file, right, wrong, expected):
    source = TWO_LAYERS.replace(right, wrong) if right else TWO_LAYERS
    assert TWO_LAYERS.count(right) == 1 or not right
    options = ["--args", "4, 5, 3", "--input", "6,4", "--target", "classes"]
    status, out, err = check_file(source, "TwoLayerNet.loss", *options)
    assert (status, err) == (expected, ""), out
    assert ("All agree." in out) == (not expected)

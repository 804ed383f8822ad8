"""The forms in which courses and books write layers, each right and with a wrong line."""

import pytest

FORMS = """
import numpy as np


class Variable:
    def __init__(self, data):
        self.data, self.g = data, None


class Kept:
    '''Keeps every batch until it is flushed, and makes its parameters when it sees the first.'''

    def __init__(self, n_out):
        self.X, self.n_out, self.parameters = [], n_out, {"W": None}

    def flush_gradients(self):
        self.X = []
        self.gradients = {key: np.zeros_like(value) for key, value in self.gradients.items()}

    def forward(self, X, retain_derived=True):
        if self.parameters["W"] is None:
            self.parameters = {"W": np.random.randn(X.shape[1], self.n_out)}
            self.gradients = {"W": np.zeros_like(self.parameters["W"])}
        if retain_derived:
            self.X.append(X)
        return np.tanh(X @ self.parameters["W"])

    def backward(self, dLdy):
        dX = []
        for dy, x in zip([dLdy], self.X):
            dZ = dy * (1 - np.tanh(x @ self.parameters["W"]) ** 2)
            self.gradients["W"] += x.T @ dZ
            dX.append(dZ @ self.parameters["W"].T)
        return dX[0] if len(self.X) == 1 else dX


class Hidden:
    '''Backward takes what forward returns, and classes.'''

    def __init__(self, d, h, c):
        self.weight_h, self.weight_out = np.random.randn(h, d), np.random.randn(c, h)

    def forward(self, x):
        a_h = np.tanh(x @ self.weight_h.T)
        a_out = 1 / (1 + np.exp(-a_h @ self.weight_out.T))
        return a_h, a_out

    def backward(self, x, a_h, a_out, y):
        delta = 2 * (a_out - np.eye(a_out.shape[1])[y]) / len(y) * a_out * (1 - a_out)
        d_loss__dw_out = delta.T @ a_h
        d_loss__d_w_h = (delta @ self.weight_out * (1 - a_h**2)).T @ x
        return d_loss__dw_out, d_loss__d_w_h


class Called:
    '''What backward needs is kept by __call__.'''

    def __call__(self, *inputs):
        self.inputs = [Variable(x) for x in inputs]
        return Variable(self.forward(*inputs))

    def forward(self, x, W):
        return x.dot(W)

    def backward(self, gy):
        x, W = self.inputs
        return gy.dot(W.data.T), x.data.T.dot(gy)


class Ignores:
    def forward(self, x, t):
        self.x, self.t = x, t
        return np.sum((x - t) ** 2) / 2

    def backward(self, dout=1):
        return self.x - self.t


class Marked:
    '''Gradients in w_g and inp_g.'''

    def __init__(self, d):
        self.w = np.random.randn(d, 1)

    def __call__(self, inp, targ):
        self.inp, self.targ = inp, targ
        return ((inp @ self.w)[:, 0] @ targ) / len(targ)

    def backward(self):
        g = self.targ[:, None] / len(self.targ)
        self.inp_g, self.w_g = g @ self.w.T, self.inp.T @ g


class Squeezed:
    '''The target has another shape than the prediction.'''

    def __call__(self, inp, targ):
        self.inp, self.targ = inp, targ
        return ((inp.squeeze(-1) - targ) ** 2).mean()

    def backward(self):
        self.inp_g = 2 * (self.inp.squeeze(-1) - self.targ)[:, None] / len(self.targ)


def propagate(w, X, Y):
    A = 1 / (1 + np.exp(-(w.T @ X)))
    return {"dw": X @ ((A - Y) * A * (1 - A)).T}, np.sum((A - Y) ** 2) / 2


def hinge(W, X, y):
    rows = np.arange(len(y))
    margins = np.maximum(0, X @ W - (X @ W)[rows, y][:, None] + 1)
    margins[rows, y] = 0
    mask = (margins > 0).astype(float)
    mask[rows, y] = -mask.sum(axis=1)
    return margins.sum() / len(y), X.T @ mask / len(y)


class Together:
    '''Softmax and loss: backward gets the probabilities.'''

    def forward(self, inputs, y_true):
        e = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return -np.log(self.output[range(len(inputs)), y_true]).mean()

    def backward(self, dvalues, y_true):
        self.dinputs = dvalues.copy()
        self.dinputs[range(len(dvalues)), y_true] -= 1
        self.dinputs = self.dinputs / len(dvalues)


class Spectral:
    def __init__(self, i, o):
        self.W, self.u = np.random.randn(o, i), np.ones(o) / np.sqrt(o)

    def forward(self, x):
        self.v = self.W.T @ self.u
        self.v = self.v / np.linalg.norm(self.v)
        self.u = self.W @ self.v
        self.u = self.u / np.linalg.norm(self.u)
        self.x, self.sigma = x, self.u @ self.W @ self.v
        return x @ (self.W / self.sigma).T

    def backward(self, dout):
        g, W = dout.T @ self.x, self.W / self.sigma
        self.dW = (g - (g * W).sum() * np.outer(self.u, self.v)) / self.sigma
        return dout @ W


class Updating:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o), np.zeros(o)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T

    def update(self, lr):
        self.W -= lr * (self.dW + 0.1 * self.W)
        self.b -= lr * self.db


class Mean:
    def loss(self, y, t_mean, t_log_var):
        return np.sum(y * t_mean - np.exp(t_log_var))

    def grad(self, y, t_mean, t_log_var):
        dLogVar = -np.exp(t_log_var)
        dMean = y * np.ones_like(t_mean)
        return dLogVar, dMean


class Divergence:
    def forward(self, log_q, p):
        self.p = p
        return np.sum(p * (np.log(p) - log_q)) / len(p)

    def backward(self):
        return -self.p / len(self.p)


def network(params, X, y):
    scores = X @ params["W"]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[range(len(y)), y]).mean(), {"W": X.T @ (p - np.eye(p.shape[1])[y]) / len(y)}


class Listed:
    def __init__(self, i, h, o):
        self.p = {"W1": np.random.randn(i, h), "W2": np.random.randn(h, o)}

    def forward(self, x):
        self.x, self.a1 = x, np.tanh(x @ self.p["W1"])
        return self.a1 @ self.p["W2"]

    def backward(self, dz2):
        da1 = dz2 @ self.p["W2"].T
        dz1 = da1 * (1 - self.a1**2)
        return {"dW2": self.a1.T @ dz2, "dA1": da1, "dZ1": dz1, "dW1": self.x.T @ dz1, "dx": dz1 @ self.p["W1"].T}
"""

X = ["--input", "5,4"]
CLASSES = [*X, "--target", "classes"]
PARAMS = ["--args", "params={'W': np.random.randn(4, 3)}"]
THREE = [*["--input", "5,3"] * 3, "--constant", "y"]

CASES = [
    ("Kept", ["--args", "3", *X], "flush_gradients() is called", "x.T @ dZ", "x.T @ dy"),
    ("Hidden", ["--args", "4, 6, 3", *CLASSES], "of a_out of what forward returns", "* (1 - a_h**2)", "* (1 - a_h)"),
    ("Hidden.backward", ["--args", "4, 6, 3", *CLASSES], "classes from 0 to 2", "delta.T @ a_h", "2 * delta.T @ a_h"),
    ("Called", [*X, "--input", "4,3"], "__call__(inputs, input 1)", "x.data.T.dot(gy)", "-x.data.T.dot(gy)"),
    ("Ignores", [*X, "--target", "values"], "backward ignores its argument", "return self.x - self.t", "return self.x"),
    ("Marked", ["--args", "4", *X, "--input", "5", "--constant", "targ"], "in self.inp_g", "g @ self.w.T", "g + inp"),
    ("Squeezed", ["--input", "5,1", "--input", "5"], "inp in self.inp_g", "= 2 * (self.inp.", "= (self.inp."),
    ("propagate", ["--input", "4,1", *["--input", "4,5", "--input", "1,5"]], "of w", "(A - Y) * A *", "(A - Y) *"),
    ("hinge", ["--input", "4,3", *CLASSES], "the target has classes 0 to 2", "-mask.sum(axis=1)", "-1"),
    ("network", [*PARAMS, *CLASSES], "the target has classes 0 to 2", "X.T @ (p - np", "X.T @ (p + np"),
    ("Together", CLASSES, "the prediction that forward left", "y_true] -= 1", "y_true] -= 2"),
    (
        "Spectral",
        ["--args", "4, 3", *X, "--constant", "u", "--constant", "v"],
        "as a constant in sigma",
        "(g * W).sum()",
        "(g + W).sum()",
    ),
    ("Updating", ["--args", "4, 3", *X], "by the learning rate times its", "lr * self.db", "lr * self.dW.sum(axis=0)"),
    (
        "Listed",
        ["--args", "4, 6, 3", *X],
        "dA1 of what backward returns: the tape finds the same",
        "(1 - self.a1**2)",
        "(1 - self.a1)",
    ),
    ("Mean", THREE, "the gradient of t_log_var", "dLogVar = -np", "dLogVar = np"),
    ("Divergence", [*X, "--target", "values"], "drawn as rows of probabilities", "-self.p / len(self.p)", "-self.p"),
]


@pytest.mark.parametrize(("name", "options", "said", "right", "wrong"), CASES, ids=[one[0] for one in CASES])
def test_a_right_layer_agrees_and_its_wrong_twin_is_accused(check_file, name, options, said, right, wrong):
    assert FORMS.count(right) == 1
    status, out, err = check_file(FORMS, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree." in out
    assert said in out
    status, out, err = check_file(FORMS.replace(right, wrong), name, *options)
    assert (status, err) == (1, ""), out
    assert "All agree." not in out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("self.b += lr * self.db", "update(lr) moves the parameters by different multiples of their gradients"),
        ("self.b -= 0 * lr", "update(lr) moves the parameters by different multiples of their gradients: W by 0.125"),
        ("self.b -= lr * self.dW.sum(axis=0)", "update(lr) does not move b along the gradient"),
        ("self.b -= lr * self.db**2", "update(lr) was not compared: its step is not linear in the gradient"),
        ("self.optimizer.step()", "update was not compared: AttributeError"),
    ],
)
def test_a_step_that_is_not_along_the_gradient_is_named(check_file, wrong, said):
    status, out, _ = check_file(FORMS.replace("self.b -= lr * self.db", wrong), "Updating", "--args", "4, 3", *X)
    assert said in out
    assert status == (0 if "not compared" in said else 1)


def test_zeros_of_the_target_are_named(check_file):
    status, out, _ = check_file(FORMS, "Divergence", *X, "--target", "one-hot")
    assert status == 1
    assert "The target has zeros, and 0 times the logarithm of 0 is NaN" in out
    assert "drawn between 0 and 1" not in out

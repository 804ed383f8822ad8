"""Networks whose loss takes data and a target: the target's shape, numbers as parameters, inputs without a gradient."""

import pytest

NETWORKS = """
import numpy as np


class Classifier:
    '''More features than classes.'''

    def __init__(self, d, c):
        self.params = {"W": np.random.randn(d, c)}

    def loss(self, X, y):
        s = X @ self.params["W"]
        p = np.exp(s - s.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -np.log(p[range(len(y)), y]).mean()
        p[range(len(y)), y] -= 1
        return value, {"W": X.T @ p / len(y)}


class OneHot:
    def __init__(self, d, c):
        self.params = {"W": np.random.randn(d, c)}

    def loss(self, X, y):
        s = X @ self.params["W"]
        p = np.exp(s - s.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return -np.sum(y * np.log(p)) / len(X), {"W": X.T @ (p - y) / len(X)}


class Logistic:
    def __init__(self, d):
        self.w, self.b = np.random.randn(d), 0.3

    def predict_proba(self, X):
        return 1 / (1 + np.exp(-(X @ self.w + self.b)))

    def cost(self, X, y):
        p = self.predict_proba(X)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    def gradient(self, X, y):
        e = self.predict_proba(X) - y
        dw, db = X.T @ e / len(y), e.mean()
        return dw, db


class Column(Logistic):
    def __init__(self, d):
        self.w, self.b = np.random.randn(d, 1), 0.0


class MSE:
    def forward(self, p, t):
        self.d = p - t
        return np.sum(self.d**2)

    def backward(self):
        return 2 * self.d


class Counting:
    '''Refuses the tenth call: the count of calls has to be put back before each pass.'''

    def __init__(self):
        self.n = 0

    def forward(self, p, t):
        self.n, self.d = self.n + 1, p - t
        return np.sum(self.d**2) if self.n < 10 else np.nan

    def backward(self):
        return 2 * self.d


class CrossEntropy:
    def loss(self, y, y_pred):
        return -np.sum(y * np.log(y_pred) + (1 - y) * np.log(1 - y_pred))


class TargetFirst:
    def __init__(self, i, o):
        self.W, self.loss = np.random.randn(i, o), CrossEntropy()

    def forward(self, x):
        self.x, self.p = x, 1 / (1 + np.exp(-x @ self.W))
        return self.p

    def backward(self, y):
        self.dW = self.x.T @ (self.p - y)


class Later:
    '''The target goes to backward only.'''

    def __init__(self, i, o, loss):
        self.W, self.loss = np.random.randn(i, o), loss

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, y):
        self.loss.forward(self.forward(self.x), y)
        self.dW = self.x.T @ self.loss.backward()


class Unstated:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o), np.zeros(o)

    def forward(self, x):
        self.x, self.y = x, np.tanh(x @ self.W + self.b)
        return self.y

    def backward(self, target):
        d = (self.y - target) / len(target) * (1 - self.y**2)
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)


class Regression:
    def __init__(self, d):
        self.w, self.b, self.lr, self.reg = np.random.randn(d), 0.3, 0.1, 0.2

    def predict(self, X):
        return X @ self.w + self.b

    def loss(self, X, y):
        return 0.5 * np.mean((self.predict(X) - y) ** 2) + 0.5 * self.reg * self.w @ self.w

    def fit(self, X, y):
        e = self.predict(X) - y
        self.w, self.b = self.w - self.lr * (X.T @ e / len(y) + self.reg * self.w), self.b - self.lr * e.mean()
"""

WIDE = ["--args", "3, 2", "--input", "5,3", "--target"]
LATER = ["--args", "3, 2, MSE()", "--input", "5,3", "--input", "5,2"]
ONE = ["--args", "3", "--input", "5,3"]

RIGHT = [
    ("Classifier", [*WIDE, "classes"], "the target has classes 0 to 1", ["params.grad_W"]),
    ("Classifier", [*WIDE, "classes", "--input", "5,2"], "the shape of the target as one-hot rows", ["params.grad_W"]),
    ("OneHot", [*WIDE, "one-hot"], "the target has the shape (5, 2)", ["params.grad_W"]),
    ("Logistic", [*ONE, "--target", "binary"], "that of what predict_proba returns", ["grad_w", "grad_b"]),
    ("Column", [*ONE, "--target", "binary"], "the target has the shape (5, 1)", ["grad_w", "grad_b"]),
    ("Regression.fit", [*ONE, "--input", "5"], "self.b (): changes the loss", []),
    ("Later", LATER, "the loss is self.loss.forward of what forward returns", ["grad_W"]),
    ("Later", [*LATER[:1], "3, 2, Counting()", *LATER[2:]], "the loss is self.loss.forward", ["grad_W"]),
    ("TargetFirst", [*WIDE, "binary"], "the loss is self.loss.loss of what forward returns", ["grad_W"]),
    ("Unstated", [*WIDE, "values"], "assumed to be the squared error, halved and averaged", ["grad_W", "grad_b"]),
]


@pytest.mark.parametrize(("name", "options", "said", "compared"), RIGHT, ids=[" ".join((o[0], *o[1])) for o in RIGHT])
def test_a_right_network_agrees(check_file, name, options, said, compared):
    status, out, err = check_file(NETWORKS, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree" in out
    assert said in out
    rows = [line.split()[0] for line in out.splitlines() if line]
    assert [quantity for quantity in compared if quantity not in rows] == []


WRONG = [
    ("Classifier", [*WIDE, "classes"], "X.T @ p / len(y)", "X.T @ p", "params.grad_W: 6 of 6 elements differ"),
    ("OneHot", [*WIDE, "one-hot"], "(p - y) / len(X)", "(p + y) / len(X)", "params.grad_W: 6 of 6 elements differ"),
    ("Logistic", [*ONE, "--target", "binary"], "len(y), e.mean()", "len(y), e.sum()", "grad_b: 1 of 1 elements differ"),
    ("Column", [*ONE, "--target", "binary"], "X.T @ e / len(y), e", "X.T @ e, e", "grad_w: 3 of 3 elements differ"),
    ("Regression.fit", [*ONE, "--input", "5"], "self.lr * e.mean()", "self.lr * e.sum()", "self.b: the first step"),
    ("Later", LATER, "self.x.T @ self.loss", "-self.x.T @ self.loss", "grad_W: 6 of 6 elements differ"),
    ("TargetFirst", [*WIDE, "binary"], "(self.p - y)", "(y - self.p)", "grad_W: 6 of 6 elements differ"),
    ("Unstated", [*WIDE, "values"], "d.sum(axis=0)", "d.mean(axis=0)", "grad_b: 2 of 2 elements differ"),
]


@pytest.mark.parametrize(("name", "options", "right", "wrong", "said"), WRONG, ids=[one[0] for one in WRONG])
def test_a_wrong_network_is_accused(check_file, name, options, right, wrong, said):
    assert right in NETWORKS
    status, out, err = check_file(NETWORKS.replace(right, wrong), name, *options)
    assert (status, err) == (1, ""), out
    assert said in out


def test_a_number_whose_gradient_has_no_name_is_not_agreed_on(check_file):
    source = NETWORKS.replace(
        "dw, db = X.T @ e / len(y), e.mean()\n        return dw, db", "return X.T @ e / len(y), 7.0"
    )
    assert source != NETWORKS
    status, out, _ = check_file(source, "Logistic", *ONE, "--target", "binary")
    assert status == 1
    assert "All agree" not in out
    assert "self.b, a number: not compared; gradient returns gradients ([1]) that belong to no array" in out

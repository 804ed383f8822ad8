"""``fit(X, y)`` of linear models, which makes its weights itself and loops over its iterations."""

import pytest

LINEAR = """
import numpy as np


class Model:
    def __init__(self, lr=0.001, n_iters=1000):
        self.lr, self.n_iters = lr, n_iters
        self.weights, self.bias = None, None

    def fit(self, X, y):
        n_samples, n_features = X.shape
        self.weights = np.zeros(n_features)
        self.bias = 0
        for _ in range(self.n_iters):
            y_predicted = np.dot(X, self.weights) + self.bias
            dw = (1 / n_samples) * np.dot(X.T, (y_predicted - y))
            db = (1 / n_samples) * np.sum(y_predicted - y)
            self.weights -= self.lr * dw
            self.bias -= self.lr * db

    def predict(self, X):
        return np.dot(X, self.weights) + self.bias
"""
LOGISTIC = LINEAR.replace(
    "np.dot(X, self.weights) + self.bias\n            dw", "self._sigmoid(X @ self.weights + self.bias)\n            dw"
)
LOGISTIC = LOGISTIC.replace(
    "        return np.dot(X, self.weights) + self.bias",
    """        y_predicted = self._sigmoid(np.dot(X, self.weights) + self.bias)
        return np.array([1 if p > 0.5 else 0 for p in y_predicted])

    def _sigmoid(self, z):
        return 1 / (1 + np.exp(-z))""",
)
RIDGE = LINEAR.replace("self.bias = 0\n", "self.bias = 0.0\n        self.losses = []\n").replace(
    "            dw =",
    "            error = y_predicted - y\n"
    "            self.losses.append(np.mean(error**2) / 2 + 0.1 * np.sum(self.weights**2))\n            dw =",
)
RIDGE = RIDGE.replace("np.dot(X.T, (y_predicted - y))\n", "np.dot(X.T, (y_predicted - y)) + 0.2 * self.weights\n")
RIDGE = RIDGE.replace("self.lr * db\n", "self.lr * db\n        return self\n")
DRAWN = LINEAR.replace("self, lr=0.001, n_iters=1000", "self, lr=0.001").replace(
    "self.lr, self.n_iters = lr, n_iters", "self.lr = lr"
)
DRAWN = DRAWN.replace("fit(self, X, y)", "fit(self, X, y, epochs=50, verbose=True)").replace(
    "range(self.n_iters)", "range(epochs)"
)
DRAWN = DRAWN.replace("np.zeros(n_features)", "np.random.uniform(-1, 1, n_features)").replace("if epoch", "if epoch")
INHERITED = (
    LINEAR.replace("class Model:", "class Base:")
    + """

class Model(Base):
    def fit(self, X, y):
        return super().fit(X, y)
"""
)
ROUNDED = LOGISTIC.replace(
    "np.array([1 if p > 0.5 else 0 for p in y_predicted])",
    "np.round(self._sigmoid(X @ self.weights + self.bias)).astype(int)",
)
ROUNDED = ROUNDED.replace(
    "        y_predicted = self._sigmoid(np.dot(X, self.weights) + self.bias)\n        return", "        return"
)
WRONG = [
    ("np.dot(X.T, (y_predicted - y))", "np.dot(X.T, (y - y_predicted))"),
    ("np.dot(X.T, (y_predicted - y))", "np.dot(X.T, y_predicted)"),
    ("db = (1 / n_samples) * np.sum", "db = np.sum"),
]
FORMS = {
    "linear": (LINEAR, WRONG),
    "logistic, of classes in a list": (LOGISTIC, WRONG),
    "logistic, rounded": (ROUNDED, WRONG),
    "with a penalty, its loss recorded": (
        RIDGE,
        [*WRONG, ("+ 0.2 * self.weights", "+ 0.1 * self.weights"), ("+ 0.2 * self.weights", "")],
    ),
    "weights drawn, epochs as an argument": (DRAWN, WRONG),
    "inherited": (INHERITED, WRONG),
}
SIX = ["--input", "6,3", "--input", "6"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", [[], ["--target", "binary"]])
def test_step_of_a_fit_is_compared(checked, form, target):
    source, wrong = FORMS[form]
    status, out = checked(source, "Model.fit", *SIX, *target)
    assert status == 0, out
    assert "All agree: two steps, 2 parameters" in out
    assert "fit sets self.weights and self.bias anew" in out
    for right, twin in wrong:
        assert source.count(right) == 1, right
        status, out = checked(source.replace(right, twin), "Model.fit", *SIX, *target)
        assert status == 1, twin
        assert "All agree" not in out, twin
        assert "not along the gradient" in out


def test_all_weights_in_one_array_and_the_wrong_sign(checked):
    source = ROUNDED.replace(" + self.bias", "").replace("            self.bias -= self.lr * db\n", "")
    source = source.replace("        self.bias = 0\n", "")
    assert checked(source, "Model.fit", *SIX)[0] == 0
    status, out = checked(source.replace("self.weights -=", "self.weights +="), "Model.fit", *SIX)
    assert status == 1
    assert "but -1 times it" in out


STEP_FOR_EACH = """
import numpy as np


class Model:
    def __init__(self, lr=0.01, epochs=100):
        self.lr, self.epochs = lr, epochs

    def fit(self, X, y):
        self.w = np.zeros(X.shape[1])
        for _ in range(self.epochs):
            for x_i, y_i in zip(X, y):
                self.w -= self.lr * (x_i @ self.w - y_i) * x_i
        return self

    def predict(self, X):
        return X @ self.w
"""


def test_a_step_for_each_example_is_not_judged_by_a_loss_of_all(checked):
    status, out = checked(STEP_FOR_EACH, "Model.fit", *SIX)
    assert status == 1
    assert "cannot tell whether fit is right" in out
    assert "All agree" not in out
    assert "not along the gradient" not in out


def test_weights_that_depend_on_the_data_or_are_local_are_not_taken_for_compared(checked):
    for right, other in (
        ("self.weights = np.zeros(n_features)", "self.weights = X.mean(axis=0)"),
        ("self.weights = np.zeros(n_features)", "self.weights = np.linalg.solve(X.T @ X, X.T @ y)"),
    ):
        status, out = checked(LINEAR.replace(right, other), "Model.fit", *SIX)
        assert status != 0
        assert "All agree" not in out


def test_loss_that_is_recorded_after_the_step_is_not_compared_with(checked):
    source = LINEAR.replace(
        "self.lr * db\n", "self.lr * db\n            loss = np.mean((self.predict(X) - y) ** 2) / 2\n"
    )
    status, out = checked(source, "Model.fit", *SIX)
    assert status == 0, out
    assert "records" not in out
    for right, twin in WRONG:
        assert checked(source.replace(right, twin), "Model.fit", *SIX)[0] == 1

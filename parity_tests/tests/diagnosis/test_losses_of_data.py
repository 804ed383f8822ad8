"""Autoencoders: backward and the loss take the data after forward, under the name that they have there."""

import pytest

AUTOENCODER = """
import numpy as np


class Net:
    def __init__(self):
        self.W1, self.b1 = np.random.randn(4, 3) * 0.3, np.zeros(3)
        self.W2, self.b2 = np.random.randn(3, 4) * 0.3, np.zeros(4)

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.W1 + self.b1)
        self.out = self.h @ self.W2 + self.b2
        return self.out

    def loss(self, x):
        return np.mean((self.out - x) ** 2)

    def backward(self, x):
        d = 2 * (self.out - x) / x.size
        dh = d @ self.W2.T * (1 - self.h**2)
        self.dW2, self.db2 = self.h.T @ d, d.sum(axis=0)
        self.dW1, self.db1 = self.x.T @ dh, dh.sum(axis=0)
"""
VARIATIONAL = """
import numpy as np


class Net:
    def __init__(self):
        self.Wm, self.Wv = np.random.randn(4, 2) * 0.4, np.random.randn(4, 2) * 0.4
        self.Wd = np.random.randn(2, 4)

    def forward(self, X):
        self.X = X
        mu, log_var = X @ self.Wm, X @ self.Wv
        self.eps = np.random.randn(*mu.shape)
        self.z = mu + np.exp(log_var / 2) * self.eps
        X_hat = 1 / (1 + np.exp(-self.z @ self.Wd))
        return X_hat, mu, log_var

    def compute_loss(self, X, X_hat, mu, log_var):
        bce = -np.sum(X * np.log(X_hat) + (1 - X) * np.log(1 - X_hat))
        return bce - 0.5 * np.sum(1 + log_var - mu**2 - np.exp(log_var))

    def backward(self, X, X_hat, mu, log_var):
        d = X_hat - X
        dz = d @ self.Wd.T
        dmu = dz + mu
        dlog_var = dz * self.eps * 0.5 * np.exp(log_var / 2) + 0.5 * (np.exp(log_var) - 1)
        return {"Wd": self.z.T @ d, "Wm": X.T @ dmu, "Wv": X.T @ dlog_var}
"""
WRONG = [
    ("d @ self.W2.T * (1 - self.h**2)", "d @ self.W2.T"),
    ("d.sum(axis=0)\n", "d.mean(axis=0)\n"),
    ("2 * (self.out - x)", "(self.out - x)"),
]
WRONG_VARIATIONAL = [
    ("dz + mu\n", "dz - mu\n"),
    ("(np.exp(log_var) - 1)", "np.exp(log_var)"),
    ("self.eps * 0.5 * ", "self.eps * "),
]
SMALL = ["--input", "5,4", "--range", "-1,1"]
FORMS = {
    "backward(x)": (AUTOENCODER, WRONG),
    "backward(target)": (
        AUTOENCODER.replace("backward(self, x):", "backward(self, target):\n        x = target"),
        WRONG,
    ),
    "loss(x_hat, x)": (
        AUTOENCODER.replace("loss(self, x)", "compute_loss(self, x_hat, x)").replace(
            "(self.out - x) **", "(x_hat - x) **"
        ),
        WRONG,
    ),
    "loss(x, y_pred)": (
        AUTOENCODER.replace("loss(self, x)", "loss(self, inputs, y_pred)").replace(
            "(self.out - x) **", "(y_pred - inputs) **"
        ),
        WRONG,
    ),
    "gradients returned": (
        AUTOENCODER.replace(
            "dh.sum(axis=0)\n", "dh.sum(axis=0)\n        return self.dW1, self.db1, self.dW2, self.db2\n"
        ),
        [*WRONG[:1], *WRONG[2:]],
    ),
    "values of forward": (VARIATIONAL, WRONG_VARIATIONAL),
}


@pytest.mark.parametrize("form", FORMS)
def test_loss_of_the_data_is_what_backward_differentiates(checked, form):
    source, wrong = FORMS[form]
    status, out = checked(source, "Net", *SMALL)
    assert status == 0, out
    assert "All agree" in out
    for right, twin in wrong:
        assert source.count(right) == 1, right
        status, out = checked(source.replace(right, twin), "Net", *SMALL)
        assert status == 1, twin
        assert "All agree" not in out, twin


def test_right_line_on_the_way_is_not_blamed(wrong_line):
    marked, said = wrong_line(AUTOENCODER.replace(*WRONG[0]), "Net", "--input", "5,4")
    assert "2 * (self.out - x) / x.size" not in marked
    assert "x.T @ the gradient of h" in said


def test_layer_without_such_a_loss_is_read_as_before(checked):
    source = AUTOENCODER.replace(
        "def loss(self, x):\n        return np.mean((self.out - x) ** 2)", "def size(self):\n        return 3"
    )
    source = source.replace("d = 2 * (self.out - x) / x.size", "d = x")
    status, out = checked(source, "Net", "--input", "5,4")
    assert "after forward" not in out
    assert "backward(grad_output)" in out
    assert status == 0, out


def test_loss_of_a_target_after_forward(checked):
    source = AUTOENCODER.replace(
        "(self, x):\n        return np.mean", "(self, y):\n        x = y\n        return np.mean"
    )
    source = source.replace("backward(self, x):", "backward(self, y):\n        x = y").replace("(3, 4)", "(3, 2)")
    source = source.replace("randn(3, 4)", "randn(3, 2)").replace("np.zeros(4)", "np.zeros(2)")
    status, out = checked(source, "Net", *SMALL)
    assert status == 0, out
    assert "the loss is loss, after forward" in out
    for right, twin in WRONG:
        status, out = checked(source.replace(right, twin), "Net", *SMALL)
        assert status == 1, twin
        assert "All agree" not in out, twin

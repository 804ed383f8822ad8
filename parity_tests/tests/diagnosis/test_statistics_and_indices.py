"""Running statistics in dictionaries, private gradients, indices as floats, and outputs that overflow by right."""

import pytest

SOURCE = """
import numpy as np


class BatchNorm:
    def __init__(self, n, eps=1e-5):
        self.params, self.grads, self.eps = {"gamma": np.ones(n), "beta": np.zeros(n)}, {}, eps
        self.running, self.training = {"mean": np.zeros(n), "var": np.ones(n)}, True

    def forward(self, x):
        mean, var = self.running["mean"], self.running["var"]
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running["mean"] = 0.9 * self.running["mean"] + 0.1 * mean
            self.running["var"] = 0.9 * self.running["var"] + 0.1 * var * len(x) / (len(x) - 1)
        self.inverse = 1 / np.sqrt(var + self.eps)
        self.normal = (x - mean) * self.inverse
        return self.params["gamma"] * self.normal + self.params["beta"]

    def backward(self, g):
        self.grads["gamma"] = (g * self.normal).sum(axis=0)
        self.grads["beta"] = g.sum(axis=0)
        d = g * self.params["gamma"] * self.inverse
        if not self.training:
            return d
        return d - d.mean(axis=0) - self.normal * (d * self.normal).mean(axis=0)


class Private:
    def __init__(self, i, o):
        self._W, self._b, self._g = np.random.randn(i, o), np.zeros(o), {}

    def forward(self, x):
        self._x = x
        return x @ self._W + self._b

    def backward(self, g):
        self._g["W"], self._g["b"] = self._x.T @ g, g.sum(axis=0)
        return g @ self._W.T


class Embedding:
    def __init__(self, vocabulary, context, width):
        self.wte, self.wpe = np.random.randn(vocabulary, width), np.random.randn(context, width)

    def forward(self, idx):
        self.idx = idx.astype(int)
        return self.wte[self.idx] + self.wpe[: idx.shape[1]]

    def backward(self, g):
        self.dwte, self.dwpe = np.zeros_like(self.wte), np.zeros_like(self.wpe)
        np.add.at(self.dwte, self.idx, g)
        self.dwpe[: g.shape[1]] = g.sum(axis=0)


class Divergence:
    def forward(self, mu, log_var):
        self.mu, self.log_var = mu, log_var
        return 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var).sum(axis=1)

    def backward(self, g):
        return g[:, None] * self.mu, g[:, None] * (np.exp(self.log_var) - 1) / 2


class Products:
    def forward(self, x):
        self.y = np.exp(x)
        self.total = self.y.sum(axis=1, keepdims=True)
        return self.total * self.y

    def backward(self, g):
        return self.y * (g * self.total + (g * self.y).sum(axis=1, keepdims=True))


class LogSumExp:
    def forward(self, x):
        self.y = np.exp(x)
        return np.log(self.y.sum(axis=1))

    def backward(self, g):
        return g[:, None] * self.y / self.y.sum(axis=1, keepdims=True)
"""
NORM = ["--args", "3", "--input", "6,3"]
TORCH = [*NORM, "--against", "torch.nn.BatchNorm1d"]
LINEAR = ["--args", "3, 2", "--input", "5,3"]
TABLES = ["--args", "7, 5, 3", "--input", "2,4"]
PAIR = ["--input", "5,3", "--input", "5,3"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("BatchNorm", [*NORM, "--eval"], 'self.running["mean"] (3,): state'),
        ("BatchNorm", TORCH, "buffer running_var"),
        ("Private", LINEAR, 'self._W (3, 2): parameter; gradient in self._g["W"]'),
        ("Embedding", TABLES, "note: idx: drawn as indices, as forward makes whole numbers of it"),
        ("Divergence", PAIR, "on numbers up to ±14 and ±100, too"),
        ("Products", ["--input", "5,3"], "on numbers up to ±14 and ±100, too"),
    ],
)
def test_a_right_layer_is_not_accused(checked, name, options, said):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert said in out


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong", "said"),
    [
        ("BatchNorm", [*NORM, "--eval"], "return d\n", "return 2 * d\n", "grad_input: "),
        ("BatchNorm", TORCH, "var * len(x) / (len(x) - 1)", "var", "buffer running_var: "),
        (
            "BatchNorm",
            TORCH,
            '0.9 * self.running["mean"] + 0.1',
            '0.1 * self.running["mean"] + 0.9',
            "buffer running_mean",
        ),
        ("BatchNorm", NORM, "- self.normal * (d", "- (d", "grad_input: "),
        ("Private", LINEAR, "g.sum(axis=0)", "g.mean(axis=0)", "grad__b: 2 of 2"),
        ("Private", LINEAR, 'self._g["W"], self._g["b"] = self._x.T @ g, g', 'self._g["b"] = g', "self._W (3, 2): the"),
        ("Embedding", TABLES, "np.add.at(self.dwte, self.idx, g)", "self.dwte[self.idx] += g", "grad_wte: "),
        ("Embedding", TABLES, "g.sum(axis=0)", "g.mean(axis=0)", "grad_wpe: "),
        ("Divergence", PAIR, "- 1) / 2", ") / 2", "grad_input[1]: "),
        ("LogSumExp", ["--input", "5,3"], "", "", "exp overflows: subtract the maximum of each row"),
    ],
)
def test_a_wrong_layer_is_accused(checked, name, options, right, wrong, said):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong) if right else SOURCE, name, *options)
    assert status == 1, out
    assert "All agree." not in out
    assert said in out


def test_statistics_that_are_not_found_are_named(checked):
    source = SOURCE.replace('self.running["mean"]', "self.kept[0]").replace('self.running["var"]', "self.kept[1]")
    source = source.replace("self.running, self.training = {", "self.kept, self.training = {")
    source = source.replace('{"mean": np.zeros(n), "var": np.ones(n)}', "[np.zeros(n), np.ones(n)]")
    status, out = checked(source, "BatchNorm", *TORCH)
    assert status == 0, out
    assert "note: PyTorch's running_mean and running_var: no array of yours is called so, or the like; not" in out


@pytest.mark.parametrize(("gradient", "status"), [("self.y", 0), ("self.y**2 / self.y**2 * self.y", 1)])
def test_infinity_is_no_excuse_for_a_gradient_that_overflows_before(checked, gradient, status):
    source = f"""
import numpy as np

class Exponential:
    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, g):
        return g * ({gradient})
"""
    found, out = checked(source, "Exponential", "--input", "4,3")
    assert found == status, out


ENCODER = """
import numpy as np


class Encoder:
    '''Where the weights are large, exp(log_var) is infinite, and what is made of it NaN.'''

    def __init__(self, n_in, n_out):
        self.w_mu, self.w_var = np.random.randn(n_in, n_out), np.random.randn(n_in, n_out)
        self.w_dec = np.random.randn(n_out, n_in)

    def forward(self, x):
        self.x, self.mu, self.log_var = x, x @ self.w_mu, x @ self.w_var
        self.sigma, self.noise = np.exp(0.5 * self.log_var), np.random.default_rng(1).normal(size=self.mu.shape)
        self.z = self.mu + self.sigma * self.noise
        self.made = self.z @ self.w_dec
        return 0.5 * np.sum(self.made**2) - 0.5 * np.sum(1 + self.log_var - self.mu**2 - np.exp(self.log_var))

    def backward(self):
        self.dw_dec, d_z = self.z.T @ self.made, self.made @ self.w_dec.T
        d_mu = d_z + self.mu
        d_var = 0.5 * d_z * self.sigma * self.noise + 0.5 * (np.exp(self.log_var) - 1)
        self.dw_mu, self.dw_var = self.x.T @ d_mu, self.x.T @ d_var
        return d_mu @ self.w_mu.T + d_var @ self.w_var.T


class Softmax:
    def forward(self, x):
        self.p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        return self.p

    def backward(self, g):
        return self.p * (g - (g * self.p).sum(axis=1, keepdims=True))
"""


@pytest.mark.parametrize(
    ("name", "right", "wrong", "said"),
    [
        ("Encoder", "", "", ""),
        ("Encoder", "d_mu = d_z + self.mu", "d_mu = self.mu", "grad_w_mu: "),
        ("Encoder", "(np.exp(self.log_var) - 1)\n", "np.exp(self.log_var)\n", "grad_w_var: "),
        ("Softmax", "", "", "exp overflows: subtract the maximum of each row"),
    ],
)
def test_what_has_to_be_infinite_is_no_overflow(checked, name, right, wrong, said):
    assert ENCODER.count(right) == 1 or not right
    options = ["--args", "4, 3"] if name == "Encoder" else []
    status, out = checked(ENCODER.replace(right, wrong) if right else ENCODER, name, *options, "--input", "5,4")
    assert status == int(bool(said)), out
    assert said in out

"""Which array is whose gradient, where several have names that may mean it."""

import pytest

SOURCE = """
import numpy as np


class Scaled:
    def __init__(self, d):
        self.W, self.gamma = np.random.randn(d, d), np.full(d, 0.1)

    def forward(self, x):
        self.x, self.f = x, np.tanh(x @ self.W)
        return x + self.gamma * self.f

    def backward(self, g):
        self.dgamma = (g * self.f).sum(axis=0)
        dz = g * self.gamma * (1 - self.f**2)
        self.dW = self.x.T @ dz
        return g + dz @ self.W.T


class Returning(Scaled):
    def backward(self, g):
        dx = super().backward(g)
        return dx, {"dgamma": self.__dict__.pop("dgamma"), "dW": self.__dict__.pop("dW")}


class Linear:
    def __init__(self, n, m):
        self.weight, self.grad_weight = np.random.randn(n, m), np.zeros((n, m))

    def forward(self, x):
        self.x = x
        return x @ self.weight

    def backward(self, g):
        self.grad_weight += self.x.T @ g
        return g @ self.weight.T


class Sum:
    def __init__(self, d):
        self.one, self.two, self.three = Linear(d, d), Linear(d, d), Linear(d, d)

    def forward(self, x):
        return self.three.forward(self.one.forward(x) + self.two.forward(x))

    def backward(self, g):
        g = self.three.backward(g)
        return self.one.backward(g) + self.two.backward(g)


class Private:
    def __init__(self, n, m):
        self._W, self._b = np.random.randn(n, m), np.random.randn(m)
        self._dW, self._db = np.zeros((n, m)), np.zeros(m)

    def __call__(self, x):
        self._x = x
        return x @ self._W + self._b

    def backward(self, g):
        self._dW[...] = self._x.T @ g
        self._db[...] = g.sum(axis=0)
        return g @ self._W.T


class Norm:
    @staticmethod
    def forward(ctx, x, weight):
        r = 1 / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-5)
        ctx["saved"] = x * r, r, weight
        return x * r * weight

    @staticmethod
    def backward(ctx, g):
        n, r, weight = ctx["saved"]
        dn = g * weight
        return r * (dn - n * (dn * n).mean(axis=1, keepdims=True)), (g * n).sum(axis=0)
"""
SQUARE, WIDE = ["--args", "4", "--input", "5,4"], ["--args", "3, 4", "--input", "5,3"]
FORMS = {
    "Scaled": SQUARE,
    "Returning": SQUARE,
    "Sum": SQUARE,
    "Private": WIDE,
    "Norm": ["--input", "5,4", "--input", "4"],
}
WRONG = [
    ("Scaled", "self.dgamma = (g * self.f)", "self.dgamma = g", "grad_gamma: "),
    ("Scaled", "self.x.T @ dz", "self.x.T @ g", "grad_W: "),
    ("Scaled", "self.dgamma = (g * self.f)", "(g * self.f)", "self.gamma (4,): the output depends on it, but no"),
    ("Returning", "self.dgamma = (g * self.f)", "self.dgamma = g", "grad_gamma: "),
    ("Returning", "self.x.T @ dz", "self.x.T @ g", "grad_W: "),
    ("Sum", " + self.two.backward(g)", "", "self.two.weight (4, 4): the output depends on it, but no gradient"),
    ("Private", "self._db[...] = g.sum(axis=0)", "self._db[...] = g[0]", "grad__b: only the first example"),
    ("Norm", " - n * (dn * n)", " - (dn * n)", "grad_input[0]: "),
    ("Norm", "(g * n).sum(axis=0)", "(g * n).mean(axis=0)", "grad_input[1]: divided by 5"),
]


@pytest.mark.parametrize(("name", "options"), FORMS.items())
def test_a_right_layer_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out


@pytest.mark.parametrize(("name", "right", "wrong", "said"), WRONG)
def test_what_is_wrong_is_named(checked, name, right, wrong, said):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *FORMS[name])
    assert status == 1, out
    assert "All agree." not in out
    assert said in out, out
    assert "expected (" not in out, out  # no array is taken for the gradient of one of another shape


KEYED = """
import numpy as np

params = {"Wq": np.random.randn(4, 4), "Wk": np.random.randn(4, 4), "Wv": np.random.randn(4, 4)}


def forward(x, p):
    q, k, v = x @ p["Wq"], x @ p["Wk"], x @ p["Wv"]
    return np.tanh(q) * k + v, (x, p, q, k)


def backward(dout, cache):
    x, p, q, k = cache
    grads = {}
    dq, dk, dv = dout * k * (1 - np.tanh(q) ** 2), dout * np.tanh(q), dout
    grads["Wv"], grads["Wk"], grads["Wq"] = x.T @ dv, x.T @ dk, x.T @ dq
    return dq @ p["Wq"].T + dk @ p["Wk"].T + dv @ p["Wv"].T, grads
"""


@pytest.mark.parametrize("name", ["grads", "g", "gradients", "dparams"])
@pytest.mark.parametrize(
    ("right", "wrong", "accused"),
    [("x.T @ dv, x", "-x.T @ dv, x", "Wv"), ("x.T @ dk, x.T @ dq", "x.T @ dk, x.T @ (dq + dk)", "Wq")],
)
def test_gradients_returned_under_the_parameters_keys_are_theirs(checked, name, right, wrong, accused):
    source = KEYED.replace("grads", name)
    assert source.count(right) == 1
    options = ["--args", "p=params", "--input", "3,4"]
    status, out = checked(source, "forward,backward", *options)
    assert status == 0, out
    assert f'params["Wq"] (4, 4): parameter; gradient in {name}.Wq of what backward returns' in out
    status, out = checked(source.replace(right, wrong), "forward,backward", *options)
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines() if "16 of 16 elements differ" in line] == [
        f"params.grad_{accused}"
    ]

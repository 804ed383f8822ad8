"""``backprop check``: somebody else's layer, in whatever way it keeps its numbers, and every way to mistype."""

import pytest

from benchmarks.cli import main

CONV = '''
import numpy as np


class Conv2d:
    """A convolution by loops, its parameters plain arrays."""

    def __init__(self, c_in, c_out, kernel_size, padding=0):
        self.W = np.random.default_rng(0).normal(size=(c_out, c_in, kernel_size, kernel_size))
        self.b = np.zeros(c_out)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
        self.k, self.p = kernel_size, padding

    def forward(self, x):
        p, k = self.p, self.k
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        n, _, h, w = self.x.shape
        y = np.zeros((n, len(self.W), h - k + 1, w - k + 1))
        for i in range(h - k + 1):
            for j in range(w - k + 1):
                y[:, :, i, j] = np.tensordot(self.x[:, :, i:i + k, j:j + k], self.W, ((1, 2, 3), (1, 2, 3))) + self.b
        return y

    def backward(self, g):
        p, k = self.p, self.k
        gx = np.zeros_like(self.x)
        for i in range(g.shape[2]):
            for j in range(g.shape[3]):
                self.dW += np.tensordot(g[:, :, i, j], self.x[:, :, i:i + k, j:j + k], (0, 0))
                gx[:, :, i:i + k, j:j + k] += np.tensordot(g[:, :, i, j], self.W, (1, 0))
        self.db += g.sum(axis=(0, 2, 3))
        return gx[:, :, p:gx.shape[2] - p, p:gx.shape[3] - p]
'''
AGAINST_CONV = ["--against", "torch.nn.Conv2d", "--args", "3, 8, kernel_size=3, padding=1", "--input", "2,3,5,7"]

SMALL = """
import numpy as np


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None


class Linear:
    def __init__(self, i, o):
        self.kernel = Parameter(np.ones((i, o), np.float32))
        self.shift = Parameter(np.ones(o, np.float32))

    def forward(self, x):
        self.x = x
        return x @ self.kernel.data + self.shift.data

    def backward(self, g):
        for parameter, grad in ((self.kernel, self.x.T @ g), (self.shift, g.sum(axis=0))):
            parameter.grad = grad if parameter.grad is None else parameter.grad + grad
        return g @ self.kernel.data.T


class Two:
    def __init__(self):
        self.one, self.two = Linear(3, 4), Linear(4, 2)

    def forward(self, x):
        return self.two.forward(self.one.forward(x))

    def backward(self, g):
        return self.one.backward(self.two.backward(g))


class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, g):
        return g * (self.x >= 0)


class Swish:
    def forward(self, x):
        self.x, self.s = x, 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, g):
        return g * (self.s + self.x * self.s * (1 - self.s))


class Cross:
    def forward(self, x, target):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.target = e / e.sum(axis=1, keepdims=True), target
        return -np.log(self.p[np.arange(len(x)), target]).mean()

    def backward(self, grad_output=1.0):
        p = self.p.copy()
        p[np.arange(len(p)), self.target] -= 1
        return p * grad_output


class Binary:
    def forward(self, x, target):
        self.x, self.target = x, target
        return -(target * np.log(x) + (1 - target) * np.log(1 - x)).mean()

    def backward(self, grad_output=1.0):
        return (self.x - self.target) / (self.x * (1 - self.x)) / self.x.size * grad_output


class Norm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)
        self.running_mean, self.running_var = np.zeros(n), np.ones(n)
        self.training = True

    def forward(self, x):
        self.x = x
        mean, var = (x.mean(axis=0), x.var(axis=0)) if self.training else (self.running_mean, self.running_var)
        if self.training:
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.running_var = 0.9 * self.running_var + 0.1 * var
        self.std = np.sqrt(var + 1e-5)
        self.x_hat = (x - mean) / self.std
        return self.x_hat * self.gamma + self.beta

    def backward(self, g):
        self.dgamma = getattr(self, "dgamma", 0) + (g * self.x_hat).sum(axis=0)
        self.dbeta = getattr(self, "dbeta", 0) + g.sum(axis=0)
        g = g * self.gamma
        if not self.training:
            return g / self.std
        return (g - g.mean(axis=0) - self.x_hat * (g * self.x_hat).mean(axis=0)) / self.std


class Raising(Relu):
    def backward(self, g):
        raise IndexError("out of bounds")


class Demanding(Relu):
    def backward(self, g, more):
        return g


class NoBackward:
    def forward(self, x):
        return x


def linear(x, w, b):
    return x @ w.T + b


def linear_backward(g, x, w, b):
    return g @ w, g.T @ x, g.sum(axis=0)
"""


@pytest.fixture
def command(tmp_path, capsys):
    """Return a function that writes a file and runs the command on NAME in it: status, output, error."""

    def run(source, name, *options):
        path = tmp_path / "my.py"
        path.write_text(source)
        status = main(["check", f"{path}:{name}", *options])
        return status, *capsys.readouterr()

    return run


def test_a_right_convolution_agrees(command):
    status, out, err = command(CONV, "Conv2d", *AGAINST_CONV)
    assert (status, err) == (0, "")
    assert "note: W is taken for weight\n" in out
    assert "All agree." in out


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("self.db += g.sum(axis=(0, 2, 3))", "self.db += g.mean(axis=(0, 2, 3))", "grad_bias: divided by 70"),
        ("self.db += g", "self.db = g", "grad_bias after a second backward: overwritten"),
        ("self.W, (1, 0))", "self.W[:, :, ::-1, ::-1], (1, 0))", "grad_input: weight is turned round"),
        ("return gx[:, :, p:gx.shape[2] - p, p:gx.shape[3] - p]", "return gx", "the padding is not cut off"),
        ("self.dW += np", "self.dW -= np", "grad_weight: the sign is flipped"),
        ("+ self.b", "", "output: bias is left out"),
    ],
)
def test_a_classic_mistake_is_named(command, right, wrong, words):
    assert right in CONV
    status, out, err = command(CONV.replace(right, wrong), "Conv2d", *AGAINST_CONV)
    assert (status, err) == (1, "")
    assert words in out


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Linear", ["--against", "torch.nn.Linear", "--args", "3, 5", "--input", "4,3"]),
        ("Linear", ["--against", "torch.nn.Linear", "--args", "3, 5", "--input", "4,3", "--dtype", "float32"]),
        ("Linear", ["--args", "3, 5", "--input", "4,3"]),
        ("Two", ["--input", "4,3"]),
        ("Swish", ["--input", "4,3"]),
        ("Swish", ["--against", "torch.nn.SiLU", "--input", "4,3", "--seed", "7"]),
        ("Swish", ["--against", "torch.nn.functional.silu", "--input", "4,3"]),
        ("Norm", ["--against", "torch.nn.BatchNorm1d", "--args", "3", "--input", "4,3", "--eval"]),
        ("Norm", ["--args", "3", "--input", "4,3"]),
        ("Binary", ["--against", "torch.nn.BCELoss", "--input", "4,3", "--target", "binary", "--range", "0.1,0.9"]),
        ("linear,linear_backward", ["--input", "4,3", "--input", "5,3", "--input", "5"]),
        (
            "linear,linear_backward",
            ["--against", "torch.nn.functional.linear", "--input", "4,3", "--input", "5,3", "--input", "5"],
        ),
    ],
)
def test_right_layers_of_every_make_agree(command, name, options):
    status, out, err = command(SMALL, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree." in out


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Relu", ["--against", "torch.nn.ReLU", "--input", "4,3"], "differs only where the input is exactly 0"),
        (
            "Cross",
            ["--against", "torch.nn.CrossEntropyLoss", "--input", "5,3", "--target", "classes"],
            "times 5, the batch size: a missing 1/5",
        ),
        ("Cross", ["--input", "5,3", "--target", "classes"], "times 5, the batch size: a missing 1/5"),
        (
            "Norm",
            ["--against", "torch.nn.BatchNorm1d", "--args", "3", "--input", "4,3"],
            "buffer running_var: made with the biased variance",
        ),
        (
            "Linear",
            ["--against", "torch.nn.Linear", "--args", "3, 3", "--input", "4,3"],
            "output: weight is transposed once too often, or not at all",
        ),
    ],
)
def test_wrong_layers_of_every_make_are_named(command, name, options, words):
    status, out, err = command(SMALL, name, *options)
    assert (status, err) == (1, "")
    assert words in out


def test_a_transposed_weight_is_compared_as_it_is(command):
    _, out, _ = command(SMALL, "Linear", "--against", "torch.nn.Linear", "--args", "3, 5", "--input", "4,3")
    assert "note: kernel is taken for weight, transposed: PyTorch's is (5, 3)" in out
    assert "note: shift is taken for bias" in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Raising", ["in backward: raise IndexError", "IndexError: out of bounds"]),
        ("Demanding", ["TypeError", "missing 1 required positional argument: 'more'"]),
    ],
)
def test_a_layer_that_raises_is_a_mismatch_with_its_line(command, name, words):
    status, out, err = command(SMALL, name, "--against", "torch.nn.ReLU", "--input", "4,3")
    assert (status, err) == (1, "")
    assert all(word in out for word in words)
    assert "Traceback" not in out


def test_the_line_is_that_of_the_file(command, tmp_path):
    _, out, _ = command(SMALL, "Raising", "--input", "4,3")
    line = SMALL.splitlines().index('        raise IndexError("out of bounds")') + 1
    assert out.startswith(f"{tmp_path / 'my.py'}:{line}: in backward")


@pytest.mark.parametrize("source", ["def f(:\n", "import nothing_of_that_name\n", "1 / 0\n"])
def test_a_file_that_does_not_load_is_a_mismatch_with_its_line(command, source):
    status, out, err = command(source, "Relu", "--input", "4,3")
    assert (status, err) == (1, "")
    assert "my.py:1: " in out


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Nothing", ["--input", "4,3"], "has no class or function 'Nothing'"),
        ("np", ["--input", "4,3"], "has no class or function 'np'"),
        ("linear", ["--input", "4,3"], "expected a class, or two functions"),
        ("NoBackward", ["--input", "4,3"], "NoBackward has no method backward"),
        ("Relu", ["--input", "4,x"], "--input: expected numbers separated by commas"),
        ("Relu", ["--input", "4,-3"], "--input: expected lengths of 0 or more"),
        ("Relu", ["--input", "4,3", "--args", "__import__('os')"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "3) + (4"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "*[3]"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "**{'a': 3}"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "3, 4"], "--args: Relu cannot be called with these"),
        ("Relu", ["--input", "4,3", "--against", "torch.nn.Nothing"], "--against: expected a layer or function"),
        ("Relu", ["--input", "4,3", "--against", "os.system"], "--against: expected a layer or function"),
        (
            "Linear",
            ["--input", "4,3", "--args", "3", "--against", "torch.nn.Linear"],
            "torch.nn.Linear refuses the arg",
        ),
        ("Linear", ["--input", "4,2", "--args", "3, 5", "--against", "torch.nn.Linear"], "refuses the input: "),
        ("Relu", ["--input", "4,3", "--dtype", "float32"], "finite differences need --dtype float64"),
        ("Relu", ["--input", "4,3", "--range", "1"], "--range: expected LOW,HIGH"),
        ("Relu", ["--input", "4,3", "--range", "2,1"], "--range: expected LOW,HIGH with LOW below HIGH"),
        ("Relu", ["--input", "4,3", "--seed", "-1"], "--seed: expected 0 or more"),
        ("Relu", ["--input", "4,3", "--dtype", "int8"], "invalid choice: 'int8'"),
        ("Relu", [], "--input"),
    ],
)
def test_a_usage_error_is_one_line(command, name, options, words):
    status, out, err = command(SMALL, name, *options)
    assert status == 2
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_not_there(capsys, tmp_path):
    for layer in (f"{tmp_path}/none.py:Relu", str(tmp_path), "Relu"):
        assert main(["check", layer, "--input", "4,3"]) == 2
        assert "expected FILE.py:NAME with a file that exists" in capsys.readouterr().err


def test_the_engines_own_layers_can_be_checked(capsys):
    import scratch.nn.linear

    options = ["--against", "torch.nn.Linear", "--args", "3, 5", "--input", "2,4,3"]
    assert main(["check", f"{scratch.nn.linear.__file__}:Linear", *options]) == 0
    assert "All agree." in capsys.readouterr().out

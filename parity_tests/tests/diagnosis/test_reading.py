"""How a user's code is read: what its output depends on, what was not compared, what is asked for, and from Python."""

import types

import numpy as np
import pytest
import torch

from benchmarks.cli import main
from parity_tests import check

X = np.random.default_rng(1).normal(size=(5, 3))

LAYERS = """
import numpy as np


class Hidden:
    '''Its table moves the output, and backward has no gradient of it.'''

    def __init__(self):
        self.table = {"deep": [np.array([1.0, 2.0, 3.0])]}

    def forward(self, x):
        return x * self.table["deep"][0]

    def backward(self, g):
        return g * self.table["deep"][0]


class Whole:
    def __init__(self):
        self.W = np.ones((3, 2), int)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T


class Forgetful:
    def __init__(self):
        self.W = np.ones((3, 2))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g
        dx = g @ self.W.T


class Shouting:
    def forward(self, x):
        print("forward!")
        return np.sqrt(x * x)

    def backward(self, g):
        return g


class Leaving:
    def forward(self, x):
        raise SystemExit(0)

    def backward(self, g):
        return g


class Unstable:
    def forward(self, x):
        e = np.exp(x - np.max(x))
        self.s = e / e.sum(axis=1, keepdims=True)
        return self.s

    def backward(self, g):
        return self.s * (g - (g * self.s).sum(axis=1, keepdims=True))


class Critic:
    def forward(self, logp, values, returns):
        self.logp = logp
        advantage = returns - values
        self.advantage = advantage
        return -np.mean(logp * advantage) + 0.5 * np.mean(advantage**2)

    def backward(self, grad=1.0):
        n = len(self.logp)
        return -grad * self.advantage / n, -grad * self.advantage / n


class Value:
    def __init__(self, data):
        self.data, self.grad = data, 0.0

    def square(self):
        return Value(self.data**2)

    def backward(self):
        pass
"""


@pytest.fixture
def command(check_file):
    """Return a function that runs the command on NAME of the layers above, and returns status, output and error."""
    return lambda name, *options, source=LAYERS: check_file(source, name, *options)


def test_what_the_output_depends_on_is_named_wherever_it_lies(command):
    status, out, err = command("Hidden", "--input", "5,3")
    assert (status, err) == (1, "")
    assert "not everything was compared" in out
    assert 'self.table["deep"][0] (3,): the output depends on it, but no gradient of it was found' in out


def test_a_constant_is_declared(command):
    status, out, _ = command("Hidden", "--input", "5,3", "--constant", "deep")
    assert status == 0
    assert "All agree." in out


def test_whole_numbers_as_weights_are_a_fault(command):
    status, out, _ = command("Whole", "--input", "5,3")
    assert status == 1
    assert "self.W holds integers" in out


def test_a_forgotten_return_is_not_agreement(command):
    status, out, _ = command("Forgetful", "--input", "5,3")
    assert status == 1
    assert "x (5, 3): the output depends on it, but backward returns no gradient of it (is the return missing?" in out


def test_a_report_without_a_single_array_is_no_agreement(checked):
    source = """
import numpy as np


class Embedding:
    def __init__(self):
        self.table = np.ones((20_000, 64))  # more numbers than are looked at

    def forward(self, indices):
        self.indices = indices
        return self.table[indices]

    def backward(self, g):
        self.grads = {}
"""
    status, out = checked(source, "Embedding", "--input", "4,5")
    assert status == 1
    assert "nothing was compared" in out


def test_prints_are_shown_a_few_times_only(command):
    _, out, _ = command("Shouting", "--input", "5,3")
    assert 1 <= out.count("forward!") <= 4


def test_leaving_the_program_is_no_agreement(command):
    status, out, _ = command("Leaving", "--input", "5,3")
    assert status == 1
    assert "this ended the program (sys.exit(0)) during forward" in out
    status, out, _ = command("L", "--input", "5,3", source="import sys\nsys.exit(0)\n")
    assert status == 1
    assert "this ended the program" in out


def test_extreme_inputs_are_tried_after_the_usual_ones(command):
    status, out, err = command("Unstable", "--input", "5,3", "--against", "torch.nn.Softmax", "--torch-args", "dim=1")
    assert (status, err) == (1, "")
    assert "On these numbers they agree." in out
    assert "gives NaN from finite numbers where PyTorch is finite" in out
    status, _, _ = command("Unstable", "--input", "5,3", "--range", "-2,2")
    assert status == 0


def test_a_value_may_be_a_constant_in_one_use_of_two(command):
    inputs = ["--input", "4", "--input", "4", "--input", "4"]
    for options in ([], ["--constant", "advantage"]):
        status, out, _ = command("Critic", *inputs, *options)
        assert status == 0
        assert "note: right with advantage as a constant in" in out
    source = LAYERS.replace("advantage", "difference")
    assert command("Critic", *inputs, source=source)[0] == 1
    assert command("Critic", *inputs, "--constant", "difference", source=source)[0] == 0


def test_an_advantage_that_is_differentiated_is_told(command):
    wrong = "return -grad * self.advantage / n, -grad * (self.advantage - self.logp) / n"
    source = LAYERS.replace("return -grad * self.advantage / n, -grad * self.advantage / n", wrong)
    status, out, _ = command("Critic", "--input", "4", "--input", "4", "--input", "4", source=source)
    assert status == 1
    assert "the gradient of values flows through advantage" in out


def test_a_form_that_is_not_understood_gets_an_adapter_that_runs(command, tmp_path, capsys):
    status, out, err = command("Value", "--input", "4,3", "--against", "torch.square")
    assert status == 2
    assert len(err.splitlines()) == 1
    adapter = tmp_path / "my_adapter.py"
    adapter.write_text(out.partition("\n\n")[2])
    assert main(["check", f"{adapter}:forward,backward", "--input", "4,3"]) == 1
    assert "grad_input: 12 of 12 elements differ" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    [
        "torch.sys.exit",
        "torch.ctypes.util.subprocess.Popen",
        "torch.nn.functional.torch",
        "torch.load",
        "torch.nn.init",
    ],
)
def test_nothing_but_layers_and_functions_is_reached_through_torch(command, name):
    status, out, err = command("Whole", "--input", "5,3", "--against", name)
    assert (status, out) == (2, "")
    assert "--against: expected a layer or function" in err


class MyLinear:
    """A plain class."""

    def __init__(self, n_in, n_out, factor=1):
        rng = np.random.default_rng(0)
        self.W, self.b, self.factor = rng.normal(size=(n_out, n_in)), np.zeros(n_out), factor

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, g):
        self.dW = g.T @ self.x * self.factor
        self.db = g.sum(axis=0)
        return g @ self.W


def test_from_python_any_object_is_taken():
    assert check(MyLinear(3, 2), torch.nn.Linear(3, 2), X).ok
    report = check(MyLinear(3, 2, factor=7), torch.nn.Linear(3, 2), X)
    assert [quantity.name for quantity in report.wrong] == ["grad_weight"]
    assert "self.W (2, 3): weight; gradient in self.dW" in report.read


def test_from_python_functions_and_modules_are_taken():
    def tanh(x):
        return np.tanh(x)

    def tanh_backward(g, x):
        return g * (1 - np.tanh(x) ** 2)

    assert check((tanh, tanh_backward), torch.tanh, X).ok
    module = types.ModuleType("mine")
    module.forward, module.backward = tanh, tanh_backward
    assert check(module, None, X).ok


def test_a_training_step_is_held_to_the_gradient_of_its_loss(capsys):
    from parity_tests.diagnosis.collection import training_steps

    options = ["--args", "3, 4", "--input", "5,3", "--input", "5"]
    assert main(["check", f"{training_steps.__file__}:Regression", *options]) == 0
    assert "All agree: two steps, 4 parameters." in capsys.readouterr().out


PAIR = "from near import FACTOR\n\n\ndef forward(x):\n    return FACTOR * x\n\n\ndef backward(g):\n    return 2 * g\n"


def test_the_next_version_of_a_file_is_read_however_soon_it_is_saved(checked, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    near = tmp_path / "near.py"
    for factor, expected in (("2", 0), ("3", 1), ("2", 0)):
        near.write_text(f"FACTOR = {factor}\n")
        status, out = checked(PAIR, "forward,backward", "--input", "5,3")
        assert status == expected, out
    status, out = checked(PAIR.replace("2 * g", "3 * g"), "forward,backward", "--input", "5,3")
    assert status == 1, out
    assert {path.name for path in tmp_path.iterdir()} == {"my.py", "near.py"}

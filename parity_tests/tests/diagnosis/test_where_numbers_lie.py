"""Every array and number that the output depends on is compared, wherever it lies, or is named as not compared."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.world import World
from parity_tests.harness.report import Report
from parity_tests.tests.diagnosis.layers_by_holder import HOLDERS

ALONG = "All agree. Compared along random directions, not element by element: grad_W."
SHAPE = ["--args", "3,4", "--input", "5,3"]
RIGHT = {
    "Embedding": (["--input", "4,5"], ["self.W (2000, 64): parameter; gradient in self.dW", "\ngrad_W ", ALONG]),
    "InTheClass": (SHAPE, ['self.params["W"] (3, 4): parameter; gradient in self.grads["W"]', "\nparams.grad_W "]),
    "Handed": (SHAPE, ["gradient in self.layer.dW; the same array as self.layer.W", "\nparams.grad_W "]),
    "Gathered": (SHAPE, ['gradient in self.grads["W"]; the same array as self.layer.W', "\nparams.grad_W "]),
    "Returned": ([*SHAPE, "--constant", "x"], ["gradient in W of what backward returns", "\nparams.grad_W "]),
    "Tied": (["--args", "3", "--input", "5,3"], ["gradient in self.enc.dW + self.dec.dW", "\nenc.grad_W "]),
    "CopiedDictionary": (SHAPE, ["\nparams.grad_W "]),
    "Scale": (["--input", "5,3"], ['self.params["s"] (): parameter; gradient in self.grads["s"]', "\nparams.grad_s "]),
    "ScaleInLists": (["--input", "5,3"], ["self.params[0] (): parameter; gradient in self.grads[0]"]),
    "PReLU": (["--input", "5,3"], ["self.alpha (): parameter; gradient in self.dalpha\n", "\ngrad_alpha "]),
    "LeakyReLU": (["--input", "5,3"], ["All agree."]),
    "Columns": (["--args", "3,4", "--input", "3,5"], ["\ngrad_b      (4, 1)"]),
    "Rows": (SHAPE, ["\ngrad_b      (4,)"]),
    "Unused": (SHAPE, ["note: self.b (4,): forward does not use it, and no gradient of it was found; not compared"]),
    "TwoBiases": (SHAPE, ["\ngrad_b ", "\ngrad_c "]),
    "Private": (["--input", "5,3"], ["self.__W (3, 4): parameter; gradient in self.__dW", "\ngrad_Base__W "]),
}
WRONG = {
    "rows that are used twice get one gradient": (
        "Embedding",
        ("np.add.at(self.dW, self.i, g)", "self.dW[self.i] += g"),
        "grad_W: 8 of 8 random directions differ",
    ),
    "class attribute": ("InTheClass", ("self.x.T @ g", "0 * self.params['W']"), "params.grad_W: 12 of 12 elements"),
    "handed to a layer": ("Handed", ("self.dW = self.x.T @ g", "self.dW = 0 * self.W"), "params.grad_W: 12 of 12"),
    "gathered wrongly": (
        "Gathered",
        ("1.0 * self.layer.dW}\n        return dx", "0.5 * self.layer.dW}\n        return dx"),
        "params.grad_W: 12 of 12 elements differ",
    ),
    "returned wrongly": (
        "Returned",
        ('return {"W": 1.0', 'return {"W": 0.5'),
        "params.grad_W: 12 of 12 elements differ",
    ),
    "half of a tied weight": ("Tied", ("self.dec.backward(g))", "self.dec.backward(g) * 2)"), "enc.grad_W: 9 of 9"),
    "gradients written into the weights": (
        "CopiedDictionary",
        ('self.grads["W"] = ', 'self.grads["W"][...] = '),
        'self.params["W"] was written to by backward',
    ),
    "float": ("Scale", ("(g * self.x).sum()", "(g * self.x).mean()"), "params.grad_s: 1 of 1 elements differs"),
    "float in a list": ("ScaleInLists", ("(g * self.x).sum()", "(g * self.x).mean()"), "params.grad_0: 1 of 1"),
    "PReLU": ("PReLU", (" * (self.x <= 0)).sum", ").sum"), "grad_alpha: 1 of 1 elements differs, expected 1.2"),
    "lost axis": (
        "Columns",
        ("axis=1, keepdims=True", "axis=1"),
        "the gradient of self.b has shape (4,), expected (4, 1): self.b - rate * gradient has shape (4, 4)",
    ),
    "two biases": ("TwoBiases", ("self.dc = self.db", "self.dc = 2 * self.db"), "grad_c: 4 of 4 elements differ"),
    "private": ("Private", ("self.__dW = self.__x.T @ g", "self.__dW = self.__x.T @ g * 2"), "grad_Base__W: 9 of 9"),
}
UNCOMPARED = {
    "Embedding": (["--input", "4,5"], ("np.add.at(self.dW, self.i, g)", "del self.dW"), "self.W (2000, 64)"),
    "Centred": (["--input", "5,3"], ("", ""), "MEAN (1000, 1200)"),
    "Scale": (["--input", "5,3"], ('self.grads["s"] =', "ds ="), 'self.params["s"] ()'),
    "ScaleInLists": (["--input", "5,3"], ("self.grads[0] =", "ds ="), "self.params[0] ()"),
    "Normalized": (SHAPE, ("", ""), "self.W (3, 4)"),
}


@pytest.fixture
def command(check_file):
    """Return a function that writes the layers, changed in one place, and returns the command's status and output."""

    def run(name, options, change=("", "")):
        at = HOLDERS.index(f"class {name}")
        if change[0] not in HOLDERS[at:].partition("\n\n\n")[0]:
            at = HOLDERS.index(change[0])
        return check_file(HOLDERS[:at] + HOLDERS[at:].replace(*change, 1), name, *options)[:2]

    return run


@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_agree_and_their_numbers_are_in_the_table(command, name):
    options, said = RIGHT[name]
    status, out = command(name, options)
    assert status == 0, out
    assert "All agree." in out
    assert [words for words in said if words not in out] == []


@pytest.mark.parametrize("what", WRONG)
def test_wrong_twins_are_named(command, what):
    name, change, said = WRONG[what]
    status, out = command(name, RIGHT[name][0], change)
    assert status == 1
    assert said in out


@pytest.mark.parametrize("name", UNCOMPARED)
def test_what_has_no_gradient_is_named(command, name):
    options, change, said = UNCOMPARED[name]
    status, out = command(name, options, change)
    assert status == 1
    assert "All agree." not in out
    assert f"{said}: the output depends on it, but no gradient of it was found" in out


@pytest.mark.parametrize(
    ("keep", "get", "name"),
    [
        ("np.save(FILE, W)", "np.load(FILE)", "W.npy"),
        ("FILE = __import__('pickle').dumps(W)", "__import__('pickle').loads(FILE)", "pickle"),
    ],
)
def test_what_forward_reads_each_time_is_named(check_file, keep, get, name):
    source = f"""
import numpy as np

FILE = __file__.replace("my.py", "W.npy")
W = np.ones((3, 4))
{keep}
del W


class Layer:
    def forward(self, x):
        return x @ {get}

    def backward(self, g):
        return g @ {get}.T
"""
    status, out, _ = check_file(source, "Layer", "--input", "5,3")
    assert (status, "All agree." in out) == (1, False), out
    assert f"{name}: the numbers in it were not compared" in out
    status, out, _ = check_file(source, "Layer", "--input", "5,3", "--constant", name)
    assert (status, "All agree." in out) == (0, True), out


def test_figures_are_neither_copied_nor_moved():
    one = SimpleNamespace(W=np.ones(2), figures=[Figure()])
    one.axes = one.figures[0].add_subplot()
    before = one.figures[0], one.axes
    world = World([one], ["self"])
    assert [place.name for place, _ in world.places()] == ["W"]
    one.W, one.axes = None, None
    world.restore()
    assert one.W.tolist() == [1, 1]
    assert all(now is then for now, then in zip((one.figures[0], one.axes), before, strict=True))


def test_where_to_look_is_not_copied_with_a_stand_in():
    found = Found("scaled", lambda x: 2 * x, None)
    one = SimpleNamespace(W=np.ones(2), found=found)
    world = World([one], ["self"])
    one.W, one.found = None, None
    world.restore()
    assert one.W.tolist() == [1, 1]
    assert one.found is found


def test_what_a_class_without_data_is_given_is_taken_away_again():
    cls = type("Layer", (), {"scale": lambda x: x})
    world = World([cls], [""])
    cls.cache = np.ones(2)
    world.restore()
    assert not hasattr(cls, "cache")
    assert cls.scale(2) == 2


def test_a_class_gets_its_data_back_after_a_start_without_it():
    cls = type("Layer", (), {"cache": np.ones(2)})
    world = World([cls], [""])
    del cls.cache
    with world.starting_here():
        world.restore()
        assert not hasattr(cls, "cache")
    world.restore()
    assert cls.cache.tolist() == [1, 1]


def test_two_gradients_of_one_array_of_which_one_is_all_of_it_are_not_decided(command):
    status, out = command("TiedInOne", ["--args", "3", "--input", "5,3"])
    assert status == 1
    assert "self.dec.dW is called a gradient of self.enc.W, too, but self.enc.dW alone was compared" in out


def test_an_empty_table_is_no_agreement():
    report = Report("nothing")
    assert not report.ok
    assert "All agree." not in str(report)
    assert "Nothing was compared" in str(report)


def test_the_sign_of_a_shape_is_that_of_the_step():
    from parity_tests.diagnosis.reading.shapes import enlarged

    for shape, found in (((4,), (1, 4)), ((1, 4), (4,)), ((1,), ()), ((), (1,)), ((4, 1), (4, 1))):
        assert enlarged("b", shape, found) == "", (shape, found)
    for shape, found in (((4, 1), (4,)), ((4,), (4, 1)), ((4, 1, 1), (4,))):
        assert f"has shape {np.broadcast_shapes(shape, found)}" in enlarged("b", shape, found)


OF_SCRATCH = """
import numpy as np

import scratch.nn as nn


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Reused(nn.Linear(3, 3, dtype=np.float64))

    def forward(self, x):
        self.save_for_backward(x=x)
        return self.f(np.tanh(self.f(x))) + x**2

    def backward(self, g):
        grad_h = self.f.backward(g)
        h = np.tanh(self.saved("x") @ self.f.weight.data.T + self.f.bias.data)
        return self.f.backward(grad_h * (1 - h**2)) + 2 * self.saved("x") * g
"""


def test_a_module_of_scratch_that_applies_another_twice_is_compared(checked):
    status, text = checked(OF_SCRATCH, "Twice", "--input", "4,3")
    assert (status, "All agree." in text) == (0, True), text
    assert "f.module.grad_weight" in text
    status, text = checked(OF_SCRATCH.replace("2 * self.saved", "self.saved"), "Twice", "--input", "4,3")
    assert status == 1
    assert "grad_input: 12 of 12" in text

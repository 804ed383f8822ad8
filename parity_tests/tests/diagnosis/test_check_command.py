"""``backprop check`` on a user's layer, however it keeps its parameters, and on every way to mistype a command."""

import pytest

from benchmarks.cli import main
from parity_tests.tests.diagnosis.outsiders import CONV, SMALL
from parity_tests.tests.diagnosis.outsiders_wrong import WRONG

AGAINST_CONV = ["--against", "torch.nn.Conv2d", "--args", "3, 8, kernel_size=3, padding=1", "--input", "2,3,5,7"]


def test_a_right_convolution_agrees(check_file):
    status, out, err = check_file(CONV, "Conv2d", *AGAINST_CONV)
    assert (status, err) == (0, "")
    assert "self.W (8, 3, 3, 3): weight; gradient in self.dW\n" in out
    assert "All agree." in out


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("self.db += g.sum(axis=(0, 2, 3))", "self.db += g.mean(axis=(0, 2, 3))", "grad_bias: divided by 70"),
        ("self.db += g", "self.db = g", "grad_bias after a second backward: overwritten"),
        ("self.W, (1, 0))", "self.W[:, :, ::-1, ::-1], (1, 0))", "grad_input: weight is flipped"),
        ("return gx[:, :, p:gx.shape[2] - p, p:gx.shape[3] - p]", "return gx", "the padding is not cut off"),
        ("self.dW += np", "self.dW -= np", "grad_weight: the sign is flipped"),
        ("+ self.b", "", "output: bias is left out"),
    ],
)
def test_a_classic_mistake_is_named(check_file, right, wrong, words):
    assert right in CONV
    status, out, err = check_file(CONV.replace(right, wrong), "Conv2d", *AGAINST_CONV)
    assert (status, err) == (1, "")
    assert words in out


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Linear", ["--against", "torch.nn.Linear", "--args", "3, 5", "--input", "4,3"]),
        ("Linear", ["--against", "torch.nn.Linear", "--args", "3, 3", "--input", "4,3"]),
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
def test_right_layers_of_every_make_agree(check_file, name, options):
    status, out, err = check_file(SMALL, name, *options)
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
            "buffer running_var: computed from the biased variance",
        ),
    ],
)
def test_wrong_layers_of_every_make_are_named(check_file, name, options, words):
    status, out, err = check_file(SMALL, name, *options)
    assert (status, err) == (1, "")
    assert words in out


IMAGE = ["--input", "2,3,5,7", "--args", "3, padding=1", "--against", "torch.nn.AvgPool2d"]
HEADS = ["--input", "2,3,5", "--input", "2,4,5", "--input", "2,4,6"]
ROOT = "times the root of 5, the number of input features: a scale of 1/sqrt(5) is missing"


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Softplus", ["--args", "2.0", "--input", "4,3", "--against", "torch.nn.Softplus"], "as if beta were 1.0"),
        ("Softplus", ["--args", "2.0", "--input", "4,3"], "the derivative of softplus(x); forward computes something"),
        (
            "GroupNorm",
            ["--args", "2, 6", "--input", "2,6,3,5", "--against", "torch.nn.GroupNorm"],
            "fix forward, and backward only has to follow\n-> output: the groups are interleaved",
        ),
        (
            "Dilated",
            [
                *["--args", "3, 4, 3, dilation=2", "--torch-args", "3, 4, 3, dilation=2, bias=False"],
                *["--input", "2,3,7,9", "--against", "torch.nn.Conv2d"],
            ],
            "grad_weight: computed from patches cut as if dilation were 1",
        ),
        (
            "AvgPool2d",
            [*IMAGE, "--torch-args", "3, padding=1, count_include_pad=False"],
            "grad_input: as if count_include_pad were True",
        ),
        ("AvgPool2d", IMAGE, "output: as if count_include_pad were False"),
        ("attention,attention_backward", HEADS, ROOT),
        (
            "attention,attention_backward",
            [*HEADS, "--against", "torch.nn.functional.scaled_dot_product_attention"],
            ROOT,
        ),
        (
            "PReLU",
            ["--input", "4,3", "--against", "torch.nn.PReLU"],
            "grad_weight: computed with the input x; its negative part belongs here",
        ),
        ("PReLU", ["--input", "4,3"], "computed with the input x; forward multiplies the parameter by something else"),
        (
            "Huber",
            ["--args", "delta=0.5", "--input", "4,3", "--target", "values", "--against", "torch.nn.HuberLoss"],
            "grad_input: as if delta were 1.0",
        ),
        (
            "Huber",
            ["--args", "0.5", "--input", "4,3", "--target", "values"],
            "differs only where |input - target| is above a number between 0.488 and 0.539",
        ),
        ("RMSNorm", ["--args", "5", "--input", "4,5"], "the path through the root mean square is forgotten"),
        ("Residual", ["--args", "3", "--input", "4,3"], "the skip connection, y = x + f(x), is forgotten"),
        ("Rounded", ["--input", "4,3"], "forward gives float32 numbers, too coarse for finite differences"),
        ("RoundedInside", ["--input", "4,3"], "forward gives float32 numbers, too coarse for finite differences"),
        (
            "Rounded",
            ["--input", "4,3", "--against", "torch.nn.Softplus"],
            "right to six digits: something along the way is float32",
        ),
    ],
)
def test_mistakes_that_nobody_planned_for_are_named(check_file, name, options, words):
    status, out, err = check_file(WRONG, name, *options)
    assert (status, err) == (1, "")
    assert words in out
    for misleading in ("padding?", "times 1 everywhere", "got 0.393081;"):
        assert misleading not in out


def test_functions_are_called_by_the_name_of_the_first(check_file):
    _, out, _ = check_file(SMALL, "linear,linear_backward", "--input", "4,3", "--input", "5,3", "--input", "5")
    assert "\nlinear against finite differences: " in out


def test_a_layer_of_which_nothing_could_be_decided_does_not_pass(check_file):
    status, out, err = check_file(SMALL, "Novelty", "--input", "4,3")
    assert (status, err) == (1, "")
    assert "All agree" not in out
    assert "grad_input: nothing could be decided: every element is at a kink" in out


def test_a_transposed_weight_is_compared_as_it_is(check_file):
    _, out, _ = check_file(SMALL, "Linear", "--against", "torch.nn.Linear", "--args", "3, 5", "--input", "4,3")
    assert "self.kernel.data (3, 5): weight, transposed: PyTorch's is (5, 3); gradient in self.kernel.grad" in out
    assert "self.shift.data (5,): bias; gradient in self.shift.grad" in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Raising", ["in backward: raise IndexError", "IndexError: out of bounds"]),
        ("Returning", ["forward: expected an array, got list"]),
    ],
)
def test_a_layer_that_raises_is_a_mismatch_with_its_line(check_file, name, words):
    status, out, err = check_file(SMALL, name, "--against", "torch.nn.ReLU", "--input", "4,3")
    assert (status, err) == (1, "")
    assert all(word in out for word in words)
    assert "Traceback" not in out


def test_the_line_is_that_of_the_file(check_file, tmp_path):
    _, out, _ = check_file(SMALL, "Raising", "--input", "4,3")
    line = SMALL.splitlines().index('        raise IndexError("out of bounds")') + 1
    assert out.startswith(f"{tmp_path / 'my.py'}:{line}: in backward")


@pytest.mark.parametrize("source", ["def f(:\n", "import nothing_of_that_name\n", "1 / 0\n"])
def test_a_file_that_does_not_load_is_a_mismatch_with_its_line(check_file, source):
    status, out, err = check_file(source, "Relu", "--input", "4,3")
    assert (status, err) == (1, "")
    assert "my.py:1: " in out


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Nothing", ["--input", "4,3"], "has no class or function 'Nothing'"),
        ("np", ["--input", "4,3"], "has no class or function 'np'"),
        ("Relu", ["--input", "4,x"], "--input: expected numbers separated by commas"),
        ("Relu", ["--input", "4,-3"], "--input: expected lengths of 0 or more"),
        ("Relu", ["--input", "4,3", "--args", "__import__('os')"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "3) + (4"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "*[3]"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "**{'a': 3}"], "--args: expected literals"),
        ("Relu", ["--input", "4,3", "--args", "3, 4"], "--args: Relu() cannot be called with these"),
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
def test_a_usage_error_is_one_line(check_file, name, options, words):
    status, out, err = check_file(SMALL, name, *options)
    assert status == 2
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_not_there(capsys, tmp_path):
    for layer in (f"{tmp_path}/none.py:Relu", str(tmp_path), "Relu"):
        assert main(["check", layer, "--input", "4,3"]) == 2
        assert "expected FILE.py:NAME with a file that exists" in capsys.readouterr().err


def test_a_file_without_a_name(capsys, tmp_path):
    (tmp_path / "my.py").write_text(SMALL)
    for layer in (f"{tmp_path}/my.py", f"{tmp_path}/my.py:"):
        assert main(["check", layer, "--input", "4,3"]) == 2
        assert "expected FILE.py:NAME with the NAME of what to check in my.py, got" in capsys.readouterr().err


def test_the_help_shows_values_with_commas_apart(capsys):
    assert main(["check", "--help"]) == 0
    assert "{batch,features,features,batch}" not in capsys.readouterr().out


def test_the_engines_own_layers_can_be_checked(capsys):
    import scratch.nn.linear

    options = ["--against", "torch.nn.Linear", "--args", "3, 5", "--input", "2,4,3"]
    assert main(["check", f"{scratch.nn.linear.__file__}:Linear", *options]) == 0
    assert "All agree." in capsys.readouterr().out


def test_class_weights_are_given_as_a_list(check_file):
    options = ["--against", "torch.nn.CrossEntropyLoss", "--torch-args", "weight=[1.0, 2.0, 4.0]"]
    _, out, _ = check_file(SMALL, "Cross", *options, "--input", "5,3", "--target", "classes")
    assert "as if weight were None" in out


def test_a_random_forward_is_compared_with_its_draws_held_fixed(check_file):
    random = "import numpy as np\nclass Drop:\n  def forward(self, x):\n    self.m = np.random.rand(*x.shape)\n"
    random += "    return x * self.m\n"
    status, out, err = check_file(random + "  def backward(self, g): return g * self.m\n", "Drop", "--input", "4,3")
    assert (status, err) == (0, "")
    assert "note: forward draws at random" in out
    status, out, err = check_file(random + "  def backward(self, g): return g\n", "Drop", "--input", "4,3")
    assert (status, err) == (1, "")


def test_no_line_is_accused_of_the_roundings_of_forward(checked):
    status, out = checked(WRONG, "RoundedInside", "--input", "4,3")
    assert status == 1, out
    assert "The first wrong line" not in out
    assert out.count("\n-> ") == 1

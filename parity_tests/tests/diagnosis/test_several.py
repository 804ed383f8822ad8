"""Layers with several outputs or inputs, and forms in which they come: what is compared, and what is only named."""

import pytest

from benchmarks.cli import main
from parity_tests.tests.diagnosis.outsiders_several import SEVERAL

X = "--input 5,4"
CELL = "--input 3,4 --input 5,4 --input 5,3 --input 5,5 --input 2,5"
DENSE = "--input 3,4 --args parameters=parameters"
IN = "grad_input"


@pytest.fixture
def command(check_file):
    """Return a function that runs the command on NAME of the layers above, and returns status, output and error."""
    return lambda name, options: check_file(SEVERAL, name, *options.split())


RIGHT = [
    ("Two", X, "h, c", [IN]),
    ("Short", X, "h, c", [IN]),
    ("Swapped", X, "dc = the gradient of c, dh = the gradient of h", [IN]),
    ("Optional", X, "da = the gradient of h, db = the gradient of c", [IN]),
    ("NamedAlike", X, "h = the gradient of h, c = the gradient of c", [IN]),
    ("Context", X, "dresidual = the gradient of residual", [IN]),
    ("Heads", "--args 4,3 --input 5,4", "dm = the gradient of y0", [IN, "grad_Wm", "grad_Wv"]),
    ("square,square_backward", X, "-> (y, cache)", [IN]),
    ("Mask", X, "-> (y, mask)", [IN]),
    (
        "cell,cell_backward",
        f"{CELL} --constant y",
        "y (2, 4): cell returns it, without",
        [f"{IN}[{i}]" for i in range(4)],
    ),
    ("dense,dense_backward", DENSE, 'parameters["W"]', [IN, "parameters.grad_W", "parameters.grad_b"]),
    ("Add", "--input 5,3 --input 5,3", "the gradient of a, the gradient of b", [f"{IN}[0]", f"{IN}[1]"]),
    ("Concat", "--input 3,4 --input 3,4", "forward(xs[0], xs[1])", [f"{IN}[0]", f"{IN}[1]"]),
    ("Pair", X, "grads = the gradients of y0, y1", [IN]),
    ("Split", X, "g = the gradients of y0, y1", [IN]),
    ("Keyed", X, "grads = the gradients of h, c", [IN]),
    ("Embeddings", "--input 4,5 --input 4,5", "forward(tokens, segments)", ["grad_W", "grad_S"]),
    ("Scaled", "--input 4,3 --input 4", "forward(x, tokens)", [IN, "grad_W"]),
    ("Square", X, "forward(x) -> y", [IN]),
    ("Matrix", f"{X} --target values", "the loss", [IN]),
    ("WithProbabilities", f"{X} --target values", "returned beside the loss: not compared", [IN]),
    ("Linear", "--args 3 --input 3,3", "the gradients of the parameters first", [IN, "grad_W"]),
]


@pytest.mark.parametrize(("name", "options", "read", "compared"), RIGHT, ids=[one[0] for one in RIGHT])
def test_a_right_layer_is_compared(command, name, options, read, compared):
    status, out, err = command(name, options)
    assert (status, err) == (0, ""), out + err
    assert read in out
    rows = [line.split()[0] for line in out.splitlines() if line]
    assert [quantity for quantity in compared if quantity not in rows] == []


WRONG = [
    ("TwoForgotten", X, f"{IN}: 20 of 20 elements differ"),
    ("ShortForgotten", X, f"{IN}: 20 of 20 elements differ"),
    ("OptionalWrong", X, f"{IN}: 20 of 20 elements differ"),
    ("ContextWrong", X, f"{IN}: 20 of 20 elements differ"),
    ("HeadsWrong", "--args 4,3 --input 5,4", "grad_Wv: 12 of 12 elements differ"),
    (
        "Zeros",
        "--args 4,3 --input 5,4",
        "x (5, 4): the output depends on it, but backward returns no gradient",
    ),
    ("square,square_wrong", X, f"{IN}: 20 of 20 elements differ"),
    ("cell,cell_wrong", CELL, f"{IN}[2]: 15 of 15 elements differ"),
    ("dense,dense_wrong", DENSE, "parameters.grad_b: 5 of 5 elements differ"),
    ("Add", "--input 5,3 --input 3", f"{IN}[1] has shape (5, 3), expected (3,)"),
    ("ConcatWrong", "--input 3,4 --input 3,4", f"{IN}[0]: 12 of 12 elements differ"),
    ("PairWrong", X, f"{IN}: 20 of 20 elements differ"),
    ("SplitWrong", X, f"{IN}: 10 of 20 elements differ"),
    ("KeyedWrong", X, f"{IN}: 20 of 20 elements differ"),
    ("EmbeddingsWrong", "--input 4,5 --input 4,5", "grad_S: 6 of 6 elements differ"),
    ("SquareWrong", X, f"{IN}: 20 of 20 elements differ"),
    ("MatrixWrong", f"{X} --target values", f"{IN}: 20 of 20 elements differ"),
    ("LinearWrong", "--args 3 --input 3,3", f"{IN}: 9 of 9 elements differ"),
]


@pytest.mark.parametrize(("name", "options", "said"), WRONG, ids=[one[0] for one in WRONG])
def test_a_wrong_layer_is_accused(command, name, options, said):
    status, out, err = command(name, options)
    assert (status, err) == (1, ""), out + err
    assert said in out


BESIDE = [
    ("HeadsOfFirst", "--args 4,3 --input 5,4", "y1 (5, 3)"),
    ("TwoOfFirst", X, "c (5, 4)"),
    ("NamedAlikeForgotten", X, "c (5, 4)"),
    ("cell,cell_backward", CELL, "y (2, 4)"),
]


@pytest.mark.parametrize(("name", "options", "array"), BESIDE, ids=[one[0] for one in BESIDE])
def test_an_output_without_an_upstream_gradient_is_named_and_is_no_agreement(command, name, options, array):
    status, out, _ = command(name, options)
    assert status == 1
    assert "All agree." not in out
    assert f"{array}, which " in out
    assert f"--constant {array.split()[0]}" in out


def test_the_adapter_calls_the_methods_in_the_order_in_which_they_are_used(command, tmp_path, capsys):
    status, out, err = command("Unnamed", X)
    assert status == 2
    assert "has no method forward" in err
    adapter = tmp_path / "my_adapter.py"
    adapter.write_text(out.partition("\n\n")[2].replace("Unnamed(...)", "Unnamed()"))
    assert main(["check", f"{adapter}:forward,backward", *X.split()]) == 0
    assert "All agree." in capsys.readouterr().out


RECURRENT = """
import numpy as np


class RNN:
    def __init__(self, i, h):
        self.weight_ih, self.weight_hh = np.random.randn(h, i), np.random.randn(h, h)
        self.bias_ih, self.bias_hh = np.zeros(h), np.zeros(h)

    def forward(self, x):
        h = np.zeros((len(x), len(self.weight_hh)))
        self.x, self.h = x, [h]
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh)
            self.h.append(h)
        return np.stack(self.h[1:], 1), h[None]

    def backward(self, dy, dh):
        dh, dx = dh[0], np.zeros_like(self.x)
        self.gweight_ih, self.gweight_hh = np.zeros_like(self.weight_ih), np.zeros_like(self.weight_hh)
        self.gbias_ih, self.gbias_hh = np.zeros_like(self.bias_ih), np.zeros_like(self.bias_hh)
        for t in reversed(range(self.x.shape[1])):
            dz = (dh + dy[:, t]) * (1 - self.h[t + 1] ** 2)
            self.gweight_ih += dz.T @ self.x[:, t]
            self.gweight_hh += dz.T @ self.h[t]
            self.gbias_ih += dz.sum(0)
            self.gbias_hh += dz.sum(0)
            dx[:, t] = dz @ self.weight_ih
            dh = dz @ self.weight_hh
        return dx
"""
AGAINST = "--args 3,4 --input 2,3,3 --against torch.nn.RNN --torch-args 3,4,batch_first=True"


def test_two_outputs_against_pytorchs(checked):
    status, out = checked(RECURRENT, "RNN", *AGAINST.split())
    assert status == 0, out
    assert "\noutput[1] " in out
    status, out = checked(RECURRENT.replace("gbias_hh +=", "gbias_hh ="), "RNN", *AGAINST.split())
    assert status == 1
    assert "grad_bias_hh_l0: 4 of 4 elements differ" in out

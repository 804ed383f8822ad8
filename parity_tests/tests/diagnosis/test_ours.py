"""What the check says of our own derivation: the equations that belong to what is wrong, whole."""

import pytest

from parity_tests.diagnosis.equations import leading_to
from parity_tests.harness import derivation
from parity_tests.harness.trace import operands

SOURCE = """
import numpy as np

class LayerNorm:
    def __init__(self, d): self.weight, self.bias = np.ones(d), np.zeros(d)
    def forward(self, x):
        self.s = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        self.n = (x - x.mean(-1, keepdims=True)) / self.s
        return self.weight * self.n + self.bias
    def backward(self, g):
        self.grad_weight, self.grad_bias = (g * self.n).sum(0), g.sum(0)
        d = g * self.weight
        return (d - d.mean(-1, keepdims=True)) / self.s

class Linear:
    def __init__(self, i, o): self.weight, self.bias = np.ones((o, i)), np.zeros(o)
    def forward(self, x):
        self.x = x
        return x @ self.weight.T + self.bias
    def backward(self, g):
        self.grad_weight, self.grad_bias = g.T @ self.x, g.mean(0)
        return g @ self.weight

class Embedding:
    def __init__(self, v, d): self.weight = np.ones((v, d))
    def forward(self, x):
        self.x = x
        return self.weight[x]
    def backward(self, g):
        self.grad_weight = np.zeros_like(self.weight)
        self.grad_weight[self.x] += g

class Running:
    def __init__(self, c):
        self.weight, self.bias = np.ones(c), np.zeros(c)
        self.running_mean, self.running_var, self.training = np.zeros(c), np.ones(c), True
    def eval(self): self.training = False
    def forward(self, x):
        self.s = np.sqrt(self.running_var + 1e-5)
        self.n = (x - self.running_mean) / self.s
        return self.weight * self.n + self.bias
    def backward(self, g):
        self.grad_weight, self.grad_bias = (g * self.n).sum(0), g.sum(0)
        return g * self.weight
"""


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "LayerNorm",
            ("--against", "torch.nn.LayerNorm", "--args", "6", "--input", "5,6"),
            "scratch/nn/layernorm.py: B9b, B8, B7, B6, B5, B4, B3 and B2 lead to it\n",
        ),
        (
            "Linear",
            ("--against", "torch.nn.Linear", "--args", "4, 3", "--input", "5,4"),
            "scratch/nn/linear.py: B2 grad_bias = sum_n grad_y ",
        ),
        (
            "Embedding",
            ("--against", "torch.nn.Embedding", "--args", "7, 3", "--input", "4,5"),
            "grad_weight[x_n] += grad_y_n, if learns_n (V, D) F2: for each n; a row used several times gets the sum",
        ),
        (
            "Running",
            ("--against", "torch.nn.BatchNorm1d", "--args", "3", "--input", "5,3", "--eval"),
            "scratch/nn/batchnorm.py: B3b and B2 lead to it\n",
        ),
    ],
)
def test_the_equations_that_lead_to_what_is_wrong(checked, name, options, words):
    status, said = checked(SOURCE, name, *options)
    assert status == 1
    assert words in said


def test_what_leads_to_a_gradient_that_agrees_is_left_out(checked):
    source = SOURCE + "\n".join(
        [
            "class Conv:",
            "    def __init__(self): self.weight = np.ones((2, 1, 2))",
            "    def forward(self, x):",
            "        self.x = np.stack([x[..., :-1], x[..., 1:]], -1)",
            "        return np.einsum('nclk,ock->nol', self.x, self.weight)",
            "    def backward(self, g):",
            "        self.grad_weight = np.einsum('nol,nclk->ock', g, self.x)",
            "        windows = np.einsum('nol,ock->nclk', g, self.weight)",
            "        grad_x = np.zeros((*windows.shape[:2], windows.shape[2] + 1))",
            "        for k in (0, 1):",
            "            grad_x[..., k : k + windows.shape[2]] = windows[..., k]",
            "        return grad_x",
        ]
    )
    options = ("--against", "torch.nn.Conv1d", "--torch-args", "1, 2, 2, bias=False", "--input", "3,1,5")
    status, said = checked(source, "Conv", *options)
    assert status == 1
    assert "scratch/nn/conv.py: B6b, B4, B3b and B1 lead to it, and to nothing that agrees\n" in said


@pytest.mark.parametrize("file", derivation.files())
def test_equations_lead_to_every_gradient(file):
    for one in derivation.derivations(file):
        for name in operands(one) if one.backward and len(one.backward) > 1 else ():
            assert name is None or leading_to(one, f"grad_{name}"), (one.name, name)

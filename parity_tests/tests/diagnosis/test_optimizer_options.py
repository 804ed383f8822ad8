"""Options of PyTorch's optimizers: an optimizer that follows one agrees, and one that does not is told so."""

import pytest

SOURCE = """
import numpy as np


class AMSGrad:
    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps, self.t, self.state = lr, beta1, beta2, eps, 0, {}

    def step(self, params, grads):
        self.t += 1
        for k, g in grads.items():
            m, v, most = self.state.get(k, (0 * g, 0 * g, 0 * g))
            m, v = self.beta1 * m + (1 - self.beta1) * g, self.beta2 * v + (1 - self.beta2) * g * g
            most = np.maximum(most, v)
            self.state[k] = m, v, most
            root = np.sqrt(most / (1 - self.beta2**self.t)) + self.eps
            params[k] -= self.lr * m / (1 - self.beta1**self.t) / root


class AdamW:
    def __init__(self, lr=1e-3, weight_decay=0.01):
        self.lr, self.weight_decay, self.t, self.state = lr, weight_decay, 0, {}

    def step(self, params, grads):
        self.t += 1
        for k, g in grads.items():
            m, v = self.state.get(k, (0 * g, 0 * g))
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            self.state[k] = m, v
            params[k] *= 1 - self.lr * self.weight_decay
            params[k] -= self.lr * m / (1 - 0.9**self.t) / (np.sqrt(v / (1 - 0.999**self.t)) + 1e-8)


class Nadam:
    def __init__(self, lr=2e-3):
        self.lr, self.t, self.product, self.state = lr, 0, 1.0, {}

    def step(self, params, grads):
        self.t += 1
        now, then = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (self.t, self.t + 1))
        self.product *= now
        for k, g in grads.items():
            m, v = self.state.get(k, (0 * g, 0 * g))
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            self.state[k] = m, v
            ahead = then * m / (1 - self.product * then) + (1 - now) * g / (1 - self.product)
            params[k] -= self.lr * ahead / (np.sqrt(v / (1 - 0.999**self.t)) + 1e-8)


class Nesterov:
    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.state = lr, momentum, {}

    def step(self, params, grads):
        for k, g in grads.items():
            self.state[k] = v = self.momentum * self.state.get(k, 0 * g) + g
            params[k] -= self.lr * (g + self.momentum * v)
"""


@pytest.mark.parametrize(
    ("name", "theirs", "args", "right", "wrong", "said"),
    [
        ("AMSGrad", "Adam", "lr=0.01, amsgrad=True", "np.maximum(most, v)", "v", "-> this is plain Adam: one of the"),
        ("AdamW", "AdamW", "lr=0.01, weight_decay=0.1", "1 - self.lr * ", "1 - ", "-> the weight decay is not multi"),
        ("AdamW", "AdamW", "lr=0.01, weight_decay=0.1", "(1 - 0.9**self.t)", "1", "-> the first moment is not corr"),
        ("AdamW", "AdamW", "lr=0.01, weight_decay=0.1", "self.lr * self.weight_decay", "0", "-> the weight decay is l"),
        ("Nadam", "NAdam", "lr=0.01", "(1 - now) * g", "now * g", "after step 1 the parameters differ"),
        ("Nesterov", "SGD", "lr=0.01, momentum=0.9, nesterov=True", "g + self.momentum * v", "v", "without Nesterov"),
    ],
)
def test_an_option_of_pytorchs_is_followed_or_the_twin_is_named(check_file, name, theirs, args, right, wrong, said):
    assert SOURCE.count(right) == 1 or name == "AdamW"
    own = ", ".join(one for one in args.split(", ") if "True" not in one)
    options = ["--against", f"torch.optim.{theirs}", "--args", own, "--torch-args", args]
    status, out, err = check_file(SOURCE, name, *options)
    assert (status, err) == (0, ""), out
    at = SOURCE.index(f"class {name}:")
    twin = SOURCE[:at] + SOURCE[at:].replace(right, wrong, 1)
    status, out, err = check_file(twin, name, *options)
    assert (status, err) == (1, "")
    assert said in out


def test_an_option_of_zero_is_said_to_take_no_part(check_file):
    for decay in (0, 0.1):
        options = ["--against", "torch.optim.AdamW", "--args", f"lr=0.01, weight_decay={decay}"]
        status, out, err = check_file(SOURCE, "AdamW", *options)
        assert (status, err) == (0, ""), out
        assert ("note: weight_decay took no part in these steps" in out) == (not decay)

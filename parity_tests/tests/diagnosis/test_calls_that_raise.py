"""A call of ours that raises in the learner's code: the report says what each argument got, and gives an adapter."""

POLICY = """
import numpy as np

model = {"W1": np.random.randn(5, 6), "W2": np.random.randn(5)}


def policy_forward(x):
    h = np.maximum(0, model["W1"] @ x)
    p = 1 / (1 + np.exp(-model["W2"] @ h))
    return p, h


def policy_backward(eph, epx, epdlogp):
    dW2 = (eph.T @ epdlogp).ravel()
    dh = np.outer(epdlogp, model["W2"])
    dh[eph <= 0] = 0
    return {"W1": dh.T @ epx, "W2": dW2}
"""


def test_backward(checked):
    status, out = checked(POLICY, "policy_forward,policy_backward", "--input", "6")
    assert status == 1
    assert "in policy_backward: " in out
    assert "read as:\n  policy_backward(eph = the upstream gradient (), epx = the upstream gradient (5,)," in out
    assert "epdlogp = x (6,))" in out
    assert "self.grads = my.policy_backward(eph, epx, epdlogp)" in out
    assert "All agree" not in out


def test_backward_of_a_class(checked):
    source = """
import numpy as np


class Net:
    def __init__(self):
        self.W = np.random.randn(3, 2)

    def forward(self, x):
        return x @ self.W

    def backward(self, grads):
        return grads["out"] @ self.W.T
"""
    status, out = checked(source, "Net", "--input", "4,3")
    assert status == 1
    assert "read as:\n  backward(grads = the upstream gradient (4, 2))" in out
    assert "from my import Net" in out


def test_forward(checked):
    source = """
import numpy as np


def loss(p, y):
    return np.sum(p[np.arange(y.shape[1]), y])


def loss_backward(p, y):
    return p
"""
    status, out = checked(source, "loss,loss_backward", "--input", "3,5", "--target", "classes")
    assert status == 1
    assert "IndexError" in out
    assert "read as:\n  loss(p = an array (3, 5), y = an array (3,))" in out

"""``bptt(x, y)`` of a network on words: it returns gradients, and the loss beside it takes lists of sequences."""

import pytest

NETWORK = """
import numpy as np


class RNN:
    def __init__(self, words=7, hidden=5):
        self.hidden = hidden
        self.U = np.random.uniform(-0.4, 0.4, (hidden, words))
        self.V = np.random.uniform(-0.4, 0.4, (words, hidden))
        self.W = np.random.uniform(-0.4, 0.4, (hidden, hidden))

    def forward_propagation(self, x):
        s = np.zeros((len(x) + 1, self.hidden))
        o = np.zeros((len(x), len(self.V)))
        for t in np.arange(len(x)):
            s[t] = np.tanh(self.U[:, x[t]] + self.W.dot(s[t - 1]))
            e = np.exp(self.V.dot(s[t]))
            o[t] = e / e.sum()
        return [o, s]

    def predict(self, x):
        return np.argmax(self.forward_propagation(x)[0], axis=1)

    def calculate_total_loss(self, x, y):
        L = 0
        for i in np.arange(len(y)):
            o, s = self.forward_propagation(x[i])
            L += -1 * np.sum(np.log(o[np.arange(len(y[i])), y[i]]))
        return L

    def bptt(self, x, y):
        o, s = self.forward_propagation(x)
        dLdU, dLdV, dLdW = np.zeros(self.U.shape), np.zeros(self.V.shape), np.zeros(self.W.shape)
        delta_o = o
        delta_o[np.arange(len(y)), y] -= 1.0
        for t in np.arange(len(y))[::-1]:
            dLdV += np.outer(delta_o[t], s[t].T)
            delta_t = self.V.T.dot(delta_o[t]) * (1 - s[t] ** 2)
            for step in np.arange(0, t + 1)[::-1]:
                dLdW += np.outer(delta_t, s[step - 1])
                dLdU[:, x[step]] += delta_t
                delta_t = self.W.T.dot(delta_t) * (1 - s[step - 1] ** 2)
        return [dLdU, dLdV, dLdW]
"""
OF_ONE = (
    NETWORK
    + """
    def loss(self, x, y):
        o, s = self.forward_propagation(x)
        return -np.sum(np.log(o[np.arange(len(y)), y]))
"""
)
MEAN = (
    NETWORK
    + """
    def calculate_loss(self, x, y):
        return self.calculate_total_loss(x, y) / len(y)
"""
)
WRONG = [
    ("dLdW += np.outer(delta_t, s[step - 1])", "dLdW += np.outer(delta_t, s[step])"),
    ("delta_t = self.W.T.dot", "delta_t = self.W.dot"),
    ("dLdV += np.outer", "dLdV = np.outer"),
]


@pytest.mark.parametrize("source", [NETWORK, OF_ONE, MEAN])
def test_loss_beside_it_is_what_it_differentiates(checked, source):
    status, out = checked(source, "RNN.bptt", "--input", "4", "--input", "4")
    assert status == 0, out
    assert "All agree" in out
    for right, twin in WRONG:
        assert source.count(right) == 1
        status, out = checked(source.replace(right, twin), "RNN.bptt", "--input", "4", "--input", "4")
        assert status == 1, twin
        assert "All agree" not in out, twin


def test_refusal_of_the_pair_names_what_works(checked):
    status, out = checked(NETWORK, "RNN.forward_propagation,RNN.bptt", "--input", "4", "--input", "4")
    assert status == 2
    assert "or name RNN.bptt alone" in out

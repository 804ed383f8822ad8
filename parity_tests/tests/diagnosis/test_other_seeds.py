"""Random draws from seeds other than the first: an index may be drawn twice."""

SOURCE = """
import numpy as np


def sampled_loss(x, W):
    chosen = np.random.randint(0, len(W), size=2)
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    loss = 0.0
    for k in chosen:
        p = 1 / (1 + np.exp(-W[k] @ x))
        loss -= np.log(p)
        dx += (p - 1) * W[k]
        dW[k] += (p - 1) * x
    return loss, dx, dW

"""
OPTIONS = ["sampled_loss", "--input", "3", "--input", "9,3"]


def test_an_index_that_is_drawn_twice_is_met(checked):
    status, out = checked(SOURCE, *OPTIONS)
    assert status == 0, out
    assert "They agree with 10 other random draws, too." in out
    status, out = checked(SOURCE.replace("dW[k] +=", "dW[k] ="), *OPTIONS)
    assert status == 1
    assert ", with other random draws" in out
    assert "grad_input[1]: 3 of 27 elements differ" in out

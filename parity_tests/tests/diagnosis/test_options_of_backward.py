"""What only backward takes: an option of ``--args``, a local variable of forward, a cache of any name, an object."""

import pytest

ATTENTION = """
import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(Q, K, V):
    d_k = Q.shape[-1]
    weights = softmax(Q @ K.transpose(0, 2, 1) / np.sqrt(d_k))
    return weights @ V, weights


def attention_backward(d_output, Q, K, V, weights, d_k):
    dV = weights.transpose(0, 2, 1) @ d_output
    dweights = d_output @ V.transpose(0, 2, 1)
    dscores = weights * (dweights - np.sum(dweights * weights, axis=-1, keepdims=True))
    dscores = dscores / np.sqrt(d_k)
    return dscores @ K, dscores.transpose(0, 2, 1) @ Q, dV
"""
WRONG = [
    ("/ np.sqrt(d_k)\n    return dscores", "/ d_k\n    return dscores"),
    ("dscores.transpose(0, 2, 1) @ Q", "dscores @ Q"),
    ("- np.sum(dweights", "+ np.sum(dweights"),
]
SAID = ATTENTION.replace("weights, d_k)", "weights, size)").replace(
    "np.sqrt(d_k)\n    return d", "np.sqrt(size)\n    return d"
)
CACHE = ATTENTION.replace("V, weights\n\n", 'V, weights, {"Q": Q, "K": K, "V": V, "w": weights, "d": d_k}\n\n').replace(
    "d_output, Q, K, V, weights, d_k):",
    'd_output, c):\n    Q, K, V, weights, d_k = c["Q"], c["K"], c["V"], c["w"], c["d"]',
)
HANDED = """
import numpy as np


def layer(x, p, name):
    out = np.tanh(x @ p[name + ".W"])
    return out, (x, p, out)


def layer_backward(dy, cache, grads, name):
    x, p, out = cache
    dz = dy * (1 - out**2)
    grads[name + ".W"] = x.T @ dz
    return dz @ p[name + ".W"].T
"""
OBJECT = """
import numpy as np


class Linear:
    def __init__(self, d):
        self.scale = np.random.randn(d)
        self.dscale = None

    def forward(self, x):
        return np.tanh(x) * self.scale


def linear_backward(d_out, x_in, layer):
    layer.dscale = (d_out * np.tanh(x_in)).sum(axis=0)
    return d_out * layer.scale * (1 - np.tanh(x_in) ** 2)


layer = Linear(4)
"""
THREE = ["--input", "2,3,4"] * 3
FORMS = {
    "a local variable of forward": (ATTENTION, "attention,attention_backward", THREE, WRONG),
    "a value of --args": (SAID, "attention,attention_backward", [*THREE, "--args", "size=4"], WRONG[1:]),
    "--args before forward's own": (ATTENTION, "attention,attention_backward", [*THREE, "--args", "d_k=4"], WRONG),
    "a cache called c": (CACHE, "attention,attention_backward", THREE, WRONG),
    "a dictionary that is filled": (
        HANDED,
        "layer,layer_backward",
        ["--input", "5,3", "--args", "p={'a.W': np.random.randn(3, 2)}, name='a', grads={}"],
        [("(1 - out**2)", "(1 - out)"), ("x.T @ dz", "x.T @ dz / len(x)")],
    ),
    "an object": (
        OBJECT,
        "layer.forward,linear_backward",
        ["--input", "3,4", "--args", "layer=layer"],
        [("(1 - np.tanh(x_in) ** 2)", "(1 - np.tanh(x_in))"), (".sum(axis=0)", ".mean(axis=0)")],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_only_backward_takes(checked, form):
    source, name, options, wrong = FORMS[form]
    status, out = checked(source, name, *options)
    assert status == 0, out
    assert "All agree" in out
    for right, twin in wrong:
        assert source.count(right) == 1
        status, out = checked(source.replace(right, twin), name, *options)
        assert status == 1, twin
        assert "All agree" not in out, twin


def test_report_says_that_the_value_is_forwards(checked):
    _, out = checked(ATTENTION, "attention,attention_backward", *THREE)
    assert "d_k: as attention has it" in out
    assert "attention_backward(d_output = the gradient of y)" in out or "attention_backward(grad_output)" in out


def test_number_that_stays_although_the_axis_grows_is_a_mistake(checked):
    source = SAID.replace("np.sqrt(size)", "np.sqrt(4)")
    status, out = checked(source, "attention,attention_backward", *THREE, "--args", "size=4")
    assert status == 1, out
    assert "another size" in out


def test_what_is_not_said_is_asked_for(checked):
    status, out = checked(SAID.replace("size", "size_of_heads"), "attention,attention_backward", *THREE)
    assert status != 0
    assert "All agree" not in out


def test_by_product_that_backward_is_handed_may_be_declared(checked):
    status, out = checked(ATTENTION, "attention,attention_backward", *THREE, "--constant", "weights")
    assert status == 0, out
    for right, twin in WRONG:
        status, out = checked(
            ATTENTION.replace(right, twin), "attention,attention_backward", *THREE, "--constant", "weights"
        )
        assert status == 1, out


def test_value_in_a_cache_that_backward_does_not_use_is_not_compared(checked):
    source = CACHE.replace("weights @ V, weights, {", 'weights @ V, weights, {"other": weights, ').replace(
        'c["w"]', "softmax(c['Q'] @ c['K'].transpose(0, 2, 1) / np.sqrt(c['d']))"
    )
    status, out = checked(source.replace('"w": weights, ', ""), "attention,attention_backward", *THREE)
    assert status == 1, out
    assert "weights (2, 3, 3), which attention returns: not compared" in out

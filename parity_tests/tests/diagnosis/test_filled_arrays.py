"""Functions as C has them: they return nothing, and fill arrays that they are handed."""

import pytest

SOURCE = """
import numpy as np


def matmul_forward(out, inp, weight, bias, B, C, OC):
    for b in range(B):
        for o in range(OC):
            value = bias[o] if bias is not None else 0.0
            for i in range(C):
                value += inp[b, i] * weight[o, i]
            out[b, o] = value


def matmul_backward(dinp, dweight, dbias, dout, inp, weight, B, C, OC):
    for b in range(B):
        for o in range(OC):
            for i in range(C):
                dinp[b, i] += weight[o, i] * dout[b, o]
                dweight[o, i] += inp[b, i] * dout[b, o]
            if dbias is not None:
                dbias[o] += dout[b, o]


def layernorm_forward(out, mean, rstd, inp, weight):
    mean[...] = inp.mean(axis=1)
    rstd[...] = 1 / np.sqrt(inp.var(axis=1) + 1e-5)
    out[...] = (inp - mean[:, None]) * rstd[:, None] * weight


def layernorm_backward(dinp, dweight, dout, inp, weight, mean, rstd):
    norm = (inp - mean[:, None]) * rstd[:, None]
    dnorm = weight * dout
    dweight += (norm * dout).sum(axis=0)
    first, second = dnorm.mean(axis=1, keepdims=True), (dnorm * norm).mean(axis=1, keepdims=True)
    dinp += (dnorm - first - norm * second) * rstd[:, None]


def attention_forward(out, preatt, att, q, k, v):
    for t in range(len(q)):
        preatt[t, :t + 1] = k[:t + 1] @ q[t]
        e = np.exp(preatt[t, :t + 1] - preatt[t, :t + 1].max())
        att[t, :t + 1] = e / e.sum()
        out[t] = att[t, :t + 1] @ v[:t + 1]


def attention_backward(dq, dk, dv, dpreatt, datt, dout, q, k, v, att):
    for t in range(len(q)):
        datt[t, :t + 1] += v[:t + 1] @ dout[t]
        dv[:t + 1] += np.outer(att[t, :t + 1], dout[t])
        dpreatt[t] += att[t] * (datt[t] - att[t] @ datt[t])
        dq[t] += k.T @ dpreatt[t]
        dk += np.outer(dpreatt[t], q[t])


def encoder_forward(out, inp, table):
    for t in range(len(inp)):
        out[t] = table[inp[t]]


def encoder_backward(dtable, dout, inp):
    for t in range(len(inp)):
        dtable[inp[t]] += dout[t]


def linear(x, w, out):
    np.matmul(x, w, out=out)


def linear_backward(x, w, dout, dx, dw):
    np.matmul(dout, w.T, out=dx)
    np.matmul(x.T, dout, out=dw)


def rms(x, g, out):
    r = 1 / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    np.multiply(x, r * g, out=out)
    return out


def rms_backward(dout, x, g):
    r = 1 / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    dn = dout * g
    return r * dn - r**3 * x * np.mean(dn * x, axis=1, keepdims=True), np.sum(dout * x * r, axis=0)


class Layer:
    def __init__(self, n, m):
        self.w, self.dw = np.random.randn(n, m), np.zeros((n, m))

    def forward(self, x, out):
        self.x = x
        np.dot(x, self.w, out=out)

    def backward(self, dout, dx):
        self.dw += self.x.T @ dout
        np.dot(dout, self.w.T, out=dx)


def relu(x):
    x[x < 0] = 0


def relu_backward(dout, x):
    return dout * (x > 0)


def adding(out, x, w):
    out += x @ w


def adding_backward(dx, dw, dout, x, w):
    dx += dout @ w.T
    dw += x.T @ dout
"""


def shapes(text):
    return [word for shape in text.split() for word in ("--input", shape)]


FORMS = {
    "matmul_forward,matmul_backward": [*shapes("3,5 3,4 5,4 5"), "--args", "B=3, C=4, OC=5"],
    "matmul_forward": [*shapes("3,4 5,4"), "--args", "out=np.zeros((3, 5)), bias=None, B=3, C=4, OC=5"],
    "layernorm_forward,layernorm_backward": shapes("3,4 3 3 3,4 4"),
    "attention_forward,attention_backward": shapes("4,3 4,4 4,4 4,3 4,3 4,3"),
    "encoder_forward,encoder_backward": shapes("6,3 6 5,3"),
    "linear,linear_backward": shapes("3,4 4,5 3,5"),
    "rms,rms_backward": shapes("3,4 4 3,4"),
    "Layer": ["--args", "4, 5", *shapes("3,4 3,5")],
}
WRONG = [
    ("matmul_forward,matmul_backward", "dinp[b, i] +=", "dinp[b, i] ="),
    ("matmul_forward,matmul_backward", "dweight[o, i] += inp[b, i] *", "dweight[o, i] += inp[b, i] +"),
    ("matmul_forward,matmul_backward", "dbias[o] +=", "dbias[o] ="),
    ("matmul_forward", "dinp[b, i] +=", "dinp[b, i] ="),
    ("layernorm_forward,layernorm_backward", " - norm * second", ""),
    ("layernorm_forward,layernorm_backward", "dweight += (norm * dout)", "dweight += (inp * dout)"),
    ("layernorm_forward,layernorm_backward", "dinp +=", "dinp = dinp +"),
    ("attention_forward,attention_backward", " - att[t] @ datt[t]", ""),
    ("attention_forward,attention_backward", "dv[:t + 1] +=", "dv[:t + 1] ="),
    ("attention_forward,attention_backward", "dk += np.outer(dpreatt[t], q[t])", "dk[t] += dpreatt[t] @ q"),
    ("encoder_forward,encoder_backward", "dtable[inp[t]] +=", "dtable[inp[t]] ="),
    ("linear,linear_backward", "np.matmul(dout, w.T, out=dx)", "np.matmul(2 * dout, w.T, out=dx)"),
    ("linear,linear_backward", "np.matmul(x.T, dout, out=dw)", "np.matmul(x.T, dout)"),
    ("rms,rms_backward", "r**3", "r**2"),
    ("rms,rms_backward", "dn = dout * g", "dn = dout"),
    ("Layer", "self.x.T @ dout", "self.x.T @ dout / 3"),
    ("Layer", "np.dot(dout, self.w.T, out=dx)", "dx += 2 * np.dot(dout, self.w.T)"),
]


@pytest.mark.parametrize(("name", "options"), FORMS.items())
def test_a_right_function_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert "zeros before each call" in out


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_a_wrong_function_is_accused(checked, name, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *FORMS[name])
    assert status == 1, out
    assert "All agree." not in out


@pytest.mark.parametrize(
    ("name", "options", "written"), [("relu", shapes("3,4"), "x"), ("adding", shapes("3,5 3,4 4,5"), "out")]
)
def test_an_array_that_is_changed_in_place_is_none_that_is_filled(checked, name, options, written):
    status, out = checked(SOURCE, name, *options)
    assert status == 2, out
    assert f"{name} returns nothing, and what it writes to {written} depends on what was there before" in out


def test_gradients_under_other_names_are_asked_for(checked):
    source = SOURCE.replace("dx, dw):\n", "left, right):\n").replace("out=dx)", "out=left)").replace("=dw)", "=right)")
    status, out = checked(source, "linear,linear_backward", *FORMS["linear,linear_backward"])
    assert status == 2, out
    assert "it is not clear which of dout, left, right it fills" in out


def test_an_error_in_backward_is_told_as_one(checked):
    source = SOURCE.replace("np.matmul(x.T, dout, out=dw)", "np.matmul(y.T, dout, out=dw)")
    status, out = checked(source, "linear,linear_backward", *FORMS["linear,linear_backward"])
    assert status == 1, out
    assert "NameError: name 'y' is not defined" in out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("matmul_forward,matmul_backward", "inp[b, i] * dout[b, o]", "inp[b, 0] * dout[b, o]"),
        ("linear,linear_backward", "np.matmul(x.T, dout, out=dw)", "np.matmul(x.T, 2 * dout, out=dw)"),
    ],
)
def test_the_wrong_line_is_marked(wrong_line, name, right, wrong):
    marked, _ = wrong_line(SOURCE.replace(right, wrong), name, *FORMS[name])
    assert wrong in marked

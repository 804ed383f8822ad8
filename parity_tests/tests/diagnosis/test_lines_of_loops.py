"""The first wrong line where forward fills arrays in a loop, or makes an array of a list."""

import pytest

from parity_tests.diagnosis.lines import backward

CONVOLUTION = """
import numpy as np


def conv_forward(x, w, b, stride=1, pad=1):
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride))
    for n in range(N):
        for f in range(F):
            for i in range(out.shape[2]):
                for j in range(out.shape[3]):
                    window = xp[n, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, stride, pad)


def conv_backward(dout, cache):
    x, w, stride, pad = cache
    N, F, H, W = dout.shape
    _, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw, db = np.zeros_like(xp), np.zeros_like(w), np.zeros(F)
    for n in range(N):
        for f in range(F):
            for i in range(H):
                for j in range(W):
                    g = dout[n, f, i, j]
                    rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
                    db[f] += g
                    dw[f] += xp[n, :, rows, columns] * g
                    dxp[n, :, rows, columns] += w[f] * g
    return dxp[:, :, pad:-pad, pad:-pad], dw, db
"""
RECURRENT = """
from numpy import tanh, zeros, zeros_like


def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h = zeros((N, T, h0.shape[1]))
    previous = h0
    for t in range(T):
        previous = tanh(x[:, t] @ Wx + previous @ Wh + b)
        h[:, t] = previous
    return h, (x, h0, Wx, Wh, h)


def rnn_backward(dh, cache):
    x, h0, Wx, Wh, h = cache
    dx, dWx, dWh, db = zeros_like(x), zeros_like(Wx), zeros_like(Wh), zeros(len(Wh))
    dnext = zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        previous = h[:, t - 1] if t else h0
        dnow = dh[:, t] + dnext
        dz = dnow * (1 - h[:, t] ** 2)
        dx[:, t] = dz @ Wx.T
        dnext = dz @ Wh.T
        dWx += x[:, t].T @ dz
        dWh += previous.T @ dz
        db += dz.sum(axis=0)
    return dx, dnext, dWx, dWh, db
"""
POOLING = """
import numpy as np


class AveragePool:
    def __init__(self, size, stride):
        self.size, self.stride = size, stride

    def windows(self, shape):
        for i in range((shape[2] - self.size) // self.stride + 1):
            for j in range((shape[3] - self.size) // self.stride + 1):
                rows = slice(i * self.stride, i * self.stride + self.size)
                yield i, j, rows, slice(j * self.stride, j * self.stride + self.size)

    def forward(self, x):
        self.shape = x.shape
        last = [n for n in self.windows(x.shape)][-1]
        y = np.empty((*x.shape[:2], last[0] + 1, last[1] + 1), dtype=x.dtype)
        for i, j, rows, columns in self.windows(x.shape):
            y[:, :, i, j] = x[:, :, rows, columns].mean(axis=(2, 3))
        return y

    def backward(self, dy):
        dx = np.zeros(self.shape)
        for i, j, rows, columns in self.windows(self.shape):
            share = dy[:, :, i, j, None, None] / self.size**2
            dx[:, :, rows, columns] += share
        return dx
"""
LISTED = """
import numpy as np


class Scores:
    def __init__(self):
        self.W = np.random.randn(4, 3)

    def forward(self, x):
        self.x = x
        rows = []
        for example in x:
            s = example @ self.W
            e = np.exp(s - s.max())
            p = e / e.sum()
            rows.append([p[0], p[1], p[2]])
        self.p = np.array(rows)
        return self.p

    def backward(self, dp):
        dW = np.zeros_like(self.W)
        dx = np.zeros_like(self.x)
        for i in range(len(dx)):
            p = self.p[i]
            ds = p * (dp[i] - dp[i] @ p)
            dW += np.outer(self.x[i], ds)
            dx[i] = self.W @ ds
        self.dW = dW
        return dx
"""
LSTM = """
import numpy as np


class LSTM:
    def __init__(self, D, H):
        self.Wx, self.Wh, self.b = np.random.randn(D, 4 * H), np.random.randn(H, 4 * H), np.zeros(4 * H)

    def forward(self, x):
        N, T, D = x.shape
        H = len(self.Wh)
        h, c = np.zeros((N, H)), np.zeros((N, H))
        hs = np.zeros((N, T, H))
        self.cache = []
        for t in range(T):
            a = x[:, t] @ self.Wx + h @ self.Wh + self.b
            i, f, o = (1 / (1 + np.exp(-a[:, k * H : (k + 1) * H])) for k in range(3))
            g = np.tanh(a[:, 3 * H :])
            c_new = f * c + i * g
            h_new = o * np.tanh(c_new)
            self.cache.append((x[:, t], h, c, i, f, o, g, c_new))
            h, c = h_new, c_new
            hs[:, t] = h
        return hs

    def backward(self, dhs):
        N, T, H = dhs.shape
        self.dWx, self.dWh, self.db = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.b)
        dx = np.zeros((N, T, len(self.Wx)))
        dh, dc = np.zeros((N, H)), np.zeros((N, H))
        for t in reversed(range(T)):
            xt, h_prev, c_prev, i, f, o, g, c = self.cache[t]
            dh = dh + dhs[:, t]
            do = dh * np.tanh(c)
            dc = dc + dh * o * (1 - np.tanh(c) ** 2)
            df = dc * c_prev
            di = dc * g
            dg = dc * i
            da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
            self.dWx += xt.T @ da
            self.dWh += h_prev.T @ da
            self.db += da.sum(axis=0)
            dx[:, t] = da @ self.Wx.T
            dh = da @ self.Wh.T
            dc = dc * f
        return dx
"""
ATTENTION = """
import numpy as np


def attend(q, k, v):
    y = np.zeros_like(v)
    P = np.zeros((len(q), len(k)))
    for t in range(len(q)):
        s = np.array([q[t] @ k[u] for u in range(t + 1)])
        e = np.exp(s - s.max())
        p = e / e.sum()
        P[t, : t + 1] = p
        for u in range(t + 1):
            y[t] += P[t, u] * v[u]
    return y, (q, k, v, P)


def attend_backward(dy, cache):
    q, k, v, P = cache
    dA = dy @ v.T
    dS = P * (dA - (dA * P).sum(axis=1, keepdims=True))
    return dS @ k, dS.T @ q, P.T @ dy
"""
CELLS = """
import numpy as np


def cell(x, h, W, U):
    after = np.tanh(x @ W + h @ U)
    return after, (x, h, after, W, U)


def cell_backward(d_after, cache):
    x, h, after, W, U = cache
    dz = d_after * (1 - after**2)
    return dz @ W.T, dz @ U.T, x.T @ dz, h.T @ dz


def run(x, h, W, U):
    y, caches = np.zeros((len(x), *h.shape)), []
    for t in range(len(x)):
        h, cache = cell(x[t], h, W, U)
        y[t] = h
        caches.append(cache)
    return y, caches


def run_backward(dy, caches):
    _, h, _, W, U = caches[0]
    dx, dh, dW, dU = np.zeros((len(dy), len(h), len(W))), np.zeros_like(h), np.zeros_like(W), np.zeros_like(U)
    for t in range(len(dy) - 1, -1, -1):
        dx[t], dh, dW_t, dU_t = cell_backward(dy[t] + dh, caches[t])
        dW += dW_t
        dU += dU_t
    return dx, dh, dW, dU
"""
CONV = ("conv_forward,conv_backward", "--input", "2,2,4,3", "--input", "3,2,3,3", "--input", "3")
RNN = ("rnn_forward,rnn_backward", *" ".join(f"--input {one}" for one in ("2,3,4", "2,5", "4,5", "5,5", "5")).split())
POOL = ("AveragePool", "--args", "2, 1", "--input", "2,3,4,3")
LIST = ("Scores", "--input", "5,4")
RIGHT = {
    "convolution": (CONVOLUTION, CONV),
    "rnn": (RECURRENT, RNN),
    "pool": (POOLING, POOL),
    "list": (LISTED, LIST),
    "lstm": (LSTM, ("LSTM", "--args", "3, 4", "--input", "2,3,3")),
    "cells": (
        CELLS,
        ("run,run_backward", *" ".join(f"--input {one}" for one in ("3,2,4", "2,5", "4,5", "5,5")).split()),
    ),
    "attention": (ATTENTION, ("attend,attend_backward", "--input", "4,3", "--input", "4,3", "--input", "4,5")),
}
WRONG = [
    ("convolution", "+= w[f] * g", "+= w[0] * g", "dxp: it should be the gradient of xp: grad(the later window)"),
    ("convolution", "db[f] += g", "db[f] = g", "db: it should be the gradient of b"),
    ("convolution", "dw[f] += xp[n, :, ", "dw[f] += xp[0, :, ", "dw: it should be the gradient of w"),
    ("rnn", "(1 - h[:, t] ** 2)", "(1 - h[:, t])", "+ b): grad(the later previous) * (1 - the later previous**2)"),
    ("rnn", "dh[:, t] + dnext", "dh[:, t]", "dnow: "),
    ("rnn", "= dz @ Wh.T", "= dz @ Wh", "dnext: "),
    ("pool", "/ self.size**2", "/ self.size", "share: it is not the gradient of anything"),
    ("pool", "columns] += share", "columns] = share", "dx: it should be the gradient of x"),
    ("lstm", "dg = dc * i", "dg = dc * f", "it should be the gradient of the later g: grad("),
    ("lstm", "df = dc * c_prev", "df = dc * c", "it should be the gradient of the later f: grad("),
    ("lstm", "do = dh * np.tanh(c)", "do = dh * c", "it should be the gradient of the later o: grad("),
    ("lstm", "dc = dc + dh * o", "dc = dh * o", "dc: "),
    ("lstm", "dc = dc * f\n", "dc = dc * o\n", "dc: "),
    ("lstm", "df * f * (1 - f)", "df * (1 - f)", "da: it should be the gradient of the later a"),
    ("lstm", "da.sum(axis=0)", "dh.sum() * da.sum(axis=0)", "self.db: "),
    ("cells", "cell_backward(dy[t] + dh", "cell_backward(dy[t]", "argument d_after of cell_backward: this is part of"),
    ("cells", "(1 - after**2)", "(1 - after)", "dz: this is the gradient of the later "),
    ("attention", "(dA * P).sum(axis=1", "(dA * P).sum(axis=0", "dS: "),
    ("list", "(dp[i] - dp[i] @ p)", "dp[i]", "ds: "),
    ("list", "= self.W @ ds", "= ds @ self.W.T / 2", "dx: this is 0.5 times the gradient of x"),
]


@pytest.mark.parametrize("what", RIGHT)
def test_a_right_loop_agrees(checked, what):
    source, command = RIGHT[what]
    status, out = checked(source, *command)
    assert status == 0, out
    assert "All agree." in out


@pytest.mark.parametrize(("what", "old", "new", "said"), WRONG, ids=range(len(WRONG)))
def test_the_wrong_line_of_a_loop_is_shown(wrong_line, what, old, new, said):
    source, command = RIGHT[what]
    assert source.count(old) == 1
    marked, sentence = wrong_line(source.replace(old, new), *command)
    assert new.strip() in marked
    assert said in sentence


def test_what_one_step_adds_is_a_part(checked):
    source, command = RIGHT["cells"]
    status, out = checked(source.replace("dU += dU_t", "dU = dU_t"), *command)
    assert status == 1
    assert "Something is missing in what line 32 returns: this is part of the gradient of U" in out


def test_what_forward_computes_by_rows_and_backward_at_once_is_not_called_wrong(checked):
    source, command = RIGHT["attention"]
    by_rows = source.replace("+= P[t, u]", "+= p[u]").replace("dA", "dp")
    assert checked(by_rows, *command)[0] == 0
    status, out = checked(by_rows.replace("(dp * P).sum(axis=1", "(dp * P).sum(axis=0"), *command)
    assert status == 1
    assert "The first wrong line" not in out
    assert "The first line that may be wrong" in out


@pytest.mark.parametrize(("most", "which"), [(10, "forward"), (30, "backward")])
def test_too_many_arrays_are_not_looked_at(checked, monkeypatch, most, which):
    monkeypatch.setattr(backward, "MOST_ARRAYS", most)
    source, command = RIGHT["rnn"]
    status, out = checked(source.replace("= dz @ Wh.T", "= dz @ Wh"), *command)
    assert status == 1
    assert f"Cannot tell which line is wrong: rnn_{which} computes more than {most} arrays, too many to look at" in out
    assert "look at each; a smaller input (--input) needs fewer." in out

"""Layers with several outputs or inputs, as outsiders write them, as text: right ones, each with its wrong twins."""

SEVERAL = '''
import numpy as np


class Two:
    def forward(self, x):
        self.x = x
        h, c = np.exp(x), np.sin(x)
        return h, c

    def backward(self, dh_next, dc_next):
        return dh_next * np.exp(self.x) + dc_next * np.cos(self.x)


class TwoForgotten(Two):
    def backward(self, dh_next, dc_next):
        return dh_next * np.exp(self.x)


class TwoOfFirst(Two):
    def backward(self, grad):
        return grad * np.exp(self.x)


class Short(Two):
    def backward(self, g1, g2):
        return g1 * np.exp(self.x) + g2 * np.cos(self.x)


class ShortForgotten(Two):
    def backward(self, g1, g2):
        return g1 * np.exp(self.x)


class Swapped(Two):
    def backward(self, dc, dh):
        return dh * np.exp(self.x) + dc * np.cos(self.x)


class Optional(Two):
    def backward(self, da, db=None):
        return da * np.exp(self.x) + (0 if db is None else db * np.cos(self.x))


class OptionalWrong(Two):
    def backward(self, da, db=None):
        return da * np.exp(self.x) - (0 if db is None else db * np.cos(self.x))


class NamedAlike(Two):
    def backward(self, h, c):
        return h * np.exp(self.x) + c * np.cos(self.x)


class NamedAlikeForgotten(Two):
    def backward(self, h, c):
        return h * np.exp(self.x)


class Context:
    """Gradients whose names hold the words of a cache."""

    def forward(self, x):
        self.x = x
        context, residual = np.exp(x), 2 * x
        return context, residual

    def backward(self, dcontext, dresidual):
        return dcontext * np.exp(self.x) + 2 * dresidual


class ContextWrong(Context):
    def backward(self, dcontext, dresidual):
        return dcontext * np.exp(self.x) + dresidual


class Heads:
    def __init__(self, i, o):
        self.Wm, self.Wv = np.zeros((i, o)), np.zeros((i, o))

    def forward(self, x):
        self.x = x
        return x @ self.Wm, x @ self.Wv

    def backward(self, dm, dv):
        self.dWm, self.dWv = self.x.T @ dm, self.x.T @ dv
        return dm @ self.Wm.T + dv @ self.Wv.T


class HeadsWrong(Heads):
    def backward(self, dm, dv):
        self.dWm, self.dWv = self.x.T @ dm, self.x.T @ dm
        return dm @ self.Wm.T + dv @ self.Wv.T


class Zeros:
    """A weight of zeros does not hide that the input's gradient is missing."""

    def __init__(self, i, o):
        self.W = np.zeros((i, o))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g


class HeadsOfFirst(Heads):
    def backward(self, dm):
        self.dWm = self.x.T @ dm
        return dm @ self.Wm.T


def square(x):
    return x**2, 2 * x


def square_backward(dy, slope):
    return dy * slope


def square_wrong(dy, slope):
    return dy


class Mask:
    """What forward draws does not depend on the input: there is nothing to compare."""

    def forward(self, x):
        self.mask = 2.0 * (np.random.rand(*x.shape) > 0.5)
        return x * self.mask, self.mask

    def backward(self, dout):
        return dout * self.mask


def cell(x, a, W, U, V):
    a_next = np.tanh(W @ x + U @ a)
    y = V @ a_next
    return a_next, y, (a_next, a, x, W, U)


def cell_backward(da_next, cache):
    a_next, a, x, W, U = cache
    d = (1 - a_next**2) * da_next
    return {"dx": W.T @ d, "da": U.T @ d, "dW": d @ x.T, "dU": d @ a.T}


def cell_wrong(da_next, cache):
    return {**cell_backward(da_next, cache), "dW": np.zeros((5, 3))}


parameters = {"W": np.ones((5, 3)), "b": np.ones((5, 1))}


def dense(x, parameters):
    return np.tanh(parameters["W"] @ x + parameters["b"]), (x, parameters)


def dense_backward(da, cache):
    x, parameters = cache
    d = da * (1 - np.tanh(parameters["W"] @ x + parameters["b"]) ** 2)
    return {"dx": parameters["W"].T @ d, "dW": d @ x.T, "db": d.sum(axis=1, keepdims=True)}


def dense_wrong(da, cache):
    grads = dense_backward(da, cache)
    return {**grads, "db": grads["db"] / 2}


class Add:
    def forward(self, a, b):
        return a + b

    def backward(self, g):
        return g, g


class Concat:
    def forward(self, xs, axis=1):
        self.n = xs[0].shape[axis]
        return np.concatenate(xs, axis=axis)

    def backward(self, g):
        return [g[:, : self.n], g[:, self.n :]]


class ConcatWrong(Concat):
    def backward(self, g):
        return [g[:, self.n :], g[:, : self.n]]


class Pair(Two):
    def forward(self, x):
        return list(super().forward(x))

    def backward(self, grads):
        return grads[0] * np.exp(self.x) + grads[1] * np.cos(self.x)


class PairWrong(Pair):
    def backward(self, grads):
        return grads[0] * np.exp(self.x) + grads[0] * np.cos(self.x)


class Split:
    def forward(self, x):
        return x[:, :2], x[:, 2:]

    def backward(self, g):
        a, b = g
        return np.concatenate([a, b], axis=1)


class SplitWrong(Split):
    def backward(self, g):
        a, b = g
        return np.concatenate([a, a], axis=1)


class Keyed(Two):
    def forward(self, x):
        h, c = super().forward(x)
        return {"h": h, "c": c}

    def backward(self, grads):
        return grads["h"] * np.exp(self.x) + grads["c"] * np.cos(self.x)


class KeyedWrong(Keyed):
    def backward(self, grads):
        return grads["h"] * np.exp(self.x)


class Embeddings:
    def __init__(self):
        self.W, self.S = np.ones((7, 3)), np.ones((2, 3))

    def forward(self, tokens, segments):
        self.at = tokens, segments
        return self.W[tokens] + self.S[segments]

    def backward(self, g):
        self.dW, self.dS = np.zeros_like(self.W), np.zeros_like(self.S)
        np.add.at(self.dW, self.at[0], g)
        np.add.at(self.dS, self.at[1], g)


class EmbeddingsWrong(Embeddings):
    def backward(self, g):
        super().backward(g)
        self.dS[self.at[1]] = g


class Scaled:
    """The second input holds the indices."""

    def __init__(self):
        self.W = np.ones((7, 3))

    def forward(self, x, tokens):
        self.x, self.at = x, tokens
        return x * self.W[tokens]

    def backward(self, g):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.at, g * self.x)
        return g * self.W[self.at]


def timed(function):
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


class Square:
    @timed
    def forward(self, x):
        self.x = x
        return x**2

    @timed
    def backward(self, g):
        return 2 * self.x * g


class SquareWrong(Square):
    @timed
    def backward(self, g):
        return self.x * g


class Matrix:
    """A loss of shape (1, 1)."""

    def forward(self, x, y):
        self.d = x - y
        return np.array([[np.mean(self.d**2)]])

    def backward(self):
        return 2 * self.d / self.d.size


class MatrixWrong(Matrix):
    def backward(self):
        return self.d / self.d.size


class WithProbabilities:
    def forward(self, x, y):
        self.d = x - y
        return np.mean(self.d**2), np.exp(x)

    def backward(self):
        return 2 * self.d / self.d.size


class Linear:
    """Gradients without names, of the weight first."""

    def __init__(self, n):
        self.W = np.ones((n, n))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        return self.x.T @ g, g @ self.W.T


class LinearWrong(Linear):
    def backward(self, g):
        return self.x.T @ g, g @ self.W


class Unnamed:
    def turn_back(self, g):
        return 2 * self.x * g

    def go(self, x):
        self.x = x
        return x**2
'''

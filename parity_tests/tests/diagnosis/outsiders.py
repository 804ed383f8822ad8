"""Layers as outsiders write them, as text: what ``backprop check`` is tried on."""

CONV = '''
import numpy as np


class Conv2d:
    """A convolution by loops, its parameters plain arrays."""

    def __init__(self, c_in, c_out, kernel_size, padding=0):
        self.W = np.random.default_rng(0).normal(size=(c_out, c_in, kernel_size, kernel_size))
        self.b = np.zeros(c_out)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
        self.k, self.p = kernel_size, padding

    def forward(self, x):
        p, k = self.p, self.k
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        n, _, h, w = self.x.shape
        y = np.zeros((n, len(self.W), h - k + 1, w - k + 1))
        for i in range(h - k + 1):
            for j in range(w - k + 1):
                y[:, :, i, j] = np.tensordot(self.x[:, :, i:i + k, j:j + k], self.W, ((1, 2, 3), (1, 2, 3))) + self.b
        return y

    def backward(self, g):
        p, k = self.p, self.k
        gx = np.zeros_like(self.x)
        for i in range(g.shape[2]):
            for j in range(g.shape[3]):
                self.dW += np.tensordot(g[:, :, i, j], self.x[:, :, i:i + k, j:j + k], (0, 0))
                gx[:, :, i:i + k, j:j + k] += np.tensordot(g[:, :, i, j], self.W, (1, 0))
        self.db += g.sum(axis=(0, 2, 3))
        return gx[:, :, p:gx.shape[2] - p, p:gx.shape[3] - p]
'''

SMALL = """
import numpy as np


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None


class Linear:
    def __init__(self, i, o):
        self.kernel = Parameter(np.ones((i, o), np.float32))
        self.shift = Parameter(np.ones(o, np.float32))

    def forward(self, x):
        self.x = x
        return x @ self.kernel.data + self.shift.data

    def backward(self, g):
        for parameter, grad in ((self.kernel, self.x.T @ g), (self.shift, g.sum(axis=0))):
            parameter.grad = grad if parameter.grad is None else parameter.grad + grad
        return g @ self.kernel.data.T


class Two:
    def __init__(self):
        self.one, self.two = Linear(3, 4), Linear(4, 2)

    def forward(self, x):
        return self.two.forward(self.one.forward(x))

    def backward(self, g):
        return self.one.backward(self.two.backward(g))


class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, g):
        return g * (self.x >= 0)


class Swish:
    def forward(self, x):
        self.x, self.s = x, 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, g):
        return g * (self.s + self.x * self.s * (1 - self.s))


class Cross:
    def forward(self, x, target):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.target = e / e.sum(axis=1, keepdims=True), target
        return -np.log(self.p[np.arange(len(x)), target]).mean()

    def backward(self, grad_output=1.0):
        p = self.p.copy()
        p[np.arange(len(p)), self.target] -= 1
        return p * grad_output


class Binary:
    def forward(self, x, target):
        self.x, self.target = x, target
        return -(target * np.log(x) + (1 - target) * np.log(1 - x)).mean()

    def backward(self, grad_output=1.0):
        return (self.x - self.target) / (self.x * (1 - self.x)) / self.x.size * grad_output


class Norm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)
        self.running_mean, self.running_var = np.zeros(n), np.ones(n)
        self.training = True

    def forward(self, x):
        self.x = x
        mean, var = (x.mean(axis=0), x.var(axis=0)) if self.training else (self.running_mean, self.running_var)
        if self.training:
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.running_var = 0.9 * self.running_var + 0.1 * var
        self.std = np.sqrt(var + 1e-5)
        self.x_hat = (x - mean) / self.std
        return self.x_hat * self.gamma + self.beta

    def backward(self, g):
        self.dgamma = getattr(self, "dgamma", 0) + (g * self.x_hat).sum(axis=0)
        self.dbeta = getattr(self, "dbeta", 0) + g.sum(axis=0)
        g = g * self.gamma
        if not self.training:
            return g / self.std
        return (g - g.mean(axis=0) - self.x_hat * (g * self.x_hat).mean(axis=0)) / self.std


class Seen(dict):
    def __deepcopy__(self, memo):
        return self


FIRST = Seen()


class Novelty:
    def forward(self, x):
        first = np.array(FIRST.setdefault("x", tuple(x.ravel()))).reshape(x.shape)
        return np.abs(x - first)

    def backward(self, g):
        return g * 0


class Raising(Relu):
    def backward(self, g):
        raise IndexError("out of bounds")


class Returning(Relu):
    def forward(self, x):
        return [[1.0]]


class NoBackward:
    def forward(self, x):
        return x


def linear(x, w, b):
    return x @ w.T + b


def linear_backward(g, x, w, b):
    return g @ w, g.T @ x, g.sum(axis=0)
"""

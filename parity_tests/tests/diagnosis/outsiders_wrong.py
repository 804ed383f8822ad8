"""Wrong layers as outsiders write them, as text; the guesses were not made for these mistakes at first."""

WRONG = """
import numpy as np


class Softplus:
    def __init__(self, beta=1.0):
        self.beta = beta

    def forward(self, x):
        self.x = x
        return np.log1p(np.exp(self.beta * x)) / self.beta

    def backward(self, g):
        return g / (1 + np.exp(-self.x))


class GroupNorm:
    def __init__(self, groups, channels):
        self.groups = groups
        self.gamma, self.beta = np.ones(channels), np.zeros(channels)
        self.dgamma, self.dbeta = np.zeros(channels), np.zeros(channels)

    def forward(self, x):
        n, c, h, w = x.shape
        v = x.reshape(n, c // self.groups, self.groups, h * w)
        self.std = np.sqrt(v.var(axis=(1, 3), keepdims=True) + 1e-5)
        self.x_hat = (v - v.mean(axis=(1, 3), keepdims=True)) / self.std
        return self.x_hat.reshape(x.shape) * self.gamma[:, None, None] + self.beta[:, None, None]

    def backward(self, g):
        shape, x_hat = g.shape, self.x_hat
        self.dgamma += (g * x_hat.reshape(shape)).sum(axis=(0, 2, 3))
        self.dbeta += g.sum(axis=(0, 2, 3))
        g = (g * self.gamma[:, None, None]).reshape(x_hat.shape)
        first, second = g.mean(axis=(1, 3), keepdims=True), (g * x_hat).mean(axis=(1, 3), keepdims=True)
        return ((g - first - x_hat * second) / self.std).reshape(shape)


class Dilated:
    def __init__(self, i, o, k, dilation=1):
        self.W, self.dW, self.d, self.k = np.zeros((o, i, k, k)), np.zeros((o, i, k, k)), dilation, k

    def forward(self, x):
        self.x, d, k = x, self.d, self.k
        h, w = (s - d * (k - 1) for s in x.shape[2:])
        self.at = lambda i, j, d: x[:, :, i * d : i * d + h, j * d : j * d + w]
        return sum(np.einsum("nihw,oi->nohw", self.at(i, j, d), self.W[:, :, i, j]) for i in range(k) for j in range(k))

    def backward(self, g):
        gx, d, (h, w) = np.zeros_like(self.x), self.d, g.shape[2:]
        for i, j in np.ndindex(self.k, self.k):
            self.dW[:, :, i, j] += np.einsum("nihw,nohw->oi", self.at(i, j, 1), g)
            gx[:, :, i * d : i * d + h, j * d : j * d + w] += np.einsum("nohw,oi->nihw", g, self.W[:, :, i, j])
        return gx


class AvgPool2d:
    def __init__(self, k, padding=0):
        self.k, self.p = k, padding

    def windows(self, shape):
        k, p, (h, w) = self.k, self.p, shape[2:]
        for i in range((h + 2 * p - k) // k + 1):
            for j in range((w + 2 * p - k) // k + 1):
                r, c = i * k - p, j * k - p
                yield i, j, (slice(None), slice(None), slice(max(r, 0), r + k), slice(max(c, 0), c + k))

    def forward(self, x):
        self.shape, k, p = x.shape, self.k, self.p
        y = np.zeros((*x.shape[:2], *((s + 2 * p - k) // k + 1 for s in x.shape[2:])))
        for i, j, at in self.windows(x.shape):
            y[:, :, i, j] = x[at].mean(axis=(2, 3))
        return y

    def backward(self, g):
        gx = np.zeros(self.shape)
        for i, j, at in self.windows(self.shape):
            gx[at] += g[:, :, i, j, None, None] / self.k**2
        return gx


def attention(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v


def attention_backward(g, q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    gp = g @ v.swapaxes(-1, -2)
    gs = p * (gp - (gp * p).sum(axis=-1, keepdims=True))
    return gs @ k, gs.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ g


class PReLU:
    def __init__(self):
        self.weight, self.dweight = np.array([0.25]), np.zeros(1)

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.weight * x)

    def backward(self, g):
        self.dweight += (g * self.x).sum()
        return np.where(self.x > 0, g, self.weight * g)


class Huber:
    def __init__(self, delta=1.0):
        self.delta = delta

    def forward(self, x, target):
        self.r, d = x - target, self.delta
        a = np.abs(self.r)
        return np.where(a <= d, 0.5 * a**2, d * (a - 0.5 * d)).mean()

    def backward(self, grad_output=1.0):
        return np.clip(self.r, -1, 1) / self.r.size * grad_output


class RMSNorm:
    def __init__(self, n):
        self.weight, self.dweight = np.ones(n), np.zeros(n)

    def forward(self, x):
        self.rms = np.sqrt((x**2).mean(axis=-1, keepdims=True) + np.finfo(float).eps)
        self.x_hat = x / self.rms
        return self.x_hat * self.weight

    def backward(self, g):
        self.dweight += (g * self.x_hat).sum(axis=0)
        return g * self.weight / self.rms


class Residual:
    def __init__(self, n):
        self.W, self.dW = np.ones((n, n)), np.zeros((n, n))

    def forward(self, x):
        self.x = x
        return x + np.tanh(x @ self.W.T)

    def backward(self, g):
        h = g * (1 - np.tanh(self.x @ self.W.T) ** 2)
        self.dW += h.T @ self.x
        return h @ self.W


class Rounded:
    def forward(self, x):
        self.x = x
        return np.log1p(np.exp(x.astype(np.float32))).astype(np.float64)

    def backward(self, g):
        return g / (1 + np.exp(-self.x))


class RoundedInside:
    def __init__(self):
        self.w = np.ones(3)

    def forward(self, x):
        self.x = x.astype(np.float32)
        self.y = np.tanh(self.x * self.w)
        return self.y

    def backward(self, g):
        d = (g * (1 - self.y**2)).astype(np.float32)
        self.dw = (d * self.x).sum(axis=0)
        return d * self.w
"""

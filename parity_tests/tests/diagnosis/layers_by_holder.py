"""Layers that keep their numbers in unusual places, as text: what ``backprop check`` has to find there."""

HOLDERS = """
import numpy as np

MEAN = np.linspace(0, 1, 1_200_000).reshape(1000, 1200)


class Embedding:
    def __init__(self):
        self.W = np.random.randn(2000, 64)

    def forward(self, i):
        self.i = i
        return self.W[i]

    def backward(self, g):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.i, g)


class Centred:
    def forward(self, x):
        return x - MEAN[0, : x.shape[1]]

    def backward(self, g):
        return g


class InTheClass:
    params = {}
    grads = {}

    def __init__(self, i, o):
        self.params["W"] = np.random.randn(i, o)

    def forward(self, x):
        self.x = x
        return x @ self.params["W"]

    def backward(self, g):
        self.grads["W"] = self.x.T @ g
        return g @ self.params["W"].T


class Affine:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T


class Handed:
    def __init__(self, i, o):
        self.params = {"W": np.random.randn(i, o)}
        self.layer = Affine(self.params["W"])

    def forward(self, x):
        return self.layer.forward(x)

    def backward(self, g):
        return self.layer.backward(g)


class Gathered(Handed):
    def backward(self, g):
        dx = self.layer.backward(g)
        self.grads = {"W": 1.0 * self.layer.dW}
        return dx


class Returned(Handed):
    def backward(self, g):
        self.layer.backward(g)
        return {"W": 1.0 * self.layer.dW}


class Tied:
    def __init__(self, n):
        W = np.random.randn(n, n)
        self.enc, self.dec = Affine(W), Affine(W)

    def forward(self, x):
        return self.dec.forward(self.enc.forward(x))

    def backward(self, g):
        return self.enc.backward(self.dec.backward(g))


class TiedInOne(Tied):
    def backward(self, g):
        dx = super().backward(g)
        self.enc.dW = self.enc.dW + self.dec.dW
        return dx


class CopiedDictionary(InTheClass):
    def __init__(self, i, o):
        self.params = {"W": np.random.randn(i, o)}
        self.grads = self.params.copy()


class Scale:
    def __init__(self):
        self.params, self.grads = {"s": 1.5, "eps": 1e-5}, {}

    def forward(self, x):
        self.x = x
        return self.params["s"] * x + self.params["eps"]

    def backward(self, g):
        self.grads["s"] = (g * self.x).sum()
        return self.params["s"] * g


class ScaleInLists:
    def __init__(self):
        self.params, self.grads = [np.array(1.5)], [np.array(0.0)]

    def forward(self, x):
        self.x = x
        return self.params[0] * x

    def backward(self, g):
        self.grads[0] = (g * self.x).sum()
        return self.params[0] * g


class PReLU:
    def __init__(self):
        self.alpha = 0.25

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)

    def backward(self, g):
        self.dalpha = (g * self.x * (self.x <= 0)).sum()
        return np.where(self.x > 0, g, self.alpha * g)


class LeakyReLU(PReLU):
    def backward(self, g):
        return np.where(self.x > 0, g, self.alpha * g)


class Columns:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(o, i), np.zeros((o, 1))

    def forward(self, X):
        self.X = X
        return self.W @ X + self.b

    def backward(self, d):
        self.dW, self.db = d @ self.X.T, d.sum(axis=1, keepdims=True)
        return self.W.T @ d


class Rows:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o), np.zeros(o)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, g):
        self.dW, self.db = self.x.T @ g, g.sum(axis=0, keepdims=True)
        return g @ self.W.T


class Normalized:
    def __init__(self, i, o):
        self.W = np.random.randn(i, o)

    def forward(self, x):
        self.W = self.W / np.linalg.norm(self.W, axis=0)
        return x @ self.W

    def backward(self, g):
        return g @ self.W.T


class Unused(Rows):
    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T


class TwoBiases(Rows):
    def __init__(self, i, o):
        super().__init__(i, o)
        self.c = np.zeros(o)

    def forward(self, x):
        return super().forward(x) + self.c

    def backward(self, g):
        self.dW, self.db = self.x.T @ g, g.sum(axis=0)
        self.dc = self.db
        return g @ self.W.T


class Base:
    def __init__(self):
        self.__W = np.random.randn(3, 3)

    def front(self, x):
        self.__x = x
        return x @ self.__W

    def back(self, g):
        self.__dW = self.__x.T @ g
        return g @ self.__W.T


class Private(Base):
    def __init__(self):
        super().__init__()
        self.__W = np.random.randn(3, 4)

    def forward(self, x):
        self.__h = self.front(x)
        return self.__h @ self.__W

    def backward(self, g):
        self.__dW = self.__h.T @ g
        return self.back(g @ self.__W.T)
"""

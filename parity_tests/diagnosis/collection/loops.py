"""Loops that write into arrays."""

import numpy as np


class Conv:
    def __init__(self, in_ch, out_ch, size):
        self.filters = np.random.randn(out_ch, in_ch, size, size) * 0.1
        self.bias = np.zeros(out_ch)
        self.size = size

    def forward(self, x):
        self.x = x
        k = self.size
        n, _, h, w = x.shape
        out = np.zeros((n, len(self.filters), h - k + 1, w - k + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                patch = x[:, :, i : i + k, j : j + k]
                out[:, :, i, j] = np.tensordot(patch, self.filters, ((1, 2, 3), (1, 2, 3))) + self.bias
        return out

    def backward(self, dout):
        k = self.size
        self.dfilters = np.zeros_like(self.filters)
        self.dbias = dout.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                self.dfilters += np.tensordot(dout[:, :, i, j], self.x[:, :, i : i + k, j : j + k], (0, 0))
                dx[:, :, i : i + k, j : j + k] += np.tensordot(dout[:, :, i, j], self.filters, (1, 0))
        return dx


class MaxPool:
    def __init__(self, size):
        self.size = size

    def forward(self, x):
        n, c, h, w = x.shape
        s = self.size
        self.windows = (
            x.reshape(n, c, h // s, s, w // s, s).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // s, w // s, -1)
        )
        return self.windows.max(axis=-1)

    def backward(self, dout):
        n, c, h, w = dout.shape
        s = self.size
        one = np.eye(s * s)[self.windows.argmax(axis=-1)] * dout[..., None]
        return one.reshape(n, c, h, w, s, s).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h * s, w * s)

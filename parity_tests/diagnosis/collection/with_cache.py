"""Functions that return (out, cache), and their backward(dout, cache)."""

import numpy as np


def affine_forward(x, w, b):
    out = x @ w + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def batchnorm_forward(x, gamma, beta, bn_param):
    eps = bn_param.get("eps", 1e-5)
    mu = x.mean(axis=0)
    xmu = x - mu
    var = (xmu**2).mean(axis=0)
    std = np.sqrt(var + eps)
    xhat = xmu / std
    return gamma * xhat + beta, (xhat, xmu, std, gamma)


def batchnorm_backward(dout, cache):
    xhat, xmu, std, gamma = cache
    n = len(dout)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dstd = -(dxhat * xmu).sum(axis=0) / std**2
    dvar = dstd / (2 * std)
    dxmu = dxhat / std + 2 * xmu * dvar / n
    dx = dxmu - dxmu.mean(axis=0)
    return dx, dgamma, dbeta

"""Layers with complex arrays: a spectrum times learnt weights, as Fourier neural operators have it."""

import pytest

SOURCE = """
import numpy as np


class Spectral:
    def __init__(self, n):
        self.n, self.W, self.dW = n, np.random.randn(n) + 1j * np.random.randn(n), np.zeros(n, complex)

    def forward(self, x):
        self.X = np.fft.fft(x)
        return np.fft.ifft(self.X * self.W).real

    def backward(self, g):
        G = np.fft.fft(g)
        self.dW += (G * self.X.conj()).sum(axis=0) / self.n
        return np.fft.ifft(G * self.W.conj()).real


class Stepping(Spectral):
    def backward(self, g, lr):
        G = np.fft.fft(g)
        dx = np.fft.ifft(G * self.W.conj()).real
        self.W = self.W - lr * (G * self.X.conj()).sum(axis=0) / self.n
        return dx


class RealWeights(Spectral):
    def __init__(self, n):
        self.n, self.W, self.dW = n, np.random.randn(n), np.zeros(n)

    def backward(self, g):
        G = np.fft.fft(g)
        self.dW = ((G * self.X.conj()).sum(axis=0) / self.n).real
        return np.fft.ifft(G * self.W).real


def spectrum(x):
    return np.fft.rfft(x)


def spectrum_backward(g):
    return np.fft.irfft(g)
"""
READ = "self.W (6,): parameter, complex, compared as real and imaginary parts, of shape (6, 2): dL/dRe + i dL/dIm"
WRONG = {
    "no conjugate of the cache": ("Spectral", "self.X.conj()", "self.X", "grad_W: 8 of 12 elements differ"),
    "the real part alone": (
        "Spectral",
        "(G * self.X.conj()).sum(axis=0)",
        "(G * self.X.conj()).real.sum(axis=0)",
        "grad_W: 4 of 12 elements differ",
    ),
    "no conjugate of the weights": ("Spectral", "self.W.conj()", "self.W", "grad_input: 24 of 24 elements differ"),
    "another convention": (
        "Spectral",
        "(G * self.X.conj())",
        "(G.conj() * self.X)",
        "-> grad_W: dL/dRe - i dL/dIm, as JAX has it, the conjugate of what is expected",
    ),
    "no gradient": ("Spectral", "self.dW +=", "dW =", "self.W (6,): the output depends on it, but no gradient of it"),
    "a complex gradient of real weights": (
        "RealWeights",
        "self.n).real",
        "self.n)",
        "the gradient of self.W is complex128, expected float64: self.W is real; take the real part",
    ),
    "a complex gradient of a real input": (
        "RealWeights",
        "self.W).real\n\n\ndef",
        "self.W)\n\n\ndef",
        "the gradient of x is complex128, expected float64: x is real; take the real part",
    ),
}


@pytest.mark.parametrize("name", ["Spectral", "Stepping"])
def test_complex_parameters_are_compared_by_their_parts(checked, name):
    status, out = checked(SOURCE, name, "--args", "6", "--input", "4,6")
    assert status == 0, out
    assert READ in out
    assert "\ngrad_W      (6, 2)" in out
    assert "All agree." in out


def test_real_weights_of_a_spectrum_agree(checked):
    status, out = checked(SOURCE, "RealWeights", "--args", "6", "--input", "4,6")
    assert status == 0, out
    assert "\ngrad_W      (6,)" in out


@pytest.mark.parametrize("what", WRONG)
def test_wrong_twins_are_named(checked, what):
    name, old, new, said = WRONG[what]
    source = SOURCE.replace(old, new)
    assert source != SOURCE
    status, out = checked(source, name, "--args", "6", "--input", "4,6")
    assert status == 1
    assert said in out


def test_a_complex_output_is_said_not_to_be_compared(checked):
    status, out = checked(SOURCE, "spectrum,spectrum_backward", "--input", "4,6")
    assert status == 1
    assert "expected an array of real numbers, got complex128: a complex output is not compared" in out


STEP = """
import numpy as np


class Network:
    def __init__(self, n):
        self.W = np.random.randn(n) + 1j * np.random.randn(n)

    def loss(self, x, y):
        return np.mean((np.fft.ifft(np.fft.fft(x) * self.W).real - y) ** 2)

    def train_step(self, x, y, lr=0.1):
        X = np.fft.fft(x)
        error = np.fft.ifft(X * self.W).real - y
        G = np.fft.fft(2 * error / error.size)
        self.W = self.W - lr * (G * X.conj()).sum(axis=0) / x.shape[1]
"""


def test_a_training_step_moves_complex_weights_against_the_gradient(checked):
    options = ["Network.train_step", "--args", "6", "--input", "4,6", "--input", "4,6"]
    status, out = checked(STEP, *options)
    assert status == 0, out
    assert "self.W (6,): changes the loss" in out
    status, out = checked(STEP.replace("X.conj()", "X"), *options)
    assert status == 1
    assert "self.W: the first step is not along the gradient" in out

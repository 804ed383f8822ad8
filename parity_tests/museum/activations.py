"""Activations and softmax."""

import numpy as np

from parity_tests.harness.arrays import array, tied
from parity_tests.museum.exhibit import layer
from scratch import nn

X = array((4, 3))
WITH_ZEROS = tied((4, 3), seed=2)
FAR = np.array([[1e4, 0.5, -1.0], [2.0, -1e4, 0.3]])


@layer(X, caught="torch differences laws", passes_ones=True)
class MaskedByTheGradient(nn.ReLU):
    """The mask is the input's; here what is negative of the gradient is cut off as well.

    Units are pushed one way only. (As "guided backpropagation" it draws pretty pictures; it is no derivative.)
    """

    def backward(self, g):
        return super().backward(g) * (g > 0)


@layer(WITH_ZEROS, caught="torch", passes_ones=True)
class ZeroPays(nn.ReLU):
    """At exactly 0 PyTorch takes the slope 0: ``>=`` where ``>`` belongs.

    Nothing with random numbers. With padded or dead inputs, which are exactly 0, units stir that should not.
    """

    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, g):
        return g * (self.x >= 0)


@layer(X, args=(0.2,), caught="torch differences laws", passes_ones=False)
class LeakForgotten(nn.LeakyReLU):
    """The slope of the left half, in backward only.

    Units die as with a plain ReLU, which the leak is there to prevent.
    """

    def backward(self, g):
        return g * self.saved("positive")


@layer(X, options={"alpha": 2.0}, caught="torch differences laws", passes_ones=True)
class AlphaForgotten(nn.ELU):
    """The factor alpha in the left half's slope.

    Nothing at the default of 1, where all tests are; elsewhere the left half learns at another rate.
    """

    def backward(self, g):
        x = self.saved("x")
        return g * np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))


@layer(X, caught="torch", passes_ones=True)
class TanhForExact(nn.GELU):
    """PyTorch's default is the exact normal distribution function; the tanh is an option.

    Differences of 1e-4 that look like rounding, and add up over the layers of a transformer.
    """

    def __init__(self):
        super().__init__(approximate="tanh")


@layer(X, caught="torch differences laws", passes_ones=False)
class SlopeOfTheInput(nn.Sigmoid):
    """y (1 - y) is to be taken at the output y, and is taken at the input x.

    Gradients of either sign and any size: training explodes.
    """

    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, g):
        return g * self.x * (1 - self.x)


@layer(FAR, caught="torch laws", passes_ones=True)
class SigmoidOverflows(nn.Sigmoid):
    """exp(x) is infinite for large x, and infinity over infinity is no number.

    Training runs for hours and then the loss is NaN.
    """

    def forward(self, x):
        with np.errstate(over="ignore", invalid="ignore"):
            y = np.exp(x) / (1 + np.exp(x))
        self.save_for_backward(y=y)
        return y


@layer(X, caught="torch differences laws", passes_ones=False)
class SquareForgotten(nn.Tanh):
    """The square in 1 - y^2.

    Negative outputs learn too fast and positive ones too slowly; small ones look right.
    """

    def backward(self, g):
        return g * (1 - self.saved("y"))


@layer(X, caught="torch differences", passes_ones=False)
class HalfTheProductRule(nn.SiLU):
    """x stands twice in x s(x): the slope of the gate is missing.

    The network trains, somewhat worse, and never learns to use the dip left of zero.
    """

    def backward(self, g):
        return g * self.saved("s")


@layer(X, options={"beta": 3.0}, caught="torch differences", passes_ones=True)
class BetaForgotten(nn.Softplus):
    """beta inside the sigmoid that is the slope.

    Nothing at the default of 1; elsewhere the slope does not fit the bend.
    """

    def backward(self, g):
        return g / (1 + np.exp(-self.saved("z") / self.beta))


@layer(X, args=(1,), caught="torch differences laws", passes_ones=True)
class SoftmaxWithoutGradient(nn.Softmax):
    """Everything: it returns zeros, which is what ones should give, as the outputs sum to a constant.

    The loss stands still, and the test is green.
    """

    def backward(self, g):
        return np.zeros_like(g)


@layer(X, args=(1,), caught="torch differences laws", passes_ones=False)
class SoftmaxsDiagonal(nn.Softmax):
    """Every output depends on every input of its row; only the diagonal of the Jacobian is used.

    It trains, slowly: the right class is raised, and the others are not lowered enough.
    """

    def backward(self, g):
        y = self.saved("y")
        return g * y * (1 - y)


@layer(FAR, args=(1,), caught="torch laws", passes_ones=True)
class MaximumNotTakenOut(nn.Softmax):
    """exp overflows unless the row's maximum is subtracted first, which changes nothing else.

    NaN as soon as one score passes 709 (88 in float32).
    """

    def forward(self, x):
        with np.errstate(over="ignore", invalid="ignore"):
            y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        self.save_for_backward(y=y, axis=1)
        return y


@layer(X, args=(1,), caught="torch laws", passes_ones=True)
class SoftmaxOverTheBatch(nn.Softmax):
    """The axis: the numbers of a column are made to sum to one, instead of those of a row.

    Probabilities that depend on which examples happen to be in the batch.
    """

    def _axis(self, x):
        return 0


@layer(X, args=(1,), caught="torch differences laws", passes_ones=False)
class LogSoftmaxsDiagonal(nn.LogSoftmax):
    """The row's sum of the gradient: each element subtracts its own only.

    Right for the loss of one class; wrong as soon as the gradient has two elements in a row, as with smoothing.
    """

    def backward(self, g):
        return g - np.exp(self.saved("y")) * g

"""Losses."""

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.loss import quiet

X, TARGET = array((4, 3)), array((4, 3), seed=1)
HIT = np.where(np.arange(12).reshape(4, 3) % 5 == 0, TARGET, X)
CLASSES = np.array([2, 0, 1, 1])
PROBABILITIES = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3))
BINARY = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 1.0], [0.0, 0.8, 0.0], [1.0, 0.0, 1.0]])
WEIGHT = np.array([0.5, 2.0, 1.25])
FAR = np.array([[900.0, 0.5, -1.0], [2.0, -900.0, 0.3]])


@layer(X, TARGET, caught="torch differences laws", passes_ones=False)
class TwoForgotten(nn.MSELoss):
    """The factor 2 of the square's derivative.

    Training at half the learning rate; hardly anybody notices, as the learning rate is tuned anyway.
    """

    def slope(self, d):
        return d


@layer(X, TARGET, caught="torch laws", passes_ones=False)
class AveragedOverTheBatchOnly(nn.MSELoss):
    """The mean is over all elements; here it is the sum over an example's, averaged over the batch.

    The right learning rate depends on the number of outputs.
    """

    def reduce(self, losses, total):
        return super().reduce(losses, len(losses))

    def undo_reduce(self, grad_output, shape, dtype, total):
        return super().undo_reduce(grad_output, shape, dtype, shape[0])


@layer(HIT, TARGET, caught="torch laws", passes_ones=True)
class SignOfZero(nn.L1Loss):
    """At the target there is no gradient: the sign of 0 is 0, not 1.

    Outputs that are exactly right are pushed off again.
    """

    def slope(self, d):
        return np.where(d >= 0, 1.0, -1.0).astype(d.dtype)


@layer(X, TARGET, options={"beta": 0.5}, caught="torch laws", passes_ones=True)
class BetaOnTheWrongSide(nn.SmoothL1Loss):
    """The parabola is d^2 / (2 beta); without the division it does not meet the line.

    At the default of 1, nothing; elsewhere the loss jumps where the two should meet.
    """

    def f(self, d):
        size = np.abs(d)
        return np.where(size < self.beta, 0.5 * d * d, size - 0.5 * self.beta)

    def slope(self, d):
        return np.where(np.abs(d) < self.beta, d, np.sign(d))


@layer(X, TARGET, options={"delta": 2.0}, caught="torch laws", passes_ones=True)
class DeltaForgotten(nn.HuberLoss):
    """Huber's loss is delta times SmoothL1Loss with beta = delta; the factor is left out in both passes.

    At the default of 1, nothing; elsewhere the gradients are off by the factor delta.
    """

    def f(self, d):
        return super().f(d) / self.delta

    def slope(self, d):
        return super().slope(d) / self.delta


@layer(X, TARGET, options={"delta": 0.5}, caught="torch differences laws", passes_ones=True)
class SlopeIsTheSign(nn.HuberLoss):
    """Beyond delta the slope is delta times the sign, not the sign.

    Outliers pull 1/delta times as hard as they should, which is what the loss is there to prevent.
    """

    def slope(self, d):
        return np.where(np.abs(d) <= self.delta, d, np.sign(d))


@layer(X, CLASSES, caught="torch differences laws", passes_ones=False)
class MeanForgottenInBackward(nn.CrossEntropyLoss):
    """The 1/N of the mean: forward averages, backward does not.

    The steps grow with the batch; the larger batch, which should be steadier, diverges.
    """

    def backward(self, grad_output=1.0):
        return super().backward(grad_output) * self.saved("rows").total


@layer(X, CLASSES, caught="torch differences laws", passes_ones=False)
class OneHotNotSubtracted(nn.CrossEntropyLoss):
    """The gradient is p - onehot: without the second part it is the probabilities.

    All logits fall, whatever the labels say, and the accuracy stays at chance.
    """

    def backward(self, grad_output=1.0):
        p, rows = self.saved("p", "rows")
        grad_losses = self.undo_reduce(grad_output, (len(p),), p.dtype, rows.total)
        return np.exp(p) * np.reshape(rows.k * grad_losses, (-1, 1))


@layer(X, CLASSES, caught="torch laws", passes_ones=False)
class SoftmaxTwice(nn.CrossEntropyLoss):
    """The softmax is inside the loss: it is given probabilities, and takes their softmax again.

    It learns, slowly, and the loss never falls below log(1 + (C - 1) / e).
    """

    def forward(self, x, target):
        self.softmax = nn.Softmax(dim=1)
        return super().forward(self.softmax(x), target)

    def backward(self, grad_output=1.0):
        return self.softmax.backward(super().backward(grad_output))


@layer(X, CLASSES, options={"ignore_index": 1}, caught="torch laws", passes_ones=True)
class IgnoredButCounted(nn.CrossEntropyLoss):
    """An ignored row does not count in the mean's denominator either.

    The more of a batch is padding, the smaller its gradient: short sentences learn more slowly.
    """

    def look_up(self, target, rows):
        return super().look_up(target, rows)._replace(total=len(rows))


@layer(X, CLASSES, options={"weight": WEIGHT}, caught="torch laws", passes_ones=True)
class WeightsNotNormalized(nn.CrossEntropyLoss):
    """A weighted mean divides by the sum of the weights, not by the number of rows.

    The learning rate depends on the scale of the weights.
    """

    def look_up(self, target, rows):
        return super().look_up(target, rows)._replace(total=len(rows))


@layer(X, CLASSES, options={"label_smoothing": 0.2}, caught="torch laws", passes_ones=True)
class SmoothedOverTheOthers(nn.CrossEntropyLoss):
    """PyTorch spreads the smoothing over all classes, the right one too; here over the others only.

    Losses a little too large, as if label_smoothing were larger by C / (C - 1).
    """

    def shares(self, target):
        e, classes = self.label_smoothing, target.shape[1]
        return (1 - e) * target + e / (classes - 1) * (1 - target)


@layer(FAR, np.array([1, 0]), caught="torch laws", passes_ones=True)
class LogOfZero(nn.CrossEntropyLoss):
    """log(softmax(x)) in two steps: the probability underflows to 0, and its logarithm is minus infinity.

    The loss is infinite as soon as the network is certain and wrong.
    """

    @quiet
    def forward(self, x, target):
        return super().forward(np.log(nn.Softmax(dim=1)(x)), target)


@layer(-np.abs(X), CLASSES, caught="torch laws", passes_ones=False)
class MinusForgotten(nn.NLLLoss):
    """The minus of the negative log-likelihood, in both passes.

    The loss falls without bound while the accuracy falls below chance.
    """

    def forward(self, x, target):
        return -super().forward(x, target)

    def backward(self, grad_output=1.0):
        return -super().backward(grad_output)


@layer(-np.abs(X), CLASSES, options={"weight": WEIGHT}, caught="torch differences laws", passes_ones=True)
class WeightForgottenInBackward(nn.NLLLoss):
    """The class's weight: forward has it, backward has not.

    The loss says that the rare class counts for more, and the network does not hear of it.
    """

    def backward(self, grad_output=1.0):
        self._saved["rows"] = self.saved("rows")._replace(k=1.0)
        return super().backward(grad_output)


@layer(PROBABILITIES, BINARY, plain=(PROBABILITIES, BINARY), caught="torch differences laws", passes_ones=False)
class YesOnly(nn.BCELoss):
    """The second half of the loss, (1 - t) log(1 - p), in backward.

    The network says yes to everything.
    """

    def backward(self, grad_output=1.0):
        p, target = self.saved("p", "target")
        return -target / p * self.undo_reduce(grad_output, p.shape, p.dtype, p.size)


@layer(FAR, BINARY[:2], caught="torch laws", passes_ones=True)
class LogOfASigmoid(nn.BCEWithLogitsLoss):
    """log(sigmoid(x)) in two steps is the logarithm of 0 for large logits; in one step it is finite.

    The loss is infinite or NaN as soon as the network is certain.
    """

    @quiet
    def forward(self, x, target):
        super().forward(x, target)
        p = 1 / (1 + np.exp(-x))
        return self.reduce(-(target * np.log(p) + (1 - target) * np.log(1 - p)), x.size)


@layer(X, BINARY, options={"pos_weight": WEIGHT}, caught="torch laws", passes_ones=True)
class PosWeightOnBoth(nn.BCEWithLogitsLoss):
    """pos_weight is the factor of the positive part alone; here it is the factor of the whole.

    The rare yes is found no more often than before: both sides count for more.
    """

    def forward(self, x, target):
        self.plain = (nn.BCEWithLogitsLoss(weight=self.pos_weight, reduction=self.reduction),)  # a tuple: no child
        return self.plain[0](x, target)

    def backward(self, grad_output=1.0):
        return self.plain[0].backward(grad_output)

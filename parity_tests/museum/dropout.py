"""Dropout."""

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn

X = array((6, 5))


@layer(X, args=(0.3,), caught="torch laws", passes_ones=False)
class NotScaledUp(nn.Dropout):
    """Training zeroes a share p and does not scale the rest by 1 / (1 - p).

    In evaluation all activations are larger than ever in training; the test accuracy is lower than it should be.
    """

    def draw_noise(self, x):
        return super().draw_noise(x) * (1 - self.p)


@layer(X, args=(0.3,), caught="torch differences laws", passes_ones=False)
class BackwardNotScaledUp(nn.Dropout):
    """backward uses the mask, and not the factor 1 / (1 - p).

    The layers before it learn at a rate of 1 - p.
    """

    def backward(self, g):
        return super().backward(g) * (1 - self.p)


@layer(X, args=(0.3,), training=False, caught="torch laws", passes_ones=True)
class ActiveInEvaluation(nn.Dropout):
    """Evaluation is not training: self.training is not looked at.

    Two evaluations of one model differ, and both are worse than they should be.
    """

    def forward(self, x):
        noise = self.draw_noise(x)
        self.save_for_backward(noise=noise, shape=x.shape, dtype=x.dtype)
        return x * noise


@layer(X, args=(0.3,), caught="torch differences laws", passes_ones=False)
class MaskRedrawn(nn.Dropout):
    """backward draws a mask of its own: units that were silent are taught, others that spoke are not.

    Training is slower the larger p is, and nothing says why.
    """

    def backward(self, g):
        return g * self.draw_noise(g)


@layer(X, options={"p": 0.2}, caught="torch laws", passes_ones=True)
class KeepsWhatItShouldDrop(nn.Dropout):
    """p is the probability to be dropped; in the first papers it was that to be kept.

    At the default of 0.5, nothing. Dropout(0.1) silences nine units out of ten.
    """

    def draw_noise(self, x):
        return nn.Dropout(1 - self.p).draw_noise(x)

"""Batch, layer and group normalization."""

from functools import partial

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import instead, layer
from scratch import nn
from scratch.kernels.channel_sums import as_channels, channel_sum

X = array((6, 3))
IMAGE = array((3, 4, 2, 5))


@layer(X, args=(3,), caught="torch differences laws", passes_ones=True)
class VarianceTakenForAConstant(nn.BatchNorm1d):
    """The variance depends on the input, too: its path is forgotten.

    It trains, less steadily: the gradient has a part along the activations that normalization should have taken out.
    """

    def backward(self, g):
        super().backward(g)
        return (g - g.mean(axis=0)) * self.saved("scale")


@layer(X, args=(3,), caught="torch differences laws", passes_ones=False)
class MeanTakenForAConstant(nn.BatchNorm1d):
    """The mean depends on the input, too: its path is forgotten.

    Every example is pushed the same way, and the next batch norm takes it out again: a slow drift of the layer before.
    """

    def backward(self, g):
        centred, inv_std, scale = self.saved("centred", "inv_std", "scale")
        super().backward(g)
        normalized = centred * inv_std
        return (g - normalized * (g * normalized).mean(axis=0)) * scale


@layer(X, args=(3,), caught="torch laws", passes_ones=True)
class RunningVarianceBiased(nn.BatchNorm1d):
    """The estimate of all data's variance divides by M - 1; the one that normalizes the batch divides by M.

    With batches of 32 the variance in evaluation is 3 percent too small; with batches of 2 it is half.
    """

    def _update_running_stats(self, mean, var, count):
        super()._update_running_stats(mean, var * (count - 1) / count, count)


@layer(X, args=(3,), caught="torch laws", passes_ones=True)
class MomentumReversed(nn.BatchNorm1d):
    """PyTorch's momentum is the share of the new; elsewhere it is that of the old.

    Evaluation follows the last batch: the test accuracy jumps about while the training loss is smooth.
    """

    def _update_running_stats(self, mean, var, count):
        self.momentum = 1 - self.momentum
        super()._update_running_stats(mean, var, count)
        self.momentum = 1 - self.momentum


@layer(X, args=(3,), training=False, caught="torch laws", passes_ones=True)
class LearnsInEvaluation(nn.BatchNorm1d):
    """In evaluation the running statistics are read, not written.

    The second evaluation of the same data differs from the first: the test set leaks into the model.
    """

    def forward(self, x):
        if not self.training:
            self.running_mean += self.momentum * (x.mean(axis=0) - self.running_mean)
        return super().forward(x)


@layer(IMAGE, args=(4,), training=False, caught="torch differences laws", passes_ones=True)
class BatchStatisticsInEvaluation(nn.BatchNorm2d):
    """Evaluation has to use the running statistics; it normalizes by its own batch.

    An image's prediction depends on its neighbours in the batch, and a batch of one is noise.
    """

    def forward(self, x):
        if self.training:
            return super().forward(x)
        mean, var = (as_channels(f(x, axis=(0, 2, 3)), x) for f in (np.mean, np.var))
        self.save_for_backward(
            centred=x - mean,
            inv_std=1 / np.sqrt(var.ravel() + self.eps),
            scale=self.weight.data / np.sqrt(var.ravel() + self.eps),
            count=None,
        )
        return (x - mean) * as_channels(self.saved("scale"), x) + as_channels(self.bias.data, x)


@layer(IMAGE, args=(4,), training=False, caught="torch differences laws", passes_ones=True)
class TrainingsGradientInEvaluation(nn.BatchNorm2d):
    """In evaluation mean and variance are constants, and the gradient is grad_output times a constant.

    Fine-tuning with frozen statistics does not converge.
    """

    def forward(self, x):
        y = super().forward(x)
        self._saved["count"] = x.size // x.shape[1]
        return y


@layer(IMAGE, args=(4,), caught="torch differences laws", passes_ones=False)
class PositionsNotCounted(nn.BatchNorm2d):
    """The means in backward are over batch and positions; here the sums are divided by the batch size alone.

    The corrections are larger than the gradient that they correct: training explodes.
    """

    def forward(self, x):
        y = super().forward(x)
        self._saved["count"] = len(x)
        return y


@layer(IMAGE, args=(4,), caught="torch differences laws", passes_ones=False)
class WeightsGradientOfTheInput(nn.BatchNorm2d):
    """The weight multiplies the normalized input, so its gradient is sum g x_hat, not sum g x.

    The weights run off in the direction of the channel's mean.
    """

    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, g):
        return instead(self.weight, partial(super().backward, g), channel_sum(g * self.x))


@layer(X, args=(3,), caught="torch differences laws", passes_ones=True)
class WeightForgotten(nn.LayerNorm):
    """The weight is between the output and what is normalized: the gradient has to be multiplied by it.

    Nothing at the start, where the weight is 1, and where the tests are.
    """

    def backward(self, g):
        weight, self.weight.data = self.weight.data, np.ones_like(self.weight.data)
        grad_x = super().backward(g)
        self.weight.data = weight
        return grad_x


@layer(array((2, 150)), args=(150,), caught="torch differences laws", passes_ones=True)
class DividedByKLessOne(nn.LayerNorm):
    """The variance is the mean of the squares, over K; np.std(ddof=1) and torch.std divide by K - 1.

    Rows of 3 numbers are a fifth too small; with 150 the difference hides behind the tolerance.
    """

    def forward(self, x):
        super().forward(x)
        centred = x - x.mean(axis=-1, keepdims=True)
        r = 1 / np.sqrt(x.var(axis=-1, ddof=1, keepdims=True) + self.eps)
        self.save_for_backward(normalized=centred * r, r=r, shape=x.shape)
        return centred * r * self.weight.data + self.bias.data


@layer(X, args=(3,), options={"eps": 1e-3}, caught="torch differences", passes_ones=True)
class EpsOutsideTheRoot(nn.LayerNorm):
    """eps belongs to the variance, under the root; here it is added to the standard deviation.

    A difference of eps in the outputs; rows that are nearly constant come out many times too large.
    """

    def forward(self, x):
        super().forward(x)
        centred = x - x.mean(axis=-1, keepdims=True)
        r = 1 / (x.std(axis=-1, keepdims=True) + self.eps)
        self.save_for_backward(normalized=centred * r, r=r, shape=x.shape)
        return centred * r * self.weight.data + self.bias.data


@layer(IMAGE, args=(2, 4), options={"affine": False}, caught="torch laws", passes_ones=False)
class EveryOtherChannel(nn.GroupNorm):
    """A group is channels that are neighbours; here every other channel is taken.

    It trains; weights from PyTorch give other outputs, though every shape fits.
    """

    def forward(self, x):
        order = np.arange(self.num_channels).reshape(-1, self.num_groups).T.ravel()
        self.order, self.back = order, np.argsort(order)
        return super().forward(x[:, order])[:, self.back]

    def backward(self, g):
        return super().backward(g[:, self.order])[:, self.back]


@layer(IMAGE, args=(2, 4), caught="torch differences laws", passes_ones=False)
class SummedOverPositionsOnly(nn.GroupNorm):
    """The bias is broadcast over the batch and the positions; its gradient is summed over the positions, of one image.

    All but the first image of a batch are without effect on the bias.
    """

    def backward(self, g):
        return instead(self.bias, partial(super().backward, g), g[0].sum(axis=(1, 2)))

"""Batch, layer, group, instance and root mean square normalization."""

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.batchnorm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_inference,
    batch_norm_inference_backward,
)
from scratch.nn.groupnorm import group_norm, group_norm_backward
from scratch.nn.instancenorm import instance_norm, instance_norm_backward
from scratch.nn.layernorm import layer_norm, layer_norm_backward
from scratch.nn.rmsnorm import rms_norm, rms_norm_backward

X = array((6, 3))
IMAGE = array((3, 4, 2, 5))


def constant_variance_backward(grad_y, weight, saved):
    """Undo `batch_norm` without B6 to B4."""
    _, std, _ = saved
    _, grad_weight, grad_bias = batch_norm_backward(grad_y, weight, saved)
    grad_centred = grad_y * weight / std  # B3: the numerator's share alone
    return grad_centred - grad_centred.mean(axis=0), grad_weight, grad_bias


@layer(X, args=(3,), caught="torch differences laws", passes_ones=True)
class VarianceTakenForAConstant(nn.BatchNorm1d):
    """The variance depends on the input, too; its path is forgotten.

    It trains less steadily: the gradient has a part along the activations that normalization should have removed.
    """

    functions = batch_norm, constant_variance_backward


def constant_mean_backward(grad_y, weight, saved):
    """Undo `batch_norm` without B2 and B1: return grad_centred."""
    _, std, normalized = saved
    _, grad_weight, grad_bias = batch_norm_backward(grad_y, weight, saved)
    grad_normalized = grad_y * weight
    grad_x = (grad_normalized - normalized * (grad_normalized * normalized).mean(axis=0)) / std
    return grad_x, grad_weight, grad_bias


@layer(X, args=(3,), caught="torch differences laws", passes_ones=False)
class MeanTakenForAConstant(nn.BatchNorm1d):
    """The mean depends on the input, too; its path is forgotten.

    Every example is pushed the same way, and the next batch norm removes it again: the layer before drifts slowly.
    """

    functions = batch_norm, constant_mean_backward


@layer(X, args=(3,), caught="torch laws", passes_ones=True)
class RunningVarianceBiased(nn.BatchNorm1d):
    """The running variance has to divide by M - 1, though the batch is normalized by one over M; here both use M.

    With batches of 32 the variance in evaluation is 3 percent too small; with batches of 2 it is half.
    """

    def update_running_stats(self, mean, var, count):
        super().update_running_stats(mean, var * (count - 1) / count, count)


@layer(X, args=(3,), caught="torch laws", passes_ones=True)
class MomentumReversed(nn.BatchNorm1d):
    """PyTorch's momentum is the share of the new statistics; elsewhere it is the share of the old.

    Evaluation depends on the last batch: the test accuracy is erratic while the training loss is smooth.
    """

    def update_running_stats(self, mean, var, count):
        self.momentum = 1 - self.momentum
        super().update_running_stats(mean, var, count)
        self.momentum = 1 - self.momentum


@layer(X, args=(3,), training=False, caught="torch laws", passes_ones=True)
class LearnsInEvaluation(nn.BatchNorm1d):
    """In evaluation the running statistics should be read, not written.

    The second evaluation of the same data differs from the first: the test set leaks into the model.
    """

    def forward(self, x):
        if not self.training:
            self.running_mean += self.momentum * (x.mean(axis=0) - self.running_mean)
        return super().forward(x)


def by_its_own_batch(x, weight, bias, eps, mean, var):
    """Normalize by the mean and variance of ``x``, and ignore those that are passed in."""
    return batch_norm_inference(x, weight, bias, eps, x.mean(axis=0), x.var(axis=0))


@layer(IMAGE, args=(4,), training=False, caught="torch differences laws", passes_ones=True)
class BatchStatisticsInEvaluation(nn.BatchNorm2d):
    """Evaluation has to use the running statistics; here it normalizes by its own batch.

    An image's prediction depends on the other images in the batch, and a batch of one gives noise.
    """

    functions_in_evaluation = by_its_own_batch, batch_norm_inference_backward


def as_in_training_backward(grad_y, weight, saved):
    """Undo `batch_norm_inference` as if it were `batch_norm`."""
    std, normalized = saved
    return batch_norm_backward(grad_y, weight, (normalized * std, std, normalized))


@layer(IMAGE, args=(4,), training=False, caught="torch differences laws", passes_ones=True)
class TrainingsGradientInEvaluation(nn.BatchNorm2d):
    """In evaluation mean and variance are constants; here the gradient is that of training.

    Fine-tuning with frozen statistics does not converge.
    """

    functions_in_evaluation = batch_norm_inference, as_in_training_backward


def batch_norm_of_images(x, weight, bias, eps):
    """Apply `batch_norm` to (N, C, P), and keep the number of images, too."""
    rows = x.swapaxes(1, 2)
    y, saved, mean, var = batch_norm(rows.reshape(-1, x.shape[1]), weight, bias, eps)
    return y.reshape(rows.shape).swapaxes(1, 2), (*saved, len(x)), mean, var


def positions_not_counted_backward(grad_y, weight, saved):
    """Undo `batch_norm_of_images` with N for M in the means."""
    centred, std, normalized, count = saved
    grad_rows = grad_y.swapaxes(1, 2)
    grad_scaled = grad_rows.reshape(centred.shape)
    grad_bias, grad_weight = grad_scaled.sum(axis=0), (grad_scaled * normalized).sum(axis=0)
    grad_x = weight / std * (grad_scaled - grad_bias / count - normalized * grad_weight / count)
    return grad_x.reshape(grad_rows.shape).swapaxes(1, 2), grad_weight, grad_bias


@layer(IMAGE, args=(4,), caught="torch differences laws", passes_ones=False)
class PositionsNotCounted(nn.BatchNorm2d):
    """The means in backward run over batch and positions; here the sums are divided by the batch size alone.

    The corrections are larger than the gradient that they correct: training explodes.
    """

    functions = batch_norm_of_images, positions_not_counted_backward

    def fold(self, x):
        return x.reshape(*x.shape[:2], -1) if self.training else super().fold(x)

    def unfold(self, y, input_shape):
        return y.reshape(input_shape) if self.training else super().unfold(y, input_shape)


def batch_norm_and_its_input(x, weight, bias, eps):
    """Apply `batch_norm`, and keep its input, too."""
    y, saved, mean, var = batch_norm(x, weight, bias, eps)
    return y, (saved, x), mean, var


def weight_times_the_input_backward(grad_y, weight, saved):
    """Undo `batch_norm_and_its_input` with B7a made of x."""
    saved, x = saved
    grad_x, _, grad_bias = batch_norm_backward(grad_y, weight, saved)
    return grad_x, (grad_y * x).sum(axis=0), grad_bias


@layer(IMAGE, args=(4,), caught="torch differences laws", passes_ones=False)
class WeightsGradientOfTheInput(nn.BatchNorm2d):
    """The weight multiplies the normalized input, so its gradient is sum g x_hat, not sum g x.

    The weights drift off in the direction of the channel's mean.
    """

    functions = batch_norm_and_its_input, weight_times_the_input_backward


def weight_forgotten_backward(grad_y, weight, saved):
    """Undo `layer_norm` with grad_normalized = grad_y for B9b."""
    return layer_norm_backward(grad_y, 1.0, saved)


@layer(X, args=(3,), caught="torch differences laws", passes_ones=True)
class WeightForgotten(nn.LayerNorm):
    """The weight multiplies the normalized input, so the gradient has to be multiplied by it; here it is not.

    No effect at the start, where the weight is 1, and where the tests are.
    """

    functions = layer_norm, weight_forgotten_backward


def with_unbiased_variance(x, weight, bias, eps):
    """Apply `layer_norm` with K - 1 for K in F6."""
    centred = x - x.mean(axis=1, keepdims=True)
    std = np.sqrt(x.var(axis=1, ddof=1, keepdims=True) + eps)
    return centred / std * weight + bias, (centred, std, centred / std)


@layer(array((2, 150)), args=(150,), caught="torch differences laws", passes_ones=True)
class DividedByKLessOne(nn.LayerNorm):
    """The variance is the mean of the squares, over K; np.std(ddof=1) and torch.std divide by K - 1.

    Rows of 3 numbers come out a fifth too small; with 150 numbers the difference hides in the tolerance.
    """

    functions = with_unbiased_variance, layer_norm_backward


def with_eps_outside_the_root(x, weight, bias, eps):
    """Apply `layer_norm` with F7 written as sqrt(var) + eps."""
    centred, std = x - x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True) + eps
    return centred / std * weight + bias, (centred, std, centred / std)


@layer(X, args=(3,), options={"eps": 1e-3}, caught="torch differences", passes_ones=True)
class EpsOutsideTheRoot(nn.LayerNorm):
    """eps belongs to the variance, under the root; here it is added to the standard deviation.

    The outputs differ by about eps; rows that are nearly constant come out many times too large.
    """

    functions = with_eps_outside_the_root, layer_norm_backward


def every_other_channel(x, weight, bias, num_groups, eps):
    """Apply `group_norm` to groups of every other channel."""
    order = np.arange(x.shape[1]).reshape(-1, num_groups).T.ravel()
    y, saved = group_norm(x[:, order], weight, bias, num_groups, eps)
    return y[:, np.argsort(order)], (saved, order)


def every_other_channel_backward(grad_y, weight, saved):
    """Undo `every_other_channel`."""
    saved, order = saved
    grad_x, grad_weight, grad_bias = group_norm_backward(grad_y[:, order], weight, saved)
    return grad_x[:, np.argsort(order)], grad_weight, grad_bias


@layer(IMAGE, args=(2, 4), options={"affine": False}, caught="torch laws", passes_ones=False)
class EveryOtherChannel(nn.GroupNorm):
    """A group consists of neighbouring channels; here it takes every other channel.

    It trains, but weights from PyTorch give other outputs, though every shape fits.
    """

    functions = every_other_channel, every_other_channel_backward


def bias_of_the_first_image_backward(grad_y, weight, saved):
    """Undo `group_norm` with B12 summed over the positions of the first image alone."""
    grad_x, grad_weight, _ = group_norm_backward(grad_y, weight, saved)
    return grad_x, grad_weight, grad_y[0].sum(axis=1, keepdims=True)


@layer(IMAGE, args=(2, 4), caught="torch differences laws", passes_ones=False)
class SummedOverPositionsOnly(nn.GroupNorm):
    """The bias is broadcast over batch and positions; here its gradient is summed over one image's positions only.

    Only the first image of a batch has an effect on the bias.
    """

    functions = group_norm, bias_of_the_first_image_backward


def constant_rms_backward(grad_y, weight, saved):
    """Undo `rms_norm` without B4 to B2."""
    _, rms, _ = saved
    _, grad_weight = rms_norm_backward(grad_y, weight, saved)
    return grad_y * weight / rms, grad_weight


@layer(X, args=(3,), caught="torch differences laws", passes_ones=False)
class RootMeanSquareTakenForAConstant(nn.RMSNorm):
    """The root mean square depends on the input, too; its path is forgotten.

    The gradient keeps its part along the input, which only stretches the input and changes no output.
    """

    functions = rms_norm, constant_rms_backward


def centred_rms_norm(x, weight, eps):
    """Apply `rms_norm` to x less its mean."""
    return rms_norm(x - x.mean(axis=1, keepdims=True), weight, eps)


@layer(X, args=(3,), caught="torch differences laws", passes_ones=False)
class MeanTakenOut(nn.RMSNorm):
    """RMSNorm leaves the mean where it is; here it is subtracted, as in LayerNorm.

    Weights of a model that was trained with RMSNorm are of no use: every output differs.
    """

    functions = centred_rms_norm, rms_norm_backward


def divided_by_the_norm(x, weight, eps):
    """Divide by the root of the sum of the squares."""
    y, (x, rms, normalized) = rms_norm(x, weight, eps)
    root = np.sqrt(x.shape[1])
    return y / root, (x, rms, normalized, root)


def divided_by_the_norm_backward(grad_y, weight, saved):
    """Undo `divided_by_the_norm`."""
    *saved, root = saved
    return rms_norm_backward(grad_y / root, weight, tuple(saved))


@layer(X, args=(3,), caught="torch laws", passes_ones=False)
class DividedByTheNorm(nn.RMSNorm):
    """The mean of the squares is forgotten: a row is divided by its length, not by its length over sqrt(K).

    With rows of 512 numbers the outputs are 23 times too small, and so is everything after them.
    """

    functions = divided_by_the_norm, divided_by_the_norm_backward


def over_the_batch(x, weight, bias, eps):
    """Apply `instance_norm` with the statistics of all images."""
    joined = x.swapaxes(0, 1).reshape(1, x.shape[1], -1)
    y, saved, mean, var = instance_norm(joined, weight, bias, eps)
    return y.reshape(x.shape[1], len(x), -1).swapaxes(0, 1), (saved, len(x)), mean, var


def over_the_batch_backward(grad_y, weight, saved):
    """Undo `over_the_batch`."""
    saved, count = saved
    joined = grad_y.swapaxes(0, 1).reshape(1, grad_y.shape[1], -1)
    grad_x, *grads = instance_norm_backward(joined, weight, saved)
    return grad_x.reshape(grad_y.shape[1], count, -1).swapaxes(0, 1), *grads


@layer(IMAGE, args=(4,), caught="torch laws", passes_ones=True)
class StatisticsOfTheBatch(nn.InstanceNorm2d):
    """An image is normalized by its own pixels; here by those of the whole batch, as in batch norm.

    An image's output depends on the other images in the batch, and is different when the image comes alone.
    """

    functions = over_the_batch, over_the_batch_backward


def bias_of_one_image_backward(grad_y, weight, saved):
    """Undo `instance_norm` with B8 and B7a summed over the pixels of the first image alone."""
    _, _, normalized = saved
    grad_x, *_ = instance_norm_backward(grad_y, weight, saved)
    return grad_x, *[term[0].sum(axis=1, keepdims=True) for term in (grad_y * normalized, grad_y)]


@layer(IMAGE, args=(4,), options={"affine": True}, caught="torch differences laws", passes_ones=True)
class OneImageLearns(nn.InstanceNorm2d):
    """Weight and bias are broadcast over batch and pixels; here their gradients are those of the first image only.

    Only the first image of a batch has an effect on them.
    """

    functions = instance_norm, bias_of_one_image_backward


@layer(IMAGE, args=(4,), options={"track_running_stats": True}, caught="torch laws", passes_ones=True)
class LastImageTracked(nn.InstanceNorm2d):
    """The running statistics move towards the mean of all images' statistics; here towards the last image's.

    Evaluation depends on whichever image came last in the last batch.
    """

    def update_running_stats(self, mean, var, count):
        super().update_running_stats(mean[-1:], var[-1:], count)

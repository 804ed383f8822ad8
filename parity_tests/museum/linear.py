"""Linear layers, and what layers are combined with."""

import numpy as np
import torch

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.linear import identity, linear, linear_backward

X = array((4, 3))
SQUARE = array((4, 5), seed=1)


def bias_averaged_backward(grad_y, weight, saved):
    """Undo `linear` with a mean in place of the sum of B2."""
    (x,) = saved
    return grad_y @ weight, grad_y.T @ x, grad_y.mean(axis=0)


@layer(X, args=(3, 5), caught="torch differences laws", passes_ones=False)
class BiasAveraged(nn.Linear):
    """The bias's gradient has to be summed over the batch, as a broadcast becomes a sum; here it is averaged.

    The bias learns N times too slowly: the larger the batch, the slower.
    """

    functions = linear, bias_averaged_backward


def bias_left_out_backward(grad_y, weight, saved):
    """Undo `linear` without B2."""
    (x,) = saved
    return grad_y @ weight, grad_y.T @ x


@layer(X, args=(3, 5), caught="torch differences laws", passes_ones=False)
class BiasWithoutGradient(nn.Linear):
    """The bias's gradient is left out.

    Training works, a little worse than it should: the bias keeps its random initial value forever.
    """

    functions = linear, bias_left_out_backward
    learned = ("weight",)


def weight_not_transposed_backward(grad_y, weight, saved):
    """Undo `linear` with weight^T in place of weight in B1b."""
    _, grad_weight, grad_bias = linear_backward(grad_y, weight, saved)
    return grad_y @ weight.T, grad_weight, grad_bias


@layer(SQUARE, args=(5, 5), caught="torch differences laws", passes_ones=False)
class WeightNotTransposed(nn.Linear):
    """The input's gradient has to go back through the weight's transpose; here it goes through it as the input did.

    With as many outputs as inputs the shapes fit, so nothing raises. The last layer learns, those before it do not.
    """

    functions = linear, weight_not_transposed_backward


def weight_gradient_transposed_backward(grad_y, weight, saved):
    """Undo `linear` with x^T grad_y in B1a."""
    (x,) = saved
    return grad_y @ weight, x.T @ grad_y, grad_y.sum(axis=0)


@layer(SQUARE, args=(5, 5), caught="torch differences laws", passes_ones=False)
class WeightGradientTransposed(nn.Linear):
    """The weight's gradient is x^T g, of shape (in, out), where the weight is (out, in).

    With as many outputs as inputs the shapes fit, so nothing raises, and the loss goes anywhere.
    """

    functions = linear, weight_gradient_transposed_backward


def upstream_ignored_backward(grad_y, weight, saved):
    """Undo `linear` for an upstream gradient of ones."""
    return linear_backward(np.ones_like(grad_y), weight, saved)


@layer(X, args=(3, 5), caught="torch differences laws", passes_ones=True)
class UpstreamIgnored(nn.Linear):
    """The chain rule is forgotten: the layer returns its own derivative, and grad_output is not multiplied in.

    Right if the loss is the sum of the outputs, which is what a test with ones checks; nothing else trains.
    """

    functions = linear, upstream_ignored_backward


def upstream_written_to_backward(grad_y, weight, saved):
    """Undo `linear`, and clear the upstream gradient."""
    grads = linear_backward(grad_y, weight, saved)
    grad_y *= 0
    return grads


@layer(X, args=(3, 5), caught="torch differences laws", passes_ones=True)
class UpstreamWrittenTo(nn.Linear):
    """grad_output belongs to somebody else; here it is written to, as if it were scratch space.

    No effect until the same gradient also goes into a skip connection, which then receives garbage.
    """

    functions = linear, upstream_written_to_backward


class Overwriting(nn.Parameter):
    """A parameter that keeps the latest gradient."""

    def take_grad(self, grad):
        """Assign."""
        self.grad = grad


@layer(X, args=(3, 5), of="Parameter Linear", caught="torch differences laws", passes_ones=True)
class GradientOverwritten(nn.Linear):
    """Gradients accumulate; ``grad = `` stands where ``grad += `` belongs.

    No effect until a layer is used twice, or one step takes two batches: then only the last one counts.
    """

    def reset_parameters(self):
        super().reset_parameters()
        self.weight = Overwriting(self.weight.data)


def ones_backward(grad_y, saved):
    """Undo `identity` with the derivative alone."""
    return np.ones_like(grad_y)


@layer(X, caught="torch differences laws", passes_ones=True)
class IdentityOfOnes(nn.Identity):
    """The derivative of x is 1, and 1 is returned: the chain rule is forgotten.

    Everything before the layer is trained to raise the sum of its outputs.
    """

    functions = identity, ones_backward


@layer(array((2, 3, 2, 4)), caught="torch differences laws", passes_ones=True)
class FlattenBackInColumnOrder(nn.Flatten):
    """The axes were joined in row order; backward splits them in column order.

    The convolutions before it get the right numbers at the wrong pixels, and learn almost nothing.
    """

    def forward(self, x):
        self.shape = x.shape
        return super().forward(x)

    def backward(self, g):
        return g.reshape(self.shape, order="F")


@layer(array((2, 3, 2, 4)), caught="torch", passes_ones=True)
class FlattenChannelsLast(nn.Flatten):
    """The order of the axes is wrong: the pixels are joined with the channels innermost.

    It trains just as well, but weights from PyTorch give nonsense, as they expect the features in another order.
    """

    def forward(self, x):
        self.shape = x.shape
        return x.transpose(0, 2, 3, 1).reshape(len(x), -1)

    def backward(self, g):
        n, c, h, w = self.shape
        return g.reshape(n, h, w, c).transpose(0, 3, 1, 2)


class Pair(nn.Sequential):
    """The right one: a sigmoid, then a linear layer."""

    def __init__(self, dtype=np.float32):
        super().__init__(nn.Sigmoid(), nn.Linear(5, 5, dtype=dtype))


def torch_pair():
    """Return PyTorch's pair."""
    return torch.nn.Sequential(torch.nn.Sigmoid(), torch.nn.Linear(5, 5))


@layer(SQUARE, torch=torch_pair, of="Sequential", caught="torch differences", passes_ones=False)
class BackwardInForwardOrder(Pair):
    """What was applied last has to be undone first; here backward visits the layers from first to last.

    With layers of one size the shapes fit, so nothing raises; the deeper the network, the less it learns.
    """

    def backward(self, g):
        for one in self:
            g = one.backward(g)
        return g


class Dropping(nn.Sequential):
    """The right one: dropout inside a container."""

    def __init__(self):
        super().__init__(nn.Dropout(0.5))


@layer(
    SQUARE,
    training=False,
    torch=lambda: torch.nn.Sequential(torch.nn.Dropout(0.5)),
    of="Module Sequential",
    caught="torch laws",
    passes_ones=True,
)
class EvalStaysOnTop(Dropping):
    """eval() has to reach the modules below; here only the outermost changes its mode.

    The test accuracy changes from call to call, and is worse than it should be: dropout goes on dropping.
    """

    def train(self, mode=True):
        self.training = mode
        return self


@layer(array((3, 6, 2)), args=(1, (2, 3)), caught="torch", passes_ones=True)
class UnflattenInColumnOrder(nn.Unflatten):
    """The last of the new axes runs fastest; here it is the first.

    All numbers are there, but in the wrong places: groups of channels are mixed with one another.
    """

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), 3, 2, 2).swapaxes(1, 2).copy()

    def backward(self, g):
        return g.swapaxes(1, 2).reshape(self.shape)


@layer(array((3, 6, 2)), args=(1, (2, 3)), caught="torch differences laws", passes_ones=True)
class UnflattenUndoneInColumnOrder(nn.Unflatten):
    """The axes have to be joined in the order in which they were split; here they are joined in the other order.

    The layers before get the right numbers in the wrong places.
    """

    def backward(self, g):
        return super().backward(g.swapaxes(1, 2).reshape(g.shape))

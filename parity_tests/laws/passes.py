"""Laws of the two passes, whatever the layer computes."""

import numpy as np

import scratch
from parity_tests.laws.law import backward, forward, law, random_grads, same, split
from scratch import nn
from scratch.actor_critic import ActorCriticLoss
from scratch.nn.batchnorm import _BatchNorm
from scratch.nn.channel_norm import ChannelNorm
from scratch.nn.convolution import Convolution
from scratch.nn.padding import _Pad
from scratch.nn.recurrent import Recurrent
from scratch.nn.reduction import Loss
from scratch.nn.transformer_layer import TransformerLayer, TransformerStack

LOSSES = (Loss, ActorCriticLoss)
CENTRED_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)
NORMS = (*CENTRED_NORMS, nn.RMSNorm)


@law(nn.Module)
def backward_is_linear(layer: nn.Module, *inputs: np.ndarray) -> None:
    """backward(2 g - 3 h) = 2 backward(g) - 3 backward(h), for any two upstream gradients g and h.

    backward multiplies by the transposed Jacobian, and a matrix product is linear.
    """
    outputs = forward(layer, *inputs)
    one, other = random_grads(outputs, 1), random_grads(outputs, 2)
    mixed = backward(layer, *(np.asarray(2 * g - 3 * h) for g, h in zip(one, other, strict=True)))
    for found, g, h in zip(mixed, backward(layer, *one), backward(layer, *other), strict=True):
        same(found, 2 * g - 3 * h)


@law(nn.Module)
def gradients_add(layer: nn.Module, *inputs: np.ndarray) -> None:
    """A second backward adds to the parameters' gradients: the derivatives along two paths to the loss add up."""
    outputs = forward(layer, *inputs)
    one, other = random_grads(outputs, 1), random_grads(outputs, 2)
    count = len(list(layer.parameters()))
    if count == 0:
        return
    expected = [g + h for g, h in zip(backward(layer, *one), backward(layer, *other), strict=True)]
    backward(layer, *one)
    layer.backward(*other)
    for parameter, gradient in zip(layer.parameters(), expected[-count:], strict=True):
        same(np.zeros_like(gradient) if parameter.grad is None else parameter.grad, gradient)


@law(nn.Module)
def nobodys_array_is_written_to(layer: nn.Module, *inputs: np.ndarray) -> None:
    """Input and upstream gradient belong to somebody else: another branch of the model may need them as they were."""
    given = [values.tobytes() for values in inputs]
    grads = random_grads(forward(layer, *inputs))
    before = [values.tobytes() for values in grads]
    for _ in range(2):
        layer.backward(*[grad if grad.ndim else grad[()] for grad in grads])
    assert [values.tobytes() for values in inputs] == given
    assert [values.tobytes() for values in grads] == before


@law(nn.Linear, Convolution, *NORMS)
def a_straight_line_in_each_parameter(layer: nn.Module, *inputs: np.ndarray) -> None:
    """<g, y(w + v) - y(w)> = <grad_w, v>, exactly: the output is an affine function of each parameter."""
    outputs = forward(layer, *inputs)
    grads = random_grads(outputs)
    _, learned = split(layer, backward(layer, *grads))
    for parameter, gradient in zip(layer.parameters(), learned, strict=True):
        v = np.random.default_rng(3).normal(size=parameter.shape)
        start = parameter.data
        parameter.data = start + v
        moved = forward(layer, *inputs)
        parameter.data = start
        change = sum((g * (y1 - y)).sum() for g, y1, y in zip(grads, moved, outputs, strict=True))
        same((gradient * v).sum(), change)


@law(nn.Linear, Convolution, *NORMS)
def twice_the_weight_is_twice_the_gradient(layer: nn.Module, x: np.ndarray) -> None:
    """The weight is a factor on the way from input to output, and so it is one on the way back."""
    if layer.weight is None:
        return
    (g,) = random_grads(forward(layer, x))
    once = backward(layer, g)[0]
    layer.weight.data = 2 * layer.weight.data
    forward(layer, x)
    same(backward(layer, g)[0], 2 * once)


REARRANGING = (nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle)
AFFINE = (
    *(nn.Linear, *REARRANGING, nn.Dropout),
    *(Convolution, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Upsample, _Pad),
)


@law(*AFFINE, ChannelNorm)
def backward_is_the_adjoint_of_forward(layer: nn.Module, x: np.ndarray) -> None:
    """<g, f(x + v) - f(x)> = <backward(g), v>, exactly, for a layer that is an affine function of its input.

    The two sides are g^T J v, with the product taken from the right by forward and from the left by backward.
    """
    if isinstance(layer, ChannelNorm) and layer.normalizes_by_own_statistics():
        return
    (y,) = forward(layer, x)
    (g,) = random_grads((y,))
    grad_x = backward(layer, g)[0]
    v = np.random.default_rng(3).normal(size=x.shape)
    assert grad_x.shape == x.shape
    moved = x.copy(order="K")  # dropout draws in the order of the input's memory
    moved += v
    same((grad_x * v).sum(), (g * (forward(layer, moved)[0] - y)).sum())


def looks_at_the_whole_batch(layer: nn.Module, x: np.ndarray) -> bool:
    """Return whether an example's output depends on the others, or on its position in the batch."""
    return joins_the_batch(layer, x) or any(
        (isinstance(module, _BatchNorm) and module.normalizes_by_own_statistics())
        or (isinstance(module, nn.Dropout) and module.training)
        or (isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmin | nn.GLU) and module.dim in (0, -x.ndim))
        for module in layer.modules()
    )


def joins_the_batch(layer: nn.Module, x: np.ndarray) -> bool:
    """Return whether the first axis of input and output is not the batch."""
    # It is the sequence's steps.
    if isinstance(layer, (Recurrent, nn.MultiheadAttention, TransformerLayer, TransformerStack, nn.Transformer)):
        return True
    return isinstance(layer, nn.Flatten) and layer.start_dim in (0, -x.ndim)


@law(nn.Module)
def a_batch_is_its_examples(layer: nn.Module, *inputs: np.ndarray) -> None:
    """Each example has the output and the gradient that it has alone, and the parameters' gradients are the sum.

    This does not hold for batch normalization in training, or for losses, which average.
    """
    if looks_at_the_whole_batch(layer, inputs[0]) or isinstance(layer, LOSSES):
        return
    outputs = forward(layer, *inputs)
    grads = random_grads(outputs)
    whole, learned = split(layer, backward(layer, *grads))
    total = [np.zeros_like(values) for values in learned]
    for n in range(len(inputs[0])):
        alone = forward(layer, *(values[n : n + 1] for values in inputs))
        for y, y_alone in zip(outputs, alone, strict=True):
            same(y_alone, y[n : n + 1])
        parts, shares = split(layer, backward(layer, *(grad[n : n + 1] for grad in grads)))
        for gradient, part in zip(whole, parts, strict=True):
            same(part, gradient[n : n + 1])
        total = [a + b for a, b in zip(total, shares, strict=True)]
    for gradient, added in zip(learned, total, strict=True):
        same(gradient, added)


@law(nn.Module)
def the_order_of_a_batch_is_nothing(layer: nn.Module, *inputs: np.ndarray) -> None:
    """Reordering the examples reorders outputs and gradients in the same way; a mean stays as it is."""
    drops = any(isinstance(module, nn.Dropout) and module.training for module in layer.modules())
    if drops or joins_the_batch(layer, inputs[0]) or any(len(values) != len(inputs[0]) for values in inputs):
        return
    order = np.random.default_rng(5).permutation(len(inputs[0]))
    outputs = forward(layer, *inputs)
    grads = random_grads(outputs)
    before, learned = split(layer, backward(layer, *grads))
    reordered = forward(layer, *(values[order] for values in inputs))
    for y, y_reordered in zip(outputs, reordered, strict=True):
        same(y_reordered, y[order] if y.ndim else y)
    after, learned_after = split(layer, backward(layer, *(grad[order] if grad.ndim else grad for grad in grads)))
    for one, other in zip(before, after, strict=True):
        same(other, one[order])
    for one, other in zip(learned, learned_after, strict=True):
        same(other, one)


@law(nn.Module)
def evaluation_is_the_same_twice_and_changes_nothing(layer: nn.Module, *inputs: np.ndarray) -> None:
    """In evaluation nothing is random and nothing is learned: neither output nor state depends on what came before."""
    layer.eval()
    state = {name: np.array(values) for name, values in layer.state_dict().items()}
    scratch.manual_seed(1)
    first = np.array(layer(*inputs)[0] if isinstance(layer(*inputs), tuple) else layer(*inputs))
    second = layer(*inputs)
    same(second[0] if isinstance(second, tuple) else second, first)
    for name, values in layer.state_dict().items():
        same(values, state[name])

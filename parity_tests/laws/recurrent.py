"""Laws of recurrent layers: what one step may know of another."""

import numpy as np

from parity_tests.laws.law import backward, forward, law, random_grads, same, split
from scratch import nn
from scratch.nn.recurrent import Recurrent
from scratch.nn.recurrent_cell import RecurrentCell


def time_axis(layer: Recurrent, x: np.ndarray) -> int:
    """Return the axis of the steps."""
    return 1 if layer.batch_first and x.ndim == 3 else 0


def without_chance(layer: Recurrent) -> Recurrent:
    """Return the layer in evaluation, where dropout drops nothing."""
    return layer.eval()


@law(Recurrent)
def sequences_do_not_see_one_another(layer: Recurrent, x: np.ndarray, *states: np.ndarray) -> None:
    """Each sequence of a batch has the outputs and gradients that it has alone; the parameters' gradients are sums."""
    if x.ndim == 2:
        return
    layer, axis = without_chance(layer), 1 - time_axis(layer, x)
    outputs = forward(layer, x, *states)
    grads = random_grads(outputs)
    whole, learned = split(layer, backward(layer, *grads))
    total = [np.zeros_like(values) for values in learned]
    for n in range(x.shape[axis]):

        def one(values: np.ndarray, place: int, n: int = n) -> np.ndarray:
            return np.take(values, [n], axis if place == 0 else 1)

        alone = forward(layer, *(one(values, place) for place, values in enumerate((x, *states))))
        for place, (y, y_alone) in enumerate(zip(outputs, alone, strict=True)):
            same(y_alone, one(y, place))
        parts, shares = split(layer, backward(layer, *(one(grad, place) for place, grad in enumerate(grads))))
        for place, (gradient, part) in enumerate(zip(whole, parts, strict=True)):
            same(part, one(gradient, place))
        total = [a + b for a, b in zip(total, shares, strict=True)]
    for gradient, added in zip(learned, total, strict=True):
        same(gradient, added)


@law(Recurrent)
def two_halves_of_a_sequence_are_the_whole(layer: Recurrent, x: np.ndarray, *states: np.ndarray) -> None:
    """Stopping midway and going on from the states changes nothing, in backward too if their gradient is passed back.

    This does not hold if one direction starts from the end.
    """
    layer, axis = without_chance(layer), time_axis(layer, x)
    if layer.bidirectional or not states or x.shape[axis] < 2:
        return
    cut = x.shape[axis] // 2
    halves = np.split(x, [cut], axis)
    y, *last = forward(layer, x, *states)
    grad_y, *grads_last = random_grads((y, *last))
    whole, learned = split(layer, backward(layer, grad_y, *grads_last))

    first, *between = forward(layer, halves[0], *states)
    second, *end = forward(layer, halves[1], *between)
    same(np.concatenate([first, second], axis), y)
    for one, other in zip(end, last, strict=True):
        same(one, other)
    grad_first, grad_second = np.split(grad_y, [cut], axis)
    (grad_x_second, *grads_between), shares = split(layer, backward(layer, grad_second, *grads_last))
    forward(layer, halves[0], *states)
    (grad_x_first, *grads_states), others = split(layer, backward(layer, grad_first, *grads_between))
    same(np.concatenate([grad_x_first, grad_x_second], axis), whole[0])
    for one, other in zip(grads_states, whole[1:], strict=True):
        same(one, other)
    for one, other, both in zip(shares, others, learned, strict=True):
        same(one + other, both)


@law(Recurrent)
def the_future_is_not_known(layer: Recurrent, x: np.ndarray, *states: np.ndarray) -> None:
    """An output depends on no later input, and its gradient reaches none, unless one direction starts from the end."""
    layer, axis = without_chance(layer), time_axis(layer, x)
    if layer.bidirectional or x.shape[axis] < 2:
        return
    cut = x.shape[axis] // 2
    other = x.copy()
    later = (slice(None),) * axis + (slice(cut, None),)
    other[later] = 0.5 - other[later]
    y, *last = forward(layer, x, *states)
    same(np.split(forward(layer, other, *states)[0], [cut], axis)[0], np.split(y, [cut], axis)[0])
    grad_y = random_grads((y,))[0]
    grad_y[later] = 0
    forward(layer, x, *states)
    same(backward(layer, grad_y, *map(np.zeros_like, last))[0][later], np.zeros_like(x[later]))


@law(RecurrentCell, Recurrent)
def both_biases_are_one(layer: nn.Module, *inputs: np.ndarray) -> None:
    """Only their sum matters, so their gradients are equal, except for a GRU's new state: a gate is between them.

    Subtracting a number from one and adding it to the other changes nothing.
    """
    kinds = [name for name, _ in layer.named_parameters() if name.startswith("bias_ih")]
    rows = slice(2 * layer.hidden_size if layer.gates == 3 else None)
    outputs = forward(layer, *inputs)
    backward(layer, *random_grads(outputs))
    for name in kinds:
        one, other = layer.get_parameter(name), layer.get_parameter(name.replace("bias_ih", "bias_hh"))
        same(one.grad[rows], other.grad[rows])
        one.data[rows] += 0.7
        other.data[rows] -= 0.7
    same(forward(layer, *inputs)[0], outputs[0])

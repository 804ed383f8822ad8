"""Recurrent layers: what goes wrong on the way back through time."""

import numpy as np

from parity_tests.harness import flat
from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch.nn.gru import gru
from scratch.nn.gru_cell import gru_cell, gru_cell_backward
from scratch.nn.lstm import lstm, lstm_backward
from scratch.nn.lstm_cell import lstm_cell, lstm_cell_backward
from scratch.nn.rnn import rnn, rnn_backward
from scratch.nn.rnn_cell import rnn_cell, rnn_cell_backward

ONE_STEP = 0.3 * array((4, 2), seed=1), 0.3 * array((4, 3), seed=2)
SEQUENCE = 0.3 * array((5, 4, 2), seed=3), 0.3 * array((1, 4, 3), seed=4)
WITH_MEMORY = 0.3 * array((1, 4, 3), seed=5)


def slope_before_tanh_backward(grad_h1, weight_ih, weight_hh, nonlinearity, saved):
    """Undo `rnn_cell` with tanh's slope taken at the output instead of the input."""
    x, h, h1 = saved
    return rnn_cell_backward(grad_h1, weight_ih, weight_hh, nonlinearity, (x, h, np.tanh(h1)))


@layer(*ONE_STEP, args=(2, 3), caught="torch differences", passes_ones=False)
class TanhTwice(flat.RNNCell):
    """tanh's slope is 1 - h1^2, as h1 is tanh(z) already; here tanh is taken once more.

    Gradients are too large where the state is near 1 or -1: they vanish later than they should.
    """

    functions = rnn_cell, slope_before_tanh_backward


def keeps_what_it_should_replace(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    """Return z n + (1 - z) h."""
    h1, (x, h, b_n, r, z, n) = gru_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh)
    return n + h - h1, (x, h, b_n, r, z, n)


def keeps_what_it_should_replace_backward(grad_h1, weight_ih, weight_hh, saved):
    """Undo it: -grad_h1 through h1, and grad_h1 through n and h besides."""
    x, h, b_n, r, _, n = saved
    rest = gru_cell_backward(-grad_h1, weight_ih, weight_hh, saved)
    # Hold z constant and give n and h the whole gradient each: what gates of 0 and of 1 would give.
    grad_a_n = grad_h1 * (1 - n**2)
    grad_b_n, grad_a_r = grad_a_n * r, grad_a_n * b_n * r * (1 - r)
    zero = np.zeros_like(r)
    grad_a = np.concatenate([grad_a_r, zero, grad_a_n], axis=1)
    grad_b = np.concatenate([grad_a_r, zero, grad_b_n], axis=1)
    more = (
        grad_a @ weight_ih,
        grad_h1 + grad_b @ weight_hh,
        grad_a.T @ x,
        grad_b.T @ h,
        grad_a.sum(axis=0),
        grad_b.sum(axis=0),
    )
    return tuple(one + other for one, other in zip(rest, more, strict=True))


@layer(*ONE_STEP, args=(2, 3), caught="torch", passes_ones=False)
class GateTheOtherWayRound(flat.GRUCell):
    """Papers differ in whether z or 1 - z keeps the state; PyTorch keeps z h.

    It learns just as well, but with weights from PyTorch it forgets what it should keep.
    """

    functions = keeps_what_it_should_replace, keeps_what_it_should_replace_backward


def in_another_order(rows):
    """Exchange the rows of g and o."""
    return np.concatenate([*np.split(rows, 4)[:2], *np.split(rows, 4)[:1:-1]])


def another_order(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """Return `lstm_cell`'s results for rows in the order i, f, o, g."""
    return lstm_cell(x, h, c, *map(in_another_order, (weight_ih, weight_hh, bias_ih, bias_hh)))


def another_order_backward(grad_h1, grad_c1, weight_ih, weight_hh, saved):
    """Undo it."""
    weights = map(in_another_order, (weight_ih, weight_hh))
    *grads, ih, hh, bias_ih, bias_hh = lstm_cell_backward(grad_h1, grad_c1, *weights, saved)
    return *grads, *map(in_another_order, (ih, hh, bias_ih, bias_hh))


def torch_cell():
    """Return PyTorch's cell."""
    return flat.TorchLSTMCell(2, 3)


@layer(*ONE_STEP, 0.3 * array((4, 3), seed=6), args=(2, 3), torch=torch_cell, caught="torch", passes_ones=False)
class GatesInAnotherOrder(flat.LSTMCell):
    """The rows are for i, f, g, o in PyTorch; in old versions of Keras, in some papers and here for i, f, o, g.

    No effect as long as everything is trained here. Loaded weights give nonsense.
    """

    functions = another_order, another_order_backward


def memory_on_one_path_backward(grad_h1, grad_c1, weight_ih, weight_hh, saved):
    """Undo `lstm_cell` without the first term of B9."""
    return lstm_cell_backward(grad_h1, 0 * grad_c1, weight_ih, weight_hh, saved)


@layer(
    *ONE_STEP,
    0.3 * array((4, 3), seed=6),
    args=(2, 3),
    torch=torch_cell,
    caught="torch differences",
    passes_ones=False,
)
class MemoryOnOnePath(flat.LSTMCell):
    """The memory is read twice, by this step's output and by the next step; only the first gradient is used.

    The short path back through time, for which the memory was invented, is cut.
    """

    functions = lstm_cell, memory_on_one_path_backward


def without_time_backward(grad_y, grad_h_n, weight_ih, weight_hh, nonlinearity, saved):
    """Undo `rnn` step by step, each without the gradient from the step after it."""
    x, steps = saved
    grad_y = grad_y.copy()
    grad_y[-1] += grad_h_n
    found = [rnn_cell_backward(grad_y[t], weight_ih, weight_hh, nonlinearity, steps[t]) for t in range(len(x))]
    grad_x, _, *grads = zip(*found, strict=True)
    return np.stack(grad_x), found[0][1], *map(sum, grads)


@layer(*SEQUENCE, args=(2, 3), caught="torch differences laws", passes_ones=False)
class WithoutTime(flat.RNN):
    """Each step is undone alone: the gradient of a state from the step after it is forgotten, as after a ``detach``.

    The layer learns to respond to its input, and never to remember anything.
    """

    functions = rnn, without_time_backward


def first_steps_share_backward(grad_y, grad_h_n, weight_ih, weight_hh, nonlinearity, saved):
    """Undo `rnn`, with ``=`` for ``+=`` in B2b: only the last of the weights' gradients stays."""
    x, steps = saved
    grad_x, grad_h, *_ = rnn_backward(grad_y, grad_h_n, weight_ih, weight_hh, nonlinearity, saved)
    rest = rnn_backward(grad_y[1:], grad_h_n, weight_ih, weight_hh, nonlinearity, (x[1:], steps[1:]))
    first = rnn_cell_backward(grad_y[0] + rest[1], weight_ih, weight_hh, nonlinearity, steps[0])
    return grad_x, grad_h, *first[2:]


@layer(*SEQUENCE, args=(2, 3), caught="torch differences laws", passes_ones=False)
class SharesOverwritten(flat.RNN):
    """A weight is used at every step, so its gradients have to be added; here each overwrites the one before.

    The layer learns from the first step of a sequence alone.
    """

    functions = rnn, first_steps_share_backward


def past_the_weights_closed_backward(grad_y, grad_h_n, weight_ih, weight_hh, saved):
    """Undo `gru` without the first term of B2c in its cells."""
    x, steps = saved
    grad_h, grad_x, total = grad_h_n, np.zeros_like(x), None
    for t in reversed(range(len(x))):
        grad_h_t = grad_y[t] + grad_h
        _, _, _, _, z, _ = steps[t]
        grad_x[t], grad_h, *shares = gru_cell_backward(grad_h_t, weight_ih, weight_hh, steps[t])
        grad_h = grad_h - grad_h_t * z
        total = shares if total is None else [a + b for a, b in zip(total, shares, strict=True)]
    return grad_x, grad_h, *total


@layer(*SEQUENCE, args=(2, 3), caught="torch differences", passes_ones=False)
class PastTheWeightsClosed(flat.GRU):
    """A state enters the next one through the weights and, kept by z, past them; the second gradient is lost.

    Gradients vanish as fast as in a plain RNN.
    """

    functions = gru, past_the_weights_closed_backward


def undone_in_the_order_of_time_backward(grad_y, grad_h_n, grad_c_n, weight_ih, weight_hh, saved):
    """Undo `lstm` from the first step to the last."""
    x, steps = saved
    grad_x, *rest = lstm_backward(grad_y[::-1], grad_h_n, grad_c_n, weight_ih, weight_hh, (x, steps[::-1]))
    return grad_x[::-1].copy(), *rest


@layer(
    *SEQUENCE,
    WITH_MEMORY,
    args=(2, 3),
    torch=lambda: flat.TorchLSTM(2, 3),
    caught="torch differences laws",
    passes_ones=False,
)
class UndoneInTheOrderOfTime(flat.LSTM):
    """Backward visits the steps in forward's order; a state's gradient is complete only after the step behind it.

    All shapes are right, and the loss goes down, but more slowly.
    """

    functions = lstm, undone_in_the_order_of_time_backward

"""The recurrent layers' cases: cells, and cells along a sequence.

Their numbers are smaller than those of other layers. Where all gates are shut or wide open, the gradients are what
rounding leaves of 1 - 1, in PyTorch as here.
"""

import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness import arrays, flat
from scratch import nn

SMALL = 0.3


def recurrent(d: Draw, ours: type, theirs: type, *sizes: int, **options: object) -> tuple[nn.Module, torch.nn.Module]:
    """Return a layer of each engine."""
    layer = arrays.random_state(ours(*sizes, **options, dtype=d.dtype), d.seed)
    for parameter in layer.parameters():
        parameter.data *= SMALL
    return layer, theirs(*sizes, **options)


def cell(d: Draw, ours: type, theirs: type, states: int, **options: object) -> LayerCase:
    """Draw a batch, or one example, with or without initial states."""
    inputs, size = d.integer(1, 4), d.integer(2, 4)
    layer, reference = recurrent(d, ours, theirs, inputs, size, bias=d.one_of(True, False), **options)
    batch = () if d.fixed_batch is None and d.rng.random() < 0.2 else (d.batch(0, 1, 3),)
    shapes = [(*batch, size)] * (states if d.rng.random() < 0.8 else 0)
    return LayerCase(layer, reference, tuple(d.array(shape) for shape in [(*batch, inputs), *shapes]))


@entry("RNNCell", "layer")
def rnn_cell(d: Draw) -> LayerCase:
    """Both nonlinearities."""
    return cell(d, flat.RNNCell, torch.nn.RNNCell, 1, **d.some_of(nonlinearity=("tanh", "relu")))


@entry("GRUCell", "layer")
def gru_cell(d: Draw) -> LayerCase:
    """One state."""
    return cell(d, flat.GRUCell, torch.nn.GRUCell, 1)


@entry("LSTMCell", "layer")
def lstm_cell(d: Draw) -> LayerCase:
    """State and memory."""
    return cell(d, flat.LSTMCell, flat.TorchLSTMCell, 2)


def sequence(d: Draw, ours: type, theirs: type, states: int, **more: tuple) -> LayerCase:
    """Draw up to three layers, both directions, dropout between layers, and the shapes with and without a batch."""
    inputs, size, steps, layers = d.integer(1, 3), d.integer(2, 3), d.integer(1, 4), d.integer(1, 3)
    options = d.some_of(bias=(True, False), batch_first=(True, False), bidirectional=(True, False), **more)
    if layers > 1:
        options |= d.some_of(dropout=(0.0, 0.3, 1.0))
    layer, reference = recurrent(d, ours, theirs, inputs, size, layers, **options)
    batch = () if d.fixed_batch is None and d.rng.random() < 0.2 else (d.batch(0, 1, 3),)
    first = layer.batch_first and batch
    x = d.array((*batch, steps, inputs) if first else (steps, *batch, inputs))
    shape = (layers * layer.directions, *batch, size)
    given = states if d.rng.random() < 0.8 else 0
    return LayerCase(layer.train(d.one_of(True, False)), reference, (x, *[d.array(shape) for _ in range(given)]))


@entry("RNN", "layer")
def rnn(d: Draw) -> LayerCase:
    """Both nonlinearities."""
    return sequence(d, flat.RNN, torch.nn.RNN, 1, nonlinearity=("tanh", "relu"))


@entry("GRU", "layer")
def gru(d: Draw) -> LayerCase:
    """One state."""
    return sequence(d, flat.GRU, torch.nn.GRU, 1)


@entry("LSTM", "layer")
def lstm(d: Draw) -> LayerCase:
    """State and memory."""
    return sequence(d, flat.LSTM, flat.TorchLSTM, 2)

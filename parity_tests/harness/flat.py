"""Recurrent layers and attention that take and return arrays one by one, not in tuples, in both engines.

    y, h_n, c_n = layer(x, h_0, c_0)                        for y, (h_n, c_n) = layer(x, (h_0, c_0))
    grad_x, grad_h_0, grad_c_0 = layer.backward(grad_y, grad_h_n, grad_c_n)

States that are left out have no gradient here: ``grad_x = layer.backward(grad_y, grad_h_n, grad_c_n)``. This lets the
comparison, the laws and the museum treat these layers like all others. Our classes have the names of the classes they
are derived from, and inherit everything else.

Attention keeps its masks, and all other arguments without a gradient, in an attribute ``call``.
"""

from typing import Any

import numpy as np
import torch

from scratch import nn


def leaves(value: Any) -> tuple:
    """Return the arrays of nested tuples, in their order."""
    return tuple(leaf for one in value for leaf in leaves(one)) if isinstance(value, tuple) else (value,)


def nested(states: tuple) -> Any:
    """Return states as a layer takes them: None, one, or a pair."""
    return states if len(states) == 2 else next(iter(states), None)


class _Flat:
    def forward(self, x: Any, *states: Any) -> Any:
        """Return all outputs."""
        self.given = 1 + len(states)
        found = leaves(super().forward(x, nested(states)))
        return found if len(found) > 1 else found[0]

    def backward(self, *grads: Any) -> Any:
        """Return the gradients of what forward was given."""
        found = leaves(super().backward(*grads))[: self.given]
        return found if len(found) > 1 else found[0]


class RNNCell(_Flat, nn.RNNCell):
    """h1 from x, h."""


class GRUCell(_Flat, nn.GRUCell):
    """h1 from x, h."""


class LSTMCell(_Flat, nn.LSTMCell):
    """h1, c1 from x, h, c."""


class RNN(_Flat, nn.RNN):
    """y, h_n from x, h_0."""


class GRU(_Flat, nn.GRU):
    """y, h_n from x, h_0."""


class _Nested(nn.LSTM):
    def backward(self, grad_output: Any, *grads: Any) -> tuple:
        """Take the gradients of the last states one by one."""
        return super().backward(grad_output, grads or None)


class LSTM(_Flat, _Nested):
    """y, h_n, c_n from x, h_0, c_0."""


class TorchLSTMCell(torch.nn.LSTMCell):
    """PyTorch's, likewise."""

    def forward(self, x: Any, *states: Any) -> tuple:
        """Return state and memory."""
        return super().forward(x, states or None)


class TorchLSTM(torch.nn.LSTM):
    """PyTorch's, likewise."""

    def forward(self, x: Any, *states: Any) -> tuple:
        """Return the output, the last states and the last memories."""
        return leaves(super().forward(x, states or None))


class MultiheadAttention(nn.MultiheadAttention):
    """y, weights from query, key, value; y alone if the weights are not needed."""

    call: dict[str, Any] = {}  # noqa: RUF012 - is replaced, never changed

    def forward(self, *inputs: Any) -> Any:
        """Return the outputs."""
        y, weights = super().forward(*inputs, **self.call)
        return y if weights is None else (y, weights)


class TorchMultiheadAttention(torch.nn.MultiheadAttention):
    """PyTorch's, likewise."""

    call: dict[str, Any] = {}  # noqa: RUF012

    def forward(self, query: Any, *others: Any) -> Any:
        """Return the outputs."""
        options = {}
        for name, value in self.call.items():
            mask = torch.tensor(value) if isinstance(value, np.ndarray) else value
            options[name] = mask.to(query.dtype) if isinstance(value, np.ndarray) and value.dtype != bool else mask
        y, weights = super().forward(query, *others, **options)
        return y if weights is None else (y, weights)

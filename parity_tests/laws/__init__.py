"""Laws that need no reference: what must hold for a layer, a loss or an optimizer whatever its numbers are.

They use neither PyTorch nor finite differences. A law is a function with a docstring that says why it holds; it is
given a layer and its inputs (or an optimizer's class and options) and raises ``AssertionError`` where the layer breaks
it.

    >>> import numpy as np
    >>> import scratch.nn as nn
    >>> class Doubled(nn.Softmax):
    ...     def forward(self, x):
    ...         return 2 * super().forward(x)
    >>> broken(Doubled(dim=1), np.array([[1.0, 2.0], [3.0, 5.0]]))
    ['the_rows_are_probabilities']

A test checks every layer, loss and optimizer against them. `parity_tests.museum` shows which mistakes they find, and
which they cannot: a wrong layer may be as lawful as the right one.
"""

from parity_tests.laws import (
    activations,
    attention,
    distributions,
    layers,
    likelihoods_and_margins,
    losses,
    optimizers,
    passes,
    recurrent,
)
from parity_tests.laws.law import LAWS, broken, broken_by_optimizer, laws_of

__all__ = [
    "LAWS",
    "activations",
    "attention",
    "broken",
    "broken_by_optimizer",
    "distributions",
    "laws_of",
    "layers",
    "likelihoods_and_margins",
    "losses",
    "optimizers",
    "passes",
    "recurrent",
]

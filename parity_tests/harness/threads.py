"""Results that do not depend on the number of threads."""

import numpy as np

from scratch.kernels import threads


def same_with_any_number_of_threads(layer: object, x: np.ndarray) -> None:
    """Check that output and gradients of a layer with weight and bias are the same to the last bit."""
    results = []
    before = threads.get_num_threads()
    try:
        for count in (1, 2, 3, 2):
            threads.set_num_threads(count)
            layer.zero_grad()
            y = layer(x)
            results.append([y, layer.backward(y), layer.weight.grad, layer.bias.grad])
    finally:
        threads.set_num_threads(before)
    for other in results[1:]:
        for first, again in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, again)

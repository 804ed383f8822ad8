"""Laws of attention: its weights are probabilities, and its keys are a set."""

import numpy as np

from parity_tests.laws.law import backward, forward, law, random_grads, same, variant
from scratch import nn


def batch_first(layer: nn.MultiheadAttention, x: np.ndarray) -> int:
    """Return the axis of the sequence."""
    return 1 if layer.batch_first and x.ndim == 3 else 0


@law(nn.MultiheadAttention)
def the_weights_of_a_query_sum_to_one(layer: nn.MultiheadAttention, *inputs: np.ndarray) -> None:
    """Without dropout, the keys that are not hidden share the whole weight."""
    layer = variant(layer.eval(), call={**layer.call, "need_weights": True})
    _, weights = forward(layer, *inputs)
    assert (weights >= 0).all()
    same(weights.sum(axis=-1), np.ones(weights.shape[:-1]))


@law(nn.MultiheadAttention)
def the_keys_are_a_set(layer: nn.MultiheadAttention, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> None:
    """Reordering the keys, with their values and masks, gives the same output: attention does not know positions."""
    axis = batch_first(layer, key)
    order = np.random.default_rng(5).permutation(key.shape[axis])
    masks = {name: mask[..., order] for name, mask in layer.call.items() if isinstance(mask, np.ndarray)}
    layer = variant(layer.eval(), call={**layer.call, "need_weights": False})
    (y,) = forward(layer, query, key, value)
    (g,) = random_grads((y,))
    grads = backward(layer, g)
    other = variant(layer, call={**layer.call, **masks})
    same(forward(other, query, *(np.take(array, order, axis) for array in (key, value)))[0], y)
    found = backward(other, g)
    same(found[0], grads[0])
    for place in (1, 2):
        same(found[place], np.take(grads[place], order, axis))
    for one, parameter in zip(found[3:], grads[3:], strict=True):
        same(one, parameter)


@law(nn.MultiheadAttention)
def equal_values_are_their_own_mean(
    layer: nn.MultiheadAttention, query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> None:
    """Whatever the weights, a mean of equal values is that value: no score matters, and none has a gradient."""
    axis = batch_first(layer, value)
    layer = variant(layer.eval(), call={**layer.call, "need_weights": False})
    equal = np.repeat(np.take(value, [0], axis), value.shape[axis], axis)
    (y,) = forward(layer, query, key, equal)
    grad_query, grad_key, *_ = backward(layer, *random_grads((y,)))
    same(grad_query, np.zeros_like(query))
    same(grad_key, np.zeros_like(key))

"""Laws of attention and of transformers: weights are probabilities, keys are a set, a skip connection skips."""

import numpy as np

from parity_tests.laws.law import backward, forward, law, random_grads, same, split, variant
from scratch import nn
from scratch.nn.transformer_layer import TransformerLayer


def batch_first(layer: nn.Module, x: np.ndarray) -> int:
    """Return the axis of the sequence."""
    attention = next(one for one in layer.modules() if isinstance(one, nn.MultiheadAttention))
    return 1 if attention.batch_first and x.ndim == 3 else 0


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


@law(TransformerLayer)
def without_its_parts_a_layer_is_its_skip_connections(layer: TransformerLayer, *inputs: np.ndarray) -> None:
    """If attention and network add nothing, a layer that normalizes first returns its input, and its gradient."""
    layer = variant(layer.eval(), norm_first=True)
    attentions = [one.out_proj for one in layer.children() if isinstance(one, nn.MultiheadAttention)]
    for last in (*attentions, layer.linear2):
        for parameter in last.parameters():
            parameter.data[...] = 0
    (y,) = forward(layer, *inputs)
    same(y, inputs[0])
    (g,) = random_grads((y,))
    same(backward(layer, g)[0], g)


@law(nn.TransformerEncoderLayer, nn.TransformerEncoder)
def positions_have_no_order(layer: nn.Module, x: np.ndarray, *masks: np.ndarray) -> None:
    """Reordering the positions, and the masks with them, reorders outputs and gradients: so models add positions."""
    axis = batch_first(layer, x)
    order = np.random.default_rng(5).permutation(x.shape[axis])
    moved = [*[mask[..., order, :][..., order] for mask in masks[:1]], *[mask[..., order] for mask in masks[1:]]]
    layer.eval()
    (y,) = forward(layer, x, *masks)
    (g,) = random_grads((y,))
    (grad_x,), learned = split(layer, backward(layer, g))
    same(forward(layer, np.take(x, order, axis), *moved)[0], np.take(y, order, axis))
    (grad_moved,), learned_moved = split(layer, backward(layer, np.take(g, order, axis)))
    same(grad_moved, np.take(grad_x, order, axis))
    for one, other in zip(learned_moved, learned, strict=True):
        same(one, other)


@law(nn.TransformerDecoderLayer, nn.TransformerDecoder)
def the_memory_is_a_set(layer: nn.Module, x: np.ndarray, memory: np.ndarray, *masks: np.ndarray) -> None:
    """Reordering the memory, and the masks with it, changes no output; its gradient is reordered in the same way."""
    axis = batch_first(layer, memory)
    order = np.random.default_rng(5).permutation(memory.shape[axis])
    moved = [mask[..., order] if place % 2 else mask for place, mask in enumerate(masks)]
    layer.eval()
    (y,) = forward(layer, x, memory, *masks)
    (g,) = random_grads((y,))
    grad_x, grad_memory, *learned = backward(layer, g)
    same(forward(layer, x, np.take(memory, order, axis), *moved)[0], y)
    found_x, found_memory, *learned_moved = backward(layer, g)
    same(found_x, grad_x)
    same(found_memory, np.take(grad_memory, order, axis))
    for one, other in zip(learned_moved, learned, strict=True):
        same(one, other)


@law(nn.Transformer)
def the_sources_are_a_set(layer: nn.Transformer, src: np.ndarray, tgt: np.ndarray, *masks: np.ndarray) -> None:
    """Reordering the sources, and the masks with them, changes no output; their gradient is reordered likewise."""
    axis = batch_first(layer, src)
    order = np.random.default_rng(5).permutation(src.shape[axis])
    moved = [*[mask[order][:, order] for mask in masks[:1]], *masks[1:2], *[mask[:, order] for mask in masks[2:]]]
    layer.eval()
    (y,) = forward(layer, src, tgt, *masks)
    (g,) = random_grads((y,))
    grad_src, *others = backward(layer, g)
    same(forward(layer, np.take(src, order, axis), tgt, *moved)[0], y)
    grad_moved, *others_moved = backward(layer, g)
    same(grad_moved, np.take(grad_src, order, axis))
    for one, other in zip(others_moved, others, strict=True):
        same(one, other)

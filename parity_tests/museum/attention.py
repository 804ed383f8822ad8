"""Attention: scores, masks, and a softmax on the way back."""

import numpy as np

from parity_tests.harness import flat
from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch.nn.multihead_attention import (
    from_heads,
    multi_head_attention,
    multi_head_attention_backward,
    to_heads,
)

INPUTS = array((3, 2, 4), seed=1), array((5, 2, 4), seed=2), array((5, 2, 4), seed=3)
HIDES = np.array([[False, True, False, False, True]] * 3)


def torch_attention():
    """Return PyTorch's layer."""
    return flat.TorchMultiheadAttention(4, 2)


def torch_attention_with_a_mask():
    """Return PyTorch's layer with a mask."""
    theirs = torch_attention()
    theirs.call = {"attn_mask": HIDES}
    return theirs


def unscaled(query, key, value, weight, bias, attn_mask, factor, scale, unseen, num_heads):
    """Return attention with scores that are not scaled."""
    return multi_head_attention(query, key, value, weight, bias, attn_mask, factor, 1.0, unseen, num_heads)


def unscaled_backward(grad_y, grad_weights, factor, scale, num_heads, saved):
    """Undo it."""
    return multi_head_attention_backward(grad_y, grad_weights, factor, 1.0, num_heads, saved)


@layer(*INPUTS, args=(4, 2), torch=torch_attention, caught="torch", passes_ones=False)
class ScaleForgotten(flat.MultiheadAttention):
    """The scores are not divided by the square root of a head's size.

    With wide heads the scores are large, softmax gives one key all the weight, and their gradient is close to zero.
    """

    functions = unscaled, unscaled_backward


def diagonal_backward(grad_y, grad_weights, factor, scale, num_heads, saved):
    """Undo attention with only the diagonal of softmax's Jacobian."""
    query, key, _, w_q, w_k, _, (q_h, k_h, v_h, p, _) = saved
    right = multi_head_attention_backward(grad_y, grad_weights, factor, scale, num_heads, saved)
    grad_w = grad_weights + to_heads(grad_y, num_heads) @ v_h.swapaxes(-1, -2)
    grad_scores = grad_w * factor * p * (1 - p)
    grad_q = from_heads(scale * (grad_scores @ k_h))
    grad_k = from_heads(scale * (grad_scores.swapaxes(-1, -2) @ q_h))
    size = len(w_q)
    grad_weight = right[3].copy()
    grad_weight[:size] = (grad_q.swapaxes(1, 2) @ query).sum(axis=0)
    grad_weight[size : 2 * size] = (grad_k.swapaxes(1, 2) @ key).sum(axis=0)
    grad_bias = right[4].copy()
    grad_bias[: 2 * size] = np.concatenate([grad_q.sum(axis=(0, 1)), grad_k.sum(axis=(0, 1))])
    return grad_q @ w_q, grad_k @ w_k, right[2], grad_weight, grad_bias


@layer(*INPUTS, args=(4, 2), torch=torch_attention, caught="torch differences laws", passes_ones=False)
class ScoresAlone(flat.MultiheadAttention):
    """A score raises its own probability and lowers the others; only the first is undone: p (1 - p), as for a sigmoid.

    Queries and keys learn something, as the signs are often right; the loss stays above that of a right layer.
    """

    functions = multi_head_attention, diagonal_backward


class Masked(flat.MultiheadAttention):
    """The right layer, with a mask."""

    call = {"attn_mask": HIDES}  # noqa: RUF012


def hidden_afterwards(query, key, value, weight, bias, attn_mask, factor, scale, unseen, num_heads):
    """Return attention whose hidden keys get no weight, after a softmax over all of them."""
    seen = np.exp(attn_mask)
    return multi_head_attention(query, key, value, weight, bias, 0.0, factor * seen, scale, unseen, num_heads)


def hidden_afterwards_backward(grad_y, grad_weights, attn_mask, factor, scale, num_heads, saved):
    """Undo it."""
    seen = np.exp(attn_mask)
    return multi_head_attention_backward(grad_y, grad_weights, factor * seen, scale, num_heads, saved)


@layer(
    *INPUTS,
    args=(4, 2),
    torch=torch_attention_with_a_mask,
    caught="torch laws",
    passes_ones=False,
    of="MultiheadAttention",
)
class HiddenAfterwards(Masked):
    """A mask hides keys from the softmax; here their weights are set to 0 after it, and a query's sum is below 1.

    The more padding, the smaller the outputs; and a later key still shows in the weights of earlier ones.
    """

    functions = hidden_afterwards, hidden_afterwards_backward

"""Transformers: skip connections, a memory that several layers read, the order of a stack, the encoder's gradient."""

import warnings

import numpy as np
import torch

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn

X, MEMORY = array((3, 2, 4), seed=1), array((5, 2, 4), seed=2)
SIZES = (4, 2, 5, 0.0)


@layer(X, args=SIZES, caught="torch differences laws", passes_ones=True)
class SkipForgotten(nn.TransformerEncoderLayer):
    """A sum passes its gradient to both of its terms; here only the network gets it, and the skip connection does not.

    One layer learns almost as well. In a deep stack the first layers hardly learn: their gradient has gone through
    every network and every attention behind them.
    """

    def backward(self, grad_output):
        if self.norm_first:
            grad_h = self.norm2.backward(self._ff_block_backward(grad_output))
            return self.norm1.backward(self._sa_block_backward(grad_h))
        grad_h = self._ff_block_backward(self.norm2.backward(grad_output))
        return self._sa_block_backward(self.norm1.backward(grad_h))


@layer(X, args=SIZES, caught="torch differences", passes_ones=True)
class QueriesAlone(nn.TransformerEncoderLayer):
    """In self-attention one array is query, key and value, and three gradients are added; here the query's is taken.

    No layer before this one learns from how its outputs are looked at, or from what is taken from them.
    """

    def _sa_block_backward(self, grad):
        grad_query, _, _ = self.self_attn.backward(self.dropout1.backward(grad))
        return grad_query


class InAnEncoder(nn.TransformerEncoder):
    """Two layers."""

    def __init__(self, dtype=np.float64):
        super().__init__(nn.TransformerEncoderLayer(*SIZES, dtype=dtype), 2)


def torch_encoder():
    """Return the same in PyTorch."""
    return torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(*SIZES), 2, enable_nested_tensor=False)


@layer(X, of="TransformerEncoder", torch=torch_encoder, caught="torch differences", passes_ones=False)
class FirstLayerUndoneFirst(InAnEncoder):
    """What was applied last is undone first; here backward goes through the layers as forward does.

    All layers have the same shapes, so there is no error: each gets the gradient of another one's output.
    """

    def backward(self, grad_output):
        for one in self.layers:
            grad_output = one.backward(grad_output)
        return grad_output


@layer(X, MEMORY, args=SIZES, caught="torch differences", passes_ones=True)
class MemoryAsKeysAlone(nn.TransformerDecoderLayer):
    """The memory is key and value, and its two gradients are added; here only the key's goes back to the encoder.

    The encoder learns where it is looked at, but not what is taken from it.
    """

    def _mha_block_backward(self, grad):
        grad_query, grad_key, _ = self.multihead_attn.backward(self.dropout2.backward(grad))
        return grad_query, grad_key


class InADecoder(nn.TransformerDecoder):
    """Two layers."""

    def __init__(self, dtype=np.float64):
        super().__init__(nn.TransformerDecoderLayer(*SIZES, dtype=dtype), 2)


def torch_decoder():
    """Return the same in PyTorch."""
    return torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(*SIZES), 2)


@layer(X, MEMORY, of="TransformerDecoder", torch=torch_decoder, caught="torch differences", passes_ones=True)
class MemoryOfOneLayer(InADecoder):
    """Every layer reads the memory, so its gradient is a sum over the layers; here only the first one's is returned.

    The encoder learns from one layer of the decoder. With a single layer nothing is wrong.
    """

    def backward(self, grad_output):
        for one in reversed(self.layers):
            grad_output, grad_memory = one.backward(grad_output)
        return grad_output, grad_memory


def torch_transformer():
    """Return the same in PyTorch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "enable_nested_tensor is True")
        return torch.nn.Transformer(4, 2, 1, 2, 5, 0.0)


@layer(X, array((3, 2, 4), seed=2), args=(4, 2, 1, 2, 5, 0.0), torch=torch_transformer, caught="torch differences laws",
       passes_ones=True)  # fmt: skip
class TargetsGradientIntoTheEncoder(nn.Transformer):
    """The encoder gets the gradient of its output, the memory; here it gets that of the targets.

    The decoder returns both, and where source and target are of one length, as in copying or sorting, they have the
    same shape. The decoder learns as well as it can from an encoder that is led astray.
    """

    def backward(self, grad_output):
        grad_tgt, _ = self.decoder.backward(grad_output)
        return self.encoder.backward(grad_tgt), grad_tgt


@layer(X, array((3, 2, 4), seed=2), args=(4, 2, 1, 2, 5, 0.0), torch=torch_transformer, caught="torch differences",
       passes_ones=False)  # fmt: skip
class SourcesForgotten(nn.Transformer):
    """The sources reach the output through the memory; here no gradient goes back to them, and none to the encoder.

    The encoder keeps its random weights. The loss falls all the same, as the decoder learns to live with them.
    """

    def backward(self, grad_output):
        grad_tgt, grad_memory = self.decoder.backward(grad_output)
        self.encoder._call_off()
        return np.zeros_like(grad_memory), grad_tgt

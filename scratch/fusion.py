"""Fusion: neighbouring layers in a `Sequential` that the kernels run as one, with no visible difference.

A convolution, a ReLU and a pooling in a row spend much of their time moving intermediate results to memory and back.
`scratch.kernels.conv_relu_pool` does all three in one pass. The layers themselves do not change: in plain mode, or
where the kernel does not apply, each runs on its own.

You can still call each layer's own backward (``for layer in reversed(model): grad = layer.backward(grad)``). What it
needs was not saved, so the layers' forwards are run again first, one by one; that is slow, but rare.
"""

from threading import get_ident
from typing import Any

import numpy as np

from scratch import dispatch
from scratch.grad_mode import recording, retaining
from scratch.kernels.conv_relu_pool import conv2d_relu_max_pool2d, conv2d_relu_max_pool2d_backward
from scratch.kernels.padded_images import Sides, padded_size
from scratch.kernels.patch_plan import suits_winograd
from scratch.kernels.patches import output_size
from scratch.nn.conv import Conv2d
from scratch.nn.layer import Layer
from scratch.nn.max_pooling import MaxPool2d
from scratch.nn.module import Module
from scratch.nn.ownership import private
from scratch.nn.record import UNDONE, Record
from scratch.nn.relu import ReLU

FUSIBLE = (Conv2d, ReLU, MaxPool2d)
HALVING = (2, 2), (2, 2), (0, 0), (1, 1), False, False
"""The pooling's arguments: kernel, stride, padding, dilation, ceil_mode, return_indices."""


def fuse(layers: list[Module]) -> list[Module]:
    """Return the layers, with one `ConvReLUPool` for each Conv2d, ReLU and MaxPool2d in a row."""
    fused: list[Module] = []
    place = 0
    while place < len(layers):
        three = layers[place : place + len(FUSIBLE)]
        if tuple(map(type, three)) == FUSIBLE:
            fused.append(ConvReLUPool(three))
            place += len(FUSIBLE)
        else:
            fused.append(layers[place])
            place += 1
    return fused


class ConvReLUPool(Layer):
    """Three layers as one: it reads their options and parameters at each call, and saves what backward needs in them.

    Parameters
    ----------
    layers : list of Module
        A Conv2d, a ReLU and a MaxPool2d.
    """

    functions = conv2d_relu_max_pool2d, conv2d_relu_max_pool2d_backward
    learned = "weight", "bias"

    def __init__(self, layers: list[Any]) -> None:
        super().__init__()
        self.layers: tuple[Conv2d, ReLU, MaxPool2d] = tuple(layers)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``."""
        self._take_on()
        return super().__call__(*inputs, **options)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Apply the three layers."""
        conv, relu, pool = layers = self.layers
        sides = self._sides(x)
        if sides is None:
            return pool(private(relu(private(conv(x)))))
        conv.check_input(x)
        size = output_size(padded_size(x.shape[2:], sides), conv.kernel_size, (1, 1), (1, 1))
        between = (len(x), conv.out_channels, *size)
        pool.check(np.broadcast_to(x.dtype.type(0), between))
        if suits_winograd(conv.weight.shape) and (size[0] % 2 or size[1] % 2):
            return pool(private(relu(private(conv(x)))))
        own = conv.weight.data, conv.value("bias", absent=0.0)
        (y,) = self.run(self.functions, x, *own, sides, recording.get())
        if recording.get():
            forward = _Forward(self._record, layers)
            self._forget()
            shapes = x.shape, between, between, y.shape
            for place, layer in enumerate(layers):
                pending = layer._record[-1] + 1
                layer.__dict__["_record"] = forward.record_of(place, shapes[place], shapes[place + 1], pending)
        return y

    def backward(self, grad_output: Any) -> Any:
        """Apply the three layers' backward, last layer first."""
        layers = self.layers
        forward = self._forward_to_undo(grad_output)
        if forward is None:
            for layer in reversed(layers):
                grad_output = layer.backward(grad_output)
            return grad_output
        self._take_on()
        self.__dict__["_record"] = forward.kept
        grad_x = super().backward(grad_output)
        self._forget()
        if not retaining.get():
            for layer in layers:
                layer.__dict__["_record"] = UNDONE
        return grad_x

    def _call_off(self) -> None:
        for layer in self.layers:
            layer._call_off()

    def _sides(self, x: Any) -> Sides | None:
        """Return the convolution's padding, or None where the kernel cannot do what the layers would do with ``x``."""
        conv, relu, pool = self.layers
        _, _, stride, sides, dilation, groups, mode = conv.arguments()
        if dispatch.is_plain() or type(x) is not np.ndarray or x.ndim != 4 or not len(x):
            return None
        if (stride, dilation, groups, mode) != ((1, 1), (1, 1), 1, "zeros") or pool.arguments() != HALVING:
            return None
        # Somebody may have wrapped a method to look at what passes through a layer, or have told a layer that the
        # gradient of its input is not needed.
        looked_at = any("forward" in vars(layer) or "backward" in vars(layer) for layer in self.layers)
        return sides if relu.needs_input_grad and pool.needs_input_grad and not looked_at else None

    def _take_on(self) -> None:
        conv = self.layers[0]
        self.__dict__ |= {"weight": conv.weight, "bias": conv.bias, "needs_input_grad": conv.needs_input_grad}

    def _forward_to_undo(self, grad_output: Any) -> "_Forward | None":
        """Return the fused forward if it is the latest one of all three layers and the gradient fits its output."""
        records = [layer._record for layer in self.layers]
        last = Record(*records[-1])
        forward = last.saved[0] if last.plan is _PLANS[-1] else None
        if forward is None or any(record[0] is not plan for record, plan in zip(records, _PLANS, strict=True)):
            return None
        same = all(record[2][0] is forward and record[-1] == 1 and record[-2] == get_ident() for record in records)
        fits = type(grad_output) is np.ndarray and grad_output.shape == last.output_shape
        return forward if same and fits and grad_output.dtype == last.dtype else None


class _Forward:
    """What a fused forward saved, and what its layers need to undo it one by one."""

    def __init__(self, kept: Record, layers: tuple[Layer, ...]) -> None:
        self.kept = kept
        conv, relu, pool = layers
        options = conv.arguments()
        # An optimizer may write to these before a layer's own backward asks for the forward again.
        self._arguments = tuple([np.copy(one) if isinstance(one, np.ndarray) else one for one in options[:2]])
        self._calls = (conv.functions, options), (relu.functions, ()), (pool.functions, pool.arguments())
        self._replayed: list[tuple] | None = None

    def record_of(self, place: int, input_shape: tuple, output_shape: tuple, pending: int) -> Any:
        """Return the record of one of the layers."""
        kept = Record(*self.kept)
        options = self._calls[place][1]
        return (
            _PLANS[place], options, (self,), input_shape, output_shape, kept.dtype, kept.constant and place == 0,
            False, (), (), kept.writes, kept.thread, pending,
        )  # fmt: skip

    def undo(self, place: int, grad_y: np.ndarray) -> Any:
        """Run the backward of one of the layers."""
        if self._replayed is None:
            token = recording.set(True)
            try:
                self._replayed = self._replay()
            finally:
                recording.reset(token)
        plan, passed, saved = self._replayed[place]
        return plan.quiet_backward(grad_y, *passed, saved)

    def _replay(self) -> list[tuple]:
        """Run the layers' forwards one by one; return what the backward of each takes."""
        x, replayed = Record(*self.kept).saved[0], []
        for number, (functions, options) in enumerate(self._calls):
            plan = dispatch.plan(functions)
            x, saved, *_ = plan.quiet_forward(x, *(self._arguments + options[2:] if number == 0 else options))
            replayed.append((plan, [options[index] for index in plan.places], saved))
        return replayed


def _plan_of(place: int) -> dispatch.Plan:
    def backward(grad_y: np.ndarray, saved: tuple) -> Any:
        return saved[0].undo(place, grad_y)

    return dispatch.Plan(backward, backward, backward, backward, (), False)


_PLANS = [_plan_of(place) for place in range(len(FUSIBLE))]

r"""Recurrent: what RNN, GRU and LSTM share. Layers on top of one another, directions side by side.

    x_0 = x (T, N, I)                   the input; x_l is what layer l returns, (T, N, D H), D = 1 or 2 directions

    F1  y_f = over_time(x_l)                            in the order of time
    F2  y_b = reversed(over_time(reversed(x_l)))        the other way, with weights of its own; if bidirectional
    F3  y = y_f beside y_b                              (T, N, D H)
    F4  x_(l+1) = dropout(y)                            between layers, in training
    F5  h_n = the last states, layer by layer           (layers D, N, H)

    B5  a last state's gradient goes to its own layer and direction
    B4  grad_y = dropout_backward(grad_x_(l+1))         the last layer's is the upstream gradient
    B3  grad_y_f, grad_y_b = grad_y, cut                F3: numbers side by side; each gradient goes back to its place
    B2  reversed(over_time_backward(reversed(grad_y_b)))
    B1  grad_x_l = over_time_backward(grad_y_f) + B2    F1 and F2: x_l is used twice: an addition

``over_time`` is `scratch.nn.rnn.rnn`, `scratch.nn.gru.gru` or `scratch.nn.lstm.lstm`.

Left out: ``device``, and packed sequences, which are refused. There are two other ways for sequences of different
lengths:

    of one length together    Run those of each length as a batch of their own. All is as with packed sequences; the
                              gradients of the weights add up over the backwards.
    padded                    With one direction only, the outputs before a sequence's end do not see the padding. Give
                              those after it an upstream gradient of zero. h_n and c_n are the states after the padding:
                              leave them alone, and read the last layer's state at the end of each sequence from the
                              output, ``output[lengths - 1, np.arange(N)]``. With two directions no output is right, as
                              the reverse one reads the padding first.
"""

from threading import get_ident
from typing import Any, ClassVar

import numpy as np

from scratch import dispatch, random
from scratch.checks import check_dtype, check_grad_output, name_of
from scratch.grad_mode import constants, recording, retaining
from scratch.nn.dropout import dropout, dropout_backward
from scratch.nn.ownership import owned
from scratch.nn.parameter import writes
from scratch.nn.record import UNDONE, WRITTEN, Record
from scratch.nn.sequence_layer import SequenceLayer

DROPOUT = dropout, dropout_backward


class Recurrent(SequenceLayer):
    """Base of RNN, GRU and LSTM. A subclass sets `functions`, `gates`, and `states`, how many arrays a state has."""

    states: ClassVar[int] = 1

    def options(self) -> tuple:
        """Return the function's arguments after the biases."""
        return ()

    def initial(self, x: np.ndarray, hx: Any) -> list[np.ndarray]:
        """Return the states before the first step, (layers D, N, H) each: zeros if they are left out."""
        batch = () if x.ndim == 2 else (self.fold(x).shape[1],)
        shape = (self.num_layers * self.directions, *batch, self.hidden_size)
        if hx is None:
            hx = [np.zeros(shape, x.dtype)] * self.states
        for state in hx:
            check_dtype(self, state, x.dtype, "hx")
            if state.shape != shape:
                raise RuntimeError(f"{name_of(self)}: expected hx of shape {shape}, got {state.shape}")
        return [state if batch else state[:, None] for state in map(kept, hx)]

    # The passes.

    def over_layers(self, x: np.ndarray, hx: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the output, and the states after the last step, (layers D, N, H) each; keep what backward needs."""
        self.check_input(x)
        states = self.initial(x, hx)
        plan, drops = dispatch.plan(self.functions), dispatch.plan(DROPOUT)
        y, calls, masks = self.fold(kept(x)), [], []
        last: list[tuple] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                draw = np.zeros_like(y)
                if self.dropout < 1:
                    random.bernoulli_(draw, 1 - self.dropout)
                y, mask = drops.quiet_forward(y, draw, self.dropout)  # F4
                masks.append(mask)
            outputs = []
            for backwards in range(self.directions):
                place = layer * self.directions + backwards
                weights = [getattr(self, name).data for name in self.names_at(place)] + [0.0, 0.0]
                arguments = (*[state[place] for state in states], *weights[:4], *self.options())
                out, saved, *after = plan.quiet_forward(y[::-1] if backwards else y, *arguments)  # F1, F2
                outputs.append(out[::-1] if backwards else out)
                calls.append((arguments, saved))
                last.append(after)
            y = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=2)  # F3
        finals = [np.stack(one) for one in zip(*last, strict=True)]  # F5
        finals = finals if x.ndim == 3 else [one[:, 0] for one in finals]
        output = self.unfold(y, x.shape)
        if recording.get():
            known = constants.get()
            # So a later layer need not copy it. PyTorch's LSTM does not take writes to it either.
            locked = (output,) if output.flags.writeable else ()
            for array in locked:
                array.setflags(write=False)
            self.__dict__["_record"] = Record(
                plan=plan,
                arguments=(drops, masks),
                saved=tuple(calls),
                input_shape=x.shape,
                output_shape=output.shape,
                dtype=output.dtype,
                constant=known is not None and id(x) in known,
                folds=True,
                locked=locked,
                others=tuple(finals),
                writes=writes.count,
                thread=get_ident(),
                pending=self._record[-1] + 1,
            )
        return output, finals

    @dispatch.quiet
    def back_over_layers(
        self, grad_output: np.ndarray | None, grad_finals: Any
    ) -> tuple[np.ndarray | None, list[np.ndarray]]:
        """Return the gradients of the input and of the states before the first step; None stands for zeros."""
        record = self.record()
        if record.writes != writes.count:
            self.check_unwritten(record)
        if grad_output is None:
            grad_output = np.zeros(record.output_shape, record.dtype)
        check_grad_output(self, grad_output, record.output_shape, record.dtype)
        grads_last = []
        for final, grad in zip(record.others, grad_finals, strict=True):
            if grad is not None:
                check_grad_output(self, grad, final.shape, final.dtype)
            grad = np.zeros_like(final) if grad is None else grad
            grads_last.append(grad if len(record.input_shape) == 3 else grad[:, None])
        if not retaining.get():
            self.__dict__["_record"] = UNDONE
            for array in record.locked:
                array.setflags(write=True)
        drops, masks = record.arguments
        grads_first = [np.empty_like(grad) for grad in grads_last]
        grad_y: Any = self.fold(grad_output)
        wants_grad_x = self.needs_input_grad and not record.constant
        for layer in reversed(range(self.num_layers)):
            parts = np.split(grad_y, self.directions, axis=2)  # B3
            grad_y = None
            for backwards in reversed(range(self.directions)):
                place = layer * self.directions + backwards
                grad_x = self.back_over_time(
                    record,
                    place,
                    parts[backwards][::-1] if backwards else parts[backwards],
                    [grad[place] for grad in grads_last],
                    [grad[place] for grad in grads_first],
                    wants_grad_x or layer > 0,
                )
                if grad_x is not None:
                    grad_x = grad_x[::-1] if backwards else grad_x
                    grad_y = grad_x if grad_y is None else grad_y + grad_x  # B1
            if layer and masks:
                grad_y = drops.quiet_backward(grad_y, masks[layer - 1])  # B4
        if len(record.input_shape) == 2:
            grads_first = [grad[:, 0] for grad in grads_first]
        if grad_y is None:
            return self.unread(record.input_shape, record.dtype), grads_first
        return self.unfold(grad_y, record.input_shape), grads_first

    def check_unwritten(self, record: Record) -> None:
        """Raise if a weight was written to since a forward. Parameters and errors are `Layer.check_unwritten`'s."""
        for name, parameter in self.named_parameters():
            if name.startswith("weight") and parameter.written > record.writes:
                self._forget()
                raise RuntimeError(f"{name_of(self)}: {name} {WRITTEN}")

    def back_over_time(
        self, record: Record, place: int, grad_y: np.ndarray, last: list, first: list, wants_grad_x: bool
    ) -> np.ndarray | None:
        """Undo one layer in one direction: return the gradient of its input, and write those of its first states."""
        arguments, saved = record.saved[place]
        parameters = [getattr(self, name) for name in self.names_at(place)]
        learn = [parameter.requires_grad for parameter in parameters]
        mask = [wants_grad_x, *[True] * len(first), *learn, *[False] * (4 - len(learn))]
        token = dispatch.output_mask.set(mask)
        try:
            passed = [arguments[index] for index in record.plan.places]
            grad_x, *grads = record.plan.quiet_backward(grad_y, *last, *passed, saved)  # B1, B2
        finally:
            dispatch.output_mask.reset(token)
        for state, grad in zip(first, grads, strict=False):
            state[...] = grad
        for parameter, grad in zip(parameters, grads[len(first) :], strict=False):
            if parameter.requires_grad:
                parameter.take_grad(grad)
        return grad_x if wants_grad_x else None


class RecurrentOfOneState(Recurrent):
    """A recurrent layer whose only state is its output: `RNN`, `GRU`."""

    def forward(self, x: np.ndarray, hx: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Map a sequence and the states before it, zeros if they are left out, to the output and the last states.

        Parameters
        ----------
        x : numpy.ndarray, shape (T, N, I); (N, T, I) if ``batch_first``; (T, I) for one sequence
        hx : numpy.ndarray, shape (num_layers D, N, H), without N for one sequence

        Returns
        -------
        output, h_n
            The last layer's state after each step, (T, N, D H), and all layers' states after the last one, of the shape
            of ``hx``.
        """
        output, (h_n,) = self.over_layers(x, None if hx is None else (hx,))
        return output, h_n

    def backward(self, grad_output: np.ndarray | None, grad_h_n: np.ndarray | None = None) -> tuple[Any, np.ndarray]:
        """Map the gradients of output and last states, None for one that is not used, to those of ``x`` and ``hx``."""
        grad_x, (grad_h_0,) = self.back_over_layers(grad_output, (grad_h_n,))
        return grad_x, grad_h_0


def kept(array: Any) -> Any:
    """Return an array of the caller's for backward to read later: a copy, unless nobody can write to it."""
    return owned(array) if recording.get() else array

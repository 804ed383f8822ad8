r"""Reductions: how the losses of the elements become one number, and the base class of all losses.

    losses  (...)       loss of each element, or of each row of a batch
    total   ()          what a mean divides by: the number of elements, or their total weight
    y       () or (...) output

reduce
    F1  y = sum losses / total             ()       for "mean"; the sum itself for "sum"; the losses, (...), for "none"

    B1  grad_losses = grad_y / total       ()       F1: in a mean each element has the share 1 / total, so all have the
                                                    same gradient; for "sum" and "none" it is grad_y

`total` is a constant: it depends on the targets, not on the input. The mean of no elements is NaN, without a warning.

Backward begins at the loss: grad_y is 1 unless something follows the loss.
"""

from typing import Any

import numpy as np

from scratch import dispatch, grad_mode
from scratch.checks import check_array, check_dtype, check_grad_output, check_scalar_grad_output, name_of
from scratch.nn.layer import Layer

REDUCTIONS = ("none", "mean", "sum")


def reduce(losses: np.ndarray, reduction: str, total: float) -> Any:
    """Return the losses, or their sum, or their sum over ``total``."""
    y = losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.sum() / total  # F1 ()
    return y


def reduce_backward(grad_y: Any, reduction: str, total: float) -> Any:
    """Undo `reduce`: return a number if all gradients are equal."""
    grad_losses = grad_y / total if reduction == "mean" else grad_y  # B1 ()
    return grad_losses


def check_not_the_loss(owner: object, grad_output: object, loss: object) -> None:
    """Raise ``RuntimeError`` if the gradient of the loss is the object that forward returned as the loss."""
    if loss is not None and grad_output is loss:
        raise RuntimeError(
            f"{name_of(owner)}: backward was given the loss itself as grad_output, which would multiply every gradient "
            "by it; call backward() without arguments, or backward(float(loss)) if that factor is meant"
        )


def check_pair(owner: object, x: np.ndarray, target: np.ndarray, mismatch: type[Exception] = RuntimeError) -> None:
    """Raise unless input and target are arrays of one float dtype and one shape (else ``mismatch``)."""
    check_array(owner, x)
    check_dtype(owner, target, x.dtype, "target")
    if x.shape != target.shape:
        raise mismatch(f"{name_of(owner)}: expected target of shape {x.shape} (the input's), got {target.shape}")


def check_alike(owner: object, x: np.ndarray, **others: np.ndarray) -> None:
    """Raise unless ``x`` is a float array, and all others have its dtype and shape; they are named in the message."""
    check_array(owner, x)
    for name, other in others.items():
        check_dtype(owner, other, x.dtype, name)
        if other.shape != x.shape:
            raise RuntimeError(f"{name_of(owner)}: expected {name} of shape {x.shape} (the input's), got {other.shape}")


class Loss(Layer):
    """A layer that is called with an input and a target, and returns a loss; only the input has a gradient.

    The loss is a plain NumPy number that does not know where it came from. Where PyTorch has ``loss.backward()``, call
    the criterion's backward and pass what it returns to the model's: ``model.backward(criterion.backward())``.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Raises
    ------
    ValueError
        If ``reduction`` is none of these.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"{name_of(self)}: expected reduction to be one of {REDUCTIONS}, got {reduction!r}")
        self.reduction = reduction
        self._loss: Any = None

    # What a subclass may define.

    def check_pair(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless input and target are arrays of one float dtype and one shape."""
        check_pair(self, x, target)

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[dispatch.Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        return self.functions, (target, self.reduction)

    def fold_losses(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of an output that is an array, in the shape that the functions return."""
        return grad_output

    # What all losses do.

    def forward(self, x: np.ndarray, target: np.ndarray) -> Any:  # type: ignore[override]
        """Return the loss of ``x`` against ``target``: a scalar, or an array if the reduction is "none"."""
        self.check_pair(x, target)
        functions, arguments = self.pair_for(x, target)
        return self.run(functions, x, *arguments)[0]

    def run(self, functions: dispatch.Pair, x: np.ndarray, *arguments: Any) -> tuple:
        """Run a pair's forward, as all layers do, and remember which object is the loss; return the outputs."""
        y, *more = super().run(functions, x, *arguments)
        y = y[()] if y.ndim == 0 else y
        if grad_mode.recording.get():
            self.__dict__["_loss"] = y if y.ndim == 0 else None
        return y, *more

    def backward(self, grad_output: Any = 1.0) -> Any:
        """Return the gradient with respect to the input.

        Parameters
        ----------
        grad_output : float, or numpy.ndarray
            The gradient of the loss; an array of the output's shape if the reduction is "none".

        Raises
        ------
        RuntimeError
            If no forward is left to undo, ``grad_output`` does not have the loss's shape, or is the loss itself.
        TypeError
            If ``grad_output`` is not a number.
        """
        record = self.record()
        if record.output_shape == ():
            check_not_the_loss(self, grad_output, self._loss)
            check_scalar_grad_output(self, grad_output)
            grad_y = record.dtype.type(grad_output)
        elif isinstance(grad_output, np.ndarray):
            check_grad_output(self, grad_output, record.output_shape, record.dtype)
            grad_y = self.fold_losses(grad_output) if record.folds else grad_output
        else:
            raise RuntimeError(
                f"{name_of(self)}: with reduction='none' the output is an array of shape {record.output_shape}; "
                "call backward with its gradient, an array of that shape"
            )
        grad_x = self.undo(record, grad_y)
        if self.grad_inputs > 1:
            return grad_x
        if grad_x is None:
            return self.unread(record.input_shape, record.dtype)
        return self.unfold(grad_x, record.input_shape) if record.folds else grad_x

"""Laws of losses: where they vanish, what they ignore, and how their reductions are related."""

import numpy as np

from parity_tests.laws.law import forward, law, same, variant
from scratch import nn
from scratch.nn.loss import ElementwiseLoss
from scratch.nn.nll import ClassLoss

BINARY = (nn.BCELoss, nn.BCEWithLogitsLoss)


def both(loss: nn.Module, *inputs: np.ndarray, grad_output: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss and its gradient."""
    (value,) = forward(loss, *inputs)
    return value, np.array(loss.backward(grad_output if value.ndim == 0 else np.full(value.shape, grad_output)))


@law(ElementwiseLoss, ClassLoss, *BINARY)
def a_mean_is_a_sum_over_the_number(loss: nn.Module, x: np.ndarray, target: np.ndarray) -> None:
    """The three reductions are one loss: "none" adds up to "sum", and "mean" divides it by the number of elements.

    For losses over classes it is the number, or the weight, of the rows that count. The same holds for the gradients.
    """
    each, grad_each = both(variant(loss, reduction="none"), x, target)
    total, grad_total = both(variant(loss, reduction="sum"), x, target)
    mean, grad_mean = both(variant(loss, reduction="mean"), x, target)
    same(each.sum(), total)
    number = total / mean if isinstance(loss, ClassLoss) else x.size
    same(mean * number, total)
    same(grad_each, grad_total)
    same(grad_mean * number, grad_total)


@law(ElementwiseLoss, ClassLoss, *BINARY)
def no_loss_is_negative_and_downhill_is_down(loss: nn.Module, x: np.ndarray, target: np.ndarray) -> None:
    """A loss has 0 as its best value, and a small step against its gradient lowers it."""
    value, grad = both(loss, x, target)
    assert np.all(value >= 0)
    assert value.ndim or not grad.any() or forward(loss, x - 1e-6 * grad / np.abs(grad).max(), target)[0] < value


@law(ElementwiseLoss)
def at_the_target_there_is_no_loss_and_no_gradient(loss: ElementwiseLoss, x: np.ndarray, target: np.ndarray) -> None:
    """At the target there is nothing to correct; exchanging input and target flips the gradient's sign."""
    value, grad = both(loss, target, target)
    same(value, np.zeros_like(value))
    same(grad, np.zeros_like(grad))
    (value, grad), (swapped, grad_swapped) = both(loss, x, target), both(loss, target, x)
    same(swapped, value)
    same(grad_swapped, -grad)


@law(ElementwiseLoss)
def a_change_of_unit_is_a_power_of_it(loss: ElementwiseLoss, x: np.ndarray, target: np.ndarray) -> None:
    """In metres or in feet: k times the input, the target and the loss's own length gives k or k^2 times the loss."""
    degree = 1 if isinstance(loss, nn.L1Loss) else 2
    other = variant(loss, **{name: 3 * getattr(loss, name) for name in ("beta", "delta") if hasattr(loss, name)})
    (value, grad), (scaled, grad_scaled) = both(loss, x, target), both(other, 3 * x, 3 * target)
    same(scaled, 3**degree * value)
    same(grad_scaled, 3 ** (degree - 1) * grad)


@law(nn.MSELoss, nn.L1Loss)
def back_along_the_difference_the_loss_is_gone(loss: ElementwiseLoss, x: np.ndarray, target: np.ndarray) -> None:
    """<grad, x - t> = k times the loss: Euler's theorem for a function with f(c d) = c^k f(d)."""
    if loss.reduction == "none" or getattr(loss, "beta", 0):
        return
    value, grad = both(loss, x, target)
    same((grad * (x - target)).sum(), (2 if isinstance(loss, nn.MSELoss) else 1) * value)


@law(nn.SmoothL1Loss, nn.HuberLoss)
def far_away_it_is_a_straight_line(loss: ElementwiseLoss, x: np.ndarray, target: np.ndarray) -> None:
    """Beyond its length the loss grows at its constant slope, 1 or delta; it does not jump where the parts meet."""
    total = variant(loss, reduction="sum")
    length, slope = (loss.beta or 1.0, 1.0) if isinstance(loss, nn.SmoothL1Loss) else (loss.delta, loss.delta)
    d = length * np.array([1.0, 1 + 1e-9, 5.0, 9.0])
    values = [float(total(d[i : i + 1], np.zeros(1))) for i in range(4)]
    same(values[1], values[0], tolerance=1e-7)
    same(values[3] - values[2], slope * 4 * length)
    total(d, np.zeros(4))
    same(total.backward(1.0), np.full(4, slope))


@law(nn.CrossEntropyLoss)
def raising_all_logits_alike_costs_nothing(loss: nn.CrossEntropyLoss, x: np.ndarray, target: np.ndarray) -> None:
    """The softmax inside ignores it, even if it is 1e4; so the gradient over the classes sums to zero."""
    value, grad = both(loss, x, target)
    assert np.isfinite(value).all()
    for c in (2.0, 1e4, -1e4):
        same(both(loss, x + c, target)[0], value)
    same(grad.sum(axis=1), np.zeros_like(grad.sum(axis=1)))


@law(ClassLoss)
def an_ignored_row_might_as_well_not_be_there(loss: ClassLoss, x: np.ndarray, target: np.ndarray) -> None:
    """The loss is that of the other rows alone, and the row has no gradient."""
    if target.dtype.kind == "f" or loss.reduction == "none" or len(target) < 2:
        return
    marked = target.copy()
    marked[0] = loss.ignore_index
    value, grad = both(loss, x, marked)
    alone, grad_alone = both(loss, x[1:], target[1:])
    same(value, alone)
    same(grad[0], np.zeros_like(grad[0]))
    same(grad[1:], grad_alone)


@law(ClassLoss)
def equal_weights_change_no_mean(loss: ClassLoss, x: np.ndarray, target: np.ndarray) -> None:
    """Only the ratios of the weights matter: the mean divides by their sum, so a common factor cancels."""
    if target.dtype.kind == "f" or loss.reduction != "mean":
        return
    (value, grad), (weighed, grad_weighed) = (
        both(variant(loss, weight=np.full(x.shape[1], weight)), x, target) for weight in (1.0, 3.0)
    )
    same(weighed, value)
    same(grad_weighed, grad)


@law(nn.CrossEntropyLoss)
def who_is_certain_and_right_pays_nothing(loss: nn.CrossEntropyLoss, x: np.ndarray, target: np.ndarray) -> None:
    """A logit of 1e4 at the right class is a probability of one, whose logarithm is zero."""
    if target.dtype.kind == "f" or loss.label_smoothing > 0:
        return
    classes = np.arange(x.shape[1]).reshape(-1, *[1] * (x.ndim - 2))
    value, grad = both(loss, np.where(classes == target[:, None], 1e4, 0.0), target)
    same(value, np.zeros_like(value))
    same(grad, np.zeros_like(grad))


@law(nn.CrossEntropyLoss)
def smoothing_goes_straight_to_knowing_nothing(loss: nn.CrossEntropyLoss, x: np.ndarray, target: np.ndarray) -> None:
    """The loss is linear in label_smoothing, and at 1 all targets are the same."""
    if target.dtype.kind == "f" or loss.reduction == "none":
        return
    plain = variant(loss, weight=None, ignore_index=-100)
    none, half, full = (both(variant(plain, label_smoothing=e), x, target)[0] for e in (0.0, 0.5, 1.0))
    same(half, (none + full) / 2)
    same(both(variant(plain, label_smoothing=1.0), x, (target + 1) % x.shape[1])[0], full)


@law(*BINARY)
def yes_and_no_are_two_names(loss: nn.Module, x: np.ndarray, target: np.ndarray) -> None:
    """With the classes' names exchanged the loss is the same, and the gradient's sign flips."""
    plain = variant(loss, pos_weight=None)
    x = x if isinstance(loss, nn.BCELoss) else np.where(np.arange(x.size).reshape(x.shape) == 0, 1e4, x)
    mirrored = 1 - x if isinstance(loss, nn.BCELoss) else -x
    (value, grad), (other, grad_other) = both(plain, x, target), both(plain, mirrored, 1 - target)
    same(other, value)
    same(grad_other, -grad)
    assert np.isfinite(value).all()


@law(nn.BCEWithLogitsLoss)
def pos_weight_is_for_the_positive(loss: nn.BCEWithLogitsLoss, x: np.ndarray, target: np.ndarray) -> None:
    """Where the target is 0, pos_weight changes nothing; where it is 1, it is a factor."""
    weight = np.full(x.shape[-1], 3.0)
    for value, factor in ((0.0, 1.0), (1.0, 3.0)):
        one, other = (both(variant(loss, pos_weight=w), x, np.full_like(x, value)) for w in (None, weight))
        same(other[0], factor * one[0])
        same(other[1], factor * one[1])

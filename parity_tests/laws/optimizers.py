"""Laws of optimizers: what a step does where its length is known beforehand."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from parity_tests.laws.law import law, same
from scratch import optim
from scratch.nn import Parameter

START = np.array([1.5, -0.7, 0.4, -2.0, 0.9, 3.0])
GRADIENT = np.array([0.3, -1.2, 0.05, 2.0, -0.6, 1e-3])


def steps(make: Callable[[list[Parameter]], optim.Optimizer], grads: list[np.ndarray | None]) -> list[np.ndarray]:
    """Return the parameter before and after each step with these gradients."""
    parameter = Parameter(START.copy())
    optimizer = make([parameter])
    path = [START.copy()]
    for grad in grads:
        parameter.grad = None if grad is None else grad.copy()
        optimizer.step()
        path.append(parameter.data.copy())
    return path


def maker(cls: type[optim.Optimizer], options: dict, **changed: object) -> Callable:
    """Return a function of parameters that makes the optimizer, with some options changed."""
    return lambda params: cls(params, **{**options, **changed})


@law(optim.Optimizer)
def without_a_gradient_nothing_moves(cls: type, options: dict) -> None:
    """None is not zero: the parameter took no part, so that neither momentum nor decay touch it."""
    before, after = steps(maker(cls, options), [GRADIENT, None])[1:]
    same(after, before)


@law(optim.Optimizer)
def a_gradient_of_zero_moves_by_decay_only(cls: type, options: dict) -> None:
    """Plain SGD and AdamW shrink every number by the factor 1 - lr lambda; without decay nothing moves at all."""
    lr, decay = options["lr"], options.get("weight_decay", 0.0)
    zero = [np.zeros(6)]
    same(steps(maker(cls, options, weight_decay=0.0), zero)[1], START)
    if not issubclass(cls, optim.Adam) or issubclass(cls, optim.AdamW):
        same(steps(maker(cls, options, **{"nesterov": False} if issubclass(cls, optim.SGD) else {}), zero)[1],
             START * (1 - lr * decay))  # fmt: skip


@law(optim.Optimizer)
def going_up_is_going_down_on_the_negative(cls: type, options: dict) -> None:
    """``maximize`` with g is the same path as without it with -g, decay or not: decay always shrinks."""
    path = [GRADIENT * factor for factor in (1.0, -0.4, 2.0)]
    up = steps(maker(cls, options, maximize=True), path)
    down = steps(maker(cls, options, maximize=False), [-grad for grad in path])
    for one, other in zip(up, down, strict=True):
        same(one, other)


@law(optim.Optimizer)
def the_next_step_is_proportional_to_lr(cls: type, options: dict) -> None:
    """lr is applied last: doubled after two steps, it doubles the third, whatever has been averaged before."""
    ends = []
    for factor in (1.0, 2.0):
        parameter = Parameter(START.copy())
        optimizer = maker(cls, options, weight_decay=0.0)([parameter])
        for number in range(3):
            if number == 2:
                optimizer.param_groups[0]["lr"] *= factor
            before = parameter.data.copy()
            parameter.grad = GRADIENT * (1 - 0.3 * number)
            optimizer.step()
        ends.append(parameter.data - before)
    same(ends[1], 2 * ends[0])


@law(optim.Optimizer)
def numbers_do_not_know_of_one_another(cls: type, options: dict) -> None:
    """Cut into two parameters, the numbers take the same steps: the update is element by element."""
    whole = steps(maker(cls, options), [GRADIENT, 2 * GRADIENT])[-1]
    parts = [Parameter(START[:2].copy()), Parameter(START[2:].copy())]
    optimizer = maker(cls, options)(parts)
    for factor in (1, 2):
        parts[0].grad, parts[1].grad = factor * GRADIENT[:2], factor * GRADIENT[2:]
        optimizer.step()
        same(parts[1].grad, factor * GRADIENT[2:])
    same(np.concatenate([part.data for part in parts]), whole)


@law(optim.SGD)
def momentum_begins_with_the_gradient_itself(cls: type, options: dict) -> None:
    """There is nothing to average at first: the first step is plain SGD's, undampened."""
    first = steps(maker(cls, options, nesterov=False, weight_decay=0.0, maximize=False), [GRADIENT])[1]
    same(first, START - options["lr"] * GRADIENT)


@law(optim.SGD)
def a_steady_gradient_adds_up(cls: type, options: dict) -> None:
    """With momentum mu the steps of a gradient that stays grow to lr g (1 - tau) / (1 - mu), Nesterov's too."""
    path = steps(maker(cls, options, weight_decay=0.0, maximize=False), [GRADIENT] * 400)
    share = (1 - options.get("dampening", 0.0)) / (1 - options.get("momentum", 0.0)) if options.get("momentum") else 1
    same(path[-2] - path[-1], options["lr"] * GRADIENT * share)


@law(optim.Adam)
def a_steady_gradient_takes_steps_of_lr(cls: type, options: dict) -> None:
    """Bias-corrected means of a constant are that constant, from the first step: each step is lr g / (|g| + eps)."""
    path = steps(maker(cls, options, weight_decay=0.0, maximize=False), [GRADIENT] * 5)
    for before, after in pairwise(path):
        same(before - after, options["lr"] * GRADIENT / (np.abs(GRADIENT) + options.get("eps", 1e-8)))


@law(optim.Adam)
def l2_does_not_lengthen_adams_first_step(cls: type, options: dict) -> None:
    """The gradient of the penalty joins the loss's before it is normalized: the first step is lr, decay or not."""
    if issubclass(cls, optim.AdamW) or options.get("decoupled_weight_decay"):
        return
    lr = options["lr"]
    first = steps(maker(cls, options, weight_decay=0.1, maximize=False, eps=1e-30), [GRADIENT])[1]
    same(START - first, lr * np.sign(GRADIENT + 0.1 * START))


@law(optim.Optimizer)
def zeroed_gradients_are_gone(cls: type, options: dict) -> None:
    """Gradients add until somebody sets them to None; that is what zero_grad is for."""
    parameter = Parameter(START.copy())
    parameter.grad = GRADIENT.copy()
    maker(cls, options)([parameter]).zero_grad()
    assert parameter.grad is None


@law(optim.Optimizer)
def a_step_writes_into_the_array_that_is_there(cls: type, options: dict) -> None:
    """An array that two parameters share takes both steps, one after the other, and is the same object afterwards."""
    shared = START.copy()
    tied = [Parameter(shared), Parameter(shared)]
    optimizer = maker(cls, options)(tied)
    tied[0].grad, tied[1].grad = GRADIENT, -3 * GRADIENT[::-1]
    optimizer.step()
    middle = Parameter(START.copy())
    for parameter, grad in ((middle, GRADIENT), (Parameter(middle.data), -3 * GRADIENT[::-1])):
        parameter.grad = grad
        maker(cls, options)([parameter]).step()
    assert tied[0].data is tied[1].data is shared
    same(shared, middle.data)

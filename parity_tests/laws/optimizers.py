"""Laws of optimizers: what a step does where its length is known in advance."""

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
    """None is not zero: the parameter took no part, so neither momentum nor decay touches it."""
    before, after = steps(maker(cls, options), [GRADIENT, None])[1:]
    same(after, before)


@law(optim.Optimizer)
def a_gradient_of_zero_moves_by_decay_only(cls: type, options: dict) -> None:
    """Plain SGD and decoupled decay shrink all numbers by 1 - lr lambda; without decay nothing moves at all."""
    lr, decay = options["lr"], options.get("weight_decay", 0.0)
    zero = [np.zeros(6)]
    same(steps(maker(cls, options, weight_decay=0.0), zero)[1], START)
    if issubclass(cls, (optim.SGD, optim.AdamW)) or options.get("decoupled_weight_decay"):
        same(steps(maker(cls, options, **{"nesterov": False} if issubclass(cls, optim.SGD) else {}), zero)[1],
             START * (1 - lr * decay))  # fmt: skip


@law(optim.Optimizer)
def going_up_is_going_down_on_the_negative(cls: type, options: dict) -> None:
    """``maximize`` with g takes the same path as minimizing with -g, with or without decay: decay always shrinks."""
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
    """With momentum mu the steps of a constant gradient grow to lr g (1 - tau) / (1 - mu), Nesterov's too."""
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


@law(optim.NAdam)
def without_momentum_there_is_nothing_to_look_ahead_along(cls: type, options: dict) -> None:
    """Where beta1 is 0, NAdam takes Adam's steps."""
    shared = {"lr": options["lr"], "betas": (0.0, options.get("betas", (0, 0.999))[1]), "eps": options.get("eps", 1e-8)}
    grads = [GRADIENT * factor for factor in (1.0, -0.3, 2.0, 0.7)]
    path = steps(maker(cls, options, **shared, weight_decay=0.0, maximize=False), grads)
    for one, other in zip(path, steps(maker(optim.Adam, shared), grads), strict=True):
        same(one, other)


@law(optim.NAdam)
def the_momentum_of_a_steady_gradient_is_a_step_ahead(cls: type, options: dict) -> None:
    """In the end a step is lr (1 - mu_t + mu_(t + 1)) long: the next step's momentum, and the rest of this one's."""
    t, beta, psi = 400, options.get("betas", (0.9,))[0], options.get("momentum_decay", 4e-3)
    path = steps(maker(cls, options, weight_decay=0.0, maximize=False), [GRADIENT] * t)
    mu, mu_ahead = (beta * (1 - 0.96 ** (one * psi) / 2) for one in (t, t + 1))
    length = options["lr"] * (1 - mu + mu_ahead)
    same((path[-2] - path[-1]) / length, GRADIENT / (np.abs(GRADIENT) + options.get("eps", 1e-8)))


@law(optim.RAdam)
def a_step_varies_as_much_as_any_other(cls: type, options: dict) -> None:
    """A mean of n squares varies by n / ((n - 2)(n - 4)); lr makes up for it, and is divided by nothing up to n = 5.

    The mean age of the gradients in v, by which they are counted here, is that of n with equal weights: (n + 1) / 2.
    """
    beta, eps, count = options.get("betas", (0, 0.999))[1], options.get("eps", 1e-8), 30
    path = steps(maker(cls, options, weight_decay=0.0, maximize=False), [GRADIENT] * count)
    moves = -np.diff(path, axis=0) / options["lr"]

    def variance(t: int) -> float:
        weights = beta ** np.arange(t)
        n = 2 * np.average(np.arange(1, t + 1), weights=weights) - 1
        return n / ((n - 2) * (n - 4)) if n > 5 else np.inf

    for t, move in enumerate(moves, 1):
        here, in_the_end = variance(t), variance(100_000)
        share = np.sqrt(in_the_end / here) if np.isfinite(here) else None
        # v is (1 - beta^t) g^2, and eps is added to its root before the correction.
        divisor = np.abs(GRADIENT) + eps / np.sqrt(1 - beta**t)
        same(move, GRADIENT if share is None else share * GRADIENT / divisor)


@law(optim.RMSprop)
def a_steady_gradient_settles_at_steps_of_lr(cls: type, options: dict) -> None:
    """The mean square of a constant becomes its square: each step is lr g / (|g| + eps), more with momentum.

    Earlier steps are longer, as nothing corrects for the mean's start at 0: the first, by 1 / sqrt(1 - alpha).
    """
    changed = {"weight_decay": 0.0, "maximize": False, "alpha": 0.5, "centered": False}
    path = steps(maker(cls, options, **changed), [GRADIENT] * 300)
    eps, lr = options.get("eps", 1e-8), options["lr"]
    same(path[0] - path[1], lr * GRADIENT / (np.abs(GRADIENT) * np.sqrt(0.5) + eps))
    step = lr * GRADIENT / (np.abs(GRADIENT) + eps)
    same(path[-2] - path[-1], step / (1 - options.get("momentum", 0.0)))


@law(optim.RMSprop)
def a_gradient_and_its_negative_by_turns_have_no_mean(cls: type, options: dict) -> None:
    """Where the mean of the gradients is 0 their variance is their mean square: centered or not, the steps agree.

    The mean is never quite 0, but |g| (1 - alpha) / (1 + alpha).
    """
    alpha = options.get("alpha", 0.99)
    changed = {"weight_decay": 0.0, "maximize": False, "momentum": 0.0, "alpha": alpha, "eps": 0.0}
    path = [GRADIENT * (-1) ** number for number in range(int(30 / -np.log10(alpha)) + 2)]
    ends = [steps(maker(cls, options, **changed, centered=centered), path)[-2:] for centered in (False, True)]
    ratio = np.sqrt(1 - ((1 - alpha) / (1 + alpha)) ** 2)
    same((ends[0][1] - ends[0][0]) / options["lr"], ratio * (ends[1][1] - ends[1][0]) / options["lr"])


@law(optim.Adagrad)
def the_steps_of_a_steady_gradient_fall_as_one_over_the_root_of_their_number(cls: type, options: dict) -> None:
    """Nothing is forgotten: after t steps the sum is its start plus t g^2; lr is divided by 1 + (t - 1) lr_decay."""
    path = steps(maker(cls, options, weight_decay=0.0, maximize=False), [GRADIENT] * 30)
    t = np.arange(1, 31)[:, None]
    total = options.get("initial_accumulator_value", 0.0) + t * GRADIENT**2
    lr = options["lr"] / (1 + (t - 1) * options.get("lr_decay", 0.0))
    same(-np.diff(path, axis=0), lr * GRADIENT / (np.sqrt(total) + options.get("eps", 1e-10)))


@law(optim.Adadelta)
def each_step_is_measured_by_the_one_before(cls: type, options: dict) -> None:
    """Without memory, rho = 0, step^2 (g^2 + eps) = (last step^2 + eps) g^2, whatever the gradients are."""
    eps = options.get("eps", 1e-6)
    grads = [GRADIENT * factor for factor in (1.0, -0.3, 2.0, 0.7)]
    path = steps(maker(cls, options, rho=0.0, weight_decay=0.0, maximize=False), grads)
    moves = np.diff([START, *path], axis=0) / options["lr"]
    for last, move, grad in zip(moves, moves[1:], grads, strict=False):
        same(move**2 * (grad**2 + eps) / eps, (last**2 + eps) * grad**2 / eps)
        same(np.sign(move), -np.sign(grad))


@law(optim.Adadelta)
def the_unit_of_the_gradient_cancels(cls: type, options: dict) -> None:
    """A loss measured in other units has other gradients and the same steps, once eps is small beside v and u."""
    grads = [GRADIENT * factor for factor in (1.0, -0.3, 2.0)]
    one, other = (
        steps(maker(cls, options, weight_decay=0.0, eps=1e-30), [c * grad for grad in grads]) for c in (1.0, 1e3)
    )
    moves = [np.diff(path, axis=0) / np.abs(path[1] - path[0]).max() for path in (one, other)]
    same(*moves, tolerance=1e-6)


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

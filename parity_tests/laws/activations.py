"""Laws of the activations beyond the classic ones."""

import numpy as np

from parity_tests.laws.law import backward, forward, law, random_grads, same
from scratch import nn
from scratch.nn.selu import ALPHA, SCALE


def _curve(layer: nn.Module, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # x away from 0 with its ends, f and f' there.
    x = np.append(x[x != 0], [1e4, -1e4])
    (y,) = forward(layer, x)
    return x, y, layer.backward(np.ones_like(x))


@law(nn.PReLU)
def left_of_zero_all_is_proportional_to_the_slope(layer: nn.PReLU, x: np.ndarray) -> None:
    """<grad_weight, weight> = <g, y> over the numbers left of 0, and <grad_x, x> = <g, y>: Euler's theorem, twice."""
    (y,) = forward(layer, x)
    (g,) = random_grads((y,))
    grad_x, grad_weight = backward(layer, g)
    same((grad_weight * layer.weight.data).sum(), (g * y)[x < 0].sum())
    same(grad_x * x, g * y)


@law(nn.Hardtanh)
def what_is_clipped_stays_as_it_is(layer: nn.Hardtanh, x: np.ndarray) -> None:
    """f(f(x)) = f(x); the slope is 1 where x was left alone and 0 where it was not."""
    x, y, slope = _curve(layer, x)
    same(forward(layer, y)[0], y)
    inside = (x > layer.min_val) & (x < layer.max_val)
    same(y[inside], x[inside])
    same(slope, inside.astype(float))
    assert ((y >= layer.min_val) & (y <= layer.max_val)).all()


@law(nn.Mish)
def mish_is_the_identity_far_right_and_nothing_far_left(layer: nn.Mish, x: np.ndarray) -> None:
    """The gate is tanh(log(1 + e^x)) = 1 - 2 / ((1 + e^x)^2 + 1), from 0 to 1; so the slope goes from 0 to 1."""
    x, y, slope = _curve(layer, x)
    same(y[-2:], np.array([1e4, 0.0]))
    same(slope[-2:], np.array([1.0, 0.0]))
    near = np.abs(x) < 20
    same(y[near], x[near] * (1 - 2 / ((1 + np.exp(x[near])) ** 2 + 1)))
    assert (np.abs(y) <= np.abs(x)).all()


@law(nn.SELU, nn.CELU)
def an_exponentials_slope_is_its_height_above_its_floor(layer: nn.Module, x: np.ndarray) -> None:
    """The left half is floor (exp(x / width) - 1): its slope is its height above -floor, over the width."""
    floor, width, right = (SCALE * ALPHA, 1.0, SCALE) if isinstance(layer, nn.SELU) else (layer.alpha, layer.alpha, 1.0)
    x = x if width > 0 else np.clip(x, -5, 5)
    (y,) = forward(layer, x)
    slope = layer.backward(np.ones_like(x))
    same(slope, np.where(x > 0, right, (y + floor) / width))


@law(nn.Softsign)
def softsign_turned_round_is_itself(layer: nn.Softsign, x: np.ndarray) -> None:
    """f(-x) = -f(x), and the slope is (1 - |y|)^2, as 1 - |y| = 1 / (1 + |x|)."""
    x, y, slope = _curve(layer, x)
    same(forward(layer, -x)[0], -y)
    same(slope, (1 - np.abs(y)) ** 2)


@law(nn.Hardsigmoid)
def a_hard_sigmoid_turned_round_is_what_is_left_of_one(layer: nn.Hardsigmoid, x: np.ndarray) -> None:
    """f(-x) = 1 - f(x), as for the sigmoid; the slope is 1/6 where the output is between 0 and 1, and 0 elsewhere."""
    x, y, slope = _curve(layer, x)
    same(forward(layer, -x)[0], 1 - y)
    same(slope, np.where((y > 0) & (y < 1), 1 / 6, 0))


@law(nn.Hardswish)
def hard_swishs_halves_differ_by_the_input(layer: nn.Hardswish, x: np.ndarray) -> None:
    """f(x) - f(-x) = x, and f'(x) + f'(-x) = 1, as for SiLU; far out it is 0 or the input."""
    x, y, slope = _curve(layer, x)
    same(y - forward(layer, -x)[0], x)
    same(slope + layer.backward(np.ones_like(x)), np.ones_like(x))
    same(y[-2:], np.array([1e4, 0.0]))


@law(nn.Softmin)
def the_smallest_wins(layer: nn.Softmin, x: np.ndarray) -> None:
    """A larger score gives probability to the others: its own output's slope is not positive, theirs not negative.

    The largest output is that of the smallest score.
    """
    if x.shape[layer.dim] == 1:
        return
    (y,) = forward(layer, x / np.abs(x).max())
    first = np.zeros_like(y)
    np.moveaxis(first, layer.dim, 0)[0] = 1.0
    grad_x = np.moveaxis(layer.backward(first), layer.dim, 0)
    assert (grad_x[0] <= 0).all()
    assert (grad_x[1:] >= 0).all()
    assert grad_x.any()
    same(np.argmax(y, axis=layer.dim), np.argmin(x, axis=layer.dim))

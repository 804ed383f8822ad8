"""Laws of the losses of distributions, and of those with a margin."""

import numpy as np

from parity_tests.laws.law import forward, law, same, variant
from scratch import nn

TWO_INPUTS = (nn.KLDivLoss, nn.PoissonNLLLoss, nn.HingeEmbeddingLoss, nn.SoftMarginLoss, nn.MultiMarginLoss)
MORE_INPUTS = (nn.GaussianNLLLoss, nn.MarginRankingLoss, nn.TripletMarginLoss, nn.CosineEmbeddingLoss)


def summed(loss: nn.Module, *inputs: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the sum of the losses and its gradients."""
    loss = variant(loss, reduction="sum")
    (value,) = forward(loss, *inputs)
    grads = loss.backward()
    return value, list(grads) if isinstance(grads, tuple) else [grads]


@law(*TWO_INPUTS, *MORE_INPUTS)
def the_reductions_are_one_loss(loss: nn.Module, *inputs: np.ndarray) -> None:
    """The single losses add up to the sum; the mean and its gradients are the sum's, divided by their number."""
    (each,) = forward(variant(loss, reduction="none"), *inputs)
    total, grads = summed(loss, *inputs)
    same(each.sum(), total)
    averaged = variant(loss, reduction="mean")
    (mean,) = forward(averaged, *inputs)
    same(mean * each.size, total)
    found = averaged.backward()
    for grad, grad_of_sum in zip(found if isinstance(found, tuple) else [found], grads, strict=True):
        same(grad * each.size, grad_of_sum)


@law(*TWO_INPUTS, *MORE_INPUTS)
def against_the_gradient_the_loss_falls(loss: nn.Module, x: np.ndarray, *others: np.ndarray) -> None:
    """A small step of the first input against its gradient lowers the loss, unless there is no gradient."""
    value, (grad, *_) = summed(loss, x, *others)
    if grad.any():
        assert summed(loss, x - 1e-6 * grad / np.abs(grad).max(), *others)[0] < value


@law(nn.KLDivLoss)
def nothing_is_nearer_to_a_distribution_than_itself(loss: nn.KLDivLoss, x: np.ndarray, target: np.ndarray) -> None:
    """KL(p, p) = 0, and KL(p, q) >= 0 for every other q (Gibbs' inequality); a p of 0 costs nothing."""
    p = np.append(np.exp(x) / np.exp(x).sum() / 2, [0.5, 0.0])
    q = np.append(p[1:-1], [p[0], p[-1] + 1e-9])
    goal = np.log(p) if loss.log_target else p
    goal, q, p = (goal[:-1], q[:-1], p[:-1]) if loss.log_target else (goal, q, np.where(p == 0, 1.0, p))
    same(summed(loss, np.log(p), goal)[0], 0.0)
    assert summed(loss, np.log(q), goal)[0] >= -1e-12


@law(nn.GaussianNLLLoss)
def the_best_variance_is_the_squared_error(
    loss: nn.GaussianNLLLoss, x: np.ndarray, target: np.ndarray, var: np.ndarray
) -> None:
    """At var = (x - t)^2 the variance has no gradient; a smaller one wants to grow, a larger one to shrink."""
    error = np.maximum((x - target) ** 2, 2 * loss.eps)
    target = x + np.sqrt(error)
    _, grads = summed(loss, x, target, error)
    same(grads[2] * error, np.zeros_like(error))
    same(grads[0] + grads[1], np.zeros_like(x))
    assert (summed(loss, x, target, 0.9 * error)[1][2] < 0).all()
    assert (summed(loss, x, target, 1.1 * error)[1][2] > 0).all()


@law(nn.PoissonNLLLoss)
def the_best_rate_is_the_count(loss: nn.PoissonNLLLoss, x: np.ndarray, target: np.ndarray) -> None:
    """Where the rate is the count, there is no gradient."""
    counts = target + 1
    rate = np.log(counts) if loss.log_input else counts - loss.eps
    same(summed(loss, rate, counts)[1][0], np.zeros_like(x))


@law(nn.HingeEmbeddingLoss)
def near_pairs_pay_all_the_way_and_far_ones_up_to_the_margin(
    loss: nn.HingeEmbeddingLoss, x: np.ndarray, target: np.ndarray
) -> None:
    """The slope is 1 for pairs that belong together, -1 for others within the margin, and 0 beyond it."""
    far = loss.margin + np.abs(x) + 0.5
    same(summed(loss, far, np.ones_like(x))[1][0], np.ones_like(x))
    same(summed(loss, far, -np.ones_like(x))[1][0], np.zeros_like(x))
    same(summed(loss, 2 * loss.margin - far, -np.ones_like(x))[1][0], -np.ones_like(x))


@law(nn.SoftMarginLoss)
def right_and_wrong_differ_by_the_score(loss: nn.SoftMarginLoss, x: np.ndarray, target: np.ndarray) -> None:
    """log(1 + e^z) - log(1 + e^-z) = z; so the slopes for the two targets differ by 1."""
    x = np.append(x, [1e4, -1e4])
    target = np.append(target, [1.0, 1.0])
    none = variant(loss, reduction="none")
    same(forward(none, x, target)[0] - forward(none, x, -target)[0], -target * x)
    same(summed(loss, x, -target)[1][0] - summed(loss, x, target)[1][0], target)


@law(nn.MarginRankingLoss)
def what_one_score_gains_the_other_loses(
    loss: nn.MarginRankingLoss, x1: np.ndarray, x2: np.ndarray, target: np.ndarray
) -> None:
    """Only the difference counts: the gradients are opposite, and swapping scores and target's sign changes nothing.

    Raising both scores changes nothing.
    """
    value, grads = summed(loss, x1, x2, target)
    same(grads[0] + grads[1], np.zeros_like(x1))
    same(summed(loss, x2, x1, -target)[0], value)
    same(summed(loss, x1 + 3, x2 + 3, target)[0], value)


@law(nn.MultiMarginLoss)
def raising_all_scores_alike_is_nothing_to_a_margin(
    loss: nn.MultiMarginLoss, x: np.ndarray, target: np.ndarray
) -> None:
    """Only differences of scores count: a row of the gradient sums to zero. A row that is right by far pays nothing."""
    value, (grad,) = summed(loss, x, target)
    same(summed(loss, x + 3, target)[0], value)
    same(grad.sum(axis=-1), np.zeros(grad.shape[:-1]))
    right = np.where(np.arange(x.shape[1]) == target[:, None], x.max() + loss.margin + 1, x)
    same(summed(loss, right, target)[0], 0.0)
    if loss.p == 2:
        same(summed(variant(loss, margin=2 * loss.margin), 2 * x, target)[1][0], 2 * grad)


@law(nn.TripletMarginLoss)
def moving_all_three_changes_nothing(loss: nn.TripletMarginLoss, a: np.ndarray, p: np.ndarray, n: np.ndarray) -> None:
    """Only differences count, so the three gradients sum to zero; if p and n are equal, the loss is the margin."""
    loss = variant(loss, eps=0.0)
    value, grads = summed(loss, a, p, n)
    same(summed(loss, a + 3, p + 3, n + 3)[0], value)
    same(grads[0] + grads[1] + grads[2], np.zeros_like(a))
    without = variant(loss, swap=False, reduction="none")
    same(forward(without, a, p, p)[0], np.full(a.shape[:-1], loss.margin))


@law(nn.CosineEmbeddingLoss)
def a_cosine_does_not_see_lengths(
    loss: nn.CosineEmbeddingLoss, x1: np.ndarray, x2: np.ndarray, target: np.ndarray
) -> None:
    """Stretching a vector changes nothing, so each gradient is orthogonal to its vector; a vector is like itself."""
    value, grads = summed(loss, x1, x2, target)
    same(summed(loss, 3 * x1, 0.5 * x2, target)[0], value)
    for x, grad in zip((x1, x2), grads, strict=True):
        same((x * grad).sum(axis=-1), np.zeros(x.shape[:-1]))
    same(summed(loss, x1, 2 * x1, np.ones_like(target))[0], 0.0)

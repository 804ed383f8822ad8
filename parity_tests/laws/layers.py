"""Laws of single layers: what they preserve, and what they ignore."""

import math

import numpy as np

import scratch
from parity_tests.laws.law import backward, forward, gradients, law, random_grads, same, variant
from parity_tests.laws.passes import CENTRED_NORMS, REARRANGING
from scratch import nn
from scratch.actor_critic import ActorCriticLoss
from scratch.models import ActorCritic
from scratch.nn.batchnorm import _BatchNorm
from scratch.nn.channel_norm import ChannelNorm
from scratch.nn.convolution import Convolution
from scratch.nn.padding import _Pad
from scratch.policy_gradient import Entropy, PolicyGradientLoss

# Softmax.


@law(nn.Softmax, nn.Softmin)
def the_rows_are_probabilities(layer: nn.Softmax, x: np.ndarray) -> None:
    """No output is negative, and they sum to one along the layer's axis."""
    (y,) = forward(layer, x)
    assert (y >= 0).all()
    same(y.sum(axis=layer.dim), np.ones_like(y.sum(axis=layer.dim)))


@law(nn.LogSoftmax)
def the_rows_are_logarithms_of_probabilities(layer: nn.LogSoftmax, x: np.ndarray) -> None:
    """The exponentials of log-softmax's outputs sum to one along the layer's axis."""
    (y,) = forward(layer, x)
    same(np.exp(y).sum(axis=layer.dim), np.ones_like(y.sum(axis=layer.dim)))


@law(nn.Softmax, nn.LogSoftmax, nn.Softmin)
def raising_all_scores_alike_changes_nothing(layer: nn.Softmax, x: np.ndarray) -> None:
    """exp(x + c) / sum exp(x + c) = exp(x) / sum exp(x), so the gradient along a row sums to zero; also for c = 1e4."""
    (y,) = forward(layer, x)
    for c in (1.5, 1e4, -1e4):
        same(forward(layer, x + c)[0], y)
    grad_x = gradients(layer, x)[0]
    same(grad_x.sum(axis=layer.dim), np.zeros_like(y.sum(axis=layer.dim)))


@law(nn.Softmax, nn.LogSoftmax)
def a_score_raises_its_own_and_lowers_the_others(layer: nn.Softmax, x: np.ndarray) -> None:
    """A larger score takes probability from all others of its row, and one output's gradient has just those signs."""
    if x.shape[layer.dim] == 1:
        return
    (y,) = forward(layer, x / np.abs(x).max())  # where a probability is 1 but for rounding, no score changes anything
    first = np.zeros_like(y)
    np.moveaxis(first, layer.dim, 0)[0] = 1.0
    grad_x = np.moveaxis(layer.backward(first), layer.dim, 0)
    assert (grad_x[0] >= 0).all()
    assert (grad_x[1:] <= 0).all()
    assert grad_x.any()


# Normalization.


def rows(layer: nn.Module, x: np.ndarray) -> np.ndarray:
    """Return ``x`` with what is normalized together along axis 1."""
    if isinstance(layer, _BatchNorm):
        return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
        return x.reshape(-1, math.prod(layer.normalized_shape))
    if isinstance(layer, nn.InstanceNorm2d):
        return x.reshape(-1, math.prod(x.shape[-2:]))
    return x.reshape(len(x) * layer.num_groups, -1)


def without_eps(layer: nn.Module) -> nn.Module:
    """Return a copy of a normalization that adds (next to) nothing to the variance."""
    return variant(layer, eps=1e-30)


def constants_in(layer: nn.Module) -> bool:
    """Return whether a normalization divides by running statistics, which do not depend on its input."""
    return isinstance(layer, ChannelNorm) and not layer.normalizes_by_own_statistics()


@law(*CENTRED_NORMS)
def moving_and_stretching_changes_nothing(layer: nn.Module, x: np.ndarray) -> None:
    """f(3 x + 5) = f(x), apart from eps: so the input gradient sums to zero, and is orthogonal to the input."""
    if constants_in(layer):
        return
    layer = without_eps(layer)
    grad_x = gradients(layer, x)[0]
    zero = np.zeros(len(rows(layer, x)))
    same(rows(layer, grad_x).sum(axis=1), zero)
    same(rows(layer, grad_x * x).sum(axis=1), zero)
    same(forward(layer, 3 * x + 5)[0], forward(layer, x)[0])


@law(nn.RMSNorm)
def stretching_changes_nothing_and_moving_does(layer: nn.RMSNorm, x: np.ndarray) -> None:
    """f(3 x) = f(x), apart from eps: so the input gradient is orthogonal to the input. f(x + 5) is different."""
    layer = without_eps(layer)
    grad_x = gradients(layer, x)[0]
    same(rows(layer, grad_x * x).sum(axis=1), np.zeros(len(rows(layer, x))))
    same(forward(layer, 3 * x)[0], forward(layer, x)[0])
    if rows(layer, x).shape[1] > 1 and (layer.weight is None or layer.weight.data.all()):
        assert np.abs(forward(layer, x + 5)[0] - forward(layer, x)[0]).max(initial=1.0) > 1e-3


@law(nn.RMSNorm)
def what_is_normalized_has_a_mean_square_of_one(layer: nn.RMSNorm, x: np.ndarray) -> None:
    """With weight 1 the mean square of each row of outputs is 1; its mean may be anything."""
    layer = without_eps(layer)
    if layer.weight is not None:
        layer.weight.data[...] = 1
    y = rows(layer, forward(layer, x)[0])
    same((y**2).mean(axis=1), np.ones(len(y)))


@law(*CENTRED_NORMS)
def what_is_normalized_has_mean_zero_and_variance_one(layer: nn.Module, x: np.ndarray) -> None:
    """With weight 1 and bias 0 the outputs of each row have mean 0 and (biased) variance 1."""
    if constants_in(layer):
        return
    layer = without_eps(layer)
    for name, parameter in layer.named_parameters():
        parameter.data[...] = name == "weight"
    y = rows(layer, forward(layer, x)[0])
    same(y.mean(axis=1), np.zeros(len(y)))
    same(y.var(axis=1), np.ones(len(y)))


@law(nn.InstanceNorm2d)
def running_statistics_are_those_of_the_mean_image(layer: nn.InstanceNorm2d, x: np.ndarray) -> None:
    """In training they move by ``momentum`` towards the means over all images of the images' means and variances."""
    if not layer.track_running_stats or layer.momentum is None:
        return
    layer.train()
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    forward(layer, x)
    pixels = x.reshape(-1, layer.num_features, math.prod(x.shape[-2:]))
    same(layer.running_mean, mean + layer.momentum * (pixels.mean(axis=2).mean(axis=0) - mean))
    same(layer.running_var, var + layer.momentum * (pixels.var(axis=2, ddof=1).mean(axis=0) - var))


@law(nn.InstanceNorm2d)
def an_image_does_not_know_of_the_others(layer: nn.InstanceNorm2d, x: np.ndarray) -> None:
    """The other images of a batch change nothing in an image's output, in training or in evaluation."""
    if x.ndim == 3:
        return
    (y,) = forward(layer, x)
    other = np.concatenate([x[:1], 7.5 - 2 * x[1:]])
    if not constants_in(layer):
        same(forward(layer, other)[0][0], y[0])


@law(_BatchNorm)
def running_statistics_take_the_share_momentum_of_the_new(layer: nn.Module, x: np.ndarray) -> None:
    """In training they move by ``momentum`` towards the batch's mean and its unbiased variance."""
    if not layer.track_running_stats or layer.momentum is None:
        return
    layer.train()
    mean, var = layer.running_mean.copy(), layer.running_var.copy()
    forward(layer, x)
    batch = rows(layer, x)
    same(layer.running_mean, mean + layer.momentum * (batch.mean(axis=1) - mean))
    same(layer.running_var, var + layer.momentum * (batch.var(axis=1, ddof=1) - var))


@law(nn.GroupNorm, Convolution)
def groups_do_not_see_one_another(layer: nn.Module, x: np.ndarray) -> None:
    """The first group of output channels depends on the first group of input channels only."""
    groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else layer.groups
    (y,) = forward(layer, x)
    other = x.copy()
    other[:, x.shape[1] // groups :] = 7.5 - 2 * x[:, x.shape[1] // groups :]
    first = y.shape[1] // groups
    same(forward(layer, other)[0][:, :first], y[:, :first])


# Dropout.


@law(nn.Dropout2d)
def a_channel_is_dropped_as_a_whole(layer: nn.Dropout2d, x: np.ndarray) -> None:
    """All pixels of a channel have the same factor, 0 or 1 / (1 - p), in both passes; each channel has its own."""
    if not layer.training or layer.p in (0, 1):
        return
    (y,) = forward(layer, np.ones((4, 50, 3, 2)))
    factors = y.reshape(200, 6)
    same(factors, np.repeat(factors[:, :1], 6, axis=1))
    assert len(np.unique(factors[:, 0])) == 2
    (g,) = random_grads((y,))
    same(layer.backward(g), g * y)


@law(nn.Dropout)
def dropout_keeps_the_mean(layer: nn.Dropout, x: np.ndarray) -> None:
    """A share p is zeroed and the rest multiplied by 1 / (1 - p): over many numbers, the mean stays."""
    if not layer.training or layer.p == 1:
        return
    scratch.manual_seed(2)
    y = layer(np.ones((200, 200, 1, 1)))
    spread = 5 * math.sqrt(layer.p / (1 - layer.p) / y.size)
    assert abs(y.mean() - 1) <= spread
    assert abs((y == 0).mean() - layer.p) <= 5 * math.sqrt(layer.p * (1 - layer.p) / y.size)


@law(nn.Dropout)
def dropout_is_the_same_factor_both_ways(layer: nn.Dropout, x: np.ndarray) -> None:
    """y = x k and grad_x = grad_y k with one k for each element, so y grad_y = x grad_x."""
    (y,) = forward(layer, x)
    (g,) = random_grads((y,))
    same(x * backward(layer, g)[0], y * g)


@law(nn.Dropout)
def dropout_in_evaluation_is_the_identity(layer: nn.Dropout, x: np.ndarray) -> None:
    """In training the mean is already right, so evaluation changes nothing."""
    same(forward(layer.eval(), x)[0], x)


# Activations.


def _both_sides(layer: nn.Module, x: np.ndarray) -> tuple[np.ndarray, ...]:
    # x away from 0 with its ends, f and f' there, and f and f' at -x.
    x = np.append(x[x != 0], [1e4, -1e4])
    (y,), slope = forward(layer, x), layer.backward(np.ones_like(x))
    (y_mirrored,), slope_mirrored = forward(layer, -x), layer.backward(np.ones_like(x))
    return x, y, slope, y_mirrored, slope_mirrored


@law(nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Softplus, nn.LogSigmoid)
def a_gate_and_its_mirror_image_let_all_through(layer: nn.Module, x: np.ndarray) -> None:
    """f(x) - f(-x) = x, since what the gate at x holds back is what the gate at -x lets through; so f'(x) + f'(-x) = 1.

    For a leaky ReLU the factor is 1 + slope in both. A softplus with a low threshold jumps at it, and is left out.
    """
    if isinstance(layer, nn.Softplus) and layer.threshold < 20:
        return
    both = 1 + getattr(layer, "negative_slope", 0.0)
    x, y, slope, y_mirrored, slope_mirrored = _both_sides(layer, x)
    same(y - y_mirrored, both * x)
    same(slope + slope_mirrored, np.full_like(x, both))


@law(nn.Sigmoid, nn.Tanh)
def an_s_is_its_own_image_turned_round(layer: nn.Module, x: np.ndarray) -> None:
    """f(x) + f(-x) = 2 f(0) and f'(x) = f'(-x); and f has limits, so its slope goes to zero."""
    x, y, slope, y_mirrored, slope_mirrored = _both_sides(layer, x)
    middle = 0.5 if isinstance(layer, nn.Sigmoid) else 0.0
    same(y + y_mirrored, np.full_like(x, 2 * middle))
    same(slope, slope_mirrored)
    same(slope[-2:], np.zeros(2))


@law(nn.ELU)
def an_exponentials_slope_is_its_height(layer: nn.ELU, x: np.ndarray) -> None:
    """ELU's left half is alpha exp(x) - alpha: its slope is its height above -alpha. The right half has the slope 1."""
    x, y, slope, *_ = _both_sides(layer, x)
    same(slope, np.where(x > 0, 1.0, y + layer.alpha))


@law(nn.GLU)
def a_gate_is_shut_or_open(layer: nn.GLU, x: np.ndarray) -> None:
    """With gates of -1e4 nothing passes in either direction; with gates of 1e4 everything; with 0, half of it."""
    values, gates = np.split(x, 2, axis=layer.dim)
    for gate, share in ((-1e4, 0.0), (0.0, 0.5), (1e4, 1.0)):
        (y,) = forward(layer, np.concatenate([values, np.full_like(gates, gate)], axis=layer.dim))
        same(y, share * values)
        (g,) = random_grads((y,))
        grad_values, grad_gates = np.split(layer.backward(g), 2, axis=layer.dim)
        same(grad_values, share * g)
        same(grad_gates, share * (1 - share) * g * values)


# Rearranging, pooling, convolution.


@law(*REARRANGING)
def a_rearrangement_is_undone_by_its_backward(layer: nn.Module, x: np.ndarray) -> None:
    """A permutation is orthogonal: its transpose brings each number back to where it was."""
    (y,) = forward(layer, x)
    same(backward(layer, y)[0], x)


@law(nn.MaxPool1d, nn.MaxPool2d)
def max_pooling_pays_each_gradient_once(layer: nn.Module, x: np.ndarray) -> None:
    """A window's gradient goes to one pixel, with or without ties, so the sums over an image stay the same."""
    y = forward(layer, x)[0]
    (g,) = random_grads((y,))
    places = tuple(range(2, x.ndim))
    same(layer.backward(g).sum(axis=places), g.sum(axis=places))


@law(nn.MaxPool1d, nn.MaxPool2d)
def max_pooling_moves_with_its_image(layer: nn.Module, x: np.ndarray) -> None:
    """A maximum is one of the pixels: subtracting 100 from the whole image subtracts 100 from each maximum."""
    same(forward(layer, x - 100)[0], forward(layer, x)[0] - 100)


@law(nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Upsample)
def a_flat_image_stays_flat(layer: nn.Module, x: np.ndarray) -> None:
    """The mean of equal numbers is that number, unless zeros of the padding count, or the divisor is given."""
    padded = np.any(getattr(layer, "padding", 0)) and layer.count_include_pad
    if padded or getattr(layer, "divisor_override", None) is not None:
        return
    (y,) = forward(layer, np.full_like(x, 3.0))
    same(y, np.full_like(y, 3.0))


@law(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
def an_image_in_the_mirror_is_pooled_in_the_mirror(layer: nn.Module, x: np.ndarray) -> None:
    """The windows are the same counted from either end of the image, or of the sequence."""
    places = tuple(range(2, x.ndim))
    same(forward(layer, np.flip(x, places))[0], np.flip(forward(layer, x)[0], places))


@law(nn.Conv2d)
def a_shifted_image_gives_a_shifted_output(layer: nn.Conv2d, x: np.ndarray) -> None:
    """One kernel serves all positions: shifting an image amid zeros by the stride shifts the output by one."""
    reach = [d * k + s for d, k, s in zip(layer.dilation, layer.kernel_size, layer.stride, strict=True)]
    margin = [(2 * r, 2 * r) for r in reach]
    canvas = np.pad(x, ((0, 0), (0, 0), *margin))
    (y,) = forward(layer, canvas)
    (moved,) = forward(layer, np.roll(canvas, layer.stride, axis=(2, 3)))
    same(moved[:, :, 2:-2, 2:-2], np.roll(y, (1, 1), axis=(2, 3))[:, :, 2:-2, 2:-2])


@law(nn.Conv1d)
def a_shifted_sequence_gives_a_shifted_output(layer: nn.Conv1d, x: np.ndarray) -> None:
    """One kernel serves all positions: shifting a sequence amid zeros by the stride shifts the output by one."""
    reach = layer.dilation[0] * layer.kernel_size[0] + layer.stride[0]
    canvas = np.pad(x, ((0, 0), (0, 0), (2 * reach, 2 * reach)))
    (y,) = forward(layer, canvas)
    (moved,) = forward(layer, np.roll(canvas, layer.stride, axis=2))
    same(moved[:, :, 2:-2], np.roll(y, 1, axis=2)[:, :, 2:-2])


@law(nn.ConvTranspose1d, nn.ConvTranspose2d)
def a_transposed_convolution_is_a_convolution_sent_back(layer: nn.Module, x: np.ndarray) -> None:
    """Apart from the bias, its output is a convolution's input gradient, and its input gradient that one's output."""
    (y,) = forward(layer, x)
    (g,) = random_grads((y,))
    grad_x = backward(layer, g)[0]
    kind = nn.Conv2d if isinstance(layer, nn.ConvTranspose2d) else nn.Conv1d
    options = {name: getattr(layer, name) for name in ("kernel_size", "stride", "padding", "dilation", "groups")}
    conv = kind(layer.out_channels, layer.in_channels, **options, bias=False, dtype=x.dtype)
    conv.weight.data = layer.weight.data
    (sent,) = forward(conv, g)
    added = tuple(more // s for more, s in zip(layer.output_padding, layer.stride, strict=True))
    own = tuple(slice(length) for length in x.shape[2:])  # the rest are rows of nothing but output_padding
    same(sent[:, :, *own], grad_x)
    padded = np.pad(x, ((0, 0), (0, 0), *[(0, more) for more in added]))
    bias = 0 if layer.bias is None else layer.bias.data.reshape(-1, *[1] * (x.ndim - 2))
    same(backward(conv, padded)[0] + bias, y)


@law(_Pad)
def padding_leaves_the_image_as_it_is(layer: nn.Module, x: np.ndarray) -> None:
    """Apart from what is added or cut off, the output is the input."""
    (y,) = forward(layer, x)
    sides = [layer.padding[2 * axis : 2 * axis + 2] for axis in reversed(range(x.ndim - 2))]
    inside = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(y.shape[2:], sides, strict=True)]
    left = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[2:], sides, strict=True)]
    same(y[:, :, *inside], x[:, :, *left])


@law(nn.Upsample)
def an_upsampled_image_stays_within_its_range(layer: nn.Upsample, x: np.ndarray) -> None:
    """Copies and mixtures of pixels are no brighter than the brightest, and no darker than the darkest."""
    (y,) = forward(layer, x)
    assert y.max() <= x.max() + 1e-12
    assert y.min() >= x.min() - 1e-12


# Reinforcement learning.


@law(ActorCritic)
def two_heads_pay_one_backbone(layer: ActorCritic, x: np.ndarray) -> None:
    """<g, f(x + v) - f(x)> = <backward(g), v> over both outputs together, where the backbone is affine."""
    if not isinstance(layer.backbone, nn.Linear):
        return
    outputs = forward(layer, x)
    grads = random_grads(outputs)
    v = np.random.default_rng(3).normal(size=x.shape)
    moved = forward(layer, x + v)
    change = sum((g * (y1 - y)).sum() for g, y1, y in zip(grads, moved, outputs, strict=True))
    forward(layer, x)
    same((backward(layer, *grads)[0] * v).sum(), change)


@law(Entropy)
def entropy_is_greatest_where_all_is_equal(layer: Entropy, logits: np.ndarray) -> None:
    """At equal logits the gradient is zero; elsewhere its rows sum to zero, and stretching them lowers the entropy."""
    forward(layer, logits)
    grad = layer.backward(1.0)
    same(grad.sum(axis=1), np.zeros(len(logits)))
    assert (grad * logits).sum() <= 0
    (value,) = forward(layer, np.zeros_like(logits))
    same(value, np.log(logits.shape[1]))
    same(layer.backward(1.0), np.zeros_like(logits))


@law(PolicyGradientLoss)
def twice_the_advantage_is_twice_the_lesson(
    layer: PolicyGradientLoss, logits: np.ndarray, actions: np.ndarray, advantages: np.ndarray
) -> None:
    """Loss and gradient are proportional to the advantages, and the gradient of a row of logits sums to zero."""
    (loss,), grad = forward(layer, logits, actions, advantages), layer.backward(1.0)
    (other,), other_grad = forward(layer, logits, actions, -2 * advantages), layer.backward(1.0)
    same(other, -2 * loss)
    same(other_grad, -2 * grad)
    same(grad.sum(axis=1), np.zeros(len(logits)))


@law(ActorCriticLoss)
def the_critic_hears_of_the_returns_only(layer: ActorCriticLoss, logits, values, actions, advantages, returns) -> None:
    """The values get the regression's gradient alone: the advantages are constants, whatever they were made of."""
    forward(layer, logits, values, actions, advantages, returns)
    grad_values = layer.backward(1.0)[1]
    forward(layer, logits, values, actions[::-1], 3 * advantages, returns)
    same(layer.backward(1.0)[1], grad_values)


@law(ActorCriticLoss)
def without_advantages_the_policy_grows_more_even(
    layer: ActorCriticLoss,
    logits,
    values,
    actions,
    advantages,
    returns,
) -> None:
    """If no action is better than expected, a step against the gradient raises the entropy: it is a bonus."""
    forward(layer, logits, values, actions, 0 * advantages, returns)
    grad_logits = layer.backward(1.0)[0]
    entropy = Entropy()
    assert entropy(logits - 1e-3 * grad_logits / np.abs(grad_logits).max()) > entropy(logits)

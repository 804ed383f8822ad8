"""Batch and layer normalization: the statistics depend on the input, too."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _sum_over_the_batch() -> tuple[object, list[str]]:
    from scratch.nn.batchnorm import batch_norm, batch_norm_backward

    rng = np.random.default_rng(0)
    x, grad_y, weight, bias = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), rng.normal(size=3), np.zeros(3)
    _, saved, *_ = batch_norm(x, weight, bias, 1e-5)
    shifted = batch_norm(x + 100, weight, bias, 1e-5)[0] - batch_norm(x, weight, bias, 1e-5)[0]
    total = batch_norm_backward(grad_y, weight, saved)[0].sum(axis=0)
    lines = [f"y(x + 100) - y(x) is at most {np.abs(shifted).max():.0e}"]
    lines += [f"grad_x summed over the batch is at most {np.abs(total).max():.0e}"]
    return abs(round(float(total[0]), 9)), [*lines, "Shifting the whole batch changes no output, and so no loss."]


def _bias_in_front() -> tuple[object, list[str]]:
    from scratch import nn

    layers = nn.Linear(3, 4, dtype=np.float64), nn.BatchNorm1d(4, dtype=np.float64)
    rng, model = np.random.default_rng(0), nn.Sequential(*layers)
    y = model(rng.normal(size=(8, 3)))
    model.backward(rng.normal(size=y.shape))
    lines = [f"largest |gradient| of the weight: {np.abs(layers[0].weight.grad).max():.2f}"]
    lines += [f"largest |gradient| of the bias:   {np.abs(layers[0].bias.grad).max():.0e}, which is rounding"]
    answer = "d" if np.abs(layers[0].bias.grad).max() < 1e-12 else "a"
    return answer, [*lines, "Subtracting the mean removes the bias again: it can be left out in front of a batch norm."]


EXERCISES = (
    Write(
        "batch_norm_scale",
        "the last two statements",
        "BatchNorm1d",
        "The way back through batch norm, a few statements at a time. First F8 and F7: what does weight multiply, and "
        "how often is it used? The rest is given.",
        module="scratch.nn.batchnorm",
        function="batch_norm",
        blank="B8 B7a B7b",
    ),
    Write(
        "batch_norm_spread",
        "through the standard deviation",
        "BatchNorm1d",
        "std divides every row, and is the root of a mean of squares: from grad_normalized to grad_std, to grad_var, "
        "to grad_square.",
        module="scratch.nn.batchnorm",
        function="batch_norm",
        blank="B6 B5 B4",
    ),
    Write(
        "batch_norm_centre",
        "used twice, and twice",
        "BatchNorm1d",
        "centred is the numerator of F6, and is squared in F3. x is centred in F2, and is in the mean of F1.",
        module="scratch.nn.batchnorm",
        function="batch_norm",
        blank="B3 B2 B1",
    ),
    Write(
        "batch_norm",
        "all of batch norm",
        "BatchNorm1d",
        "Once more in one go, from grad_y to the three gradients. If you like, find the simplified form, which takes "
        "three statements.",
        module="scratch.nn.batchnorm",
        function="batch_norm",
    ),
    Explain(
        "batch_norm_sum",
        "what a shift changes",
        "BatchNorm1d",
        "Batch norm is in training mode. What is grad_x summed over the batch, for a channel, whatever grad_y is?",
        compute=_sum_over_the_batch,
        hints=("Add 100 to a channel in every row: what becomes of y?", "The sum is how y changes along that shift."),
    ),
    Find(
        "batch_norm_mistake",
        "less steady than it should be",
        "BatchNorm1d",
        "It trains, less steadily than it should.",
        module="scratch.nn.batchnorm",
        function="batch_norm",
        exhibit="VarianceTakenForAConstant",
        label="B3",
        wrong="grad_centred = grad_normalized / std",
    ),
    Find(
        "batch_norm_drift",
        "every example is pushed the same way",
        "BatchNorm1d",
        "The layer before this one drifts, slowly, and nothing comes of it.",
        module="scratch.nn.batchnorm",
        function="batch_norm",
        exhibit="MeanTakenForAConstant",
        label="B1",
        wrong="grad_x = grad_centred",
    ),
    Explain(
        "bias_in_front",
        "a bias in front of a batch norm",
        "BatchNorm1d",
        "A Linear is followed by a BatchNorm1d in training mode. What is the gradient of the Linear's bias?",
        choices=(
            "the sum of grad_y over the batch",
            "the mean of grad_y over the batch",
            "that of the batch norm's own bias",
            "0",
        ),
        compute=_bias_in_front,
        hints=("What does batch norm subtract first?",),
    ),
    Write(
        "layer_norm",
        "the same along a row",
        "LayerNorm",
        "The statistics are those of a row now, the weight is still one for each column. F3 takes out what rounding "
        "has left of the mean; its way back is the mean's. (F1's mean gets nothing: see what grad_shifted sums to.)",
        module="scratch.nn.layernorm",
        function="layer_norm",
    ),
    Find(
        "layer_norm_mistake",
        "right at the start",
        "LayerNorm",
        "At the start of the training, where the weight is 1, nothing is wrong.",
        module="scratch.nn.layernorm",
        function="layer_norm",
        exhibit="WeightForgotten",
        label="B9b",
        wrong="grad_normalized = grad_y",
    ),
)

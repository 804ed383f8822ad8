"""What a first network is made of: ReLU, Linear, a loss; and what is sent back through them."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _relu_by_hand() -> tuple[object, list[str]]:
    from scratch.nn.relu import relu, relu_backward

    x, grad_y = np.array([-2.0, 0.5, 3.0]), np.array([10.0, 20.0, -30.0])
    y, saved = relu(x)
    grad_x = relu_backward(grad_y, saved)
    lines = [f"x      = {x}", f"y      = {y}", f"grad_y = {grad_y}", f"grad_x = {grad_x}"]
    return float(grad_x[2]), [*lines, "At 3 the slope is 1, and the gradient passes as it is. It may be negative."]


def _linear_shapes() -> tuple[object, list[str]]:
    from scratch.nn.linear import linear, linear_backward

    x, weight, bias = np.ones((4, 3)), np.ones((5, 3)), np.ones(5)
    y, saved = linear(x, weight, bias)
    _, grad_weight, _ = linear_backward(np.ones_like(y), weight, saved)
    lines = [f"y           has the shape {y.shape}", f"grad_weight has the shape {grad_weight.shape}"]
    return grad_weight.shape, [*lines, "A gradient says for each number how the loss depends on it: one for each."]


EXERCISES = (
    Write(
        "relu",
        "one number at a time",
        "ReLU",
        "Backward is given grad_y, the gradient of the loss with respect to y (the upstream gradient), and returns "
        "grad_x, that with respect to x. An element of y depends on one element of x, so each element of grad_y is "
        "multiplied by one slope. The slope of max(0, x) is 1 where x is positive, and 0 elsewhere, at x = 0 too. "
        "Forward saved y for you (`saved`): where is x positive?",
        module="scratch.nn.relu",
        function="relu",
    ),
    Explain(
        "relu_by_hand",
        "a gradient by hand",
        "ReLU",
        "A ReLU is called on x = [-2, 0.5, 3]. Backward is given the upstream gradient grad_y = [10, 20, -30]. "
        "What is the last element of grad_x?",
        compute=_relu_by_hand,
        hints=("What is the slope of max(0, x) at x = 3?", "grad_x = grad_y times the slope; grad_y keeps its sign."),
    ),
    Explain(
        "linear_shapes",
        "the shape of a gradient",
        "Linear",
        "A linear layer maps x of shape (4, 3), a batch of 4 rows, to y = x @ weight.T + bias of shape (4, 5). "
        "What is the shape of the gradient of the loss with respect to weight? Answer with a tuple.",
        compute=_linear_shapes,
        hints=(
            "A gradient has a number for each number of what it is the gradient of.",
            "weight.T is (3, 5), as (4, 3) @ (3, 5) is (4, 5).",
        ),
    ),
    Write(
        "linear",
        "a matrix product and a broadcast",
        "Linear",
        "Three gradients: of x, of weight and of bias. Each number of bias is added to every row of z, so it reaches "
        "the loss along N paths, and their gradients add. For the two others, write one element of the product as a "
        "sum and ask which terms a number is in; or look at the shapes, which nearly force the answer.",
        module="scratch.nn.linear",
        function="linear",
    ),
    Find(
        "linear_mistake",
        "a layer that learns too slowly",
        "Linear",
        "The shapes are right, and a network with this layer learns, if slowly. One statement is wrong.",
        module="scratch.nn.linear",
        function="linear",
        exhibit="BiasAveraged",
        label="B2",
        wrong="grad_bias = grad_y.mean(axis=0)",
    ),
    Write(
        "mse",
        "a loss: where backward begins",
        "MSELoss",
        "A loss is one number, and grad_y is usually 1. `reduce` is a mean (or a sum, or nothing); its backward "
        "is given: grad_losses is the gradient of each squared difference. Two statements are left to you.",
        module="scratch.nn.loss",
        function="mse_loss",
        blank="B2 B1",
    ),
    Write(
        "softmax",
        "every output depends on every input",
        "Softmax",
        "Go back through the statements, last one first, one gradient each: grad_t and grad_e from grad_y, then "
        "grad_z, then grad_x. A quotient e / t has a gradient for either operand; t was broadcast along the row, and e "
        "is used twice. m changes no output (why?), so F1 needs no backward.",
        module="scratch.nn.softmax",
        function="softmax",
    ),
    Write(
        "cross_entropy",
        "the prediction minus the truth",
        "CrossEntropyLoss",
        "The first part is given: grad_picked has for each row the gradient of the one log-probability that was "
        "picked, grad_spread that of `spread`, the mean over all classes (label smoothing). Now send them back to "
        "where they came from (a gather becomes a scatter), then through log-softmax. Begin without label smoothing "
        "(e = 0), where grad_spread is 0 and logp is used for `picked` alone; `check` tries that first. The weights "
        "and the ignored rows are in grad_picked already.",
        module="scratch.nn.cross_entropy",
        function="cross_entropy",
        blank="B6 B2 B1",
    ),
)

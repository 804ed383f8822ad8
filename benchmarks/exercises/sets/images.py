"""Convolution and pooling: windows, and the way back out of them."""

import numpy as np

from benchmarks.exercises.exercise import Explain, Find, Write


def _size_of_a_convolution() -> tuple[object, list[str]]:
    from scratch import nn

    y = nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)(np.zeros((5, 3, 28, 11), np.float32))
    lines = ["(28 + 2 - 3) // 2 + 1 = 14 rows, (11 + 2 - 3) // 2 + 1 = 6 columns"]
    return y.shape, [f"y has the shape {y.shape}", *lines]


def _how_many_windows() -> tuple[object, list[str]]:
    from scratch import nn

    conv = nn.Conv2d(1, 1, 3, bias=False, dtype=np.float64)
    conv.weight.data[...] = 1
    y = conv(np.zeros((1, 1, 5, 5)))
    grad_x = conv.backward(np.ones_like(y))
    lines = ["A kernel of ones, an upstream gradient of ones: grad_x counts the windows that see a pixel.", ""]
    return float(grad_x.max()), [*lines, *str(grad_x[0, 0].astype(int)).splitlines()]


def _ties() -> tuple[object, list[str]]:
    from scratch import nn

    pool, x = nn.MaxPool2d(2), np.array([[[[7.0, 7.0], [7.0, 1.0]]]])
    pool(x)
    grad_x = pool.backward(np.array([[[[6.0]]]]))
    answer = "b" if grad_x[0, 0].tolist() == [[6, 0], [0, 0]] else "a"
    lines = [*str(x[0, 0]).splitlines(), "", *str(grad_x[0, 0]).splitlines()]
    return answer, [
        *lines,
        "The first in reading order gets all of it, as in PyTorch. Any way to share it would be a subgradient.",
    ]


CONV = {"module": "scratch.nn.conv", "function": "conv2d"}

EXERCISES = (
    Explain(
        "conv_size",
        "the shape of an output",
        "Conv2d",
        "Conv2d(3, 8, kernel_size=3, stride=2, padding=1) is called on images of shape (5, 3, 28, 11). What is the "
        "shape of the output? Answer with a tuple.",
        compute=_size_of_a_convolution,
        hints=("The padding adds a row above and one below.", "(H + 2 padding - kernel) // stride + 1"),
    ),
    Write(
        "im2col",
        "every patch in a row",
        "Conv2d",
        "Convolution as one matrix product: cut the windows out of the padded image, lay each in a row, each kernel in "
        "a row, multiply. sliding_window_view(x1, extent, axis=(2, 3)) has a window at every place where one fits, of "
        "all its `extent` rows and columns; stride and dilation pick some. `by_group` lays places in rows.",
        blank="F3 F4 F5 F6",
        **CONV,
    ),
    Write(
        "conv_products",
        "a matrix product, undone",
        "Conv2d",
        "With patches in rows a convolution is a Linear. grad_z has the output's gradient in rows, like z. Arrays have "
        "a first axis for the groups: @ multiplies the matrices of each.",
        blank="B7a B6a B6b",
        **CONV,
    ),
    Explain(
        "windows_of_a_pixel",
        "how often a pixel is used",
        "Conv2d",
        "A 3 x 3 kernel slides over a 5 x 5 image with stride 1 and no padding. In how many windows is the pixel in "
        "the middle? That many gradients come back to it, and add up.",
        compute=_how_many_windows,
        hints=("Where may a window begin that contains the pixel (2, 2)?",),
    ),
    Write(
        "col2im",
        "every window back into the image",
        "Conv2d",
        "grad_windows has a gradient for each place (p, q) and each pixel (i, j) of the kernel. It belongs to the "
        "pixel that F3 copied there; a pixel was copied into several windows. Make grad_x1, of shape x1_shape, with "
        "the dtype of grad_y. A loop over i, j will do.",
        blank="B3a B3b",
        **CONV,
    ),
    Write(
        "conv2d",
        "all of convolution's backward",
        "Conv2d",
        "The steps that you have written, put together: `pad_backward(grad_x1, saved_by_pad)` cuts the padding off, "
        "`by_group(a, groups)` lays (N, P, Q, ...) in rows for each group.",
        **CONV,
    ),
    Find(
        "conv_mistake",
        "from one corner of the kernel",
        "Conv2d",
        "The last convolution of a network learns. Those before it get gradients that are many times too small.",
        exhibit="LastWindowWins",
        label="B3b",
        wrong="""for i, j in np.ndindex(weight.shape[2:]):
    rows = slice(dilation[0] * i, dilation[0] * i + stride[0] * grad_y.shape[2], stride[0])
    columns = slice(dilation[1] * j, dilation[1] * j + stride[1] * grad_y.shape[3], stride[1])
    grad_x1[:, :, rows, columns] = grad_windows[..., i, j]""",
        **CONV,
    ),
    Find(
        "conv_bias_mistake",
        "biases that hardly move",
        "Conv2d",
        "Everything learns but the biases.",
        exhibit="BiasAveragedOverTheImage",
        label="B7a",
        wrong="grad_bias = grad_places.mean(axis=(1, 2)).sum(axis=0)",
        **CONV,
    ),
    Write(
        "avg_pool",
        "a mean, undone",
        "AvgPool2d",
        "Each pixel of a window has the share 1 / n in its mean. Windows may overlap: a pixel gets a sum. At the end, "
        "cut off the padding, and whatever ceil_mode adds beyond it.",
        module="scratch.nn.avg_pooling",
        function="avg_pool2d",
    ),
    Explain(
        "ties",
        "a tie for the maximum",
        "MaxPool2d",
        "MaxPool2d(2) sees the window [[7, 7], [7, 1]], and the upstream gradient is 6. What gradient does the window "
        "get in PyTorch (and here)?",
        choices=("[[2, 2], [2, 0]]", "[[6, 0], [0, 0]]", "[[6, 6], [6, 0]]", "[[0, 0], [6, 0]]"),
        compute=_ties,
        hints=("One of them wins.", "np.argmax returns the first of equal maxima."),
    ),
    Write(
        "max_pool",
        "to the winner alone",
        "MaxPool2d",
        "argmax has the number of the largest pixel of each window; 0 is padding, and an image's pixels count from 1. "
        "A pixel may win several windows: np.add.at(a, indices, values) adds for each index, a[indices] += values "
        "only for the last one.",
        module="scratch.nn.max_pooling",
        function="max_pool2d",
    ),
    Find(
        "max_pool_mistake",
        "the strongest features learn too slowly",
        "MaxPool2d",
        "With windows that do not overlap, nothing is wrong.",
        module="scratch.nn.max_pooling",
        function="max_pool2d",
        exhibit="OverlapOverwritten",
        label="B12b",
        wrong="""for image in np.ndindex(*x_shape[:2]):
    grad_pixels[image][argmax[image]] = grad_y[image]""",
    ),
)

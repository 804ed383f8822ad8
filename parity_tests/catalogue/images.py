"""The cases of the layers of images and sequences."""

from collections.abc import Callable

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.catalogue.layers import both
from parity_tests.harness import arrays
from scratch import nn


def unbatched(d: Draw) -> bool:
    """Return whether to leave out the batch axis: in one case in five, unless a batch size is asked for."""
    return d.fixed_batch is None and d.rng.random() < 0.2


def per_axis(d: Draw, axes: int, low: int, high: int) -> object:
    """Return an option for each axis, or one number for all."""
    return d.one_of(d.integer(low, high), d.integers(low, high, axes))


def convolution(d: Draw, axes: int) -> LayerCase:
    """Return a case of Conv1d or Conv2d: kernel, stride, padding in all its forms, dilation, groups, bias."""
    name = f"Conv{axes}d"

    def make() -> tuple:
        options = {
            "kernel_size": d.one_of(d.integer(1, 4), d.integers(1, 5, axes)),
            "stride": d.one_of(d.integer(1, 2), d.integers(1, 3, axes)),
            "padding": d.one_of(d.integer(0, 2), d.integers(0, 3, axes), "valid", "same"),
            "dilation": d.one_of(1, d.integers(1, 3, axes)),
            "padding_mode": d.one_of("zeros", "zeros", "reflect", "replicate", "circular"),
            "groups": d.one_of(1, 1, 2, 3),
            "bias": d.one_of(True, False),
        }
        if options["padding"] == "same":
            # PyTorch warns of its own copying where the two sides of the padding differ.
            options |= {"stride": 1, "kernel_size": d.one_of(1, 3, (3, 5)[:axes])}
        channels = d.integers(1, 4, 2)
        if axes == 2 and d.one_of(True, *[False] * 5):
            options |= {"kernel_size": 3, "stride": 1, "dilation": 1, "padding_mode": "zeros", "groups": 1}
            channels = d.integers(32, 40, 2)
        options["in_channels"], options["out_channels"] = (options["groups"] * n for n in channels)
        shape = (d.batch(0, 1, 3), options["in_channels"], *d.integers(1, 12, axes))
        return options, getattr(torch.nn, name)(**options), shape[unbatched(d) :]

    options, reference, shape = d.until_torch_takes(make)
    layer = arrays.random_state(getattr(nn, name)(**options, dtype=d.dtype), d.seed)
    return LayerCase(layer, reference, (d.array(shape),))


@entry("Conv2d", "layer")
def conv2d(d: Draw) -> LayerCase:
    """Odd and unequal sides; unbatched as well.

    One case in six has the 3 x 3 kernel and the many channels that are convolved without patches.
    """
    return convolution(d, 2)


@entry("Conv1d", "layer")
def conv1d(d: Draw) -> LayerCase:
    """Sequences of all lengths."""
    return convolution(d, 1)


def transposed_convolution(d: Draw, axes: int) -> LayerCase:
    """Return a case of ConvTranspose1d or ConvTranspose2d, with every option that fits."""
    channels, groups = d.integers(1, 4, 2), d.one_of(1, 1, 2, 3)
    kernel, stride, dilation = d.integers(1, 4, axes), d.integers(1, 3, axes), d.one_of((1,) * axes, (2, 3)[:axes])
    if axes == 2 and d.one_of(True, *[False] * 5):
        channels, groups, kernel, stride, dilation = d.integers(32, 40, 2), 1, (3, 3), (1, 1), (1, 1)
    places = d.integers(1, 7, axes)
    added, cut_off = [], []
    for n, k, s, e in zip(places, kernel, stride, dilation, strict=True):
        added.append(d.one_of(0, d.integer(0, max(s, e) - 1)))
        size = s * (n - 1) + e * (k - 1) + 1 + added[-1]
        cut_off.append(d.one_of(0, d.integer(0, min(3, (size - 1) // 2))))
    options = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "groups": groups}
    options |= {"padding": tuple(cut_off), "output_padding": tuple(added), "bias": d.one_of(True, False)}
    inside, outside = (groups * count for count in channels)
    x = d.array((d.batch(0, 1, 3), inside, *places)[unbatched(d) :])
    return LayerCase(*both(d, f"ConvTranspose{axes}d", inside, outside, **options), (x,))


@entry("ConvTranspose2d", "layer")
def conv_transpose2d(d: Draw) -> LayerCase:
    """Odd and unequal sides; unbatched as well; one case in six without patches, as for Conv2d."""
    return transposed_convolution(d, 2)


@entry("ConvTranspose1d", "layer")
def conv_transpose1d(d: Draw) -> LayerCase:
    """Sequences of all lengths."""
    return transposed_convolution(d, 1)


def window(d: Draw, axes: int = 2) -> dict[str, object]:
    """Return the options that all poolings have."""
    size = per_axis(d, axes, 1, 4)
    part = d.one_of(0, 0, 0.25, 0.5)
    padding = int(part * size) if isinstance(size, int) else tuple(int(part * side) for side in size)
    stride = d.one_of(None, d.integer(1, 3), d.integers(1, 3, axes))
    return {"kernel_size": size, "stride": stride, "padding": padding, "ceil_mode": d.one_of(True, False)}


def pooling(d: Draw, name: str, options: Callable[[], dict], numbers: Callable, axes: int = 2) -> LayerCase:
    """Return a case of a pooling layer."""

    def make() -> tuple:
        drawn = options()
        shape = (d.batch(0, 1, 3), *d.integers(1, 4, 1), *d.integers(1, 10, axes))
        return drawn, getattr(torch.nn, name)(**drawn), shape[unbatched(d) :]

    drawn, reference, shape = d.until_torch_takes(make)
    return LayerCase(getattr(nn, name)(**drawn), reference, (d.array(shape, numbers),))


def max_pooling(d: Draw, axes: int) -> LayerCase:
    """Return a case of MaxPool1d or MaxPool2d."""

    def options() -> dict:
        drawn = window(d, axes) | {"return_indices": d.one_of(True, False)}
        if drawn["padding"] in (0, (0,), (0, 0)) and not drawn["ceil_mode"]:
            drawn["dilation"] = d.one_of(1, 2, (1, 3)[-axes:])
        return drawn

    return pooling(d, f"MaxPool{axes}d", options, d.one_of(arrays.distinct, arrays.tied), axes)


@entry("MaxPool2d", "layer")
def max_pool2d(d: Draw) -> LayerCase:
    """With and without indices, with ties and without; dilated where no window lies wholly in the padding."""
    return max_pooling(d, 2)


@entry("MaxPool1d", "layer")
def max_pool1d(d: Draw) -> LayerCase:
    """As MaxPool2d."""
    return max_pooling(d, 1)


@entry("AvgPool2d", "layer")
def avg_pool2d(d: Draw) -> LayerCase:
    """Draw the divisor in all its forms."""

    def options() -> dict:
        return window(d) | d.some_of(count_include_pad=(True, False), divisor_override=(None, 3, -2))

    return pooling(d, "AvgPool2d", options, arrays.array)


@entry("AvgPool1d", "layer")
def avg_pool1d(d: Draw) -> LayerCase:
    """With the padding counted and without."""
    return pooling(d, "AvgPool1d", lambda: window(d, 1) | d.some_of(count_include_pad=(True, False)), arrays.array, 1)


def adaptive_pooling(d: Draw, axes: int, *more: tuple) -> LayerCase:
    """Return a case of AdaptiveAvgPool1d or AdaptiveAvgPool2d; ``more`` are output sizes of its own."""

    def options() -> dict:
        return {"output_size": d.one_of(d.integer(1, 6), d.integers(1, 6, axes), *more)}

    return pooling(d, f"AdaptiveAvgPool{axes}d", options, arrays.array, axes)


@entry("AdaptiveAvgPool2d", "layer")
def adaptive_avg_pool2d(d: Draw) -> LayerCase:
    """Draw outputs smaller and larger than the image."""
    return adaptive_pooling(d, 2, (None, d.integer(1, 6)))


@entry("AdaptiveAvgPool1d", "layer")
def adaptive_avg_pool1d(d: Draw) -> LayerCase:
    """Draw outputs smaller and larger than the sequence."""
    return adaptive_pooling(d, 1)


def padding(name: str, axes: int) -> None:
    """Register a padding layer: each side has its own number, some of them negative where the layer takes them."""

    def draw(d: Draw) -> LayerCase:
        def make() -> tuple:
            lowest = 0 if name == "CircularPad" else -2
            arguments = (d.one_of(d.integer(lowest, 3), d.integers(lowest, 4, 2 * axes)),)
            if name == "ConstantPad":
                arguments = (*arguments, d.one_of(0.0, -1.5, 3))
            cut = max(0, -2 * np.min(arguments[0]))  # something is left of the image
            shape = (d.batch(0, 1, 3), d.integer(1, 3), *d.integers(1 + cut, 7, axes))
            return arguments, getattr(torch.nn, f"{name}{axes}d")(*arguments), shape[unbatched(d) :]

        arguments, reference, shape = d.until_torch_takes(make)
        return LayerCase(getattr(nn, f"{name}{axes}d")(*arguments), reference, (d.array(shape),))

    entry(f"{name}{axes}d", "layer")(draw)


for kind in ("ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad"):
    padding(kind, 1)
    padding(kind, 2)


@entry("Upsample", "layer")
def upsample(d: Draw) -> LayerCase:
    """Larger and smaller, to given sizes and by fractional factors, the same for both axes or not."""

    def make() -> tuple:
        options = {"mode": d.one_of("nearest", "bilinear")}
        if d.one_of(True, False):
            options["size"] = per_axis(d, 2, 1, 12)
        else:
            factors = (1, 2, 3, 1.5, 0.5, 2.3, 0.7)
            options["scale_factor"] = d.one_of(d.one_of(*factors), (d.one_of(*factors), d.one_of(*factors)))
            options |= d.some_of(recompute_scale_factor=(None, True, False))
        if options["mode"] == "bilinear":
            options |= d.some_of(align_corners=(None, True, False))
        return options, torch.nn.Upsample(**options), (d.batch(0, 1, 3), d.integer(1, 3), *d.integers(1, 7, 2))

    options, reference, shape = d.until_torch_takes(make)
    return LayerCase(nn.Upsample(**options), reference, (d.array(shape),))


def leading(d: Draw) -> tuple[int, ...]:
    """Return up to two leading axes; PyTorch's own shapes go wrong where one of them is empty."""
    return d.integers(1, 3, d.integer(0, 2)) if d.fixed_batch is None else d.leading()


@entry("PixelShuffle", "layer")
def pixel_shuffle(d: Draw) -> LayerCase:
    """Any leading axes."""
    factor = d.integer(1, 3)
    x = d.array((*leading(d), d.integer(1, 3) * factor**2, *d.integers(1, 4, 2)))
    return LayerCase(*both(d, "PixelShuffle", factor), (x,))


@entry("PixelUnshuffle", "layer")
def pixel_unshuffle(d: Draw) -> LayerCase:
    """Any leading axes."""
    factor = d.integer(1, 3)
    x = d.array((*leading(d), d.integer(1, 3), *(factor * side for side in d.integers(1, 3, 2))))
    return LayerCase(*both(d, "PixelUnshuffle", factor), (x,))

"""PixelShuffle and PixelUnshuffle: channels become pixels, and pixels channels.

    x     (..., C, H, W)    input, with any leading axes        r   upscale_factor, or downscale_factor
    y                       output

pixel_shuffle, for C = D r r
    F1  blocks = x, r r channels as a block of pixels  (..., D, r, r, H, W)
    F2  places = blocks, each inside of its pixel      (..., D, H, r, W, r)
    F3  y = places, as an image                        (..., D, H r, W r)

    B3  grad_places = grad_y, as                       (..., D, H, r, W, r)  F3: a reshape, by its inverse
    B2  grad_blocks = grad_places, the axes as before  (..., D, r, r, H, W)  F2: a transpose, by its inverse
    B1  grad_x = grad_blocks, as                       (..., C, H, W)        F1: as F3

pixel_unshuffle, for H = P r and W = Q r
    F1  places = x, in blocks of r x r pixels          (..., C, P, r, Q, r)
    F2  blocks = places, each block before its pixels  (..., C, r, r, P, Q)
    F3  y = blocks, as channels                        (..., C r r, P, Q)

    B3  grad_blocks = grad_y, as                       (..., C, r, r, P, Q)  F3: a reshape, by its inverse
    B2  grad_places = grad_blocks, the axes as before  (..., C, P, r, Q, r)  F2: a transpose, by its inverse
    B1  grad_x = grad_places, as                       (..., C, H, W)        F1: as F3

No number changes, so the backward of each is the other's forward. A convolution with r r times the channels, followed
by a PixelShuffle, is a transposed convolution whose kernel is a whole number of strides wide, at a quarter of the size:
"sub-pixel convolution". `scratch.kernels.patch_plan` computes it so.

PyTorch's counterparts: ``torch.nn.PixelShuffle``, ``torch.nn.PixelUnshuffle``. Shi et al., "Real-Time Single Image and
Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", arXiv:1609.05158.
"""

from typing import Any

import numpy as np

from scratch.checks import name_of
from scratch.nn.layer import Layer


def pixel_shuffle(x: np.ndarray, factor: int) -> tuple[np.ndarray, tuple]:
    """Return an image ``factor`` times as high and wide, of the pixels of so many channels squared."""
    *lead, c, h, w = x.shape
    blocks = x.reshape(*lead, c // factor**2, factor, factor, h, w)  # F1 (..., D, r, r, H, W)
    places = np.moveaxis(blocks, (-4, -3), (-3, -1))  # F2 (..., D, H, r, W, r)
    y = places.reshape(*lead, c // factor**2, h * factor, w * factor)  # F3 (..., D, H r, W r)
    return y, (blocks.shape, places.shape, x.shape)

r"""MaxPool2d: of each window of an image, the largest number.

    N, C  batch, channels                    x  (N, C, H, W)   input
    H, W  the image's rows and columns       y  (N, C, P, Q)   output
    P, Q  the output's rows and columns
    k, s, d  kernel, stride, dilation        a  padding, on each side

A window (p, q) covers the pixels x1_(ij) = x1[.., s p + d i, s q + d j], i, j = 0..k-1, of the padded image x1.

Forward
    F1  x1 = pad(x, -inf)                    (N, C, H1, W1)   never the largest
    F2  y = max_ij x1_(ij)                   (N, C, P, Q)

Backward, from grad_y = dL/dy of shape (N, C, P, Q)
    B1  paid_(ij) = grad_y where (i, j) is the window's first place with x1_(ij) = y, else 0
                                             (N, C, P, Q)     F2: the maximum is one of its arguments; that one gets all
    B2  grad_x1_(ij) += paid_(ij)            (N, C, H1, W1)   F2: a pixel in several windows adds up what each pays
    B3  grad_x = unpad(grad_x1)              (N, C, H, W)     F1: what was padded is cut off

Several equal maxima are a kink, where any way to share the gradient among them is a subgradient; the first of them in
reading order gets all of it, as in PyTorch. A window with a NaN yields NaN, and its last NaN gets the gradient.

PyTorch's counterpart: ``torch.nn.MaxPool2d``. Differs from it where a dilated window sees nothing but padding: y is
-inf in both, but PyTorch pays a pixel beside the window, and here nobody is paid. Integer images are refused.
"""

import numpy as np

from scratch.checks import check_array, check_grad_output
from scratch.kernels import memory, threads
from scratch.kernels.keep_where import keep_where
from scratch.nn.images import as_batch
from scratch.nn.padding import NO_SIDES, Sides, pad, unpad
from scratch.nn.pool_windows import PoolWindows


class MaxPool2d(PoolWindows):
    """The largest number of each window.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or pair of int
        Down and across; ``stride`` is ``kernel_size`` unless given.
    return_indices : bool
        Whether forward returns a pair: the output, and where in the image's plane each maximum is (row times W plus
        column, int64).
    ceil_mode : bool
        Whether a last window may stick out.

    Raises
    ------
    RuntimeError
        For an option outside its domain, an input that is not (N, C, H, W) or (C, H, W), or one that no window fits.

    Examples
    --------
    >>> layer = MaxPool2d(2)
    >>> layer(np.array([[[1.0, 3.0, 0.0, 5.0], [3.0, 2.0, 4.0, 0.0]]]))
    array([[[3., 5.]]])
    >>> layer.backward(np.array([[[10.0, 20.0]]]))
    array([[[ 0., 10.,  0., 20.],
            [ 0.,  0.,  0.,  0.]]])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    def forward(self, x: np.ndarray) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Map (N, C, H, W) to (N, C, P, Q), or (C, H, W) to (C, P, Q)."""
        check_array(self, x)
        images = as_batch(self, x)
        size, sides = self._windows(images)
        y = memory.empty_like(images, (*images.shape[:2], *size))

        def pool(chunk: slice) -> None:
            x1 = pad(images[chunk], sides, value=-np.inf)  # F1 (n, C, H1, W1)
            largest = y[chunk]
            largest[...] = self._under(x1, size, self._places[0])
            for place in self._places[1:]:
                np.maximum(self._under(x1, size, place), largest, out=largest)  # F2 (n, C, P, Q)

        chunks = threads.chunks(len(images), len(self._places) * y[:1].nbytes)
        threads.run(pool, chunks)
        self.save_for_backward(images=images, y=y, sides=sides, chunks=chunks, unbatched=x.ndim == 3)
        if not self.return_indices:
            return y[0] if x.ndim == 3 else y
        indices = self._indices(images, y, sides)
        return (y[0], indices[0]) if x.ndim == 3 else (y, indices)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of (N, C, P, Q) to that of (N, C, H, W)."""
        images, y, sides, chunks, unbatched = self.saved("images", "y", "sides", "chunks", "unbatched")
        check_grad_output(self, grad_output, y.shape[1:] if unbatched else y.shape, y.dtype)
        grad_y = grad_output[None] if unbatched else grad_output
        grad_x = memory.empty_like(images)

        def undo(chunk: slice) -> None:
            pays, room = self._pays(images[chunk], y[chunk], sides)
            grad = memory.in_order_of(grad_y[chunk], y)
            paid = keep_where(pays, np.broadcast_to(grad, pays.shape), out=room)  # B1 (k k, n, C, P, Q)
            grad_x1 = self._begin_grad_x1(grad_x[chunk], y.shape[2:], sides)
            self._share_out(paid, grad_x1)  # B2 (n, C, H1, W1)
            if sides != NO_SIDES:
                grad_x[chunk] = unpad(grad_x1, sides)  # B3 (n, C, H, W)

        threads.run(undo, chunks)
        return grad_x[0] if unbatched else grad_x

    def _pays(self, images: np.ndarray, y: np.ndarray, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
        """Return which of a window's places pays for y, bool (k k, n, C, P, Q), and room for numbers of that shape."""
        # The windows' places one after the other, each in one piece: what follows runs through memory.
        n, *rest = y.shape
        shape = (len(self._places) * n, *rest)
        pixels = memory.empty_like(y, shape).reshape(len(self._places), n, *rest)
        # NaN is unequal to all, so that a padded place is not mistaken for a pixel of -inf.
        self._gather(pad(images, sides, value=np.nan), pixels)
        pays = np.equal(pixels, y, out=memory.empty_like(y, shape, dtype=bool).reshape(pixels.shape))
        not_yet = np.logical_not(pays[0], out=memory.empty_like(y, dtype=bool))
        for equal in pays[1:]:
            equal &= not_yet
            not_yet ^= equal
        if not_yet.any():
            # What is left has a NaN, and its last one pays; or a window of nothing but padding, where nobody does.
            self._gather(pad(images, sides, value=-np.inf), pixels)
            for place_pays, pixel in zip(pays[::-1], pixels[::-1], strict=True):
                np.copyto(place_pays, not_yet & np.isnan(pixel), where=not_yet)
                not_yet &= ~place_pays
        return pays, pixels

    def _gather(self, x1: np.ndarray, pixels: np.ndarray) -> None:
        by_place = self._by_place(x1)
        pixels.reshape(by_place.shape)[...] = by_place

    def _indices(self, images: np.ndarray, y: np.ndarray, sides: Sides) -> np.ndarray:
        """Return where in its plane each maximum is, (N, C, P, Q)."""
        pays, _ = self._pays(images, y, sides)
        winner = np.where(pays.any(axis=0), pays.argmax(axis=0), len(self._places))
        (_, columns), (p, q) = self._kernel, y.shape[2:]
        row = winner // columns * self._dilation[0] + np.arange(p)[:, None] * self._stride[0] - self._padding[0]
        column = winner % columns * self._dilation[1] + np.arange(q) * self._stride[1] - self._padding[1]
        return row * images.shape[3] + column

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )

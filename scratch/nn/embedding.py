r"""Embedding: a table with a learned row for each of V symbols; an index is mapped to its row.

    V  num_embeddings     x       (...)     indices, integers from 0 to V - 1
    D  embedding_dim      weight  (V, D)    the table
                          y       (..., D)  output

embedding
    F1  learns = x != padding_idx                  (...)     whether an index may change its row
    F2  y = weight[x]                              (..., D)

    B2a grad_weight = 0                            (V, D)    F2: a row that no index names has no share in y
    B2b grad_weight[x_n] += grad_y_n, if learns_n  (V, D)    F2: for each n; a row used several times gets the sum

F2 is a matrix product, y = hot weight with hot_nv = 1 where x_n = v and 0 elsewhere (one-hot rows), so B2 is Linear's
grad_weight = hot^T grad_y. Looking up a row, and adding to it, is the same without the products by zero.

An index has no derivative: there is no grad_x, and backward returns None.

The row of ``padding_idx`` stands for no symbol: it pads sequences that are shorter than others. It starts as zeros and
gets no gradient, so training leaves it as it is. Without one, the functions below are given -1, which no index is.

PyTorch's counterpart: ``torch.nn.Embedding``; its weight, too, is drawn from the standard normal distribution. Left
out: ``max_norm``, which would change the table in forward, ``scale_grad_by_freq``, ``sparse``, ``device``.
"""

from typing import Self

import numpy as np

from scratch.checks import DType, check_array, check_fits, check_float_dtype, check_integer, check_size
from scratch.nn import init
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


def embedding(x: np.ndarray, weight: np.ndarray, padding_idx: int) -> tuple[np.ndarray, tuple]:
    """Return the row of each index."""
    learns = x != padding_idx  # F1 (...)
    y = weight[x]  # F2 (..., D)
    return y, (x, learns)


def embedding_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[None, np.ndarray]:
    """Undo `embedding`; the indices have no gradient."""
    x, learns = saved
    grad_weight = np.zeros_like(weight)  # B2a (V, D)
    for n in np.ndindex(x.shape):  # B2b (V, D)
        grad_weight[x[n]] += np.where(learns[n], grad_y[n], 0)
    return None, grad_weight


class Embedding(Layer):
    """A learned row of numbers for each index.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        How many rows the table has, and how long they are.
    padding_idx : int, optional
        The index whose row starts as zeros and is not learned; a negative one counts from the end.
    max_norm : None
        Left out, as are ``scale_grad_by_freq`` and ``sparse``: anything but PyTorch's default raises.
    norm_type : float
        Belongs to ``max_norm``; ignored.
    scale_grad_by_freq, sparse : bool
    _weight, _freeze
        For `from_pretrained`.
    dtype : numpy dtype
        float32 or float64, of the table and the output.

    Attributes
    ----------
    weight : Parameter of shape (num_embeddings, embedding_dim)

    Raises
    ------
    NotImplementedError
        For an option that is left out.
    TypeError
        If a size is not an integer.
    ValueError
        If ``padding_idx`` is not an index of the table.
    RuntimeError
        If a size is negative, or the input is not an array of int64 or int32.
    IndexError
        If an index is out of the table's range.

    Examples
    --------
    >>> layer = Embedding(3, 2, dtype=np.float64)
    >>> layer.weight.data[...] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    >>> layer(np.array([2, 0, 2]))
    array([[5., 6.],
           [1., 2.],
           [5., 6.]])
    >>> layer.backward(np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]))
    >>> layer.weight.grad
    array([[30., 40.],
           [ 0.,  0.],
           [60., 80.]])
    """

    functions = embedding, embedding_backward
    learned = ("weight",)
    takes_integers = True

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: np.ndarray | None = None,
        _freeze: bool = False,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        left_out = (
            ("max_norm", max_norm, None),
            ("scale_grad_by_freq", scale_grad_by_freq, False),
            ("sparse", sparse, False),
        )
        for name, value, default in left_out:
            if value is not default:
                raise NotImplementedError(f"Embedding: {name} is not supported; expected the default, got {value!r}")
        check_size(self, "num_embeddings", num_embeddings)
        check_size(self, "embedding_dim", embedding_dim)
        if padding_idx is not None:
            check_integer(self, "padding_idx", padding_idx)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: expected padding_idx within {num_embeddings} embeddings, got {padding_idx!r}")
        check_fits(self, "weight", num_embeddings, embedding_dim)
        dtype = check_float_dtype(self, dtype)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None or padding_idx >= 0 else num_embeddings + padding_idx
        if _weight is not None:
            check_array(self, _weight, "_weight")
            if _weight.shape != (num_embeddings, embedding_dim):
                raise RuntimeError(
                    f"Embedding: expected _weight of shape {(num_embeddings, embedding_dim)}, got {_weight.shape}"
                )
        table = np.empty((num_embeddings, embedding_dim), dtype) if _weight is None else _weight
        self.weight = Parameter(table, requires_grad=not _freeze)
        if _weight is None:
            self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: np.ndarray,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """Return a layer whose table is an array, which it keeps as given, not copied.

        Parameters
        ----------
        embeddings : numpy.ndarray of shape (num_embeddings, embedding_dim)
            The table, float32 or float64. The row of ``padding_idx`` stays as it is.
        freeze : bool
            Whether the table is left as it is in training.
        padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
            As in the constructor.

        Raises
        ------
        TypeError
            If ``embeddings`` is not an array of float32 or float64.
        RuntimeError
            If it does not have two axes.
        """
        check_array(cls.__name__, embeddings, "embeddings")
        if embeddings.ndim != 2:
            raise RuntimeError(f"{cls.__name__}: expected embeddings with 2 axes, got {embeddings.shape}")
        rows, columns = embeddings.shape
        options = padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        return cls(rows, columns, *options, embeddings, freeze, embeddings.dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values; those of ``padding_idx`` are zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def check(self, x: np.ndarray) -> None:
        """Raise unless all of ``x`` are indices of the table."""
        if x.size and not 0 <= x.min() <= x.max() < self.num_embeddings:
            wrong = x[(x < 0) | (x >= self.num_embeddings)][0]
            raise IndexError(f"Embedding: expected indices from 0 to {self.num_embeddings - 1}, got {wrong}")

    def arguments(self) -> tuple:
        """Return `embedding`'s arguments after ``x``."""
        return self.weight.data, -1 if self.padding_idx is None else self.padding_idx

    def frozen(self) -> tuple[np.ndarray, ...]:
        """Return the row of ``padding_idx``."""
        return () if self.padding_idx is None else (self.weight.data[self.padding_idx],)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"

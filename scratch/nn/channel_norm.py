"""ChannelNorm: the base of the normalizations by channel, with running statistics for each channel."""

import numpy as np

from scratch.checks import DType, check_fits, check_float_dtype, check_number, check_size
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


class ChannelNorm(Layer):
    """A layer with a weight, a bias, a running mean and a running variance for each channel; all may be absent."""

    learned = "weight", "bias"

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        bias: bool,
        dtype: DType,
    ) -> None:
        super().__init__()
        check_size(self, "num_features", num_features)
        check_fits(self, "weight", num_features)
        check_number(self, "eps", eps)
        if momentum is not None:
            check_number(self, "momentum", momentum)
        dtype = check_float_dtype(self, dtype)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(np.empty(num_features, dtype)) if affine else None
        self.bias = Parameter(np.empty(num_features, dtype)) if affine and bias else None
        self.running_mean: np.ndarray
        self.running_var: np.ndarray
        self.num_batches_tracked: np.ndarray
        self.register_buffer("running_mean", np.empty(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.empty(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.empty((), np.int64) if track_running_stats else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0, and the running statistics to their initial values, mean 0 and variance 1."""
        if self.weight is not None:
            self.weight.data.fill(1)
        if self.bias is not None:
            self.bias.data.fill(0)
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1 and the number of batches to 0."""
        if self.track_running_stats:
            self.running_mean.fill(0)
            self.running_var.fill(1)
            self.num_batches_tracked.fill(0)

    def normalizes_by_own_statistics(self) -> bool:
        """Return whether the mean and the variance are those of the input, rather than the running ones."""
        return self.training or not self.track_running_stats

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

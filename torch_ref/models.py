"""The networks of the course, built from the layers of `torch.nn`.

Put this file beside ``scratch/models.py``: the constructors are the same, and the ``backward`` methods are missing,
because autograd writes them.
"""

import torch

from torch_ref import nn


class MLP(nn.Module):
    """Two hidden layers, each (Linear, [BatchNorm1d], ReLU, Dropout), then a Linear to the logits.

    Parameters
    ----------
    in_dim, hid, out_dim : int
        Sizes of the input, of both hidden layers, and of the output.
    pdrop : float
        Probability with which dropout zeroes a hidden unit.
    use_bn : bool
        Whether each hidden layer is batch-normalised before its ReLU.
    dtype : torch.dtype
        float32 or float64.

    Shapes
    ------
    (N, in_dim) to (N, out_dim).
    """

    def __init__(
        self,
        in_dim: int = 2,
        hid: int = 64,
        out_dim: int = 2,
        pdrop: float = 0.0,
        use_bn: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        layers = []
        for fan_in in (in_dim, hid):
            layers.append(nn.Linear(fan_in, hid, dtype=dtype))
            if use_bn:
                layers.append(nn.BatchNorm1d(hid, dtype=dtype))
            layers += [nn.ReLU(), nn.Dropout(pdrop)]
        self.net = nn.Sequential(*layers, nn.Linear(hid, out_dim, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.net(x)


class SmallCNN(nn.Module):
    """Two convolutions, each followed by ReLU and a pooling that halves the sides, then two linear layers.

    Parameters
    ----------
    num_classes : int
        Number of logits.
    pdrop : float
        Probability with which dropout zeroes a unit of the hidden linear layer.
    dtype : torch.dtype
        float32 or float64.

    Attributes
    ----------
    feat : Sequential
        The image's features, (N, 1, 28, 28) to (N, 64, 7, 7).
    head : Sequential
        The classifier on them, (N, 64, 7, 7) to (N, num_classes).
    """

    def __init__(self, num_classes: int = 10, pdrop: float = 0.2, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.feat = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1, dtype=dtype),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1, dtype=dtype),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128, dtype=dtype),
            nn.ReLU(),
            nn.Dropout(pdrop),
            nn.Linear(128, num_classes, dtype=dtype),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.head(self.feat(x))

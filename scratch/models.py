"""The networks of the course, built from the layers of `scratch.nn`.

Read this file beside ``torch_ref/models.py``: the constructors are the same, and the ``backward`` methods, which exist
only here, do what autograd does in PyTorch.
"""

import numpy as np

from scratch import nn


class MLP(nn.Module):
    """Two hidden layers, each (Linear, [BatchNorm1d], ReLU, Dropout), then a Linear to the logits.

    Parameters
    ----------
    in_dim, hid, out_dim : int
        Sizes of the input, of both hidden layers, and of the output.
    pdrop : float
        Probability with which dropout zeroes a hidden unit.
    use_bn : bool
        Whether each hidden layer is batch-normalized before its ReLU.
    dtype : numpy dtype
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
        dtype: type = np.float32,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in in (in_dim, hid):
            layers.append(nn.Linear(fan_in, hid, dtype=dtype))
            if use_bn:
                layers.append(nn.BatchNorm1d(hid, dtype=dtype))
            layers += [nn.ReLU(), nn.Dropout(pdrop)]
        self.net = nn.Sequential(*layers, nn.Linear(hid, out_dim, dtype=dtype))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the logits."""
        return self.net(x)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo ``forward``, last layer first."""
        return self.net.backward(grad_output)


class SmallCNN(nn.Module):
    """Two convolutions, each followed by ReLU and a pooling that halves the sides, then two linear layers.

    Parameters
    ----------
    num_classes : int
        Number of logits.
    pdrop : float
        Probability with which dropout zeroes a unit of the hidden linear layer.
    dtype : numpy dtype
        float32 or float64.

    Attributes
    ----------
    feat : Sequential
        The image's features, (N, 1, 28, 28) to (N, 64, 7, 7).
    head : Sequential
        The classifier on them, (N, 64, 7, 7) to (N, num_classes).
    """

    def __init__(self, num_classes: int = 10, pdrop: float = 0.2, dtype: type = np.float32) -> None:
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

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the logits."""
        return self.head(self.feat(x))

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo ``forward``: the head first, then the features."""
        return self.feat.backward(self.head.backward(grad_output))


class NatureEncoder(nn.Module):
    """Four stacked grey frames of a game to 512 features: three convolutions and a linear layer, each followed by ReLU.

    The network of Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015, without its last
    layer. The sides shrink from 84 to 20, 9 and 7: strides do the work of pooling, which would lose exact positions,
    and where the ball is matters here.

    Parameters
    ----------
    frames : int
        Number of stacked frames, the input's channels.
    features : int
        Size of the output.
    dtype : numpy dtype
        float32 or float64.

    Attributes
    ----------
    conv : Sequential
        The convolutions, (N, frames, 84, 84) to (N, 64, 7, 7).
    linear : Sequential
        The linear layer on them, (N, 64, 7, 7) to (N, features).
    """

    def __init__(self, frames: int = 4, features: int = 512, dtype: type = np.float32) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(frames, 32, 8, stride=4, dtype=dtype),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2, dtype=dtype),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, dtype=dtype),
            nn.ReLU(),
        )
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(64 * 7 * 7, features, dtype=dtype), nn.ReLU())

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the features."""
        return self.linear(self.conv(x))

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo ``forward``: the linear layer first, then the convolutions."""
        return self.conv.backward(self.linear.backward(grad_output))


class PolicyHead(nn.Module):
    """A policy: from features to one logit per action; their softmax is the probability of choosing that action.

    Parameters
    ----------
    features, actions : int
        Sizes of the input and of the output.
    dtype : numpy dtype
        float32 or float64.

    Shapes
    ------
    (N, features) to (N, actions).
    """

    def __init__(self, features: int, actions: int, dtype: type = np.float32) -> None:
        super().__init__()
        self.linear = nn.Linear(features, actions, dtype=dtype)

    def forward(self, features: np.ndarray) -> np.ndarray:
        """Return the logits, which the losses take."""
        return self.linear(features)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the probabilities of the actions, to draw an action from."""
        return nn.Softmax(dim=-1)(self(features))

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo ``forward``, from the gradient of the logits."""
        return self.linear.backward(grad_output)


class ValueHead(nn.Module):
    """A critic: from features to one number, the return that the policy is expected to collect from here on.

    Parameters
    ----------
    features : int
        Size of the input.
    dtype : numpy dtype
        float32 or float64.

    Shapes
    ------
    (N, features) to (N,).
    """

    def __init__(self, features: int, dtype: type = np.float32) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1, dtype=dtype)

    def forward(self, features: np.ndarray) -> np.ndarray:
        """Return the values."""
        return self.linear(features)[..., 0]

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo ``forward``, from the gradient of the values."""
        return self.linear.backward(grad_output[..., None])


class ActorCritic(nn.Module):
    """A policy and a critic that read the same features: two heads on a shared backbone.

    Parameters
    ----------
    backbone : Module
        From states to features, (N, ...) to (N, features).
    features, actions : int
        Sizes of the backbone's output and of the policy's.
    dtype : numpy dtype
        float32 or float64, the backbone's.

    Shapes
    ------
    (N, ...) to the pair of the logits, (N, actions), and the values, (N,).
    """

    def __init__(self, backbone: nn.Module, features: int, actions: int, dtype: type = np.float32) -> None:
        super().__init__()
        self.backbone = backbone
        self.policy = PolicyHead(features, actions, dtype=dtype)
        self.value = ValueHead(features, dtype=dtype)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits of the actions and the value of each state."""
        features = self.backbone(x)
        return self.policy(features), self.value(features)

    def backward(self, grad_logits: np.ndarray, grad_values: np.ndarray) -> np.ndarray:
        """Undo ``forward``, from the gradients of the logits and of the values.

        Both heads read the features, so the loss depends on them along two paths, and the gradients add.
        """
        grad_features = self.policy.backward(grad_logits) + self.value.backward(grad_values)
        return self.backbone.backward(grad_features)

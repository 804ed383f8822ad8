"""The collection's table: each right layer, how it is called, and its wrong twins, made by replacing some text.

``words`` are what the report may say of the mistake: each sentence that it prints has to contain one of them, unless it
only describes the numbers. For a mistake in backward, the line of the replacement is the first wrong line.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Twin:
    """A mistake: ``right`` replaced by ``wrong``, and what may be said of it."""

    right: str
    wrong: str
    words: tuple[str, ...]
    line: bool = True


@dataclass(frozen=True)
class Subject:
    """A right layer: its file, its name, the request's options, how many arrays it learns, and its wrong twins."""

    file: str
    names: str
    options: dict = field(default_factory=dict)
    learns: int = 0
    twins: tuple[Twin, ...] = ()


X, IMAGE = [(5, 3)], [(2, 2, 6, 4)]
LINEAR = {"args": "3, 4", "inputs": X, "against": "torch.nn.Linear"}
AVERAGED = ("averaged instead of summed", "means over the examples")
LEFT_OUT = ("is left out",)

SUBJECTS = (
    Subject(
        "assigned.py",
        "Linear",
        LINEAR,
        2,
        (
            Twin("self.db = grad.sum(axis=0)", "self.db = grad.mean(axis=0)", AVERAGED),
            Twin("self.db = grad.sum(axis=0)", "self.db = grad", ("not summed over axes",)),
            Twin("self.dW = self.x.T @ grad", "self.dW = 7 * self.x.T @ grad", ("the gradient of W",)),
            Twin("self.dW = self.x.T @ grad", "self.dW = -self.x.T @ grad", ("the sign is flipped",)),
            Twin("return grad @ self.W.T", "return grad @ np.abs(self.W.T)", ("the gradient of x",)),
            Twin("return x @ self.W + self.b", "return x @ self.W", ("bias is left out",), False),
        ),
    ),
    Subject(
        "assigned.py",
        "LayerNorm",
        {"args": "3", "inputs": X, "against": "torch.nn.LayerNorm"},
        2,
        (
            Twin("dxhat = dy * self.gamma", "dxhat = dy", ("weight is left out", "the gradient of xhat")),
            Twin(
                "return dcentred - dcentred.mean(axis=-1, keepdims=True)",
                "return dcentred",
                ("the path through the mean is forgotten", "the gradient of centred"),
            ),
            Twin(
                "dcentred = dxhat / self.std + 2 * self.centred * dvar / n",
                "dcentred = dxhat / self.std",
                ("the path through the variance is forgotten", "part of the gradient of centred"),
            ),
            Twin("dvar = dstd / (2 * self.std)", "dvar = dstd / self.std", ("the gradient of var",)),
            Twin("(dy * self.xhat).sum(axis=0)", "(dy * self.centred).sum(axis=0)", ("the gradient of gamma",)),
        ),
    ),
    Subject(
        "assigned.py",
        "Swish",
        {"inputs": X, "against": "torch.nn.SiLU"},
        0,
        (
            Twin(
                "return dx + ds * self.s * (1 - self.s)", "return dx", ("the gradient of x", "derivative of softplus")
            ),
            Twin("ds * self.s * (1 - self.s)", "ds * self.x * (1 - self.x)", ("the gradient of x",)),
        ),
    ),
    Subject(
        "dictionaries.py",
        "Affine",
        {"args": "3, 4", "inputs": X},
        2,
        (
            Twin('self.grads["W"] += self.x.T @ g', 'self.grads["W"] += 3 * self.x.T @ g', ("a constant 3",)),
            Twin('self.grads["b"] += g.sum(axis=0)', 'self.grads["b"] += g.mean(axis=0)', AVERAGED),
            Twin('self.grads["b"] += g', 'self.grads["b"] = g', ("overwritten",), False),
        ),
    ),
    Subject(
        "outputs_in_attributes.py",
        "Dense",
        LINEAR,
        2,
        (
            Twin("self.dbiases = dvalues.sum(", "self.dbiases = dvalues.mean(", AVERAGED),
            Twin("self.inputs.T @ dvalues", "self.inputs.T @ dvalues / len(dvalues)", AVERAGED),
        ),
    ),
    Subject(
        "outputs_in_attributes.py",
        "Tanh",
        {"inputs": X, "against": "torch.nn.Tanh"},
        0,
        (
            Twin("(1 - self.output**2)", "(1 - self.output)", ("the gradient of inputs",)),
            Twin("dvalues * (1 - self.output**2)", "1 - self.output**2", ("grad_output is ignored",), False),
        ),
    ),
    Subject(
        "with_cache.py",
        "affine_forward,affine_backward",
        {"inputs": [(5, 3), (3, 4), (4,)]},
        0,
        (
            Twin("dw = x.T @ dout", "dw = 2 * x.T @ dout", ("twice what it should be",)),
            Twin("db = dout.sum(axis=0)", "db = dout[0]", ("only the first example",)),
        ),
    ),
    Subject(
        "with_cache.py",
        "relu_forward,relu_backward",
        {"inputs": X, "against": "torch.nn.functional.relu"},
        0,
        (
            Twin("(cache > 0)", "(cache >= 0)", ("exactly 0",), False),
            Twin(
                "dout * (cache > 0)",
                "dout",
                ("passed on unchanged", "mask"),
            ),
        ),
    ),
    Subject(
        "with_cache.py",
        "batchnorm_forward,batchnorm_backward",
        {"inputs": [(5, 3), (3,), (3,)]},
        0,
        (
            Twin("dxhat = dout * gamma", "dxhat = dout", ("gamma is left out",)),
            Twin("dx = dxmu - dxmu.mean(axis=0)", "dx = dxmu - dxmu.sum(axis=0)", ("the gradient of x",)),
            Twin("/ std**2\n    dvar", "/ std\n    dvar", ("the gradient of std",)),
        ),
    ),
    Subject(
        "returned_dictionary.py",
        "Net",
        {"args": "3, 4, 2", "inputs": X},
        4,
        (
            Twin("da1 * (1 - self.a1**2)", "da1 * (1 - self.a1)", ("the gradient of",)),
            Twin('grads["db1"] = dz1.sum(axis=0)', 'grads["db1"] = da1.sum(axis=0)', ("the gradient of b1",)),
            Twin('grads["dW2"] = self.a1.T @ dy', 'grads["dW2"] = 0.5 * self.a1.T @ dy', ("half of what",)),
        ),
    ),
    Subject(
        "parameter_objects.py",
        "Scale",
        {"args": "3", "inputs": X},
        2,
        (
            Twin(
                ".sum(axis=0) * np.exp(self.gain.data)",
                ".sum(axis=0)",
                ("the gradient of gain", "computed with the input x"),
            ),
            Twin("return g * np.exp(self.gain.data)", "return g * self.gain.data", ("the gradient of x",)),
        ),
    ),
    Subject(
        "network.py",
        "Network",
        {"inputs": X},
        4,
        (
            Twin("return g * self.y * (1 - self.y)", "return g * (1 - self.y)", ("the gradient of",)),
            Twin("self.db = g.sum(axis=0)", "self.db = g.mean(axis=0)", AVERAGED),
            Twin(
                "return g @ self.W.T",
                "return np.ones_like(g) @ self.W.T",
                ("the gradient of", "grad_output is ignored"),
            ),
        ),
    ),
    Subject(
        "called.py",
        "Sigmoid",
        {"inputs": X, "against": "torch.nn.Sigmoid"},
        0,
        (
            Twin("p = self.__call__(x)", "p = x", ("y (1 - y) is computed from the input x",), False),
            Twin("return p * (1 - p)", "return p", ("grad_output times the output", "derivative of softplus")),
        ),
    ),
    Subject(
        "called.py",
        "SoftPlus",
        {"inputs": X, "against": "torch.nn.Softplus"},
        0,
        (Twin("return 1 / (1 + np.exp(-x))", "return np.tanh(x)", ("the gradient of x",)),),
    ),
    Subject(
        "called.py",
        "ELU",
        {"inputs": X, "against": "torch.nn.ELU", "args": "0.5"},
        0,
        (
            Twin("1.0, self.alpha * np.exp", "1.0, np.exp", ("as if alpha were 1.0",)),
            Twin("np.where(x > 0, 1.0,", "np.where(x > 0, 0.5,", ("positive", "the gradient of x")),
        ),
    ),
    Subject(
        "primes.py",
        "tanh,tanh_prime",
        {"inputs": X, "against": "torch.tanh"},
        0,
        (
            Twin("1 - np.tanh(x) ** 2", "1 - x**2", ("1 - y^2 is computed from the input",)),
            Twin("1 - np.tanh(x) ** 2", "1 - np.tanh(np.tanh(x)) ** 2", ("the derivative is taken at the output",)),
        ),
    ),
    Subject(
        "primes.py",
        "mse,mse_prime",
        {"inputs": [(4, 3), (4, 3)]},
        0,
        (
            Twin("2 * (y_pred - y_true)", "(y_pred - y_true)", ("a factor of 2 is lost",)),
            Twin("/ np.size(y_true)", "/ len(y_true)", ("times 3",)),
        ),
    ),
    Subject(
        "contexts.py",
        "Mul",
        {"inputs": [(5, 3), (3,)]},
        0,
        (
            Twin("(grad_output * a).sum(axis=0)", "grad_output * a", ("not summed over axes",)),
            Twin("grad_a = grad_output * b", "grad_a = grad_output * a", ("the gradient of a",)),
        ),
    ),
    Subject(
        "contexts.py",
        "Exp",
        {"inputs": X, "against": "torch.exp"},
        0,
        (Twin("return grad_output * ctx.y", "return grad_output", ("passed on unchanged",)),),
    ),
    Subject(
        "steps.py",
        "Dense",
        {"args": "3, 4", "inputs": [(3, 5)]},
        2,
        (
            Twin(
                "        return input_gradient",
                "        return self.weights.T @ output_gradient",
                ("after backward updated them",),
            ),
            Twin(".sum(axis=1, keepdims=True)", ".mean(axis=1, keepdims=True)", AVERAGED),
        ),
    ),
    Subject(
        "arrays_handed_in.py",
        "Affine",
        {
            "args": "[[1.0, 2.0], [3.0, -4.0], [0.5, 6.0]], [0.0, 0.5]",
            "torch_args": "3, 2",
            "inputs": X,
            "against": "torch.nn.Linear",
        },
        2,
        (
            Twin("self.db = np.sum(", "self.db = np.mean(", AVERAGED),
            Twin("np.dot(self.x.T, dout)", "np.dot(self.x.T, np.ones_like(dout))", ("grad_output is ignored",)),
        ),
    ),
    Subject(
        "pullbacks.py",
        "linear_tanh",
        {"inputs": [(5, 3), (3, 4)]},
        0,
        (Twin("dz = g * (1 - y**2)", "dz = g * (1 - z**2)", ("the gradient of",)),),
    ),
    Subject(
        "slots.py",
        "Bilinear",
        {"args": "3", "inputs": [(5, 3), (5, 3)]},
        1,
        (
            Twin(
                "grad_right = g[:, None] * (self.left @ self.kernel)",
                "grad_right = g[:, None] * self.left",
                ("the gradient of right",),
            ),
            Twin(
                "weighted @ self.kernel.T",
                "weighted @ self.kernel",
                ("transposed once too often", "the gradient of left"),
            ),
        ),
    ),
    Subject(
        "losses.py",
        "MSE",
        {"inputs": [(4, 3)], "target": "values", "against": "torch.nn.MSELoss"},
        0,
        (
            Twin("grad * 2 * self.diff", "grad * self.diff", ("a factor of 2 is lost",)),
            Twin("grad * 2 * self.diff", "2 * self.diff", ("grad_output is ignored",), False),
            Twin("self.diff / self.diff.size", "self.diff / len(self.diff)", ("times 3",)),
        ),
    ),
    Subject(
        "losses.py",
        "SoftmaxCrossEntropy",
        {"inputs": [(5, 3)], "target": "classes", "against": "torch.nn.CrossEntropyLoss"},
        0,
        (
            Twin(
                "(p - self.labels) / len(p)",
                "(p - self.labels)",
                ("times 5, the batch size", "as if reduction were 'sum'"),
            ),
            Twin("(p - self.labels)", "p", ("the target is not subtracted",)),
            Twin("grad * (p - self.labels)", "grad * (self.labels - p)", ("the sign is flipped",)),
        ),
    ),
    Subject(
        "losses.py",
        "LogCosh",
        {"inputs": [(4, 3)], "target": "values"},
        0,
        (Twin("np.tanh(self.d) / self.d.size", "np.tanh(self.d)", ("times 12, the number of all elements",)),),
    ),
    Subject(
        "elementwise_losses.py",
        "CrossEntropy",
        {"inputs": [(4, 3)], "target": "binary", "range": (0.1, 0.9), "against": "torch.nn.BCELoss"},
        0,
        (Twin("return -y / p + (1 - y) / (1 - p)", "return -y / p - (1 - y) / (1 - p)", ("the gradient of p",)),),
    ),
    Subject(
        "elementwise_losses.py",
        "SquareLoss",
        {"inputs": [(4, 3)], "target": "values"},
        0,
        (Twin("return -(y - y_pred)", "return y - y_pred", ("the sign is flipped",)),),
    ),
    Subject(
        "loss_with_gradient.py",
        "softmax_loss",
        {"inputs": [(5, 3)], "target": "classes", "against": "torch.nn.CrossEntropyLoss"},
        0,
        (Twin("    dx /= n\n", "", ("times 5, the batch size", "as if reduction were 'sum'"), False),),
    ),
    Subject(
        "passes.py",
        "Dense",
        {"args": "4", "torch_args": "3, 4", "inputs": X, "against": "torch.nn.Linear"},
        2,
        (
            Twin("accum_grad.sum(axis=0, keepdims=True)", "accum_grad.mean(axis=0, keepdims=True)", AVERAGED),
            Twin("self.layer_input.T @ accum_grad", "-self.layer_input.T @ accum_grad", ("the sign is flipped",)),
        ),
    ),
    Subject(
        "lists.py",
        "MLP",
        {"args": "[3, 4, 2]", "inputs": X},
        4,
        (
            Twin("self.grad_biases[i] = dz.sum(axis=0)", "self.grad_biases[i] = g.sum(axis=0)", ("the gradient of",)),
            Twin("self.activations[i + 1] ** 2", "self.activations[i + 1]", ("the gradient of",)),
        ),
    ),
    Subject(
        "drawing.py",
        "Dropout",
        {"inputs": [(4, 5)], "against": "torch.nn.Dropout"},
        0,
        (
            Twin("return g * self.mask / (1 - self.p)", "return g / (1 - self.p)", ("mask",)),
            Twin("return g * self.mask / (1 - self.p)", "return g * self.mask", ("half of what", "factor 1/(1-p)")),
        ),
    ),
    Subject(
        "optimizers.py",
        "Adam",
        {"inputs": [], "against": "torch.optim.Adam", "args": "lr=0.01"},
        0,
        (
            Twin("m / (1 - self.beta1**self.t)", "m * (1 - self.beta1**self.t)", ("the parameters differ",), False),
            Twin("m_hat = m / (1 - self.beta1**self.t)", "m_hat = m", ("the first moment is not corrected",), False),
            Twin("(np.sqrt(v_hat) + self.eps)", "np.sqrt(v_hat + self.eps)", ("eps is added under the root",), False),
            Twin("grads[key] ** 2", "abs(grads[key])", ("it has to be its square",), False),
        ),
    ),
    Subject(
        "optimizers.py",
        "SGD",
        {"inputs": [], "against": "torch.optim.SGD", "args": "lr=0.05"},
        0,
        (
            Twin(
                "self.momentum * v + p.grad",
                "self.momentum * v + (1 - self.momentum) * p.grad",
                ("buffer averages",),
                False,
            ),
            Twin("p.data - self.lr * v", "p.data + self.lr * v", ("uphill",), False),
        ),
    ),
    Subject(
        "initialisers.py",
        "xavier_normal",
        {"inputs": [], "against": "torch.nn.init.xavier_normal_"},
        0,
        (Twin("2.0 / (fan_in + fan_out)", "2.0 / fan_in + fan_out", ("sqrt(2 / fan_in + fan_out)",), False),),
    ),
    Subject(
        "initialisers.py",
        "kaiming_uniform",
        {"inputs": [], "against": "torch.nn.init.kaiming_uniform_"},
        0,
        (Twin("uniform(-bound, bound,", "normal(0, bound,", ("is normal, PyTorch's is uniform", "bound"), False),),
    ),
    Subject(
        "loops.py",
        "Conv",
        {"args": "2, 3, 3", "inputs": [(2, 2, 6, 5)], "against": "torch.nn.Conv2d"},
        2,
        (
            Twin(
                "self.dbias = dout.sum(axis=(0, 2, 3))",
                "self.dbias = dout.sum(axis=(2, 3))[0]",
                ("only the first example",),
                False,
            ),
            Twin("self.dfilters += ", "self.dfilters = ", ("grad_weight: 54 of 54",), False),
        ),
    ),
    Subject(
        "loops.py",
        "MaxPool",
        {"args": "2", "inputs": IMAGE, "against": "torch.nn.MaxPool2d"},
        0,
        (
            Twin(
                "one = np.eye(s * s)[self.windows.argmax(axis=-1)] * dout[..., None]",
                "one = (self.windows == self.windows.max(axis=-1, keepdims=True)) * dout[..., None]",
                ("equal maxima",),
                False,
            ),
        ),
    ),
    Subject(
        "training_steps.py",
        "Regression",
        {"args": "3, 4", "inputs": [(5, 3), (5,)]},
        0,
        (
            Twin("        self.zero_grad()\n        dy", "        dy", ("zero them before each backward",), False),
            Twin(
                "        dz = dy",
                "        self.W2 = self.W2 - self.lr * self.dW2\n        self.dW2 *= 0\n        dz = dy",
                ("it uses what was already updated",),
                False,
            ),
            Twin("self.predict(x) - y.reshape(-1, 1)) ** 2", "self.predict(x) - y) ** 2", ("is broadcast",), False),
        ),
    ),
)

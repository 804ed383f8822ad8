"""Losses: how each is called, and its wrong twins."""

from parity_tests.diagnosis.collection.twins.subject import Subject, Twin

LOSSES = (
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
)

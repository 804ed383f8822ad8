"""Activations: how each is called, and its wrong twins."""

from parity_tests.diagnosis.collection.twins.subject import Subject, Twin, X

ACTIVATIONS = (
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
        "contexts.py",
        "Exp",
        {"inputs": X, "against": "torch.exp"},
        0,
        (Twin("return grad_output * ctx.y", "return grad_output", ("passed on unchanged",)),),
    ),
)

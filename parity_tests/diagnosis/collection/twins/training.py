"""Optimizers, initializers, and a model that trains itself: how each is called, and its wrong twins."""

from parity_tests.diagnosis.collection.twins.subject import Subject, Twin

TRAINING = (
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
        "initializers.py",
        "xavier_normal",
        {"inputs": [], "against": "torch.nn.init.xavier_normal_"},
        0,
        (Twin("2.0 / (fan_in + fan_out)", "2.0 / fan_in + fan_out", ("sqrt(2 / fan_in + fan_out)",), False),),
    ),
    Subject(
        "initializers.py",
        "kaiming_uniform",
        {"inputs": [], "against": "torch.nn.init.kaiming_uniform_"},
        0,
        (Twin("uniform(-bound, bound,", "normal(0, bound,", ("is normal, PyTorch's is uniform", "bound"), False),),
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

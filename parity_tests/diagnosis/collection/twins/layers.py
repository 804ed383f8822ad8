"""Layers that learn arrays, and layers that combine or move numbers: how each is called, and its wrong twins."""

from parity_tests.diagnosis.collection.twins.subject import AVERAGED, Subject, Twin, X

IMAGE = [(2, 2, 6, 4)]
LINEAR = {"args": "3, 4", "inputs": X, "against": "torch.nn.Linear"}

LAYERS = (
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
)

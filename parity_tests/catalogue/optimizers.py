"""The optimizers' cases: parameters, a row of gradients for each, and what many steps make of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, entry
from parity_tests.harness import arrays, budget
from parity_tests.harness.compare import Report
from parity_tests.harness.report import Quantity
from scratch import optim
from scratch.nn import Parameter

STEPS = 60


@dataclass(frozen=True)
class OptimizerCase:
    """An optimizer's name and options, the parameters to start from, and the gradients of each step.

    The gradients do not depend on the parameters: what is compared is the optimizer alone.
    """

    name: str
    options: dict
    values: list[np.ndarray]
    grads: list[list[np.ndarray | None]]

    def check(self, seed: int) -> Report:
        """Compare the parameters and the optimizer's state after all steps.

        The rounding budget is `parity_tests.harness.budget`'s, for sums of as many terms as there are steps.
        """
        report = Report(f"{self.name}({self.options}), {len(self.grads)} steps: {self.values[0].dtype}")
        dtype = self.values[0].dtype
        found, expected = self._scratch(), self._torch(dtype)
        truth = expected if dtype == np.float64 else self._torch(np.dtype(np.float64))
        movements = budget.Movements(lambda delta, draw: self._torch(np.dtype(np.float64), (delta, seed, draw)))
        for name, values in expected.items():
            if name not in found:
                report.faults.append(f"{name} is missing")
                continue
            exact = truth[name]
            own = None if dtype == np.float64 else budget.magnitude(values - exact)

            def scale_and_n(name: str = name, exact: np.ndarray = exact) -> tuple[float, int]:
                return movements.scale(name, exact), len(self.grads)

            allowed = budget.derived(dtype, exact, own, scale_and_n)
            report.quantities.append(Quantity(name, values, found[name], allowed, exact, own))
        report.faults += [f"{name} was not expected" for name in found if name not in expected]
        return report

    def _scratch(self) -> dict[str, np.ndarray]:
        parameters = [Parameter(values.copy()) for values in self.values]
        optimizer = getattr(optim, self.name)(parameters, **self.options)
        for grads in self.grads:
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.grad = None if grad is None else grad.copy()
            optimizer.step()
        return _results([parameter.data for parameter in parameters], optimizer, np.asarray)

    def _torch(self, dtype: np.dtype, move: tuple[float, int, int] | None = None) -> dict[str, np.ndarray]:
        # With move = (delta, seed, draw), a random half of all numbers moved towards zero by the relative delta.
        rng = np.random.default_rng(move[1:] if move else 0)

        def tensor(values: np.ndarray) -> torch.Tensor:
            moved = values if move is None else values * (1 - move[0] * rng.integers(0, 2, values.shape))
            return torch.tensor(np.asarray(moved, dtype))

        parameters = [torch.nn.Parameter(tensor(values)) for values in self.values]
        optimizer = getattr(torch.optim, self.name)(parameters, **self.options)
        for grads in self.grads:
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.grad = None if grad is None else tensor(grad)
            optimizer.step()
        return _results([parameter.detach().numpy() for parameter in parameters], optimizer, torch.Tensor.numpy)


def _results(values: list[np.ndarray], optimizer: object, convert: Callable) -> dict[str, np.ndarray]:
    results = {f"output[{i}]": array for i, array in enumerate(values)}
    for number, state in optimizer.state_dict()["state"].items():
        results |= {f"buffer {key} of {number}": convert(value) for key, value in state.items() if value is not None}
    return results


def case(d: Draw, name: str, options: dict[str, object]) -> OptimizerCase:
    """Return a case with three parameters, one of them often without a gradient."""
    shapes = [d.integers(1, 4, 2), (d.integer(1, 6),), ()]
    absent = d.one_of(0.0, 0.3)
    values = [arrays.array(shape, d.dtype, d.seed) for shape in shapes]
    grads = [
        [
            None if d.rng.random() < absent else np.asarray(d.rng.normal(0.2, 1, shape).astype(d.dtype))
            for shape in shapes
        ]
        for _ in range(STEPS)
    ]
    return OptimizerCase(name, options, values, grads)


@entry("SGD", "optimizer", share=4)
def sgd(d: Draw) -> OptimizerCase:
    """Momentum, dampening, Nesterov, weight decay, maximize."""
    options = d.some_of(momentum=(0.5, 0.9), weight_decay=(0.0, 0.05), maximize=(True, False))
    if "momentum" in options:
        options |= d.one_of({}, {"nesterov": True}, {"dampening": 0.3})
    return case(d, "SGD", {"lr": d.one_of(0.01, 0.1), **options})


def adam(name: str) -> None:
    """Register Adam or AdamW."""

    def draw(d: Draw) -> OptimizerCase:
        options = d.some_of(
            betas=((0.3, 0.6), (0.0, 0.9), (0.9, 0.99)),
            eps=(1e-8, 1e-2),
            weight_decay=(0.0, 0.05),
            amsgrad=(True, False),
            maximize=(True, False),
        )
        return case(d, name, {"lr": d.one_of(0.001, 0.01), **options})

    entry(name, "optimizer", share=4)(draw)


adam("Adam")
adam("AdamW")


def options_of_variants(d: Draw) -> dict[str, object]:
    """Return the options that NAdam and RAdam share; RAdam never divides by v where beta2 is 0.6."""
    return {"lr": d.one_of(0.001, 0.01)} | d.some_of(
        betas=((0.3, 0.8), (0.0, 0.9), (0.9, 0.99), (0.9, 0.6)),
        eps=(1e-8, 1e-2),
        weight_decay=(0.0, 0.05),
        decoupled_weight_decay=(True, False),
        maximize=(True, False),
    )


@entry("NAdam", "optimizer", share=4)
def nadam(d: Draw) -> OptimizerCase:
    """As RAdam, and how fast the momentum grows: from slowly to at once, and not at all."""
    return case(d, "NAdam", options_of_variants(d) | d.some_of(momentum_decay=(4e-3, 0.5, 0.0)))


@entry("RAdam", "optimizer", share=4)
def radam(d: Draw) -> OptimizerCase:
    """Draw betas, eps, weight decay, decoupled or not, maximize."""
    return case(d, "RAdam", options_of_variants(d))


@entry("RMSprop", "optimizer", share=4)
def rmsprop(d: Draw) -> OptimizerCase:
    """Draw alpha, eps, momentum, weight decay, centered, maximize."""
    options = d.some_of(
        alpha=(0.99, 0.9, 0.5),
        eps=(1e-8, 1e-2),
        weight_decay=(0.0, 0.05),
        momentum=(0.0, 0.5, 0.9),
        centered=(True, False),
        maximize=(True, False),
    )
    return case(d, "RMSprop", {"lr": d.one_of(0.001, 0.01), **options})


@entry("Adagrad", "optimizer", share=4)
def adagrad(d: Draw) -> OptimizerCase:
    """Draw the decay of lr, where the sums start, eps, weight decay, maximize."""
    options = d.some_of(
        lr_decay=(0.0, 0.3),
        weight_decay=(0.0, 0.05),
        initial_accumulator_value=(0.0, 0.4),
        eps=(1e-10, 1e-2),
        maximize=(True, False),
    )
    return case(d, "Adagrad", {"lr": d.one_of(0.01, 0.1), **options})


@entry("Adadelta", "optimizer", share=4)
def adadelta(d: Draw) -> OptimizerCase:
    """Draw rho, eps, weight decay, maximize."""
    options = d.some_of(rho=(0.9, 0.5, 0.0, 1.0), eps=(1e-6, 1e-2), weight_decay=(0.0, 0.05), maximize=(True, False))
    return case(d, "Adadelta", {"lr": d.one_of(0.3, 1.0), **options})

"""A layer that takes the step itself, in a method beside backward: ``update(lr)`` moves each parameter by its gradient.

The gradients are right by now. The step is linear in them, so that the difference of the steps after two upstream
gradients, of which one is twice the other, has to be the learning rate times the gradient: a weight decay cancels.
"""

import inspect

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.plans import RATE
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.reading.steps import rate_held
from parity_tests.diagnosis.reading.trials import upstream

METHODS = (
    *("update", "step", "sgd_step", "update_weights", "update_params", "update_parameters", "gradient_step"),
    *("apply_gradients", "apply_grads", "apply_gradient", "optimize", "take_step", "gradient_descent"),
)


def compare(learner: Learner, inputs: tuple) -> tuple[str, str]:
    """Return what to say of a layer's own step, and what is wrong with it; "" and "" if it has none."""
    found = _method(learner)
    if found is None:
        return "", ""
    name, given = found
    rate = RATE if given else rate_held(learner.found.owner)
    try:
        gradients, once = _step(learner, inputs, 1.0, name, given)
        _, twice = _step(learner, inputs, 2.0, name, given)
        _, thrice = _step(learner, inputs, 3.0, name, given)
    except LearnerRaisedError as error:  # it may want an optimizer first
        return f"note: {name} was not compared: {str(error).splitlines()[-1]}", ""
    if not any(map(np.any, once.values())):
        return "", ""  # of a base class
    call = f"{name}({', '.join(given)})"
    along = {key: twice[key] - once[key] for key in gradients}
    if not all(_close(thrice[key] - twice[key], along[key]) for key in along):
        return (
            f"note: {call} was not compared: its step is not linear in the gradient; check the optimizer by itself",
            "",
        )
    factors = {key: (along[key] * g).sum() / (g * g).sum() for key, g in gradients.items() if np.any(g)}
    wrong = [key for key, factor in factors.items() if not _close(along[key], factor * gradients[key])]
    if wrong:
        return "", f"{call} does not move {' and '.join(wrong)} along the gradient, which is right: see the line there"
    first = next(iter(factors.values()))
    if any(not np.isclose(factor, first, rtol=1e-6) for factor in factors.values()):
        listed = ", ".join(f"{key} by {factor:.6g}" for key, factor in factors.items())
        return "", f"{call} moves the parameters by different multiples of their gradients: {listed}"
    if first <= 0:
        return "", f"{call} moves the parameters {'uphill: the sign is flipped' if first < 0 else 'by nothing'}"
    times = f"{first / rate:.6g} times " * (not np.isclose(first, rate, rtol=1e-6)) if rate else f"{first:.6g} times "
    return f"{call} moves each parameter by {times}{'the learning rate times ' * bool(rate)}its gradient.", ""


def keeps_shapes(learner: Learner, inputs: tuple) -> bool:
    """Return whether the layer takes a step itself, after which each parameter has the shape that it had.

    It may reshape a gradient (m,) of a bias (m, 1) there, which anybody else's step would make a matrix of.
    """
    found = _method(learner)
    if found is None:
        return False
    try:
        _step(learner, inputs, 1.0, *found)
    except (LearnerRaisedError, ValueError):  # a matrix cannot be looked at as the bias
        return False
    return all(np.shape(learner.world.get(one.place)) == one.shape for one in learner.reading.learned)


def _method(learner: Learner) -> tuple[str, dict[str, float]] | None:
    """Return the name of the method that takes the step, and the arguments that it gets; None if there is none."""
    owner, learned = learner.found.owner, learner.reading.learned
    name = next((one for one in METHODS if callable(getattr(type(owner), one, None))), "")
    held = all(one.gradient is not None and one.gradient.place and not one.gradient.step for one in learned)
    if not name or not learned or not held or learner.plan.convention != "upstream":
        return None
    parameters = list(inspect.signature(getattr(owner, name)).parameters.values())
    rates = [p for p in parameters if words.RATES.match(p.name)]
    if any(p.default is p.empty and p not in rates and p.kind is not p.VAR_KEYWORD for p in parameters):
        return None
    return name, {p.name: RATE for p in rates}


def _step(
    learner: Learner, inputs: tuple, factor: float, name: str, given: dict[str, float]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the gradients after one backward, and by how much the step moves each parameter against them."""
    made = learner.forward(*inputs)
    outputs = made if isinstance(made, tuple) else (made,)
    learner.backward(*[factor * g if g.ndim else float(factor * g) for g in upstream(outputs)])
    gradients = {key: np.array(parameter.grad) for key, parameter in learner.named_parameters()}
    before = {one.name: learner.values(one) for one in learner.reading.learned}
    with learner.stage(name):
        getattr(learner.found.owner, name)(**given)
    return gradients, {one.name: before[one.name] - learner.values(one) for one in learner.reading.learned}


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=1e-6, atol=1e-9 * max(1.0, np.abs(other).max(initial=0))))

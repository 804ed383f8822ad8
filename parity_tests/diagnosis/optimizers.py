"""Compare somebody's optimizer with PyTorch's: the same parameters and gradients for hundreds of steps.

PyTorch's optimizer gets the options that the learner's object holds, under PyTorch's names.
"""

import contextlib
import copy
import inspect
import types
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.optimizer_rules import VARIANTS
from parity_tests.diagnosis.optimizer_walks import METHODS, takes_parameters, walk_of
from parity_tests.diagnosis.reading import adapters
from parity_tests.diagnosis.reading.names import BACKWARD, FORWARD
from parity_tests.diagnosis.reading.running import NotUnderstoodError, Stage
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.harness.arrays import array
from parity_tests.harness.lazy_torch import torch

STEPS = 300
LARGE_FROM, LARGE = 250, 100.0
"""The last gradients are this many times as large: a clip lies beyond the usual ones."""
SHAPES = {"W": (3, 4), "b": (4,)}
TAKES = {
    "SGD": ("lr", "momentum", "weight_decay", "nesterov"),
    "Adam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "AdamW": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "NAdam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "Adamax": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "RMSprop": ("lr", "alpha", "eps", "weight_decay"),
    "Adagrad": ("lr", "eps", "weight_decay"),
}
NAMES = {"rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "adagrad": "Adagrad", "momentum": "SGD"}
NAMES |= {"momentumsgd": "SGD", "sgdmomentum": "SGD", "stochasticgradientdescent": "SGD", "gradientdescent": "SGD"}
EPS = (1e-6, 1e-7, 1e-10)
"""Other values of eps that people write into the formula, where no attribute tells."""


def is_optimizer(thing: object) -> bool:
    """Return whether a class steps parameters and has no forward."""
    if not isinstance(thing, type) or any(hasattr(thing, name) for name in ("forward", "backward", "gradient")):
        return False
    return any(hasattr(thing, name) for name in METHODS[:-1]) and bool(_twin(thing))


def _twin(cls: type) -> str:
    """Return PyTorch's name for ``Adam``, ``Optimizer_Adam`` or ``AdamOptimizer``; "" for another class."""
    return NAMES.get(cls.__name__.lower().replace("optimizer", "").replace("_", ""), "")


def refuse_without_twin(thing: object) -> None:
    """Raise if a class steps parameters, but its name is none of PyTorch's optimizers'."""
    others = {*FORWARD, *BACKWARD} - set(METHODS)
    if not isinstance(thing, type) or any(callable(getattr(thing, name, None)) for name in others):
        return
    method = next((name for name in METHODS[:-1] if callable(getattr(thing, name, None))), "")
    if method:
        raise NotUnderstoodError(
            f"{thing.__name__}.{method} looks like an optimizer's step: name PyTorch's, as in --against "
            "torch.optim.Adam; an optimizer that PyTorch does not have cannot be checked"
        )


def examine(
    request: Request, module: types.ModuleType, args: tuple[list, dict], literal: tuple[list, dict], stage: Stage
) -> Verdict:
    """Return the verdict on an optimizer."""
    cls = getattr(module, request.names, None)
    if not callable(cls):
        raise NotUnderstoodError(f"{request.path.name} has no class or function {request.names!r}")
    name = request.against or f"torch.optim.{_twin(cls)}"
    start = {key: array(shape, seed=request.seed + i) for i, (key, shape) in enumerate(SHAPES.items())}
    gradients = _gradients(start, request.seed)
    try:
        walk, form, options = walk_of(cls, args, start, gradients, stage)
    except NotUnderstoodError as error:
        raise NotUnderstoodError(str(error), _adapter(cls, name, request)) from error
    theirs, given = _torch_walk(name, options, literal, start, gradients)
    if "eps" not in given and "eps" in TAKES.get(name.rpartition(".")[2], ()) and not _agree(walk, theirs):
        others = (_torch_walk(name, options | {"eps": eps}, literal, start, gradients) for eps in EPS)
        theirs, given = next((other for other in others if _agree(walk, other[0])), (theirs, given))
    read = [
        "read as:",
        f"  ({request.path.name} was run)",
        f"  {form}",
        f"  {name}({', '.join(f'{k}={v!r}' for k, v in given.items())})",
    ]
    text = "\n".join(
        [*read, "", f"{cls.__name__} against {name}: float64, {STEPS} steps of two parameters, (3, 4) and (4,)"]
    )
    first = next((i for i in range(STEPS) if not _close(walk[i], theirs[i])), None)
    if first is None:
        worst = max(np.abs(walk[-1][key] - theirs[-1][key]).max() for key in start)
        agreed = f"All agree: after {STEPS} steps the parameters are {worst:.1e} apart at most."
        unused = " and ".join(key for key, value in given.items() if not value)
        note = f"\nnote: {unused} took no part in these steps; give it in --args to compare it" * bool(unused)
        return Verdict(0, f"{text}\n\n{agreed}{note}")
    lines = [f"after step {first + 1} the parameters differ:"]
    for key in start:
        ours, right = walk[first][key] - start[key], theirs[first][key] - start[key]
        at = np.unravel_index(np.abs(ours - right).argmax(), right.shape)
        place = tuple(int(i) for i in at)
        lines.append(f"  {key} has moved by {ours[at]:.6g} at {place}, expected {right[at]:.6g}")
    lines += [f"-> {sentence}" for sentence in _named(name, walk, start, gradients, given)]
    return Verdict(1, "\n".join([text, "", *lines]))


def _adapter(cls: type, name: str, request: Request) -> str:
    step = next((one for one in METHODS[:-1] if callable(getattr(cls, one, None))), "")
    return adapters.of_optimizer(cls, step, takes_parameters(cls), name, request.path.stem)


def _gradients(start: dict[str, np.ndarray], seed: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng([seed, 7])
    sizes = [1.0 if step < LARGE_FROM else LARGE for step in range(STEPS)]
    return [{key: size * rng.normal(0.3, 1.0, values.shape) for key, values in start.items()} for size in sizes]


def _agree(one: list, other: list) -> bool:
    return all(map(_close, one, other))


def _close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(
        np.shape(one[key]) == np.shape(other[key]) and np.allclose(one[key], other[key], rtol=1e-9, atol=1e-11)
        for key in other
    )


def _torch_walk(name: str, options: dict, literal: tuple, start: dict, gradients: list) -> tuple[list, dict]:
    kind = name.rpartition(".")[2]
    given = {key: options[key] for key in TAKES.get(kind, ("lr",)) if key in options}
    if "beta1" in given or "beta2" in given:
        given["betas"] = (given.pop("beta1", 0.9), given.pop("beta2", 0.999))
    accepted = inspect.signature(against.named(name)).parameters
    given |= {key: value for key, value in literal[1].items() if key in accepted}
    tensors = {key: torch.nn.Parameter(torch.tensor(values)) for key, values in start.items()}
    try:
        optimizer = against.named(name)(list(tensors.values()), **given)
    except Exception as error:
        raise NotUnderstoodError(f"{name} refuses the arguments: {error}") from error
    walk = []
    with _all_in_float64():
        for grads in gradients:
            for key, tensor in tensors.items():
                tensor.grad = torch.tensor(grads[key])
            optimizer.step()
            walk.append({key: t.detach().numpy().copy() for key, t in tensors.items()})
    return walk, given


@contextlib.contextmanager
def _all_in_float64() -> Iterator[None]:
    """Let PyTorch keep its numbers in float64, too: NAdam's product of the momenta has the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _named(name: str, walk: list, start: dict, gradients: list, given: dict) -> list[str]:
    found = []
    for sentence, rule in VARIANTS.get(name.rpartition(".")[2], {}).items():
        params, state = copy.deepcopy(start), {key: {} for key in start}
        agrees = True
        with np.errstate(all="ignore"):
            for t, grads in enumerate(gradients[:40], 1):
                for key in params:
                    params[key] = rule(params[key], grads[key], state[key], t, given)
                if not _close(walk[t - 1], params):
                    agrees = False
                    break
        if agrees:
            found.append(sentence)
    return found[:1]

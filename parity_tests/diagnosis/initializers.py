"""Compare an initializer with PyTorch's: the distribution's kind, its spread and bounds, and which fan sets them."""

import types
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.harness.lazy_torch import torch

SIZES = ((400, 300), (150, 500))
"""fan_in and fan_out: unequal, and large enough that the spread is known within a percent."""

FORMULAS: dict[str, Callable[[float, float], float]] = {
    "sqrt(2 / (fan_in + fan_out))": lambda i, o: np.sqrt(2 / (i + o)),
    "sqrt(2 / fan_in + fan_out)": lambda i, o: np.sqrt(2 / i + o),
    "2 / (fan_in + fan_out), the variance where the standard deviation belongs": lambda i, o: 2 / (i + o),
    "sqrt(2 / fan_in)": lambda i, o: np.sqrt(2 / i),
    "sqrt(2 / fan_out)": lambda i, o: np.sqrt(2 / o),
    "sqrt(1 / fan_in)": lambda i, o: np.sqrt(1 / i),
    "sqrt(1 / fan_out)": lambda i, o: np.sqrt(1 / o),
    "2 / fan_in, the variance where the standard deviation belongs": lambda i, o: 2 / i,
    "1 / fan_in": lambda i, o: 1 / i,
    "sqrt(6 / (fan_in + fan_out)), a uniform distribution's bound": lambda i, o: np.sqrt(6 / (i + o)),
    "sqrt(6 / fan_in), a uniform distribution's bound": lambda i, o: np.sqrt(6 / i),
    "sqrt(1 / (fan_in + fan_out))": lambda i, o: np.sqrt(1 / (i + o)),
    "sqrt(2 / (fan_in + fan_out)) / sqrt(3), a uniform distribution's bound without the sqrt(3)": lambda i, o: np.sqrt(
        2 / (i + o) / 3
    ),
    "sqrt(2 / fan_in) / sqrt(3), a uniform distribution's bound without the sqrt(3)": lambda i, o: np.sqrt(2 / i / 3),
    "1, regardless of the fans": lambda i, o: 1.0,
    "0.1, regardless of the fans": lambda i, o: 0.1,
    "0.01, regardless of the fans": lambda i, o: 0.01,
}


def examine(
    request: Request, module: types.ModuleType, args: tuple[list, dict], literal: tuple[list, dict], stage: Stage
) -> Verdict:
    """Return the verdict on an initializer."""
    function = getattr(module, request.names, None)
    if not callable(function):
        raise NotUnderstoodError(f"{request.path.name} has no class or function {request.names!r}")
    found, form = _drawn(function, args, stage, request.path.name)
    theirs = [_torch(request.against, literal, fans) for fans in SIZES]
    lines = ["read as:", f"  ({request.path.name} was run)", f"  {form}", ""]
    lines.append(f"{request.names} against {request.against}: fans {SIZES[0]} and {SIZES[1]}")
    faults = []
    spreads = [float(values.std()) for values in found]
    for (fan_in, fan_out), ours, right in zip(SIZES, found, theirs, strict=True):
        lines.append(
            f"  fan_in {fan_in}, fan_out {fan_out}: mean {ours.mean():.3g}, standard deviation {ours.std():.4g}, "
            f"bounds {ours.min():.4g} to {ours.max():.4g}; PyTorch's standard deviation {right.std():.4g}, bounds "
            f"{right.min():.4g} to {right.max():.4g}"
        )
    if any(abs(o.std() / r.std() - 1) > 0.03 for o, r in zip(found, theirs, strict=True)):
        faults.append("the standard deviation is not PyTorch's")
        for words, formula in FORMULAS.items():
            if all(abs(s / formula(*fans) - 1) < 0.01 for s, fans in zip(spreads, SIZES, strict=True)):
                right = [float(t.std()) for t in theirs]
                wanted = next(
                    (
                        w
                        for w, f in FORMULAS.items()
                        if all(abs(r / f(*s) - 1) < 0.01 for r, s in zip(right, SIZES, strict=True))
                    ),
                    "",
                )
                faults.append(f"-> it is {words}" + f"; it should be {wanted}" * bool(wanted))
                break
    kinds = [_kind(values) for values in (found[0], theirs[0])]
    if kinds[0] != kinds[1]:
        faults.append(f"the distribution is {kinds[0]}, PyTorch's is {kinds[1]}")
    if abs(found[0].mean()) > 5 * found[0].std() / np.sqrt(found[0].size):
        faults.append(f"the mean is {found[0].mean():.3g}, not 0")
    text = "\n".join([*lines, "", *(faults or ["All agree: kind, spread and bounds, at two sizes."])])
    return Verdict(1 if faults else 0, text)


def _kind(values: np.ndarray) -> str:
    centred = (values - values.mean()) / (values.std() + 1e-300)
    kurtosis = float((centred**4).mean())
    return "uniform" if kurtosis < 2.1 else "normal" if kurtosis > 2.85 else "a truncated normal"


def _drawn(function: Callable, args: tuple[list, dict], stage: Stage, file: str) -> tuple[list[np.ndarray], str]:
    ways = {
        "(fan_in, fan_out)": lambda i, o: function(i, o, *args[0], **args[1]),
        "((fan_in, fan_out))": lambda i, o: function((i, o), *args[0], **args[1]),
        "(array), in place, (fan_out, fan_in)": lambda i, o: _in_place(function, (o, i), args),
    }
    trouble: Exception | None = None
    for words, way in ways.items():
        try:
            made = []
            for fans in SIZES:
                with stage(function.__name__, reseed=True):
                    made.append(np.asarray(way(*fans), dtype=np.float64))
        except (LearnerRaisedError, TypeError, ValueError) as error:
            trouble = trouble or error
            continue
        if all(values.size == i * o for values, (i, o) in zip(made, SIZES, strict=True)):
            return made, f"{function.__name__}{words} -> an array of shape {made[0].shape}"
    raise NotUnderstoodError(
        f"{file}: {function.__name__} can be called neither with two fans nor with a shape ({trouble})"
    )


def _in_place(function: Callable, shape: tuple[int, int], args: tuple[list, dict]) -> np.ndarray:
    values = np.zeros(shape)
    made = function(values, *args[0], **args[1])
    return values if made is None else made


def _torch(name: str, literal: tuple[list, dict], fans: tuple[int, int]) -> np.ndarray:
    torch.manual_seed(0)
    tensor = torch.empty(fans[1], fans[0], dtype=torch.float64)
    try:
        against.named(name)(
            tensor,
            **{k: v for k, v in literal[1].items() if k in ("gain", "a", "mode", "nonlinearity", "mean", "std", "b")},
        )
    except Exception as error:
        raise NotUnderstoodError(f"{name} refuses the arguments: {error}") from error
    return tensor.numpy()

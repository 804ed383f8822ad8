"""Turn an object into a layer that can be compared: by the likeliest way to call it that agrees, else the likeliest."""

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from parity_tests.diagnosis.against import is_module, outputs, with_numbers
from parity_tests.diagnosis.reading import calls
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.domain import keep_positive
from parity_tests.diagnosis.reading.find import Found, of_class, of_function, of_module, of_object
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.matching import match
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.reading.trials import upstream
from parity_tests.diagnosis.reading.ways import may_ignore, plans
from parity_tests.harness.arrays import random_state
from scratch.gradcheck import compare_direction


def read(
    found: Found,
    inputs: tuple[np.ndarray, ...],
    options: Options,
    stage: Stage,
    prepare: Callable[[Learner], bool] = lambda learner: True,
    **settings: object,
) -> Learner:
    """Return the learner for the first plan under which backward is forward's derivative, else for the first that runs.

    ``prepare`` is called with each candidate, gives its parameters PyTorch's names and random numbers, and says
    whether its outputs are those of what it is compared with.
    """
    first: Learner | None = None
    trouble: Exception | None = None
    ran = False
    for plan in plans(found, options, inputs):
        if plan.parameters_first and (first is None or not _returns_unnamed(first)):
            continue
        try:
            learner = Learner(plan, inputs, stage=stage, **settings)
            outputs_agree = prepare(learner)
            learner.forward(*inputs)
            learner.backward(*upstream(learner.outputs))
            if plan.convention == "upstream" and may_ignore(found, options) and _ignores_upstream(learner, inputs):
                continue
        except (LearnerRaisedError, NotUnderstoodError) as error:
            if trouble is None or (plan.returned is not None and not ran):
                trouble, ran = error, plan.returned is not None  # where forward ran, the error says more
                if isinstance(error, LearnerRaisedError):
                    error.call = calls.told(plan)
            continue
        first = first or learner
        if plan.split.keeps and learner.reading.beside:
            continue  # the array that was taken to be kept is not used
        if outputs_agree and differentiates(learner, inputs):
            return learner
    if first is None and (flags := _that_keep(found, options)):
        return read(found, inputs, dataclasses.replace(options, keeping=flags), stage, prepare, **settings)
    if first is None and (called := _called(found)) is not None:
        with suppress(LearnerRaisedError, NotUnderstoodError):
            return read(called, inputs, options, stage, prepare, **settings)
    if first is None:
        raise trouble
    return first


def _that_keep(found: Found, options: Options) -> tuple[str, ...]:
    """Return forward's flags that are off and may say whether it keeps what backward needs: ``save_cache=False``."""
    off = [p.name for p in found.parameters(found.forward) if p.default is False and p.name not in options.extras]
    return tuple(name for name in off if words.KEEPING.search(name)) if not options.keeping else ()


def _called(found: Found) -> Found | None:
    """Return the object with its ``__call__`` as forward, where that is another: it may keep what backward needs."""
    function = inspect.isfunction(inspect.getattr_static(type(found.owner), "__call__", None))
    if not function or found.forward_name == "__call__" or found.backward is None:
        return None
    return Found(found.title, found.owner.__call__, found.backward, owner=found.owner, module=found.module)


def _ignores_upstream(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether backward leaves the same for another upstream gradient, and something at all."""
    found = []
    for factor in (1.0, 2.0):
        learner.forward(*inputs)
        returned = learner.backward(*(factor * grad for grad in upstream(learner.outputs)))
        grads = returned if isinstance(returned, tuple) else (returned,)
        found.append([g for g in (*grads, *(p.grad for _, p in learner.named_parameters())) if g is not None])
    return bool(found[0]) and all(map(np.array_equal, *found)) and any(map(np.any, found[0]))


def _returns_unnamed(learner: Learner) -> bool:
    """Return whether backward returns gradients of inputs and parameters by which only their order tells whose."""
    sources = [*learner.reading.inputs.values(), *(one.gradient for one in learner.reading.learned)]
    return sum(source is not None and (source.leaf or "").startswith("[") for source in sources) > 1


def differentiates(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether backward is forward's derivative along a random direction; True where that cannot be told."""
    try:
        (along,) = compare_direction(
            learner, *(np.asarray(x, np.float64) if x.dtype.kind == "f" else x for x in inputs)
        )
    except LearnerRaisedError:
        return False
    except (TypeError, ValueError):
        return False
    return not bool(along.different)


def of_anything(thing: object, theirs: Callable | None, inputs: tuple[np.ndarray, ...], seed: int = 0) -> Learner:
    """Return the learner for an object, a class, a module or a pair of functions, for `parity_tests.check`."""
    dtype = str(next(x.dtype for x in inputs if x.dtype.kind == "f"))
    stage = Stage(seed, dtype)
    if isinstance(thing, tuple):
        found = Found(thing[0].__name__, *thing, module=sys.modules.get(thing[0].__module__))
    elif isinstance(thing, type):
        found = of_class(thing, ([], {}), stage, sys.modules.get(thing.__module__), "")
    elif isinstance(thing, types.ModuleType):
        found = of_module(thing)
    elif isinstance(thing, types.FunctionType):
        found = of_function(sys.modules[thing.__module__], thing.__name__, thing, ([], {}), stage, "")
    else:
        found = of_object(thing, sys.modules.get(type(thing).__module__))
    training = bool(getattr(thing, "training", True))
    options = Options(training=training, torch_order=theirs is not None and len(inputs) == 2)
    ready = functools.partial(prepare, theirs=theirs, inputs=inputs, seed=seed)
    return read(found, inputs, options, stage, ready, dtype=dtype)


def prepare(
    learner: Learner, theirs: Callable | None, inputs: tuple[np.ndarray, ...], seed: int, randomized: bool = False
) -> bool:
    """Give a learner's parameters PyTorch's names, and random numbers if wanted; return whether the outputs agree."""

    def agrees() -> bool:
        if randomized:
            random_state(learner, seed)
            learner.positive = keep_positive(learner, inputs)
        if theirs is None:
            return True
        try:
            ours = learner.forward(*inputs)
            expected = _outputs_of(theirs, learner, inputs, seed)
        except (LearnerRaisedError, RuntimeError, ValueError, IndexError):
            return False
        made = ours if isinstance(ours, tuple) else (ours,)
        return len(made) == len(expected) and all(
            a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
            for a, b in zip(made, expected, strict=True)
        )

    if is_module(theirs):
        learned = {name: tuple(t.shape) for name, t in theirs.named_parameters()}
        buffers = {name: tuple(t.shape) for name, t in theirs.named_buffers()}
        learner.unmatched = match(learner, learned, buffers, agrees)
        learner.not_kept = [n for n, shape in buffers.items() if shape and n not in learner.buffers]
        extra = [name for name in learner.parameters if name not in learned]
        shapes = [n for n, p in learner.parameters.items() if n in learned and p.data.shape != learned[n]]
        learner.unmatched += [*extra, *shapes]
    return agrees()


def _outputs_of(theirs: Callable, learner: Learner, inputs: tuple, seed: int) -> tuple[np.ndarray, ...]:
    layer = with_numbers(theirs, learner.state_dict()).train(learner.training) if is_module(theirs) else theirs
    return outputs(layer, inputs, seed)

"""Name the mistake: a wrong result is compared with what likely mistakes would have given.

A guess (`parity_tests.diagnosis.likely_mistakes`) is a function of a `parity_tests.diagnosis.evidence.Case` that yields
pairs of a sentence and the array that the mistake would have produced. Where that array equals the wrong result, the
sentence is printed. Where no guess fits, the pattern of the differences is described: which rows, which ratio, which
inputs.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis import single_precision
from parity_tests.diagnosis.batches import longer
from parity_tests.diagnosis.evidence import GUESSES, Case

# They register themselves, and are tried in this order.
from parity_tests.diagnosis.likely_mistakes import adding_up, anywhere, in_layers  # noqa: F401
from parity_tests.diagnosis.patterns import patterns
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.views import Parts
from parity_tests.harness.reference import FiniteDifferences, Torch, grad_name
from parity_tests.harness.report import AGAIN, Quantity, Report
from scratch.gradcheck import compare_direction
from scratch.nn import Module

MOST = 3
"""The most sentences for one quantity; more that fit the same numbers would not help."""


def explains(guessed: np.ndarray, case: Case) -> bool:
    """Return whether ``guessed`` equals the result within rounding, but not the expected values, and is not zero."""
    guessed = np.asarray(guessed)
    if guessed.shape != case.got.shape or not guessed.size or not np.any(guessed):
        return False
    if not (np.isfinite(guessed).all() and np.isfinite(case.got).all()):
        return False
    close = (1e-4 if case.got.dtype == np.float32 else 1e-8) * np.abs(guessed).max()
    same_as_expected = guessed.shape == case.expected.shape and np.abs(guessed - case.expected).max() <= close
    return not same_as_expected and np.abs(guessed - case.got).max() <= close


@dataclass
class Suspects:
    """Called with a report, it returns the sentences that explain what differs in it.

    ``layer`` is the layer under test and ``got`` what it gave, by name; the rest is what it was compared with and on.
    ``right_for_forward``: whether backward turned out to be the derivative of a wrong forward.
    """

    layer: Module
    got: dict[str, np.ndarray | None]
    reference: Torch | FiniteDifferences
    inputs: tuple[np.ndarray, ...]
    grads: tuple[np.ndarray, ...]
    count: int
    state: dict[str, np.ndarray]
    torch_layer: Callable | None = None
    right_for_forward: bool = False
    _other: tuple | None = None

    def __call__(self, report: Report) -> list[str]:
        """Return a sentence or more for each wrong quantity, none twice."""
        if self.forward_is_rounded:
            return [single_precision.WORDS]
        sentences = list(self._about_backward_alone(report))
        found: dict[str, list[str]] = {}
        for quantity in [q for q in report.wrong if q.whole is None]:
            case = self._case(report, quantity)
            for sentence in _most_specific(list(dict.fromkeys(_named(case)))) or list(patterns(case))[:MOST]:
                found.setdefault(sentence, []).append(quantity.name)
        # The sentence that explains the most quantities comes first.
        for sentence, names in sorted(found.items(), key=lambda pair: -len(pair[1])):
            sentences.append(f"{', '.join(names)}: {sentence}")
        return [*self._unused(report), *self._after_the_step(report), *sentences, *self._averaged(report, found)]

    def _averaged(self, report: Report, found: dict[str, list[str]]) -> Iterator[str]:
        # The convention of some courses: upstream gradients belong to single examples, and a layer averages.
        wrong = [q.name for q in report.wrong if not q.name.endswith(AGAIN)]
        means = {s: names for s, names in found.items() if s.startswith("divided by") and "the batch size" in s}
        if len(wrong) < 2 or sorted(name for names in means.values() for name in names) != sorted(wrong):
            return
        for sentence, names in means.items():
            factor = sentence.rpartition(", and times ")[2] if ", and times " in sentence else ""
            said = f"{factor} times what it should be" if factor else "right"
            yield (
                f"{', '.join(names)}: {said} by the convention that a layer's own gradients are means over the "
                "examples; use --averages to compare by this convention"
            )

    def _after_the_step(self, report: Report) -> Iterator[str]:
        # A backward that updates its weights, and then uses them.
        steps = {one.name: one.gradient.rate for one in _steps(self.layer)}
        wrong = [q for q in report.wrong if q.name.startswith("grad_input") and not q.name.endswith(AGAIN)]
        if not steps or not wrong:
            return
        state = dict(self.state)
        for name, rate in steps.items():
            made = self.got.get(grad_name(name))
            if made is not None and made.shape == state[name].shape:
                state[name] = state[name] - rate * made
        with suppress(Exception):
            case = self._case(report, wrong[0])
            if explains(case.rerun(state=state), case):
                yield (
                    f"{wrong[0].name}: computed with the weights after backward updated them; compute the gradient "
                    "of the input first, then take the step"
                )

    def _unused(self, report: Report) -> Iterator[str]:
        # A parameter that backward has a gradient for, and forward does not use.
        wrong = {q.name for q in report.wrong}
        unused = [one for one in _learned(self.layer) if not one.moves and grad_name(one.name) in wrong]
        if unused:
            names = " and ".join(one.name for one in unused)
            grads = ", ".join(grad_name(one.name) for one in unused)
            yield (
                f"{grads}: forward's output does not depend on {names}: check forward before backward "
                "(is another parameter used in its place?)"
            )

    def _another(self, quantity: Quantity) -> Case | None:
        """Return the quantity's case for a larger batch."""
        if self._other is None:
            self._other = self._of_a_larger_batch() or ()
        if not self._other:
            return None
        suspects, report = self._other
        with suppress(KeyError):
            return suspects._case(report, report[quantity.name])
        return None

    def _of_a_larger_batch(self) -> tuple["Suspects", Report] | None:
        from parity_tests.harness.compare import check

        count = self.inputs[0].shape[0] if self.inputs[0].ndim else 0
        if count < 1 or self.inputs[0].size > 5000:
            return None
        axes = (1, 0) if self._columns() else (0, 1) if isinstance(self.layer, Learner) else (0,)
        for axis in axes if self.inputs[0].ndim == 2 and self.torch_layer is None else (0,):
            inputs = tuple(longer(x, self.inputs[0].shape[axis], axis) for x in self.inputs)
            with suppress(Exception):
                report = check(self.layer, self.torch_layer, *inputs, strict=False)
                if report.quantities:
                    return report.suspects, report
        return None

    def _input_names(self) -> list[str]:
        count = len(self.inputs)
        return (
            self.layer.input_names(count) if isinstance(self.layer, Learner) else [f"input {i}" for i in range(count)]
        )

    def _columns(self) -> bool:
        return (
            isinstance(self.layer, Learner)
            and self.inputs[0].ndim == 2
            and self.layer.example_axes(self.inputs)[0] == 1
        )

    @property
    def forward_is_rounded(self) -> bool:
        """Whether finite differences are taken of a forward that rounds what it gives, or what it gets, to float32."""
        if not isinstance(self.reference, FiniteDifferences):
            return False
        outputs = [values for name, values in self.got.items() if name.startswith("output")]
        return single_precision.is_rounded(self.layer, outputs, self.inputs)

    def _about_backward_alone(self, report: Report) -> Iterator[str]:
        # Where forward is wrong, the gradients differ anyway; what counts is whether they are those of this forward.
        names = [quantity.name for quantity in report.wrong]
        forward = any(name.startswith("output") for name in names)
        if not forward or not any("grad_" in name for name in names) or report.faults:
            return
        if any(q.got.shape != q.expected.shape for q in report.wrong):
            return
        with suppress(Exception):
            (along,) = compare_direction(self.layer, *self.inputs)
            if along.different:
                yield "backward is not the derivative of this forward either, according to finite differences"
            elif not np.isnan(along.allowed):
                self.right_for_forward = True
                yield (
                    "backward is the derivative of this forward, according to finite differences: fix forward, and "
                    "backward only has to follow"
                )

    def _case(self, report: Report, quantity: Quantity) -> Case:
        name = quantity.name.removesuffix(AGAIN)
        kind = next((k for k in ("output", "grad_input", "buffer") if name.startswith(k)), "grad_parameter")

        def rerun(
            inputs: tuple | None = None, grads: tuple | None = None, name: str = quantity.name, **changes: object
        ) -> np.ndarray:
            if isinstance(self.reference, FiniteDifferences):
                changes["name"] = name
            results = self.reference.results(inputs or self.inputs, grads or self.grads, self.count, **changes)
            return results[name]

        return Case(
            quantity.name,
            kind,
            quantity.name.endswith(AGAIN),
            quantity.expected,
            quantity.got,
            report[name].expected,
            self.inputs,
            self.grads,
            self.state,
            self.reference.layer if isinstance(self.reference, Torch) else None,
            self._output(report),
            rerun,
            self._columns(),
            self._input_names(),
            name in {grad_name(one.name) for one in _learned(self.layer) if isinstance(one.view, Parts)},
            lambda: self._another(quantity),
        )

    def _output(self, report: Report) -> np.ndarray | None:
        found = [q.expected for q in report.quantities if q.name in ("output", "output[0]")]
        return found[0] if found and isinstance(self.reference, Torch) else None


def _learned(layer: object) -> list:
    return layer.reading.learned if isinstance(layer, Learner) else []


def _steps(layer: object) -> list:
    return [one for one in _learned(layer) if one.gradient is not None and one.gradient.step]


def _named(case: Case) -> Iterator[str]:
    for kinds, guess in GUESSES:
        if (case.kind in kinds and not case.again) or (case.again and "again" in kinds):
            # A guess that does not fit this layer (other axes, other options) may fail in any way.
            with suppress(Exception):
                for sentence, guessed in guess(case):
                    if explains(guessed, case):
                        yield sentence


def _most_specific(sentences: list[str]) -> list[str]:
    # Where one factor alone explains the ratio, a product of factors, or a plain 2, only says it in a longer way.
    plain = [s for s in sentences if ", and times " not in s]
    sentences = plain or sentences
    if any("1/(1-p)" in s for s in sentences):
        sentences = [s for s in sentences if not s.startswith(("twice", "half", "times", "divided"))]
    return sentences

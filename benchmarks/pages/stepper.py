"""A tiny example, step by step: first what goes in, then each statement with its numbers, each B beside the tape's.

All steps are in the page; the script shows one at a time, with what the statement reads beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.pages import mathematics, numbers
from benchmarks.pages.examples import Example
from benchmarks.pages.html import Html, element, escape, join
from benchmarks.pages.relations import Line, lines_of, names_of
from benchmarks.pages.rows import anchor, sides
from parity_tests.harness.derivation import Derivation
from parity_tests.harness.execution import Step
from parity_tests.harness.trace import Trace

VERDICTS = {
    "equal": "equal to the tape's",
    "part": "a part of the tape's: another statement adds the rest",
    "room": "room, which a later statement fills",
    "constant": "the quantity is a number here, and has no gradient",
    "helper": "no gradient: later statements read it",
    "differs": "differs from the tape's",
}
BUTTONS = (
    ("first", "⇤", "First step"),
    ("back", "←", "Back"),
    ("next", "→", "Next"),
    ("last", "⇥", "Last step"),
    ("close", "×", "Close"),
)


def stepper(derivation: Derivation, example: Example) -> Html:
    """Return the steps of a derivation's example, with buttons."""
    lines, names = lines_of(derivation), names_of(derivation)
    panels: list[Panel] = []
    for trace, turn in zip(example.traces, _turns(example), strict=True):
        panels += _Panels(derivation, lines, names, trace, turn).each()
    steps = [
        element(
            "li",
            element("h5", panel.title),
            element("div", *panel.parts, class_="panels"),
            class_="step" if place else "step at",
            data_row=panel.row,
            data_reads=" ".join(panel.reads) or None,
        )
        for place, panel in enumerate(panels)
    ]
    buttons = [
        element("button", element("span", sign, aria_hidden="true"), type="button", data_go=go, aria_label=word)
        for go, sign, word in BUTTONS
    ]
    count = element("output", f"1 / {len(steps)}", class_="count")
    controls = element("div", *buttons[:2], count, *buttons[2:], class_="controls", role="group", aria_label="Steps")
    head = element("header", element("h4", "Step through it"), controls, class_="bar")
    made = element("p", "These numbers: ", element("code", example.asked.command), class_="source")
    return element(
        "section",
        head,
        element("ol", *steps, class_="steps", tabindex="0", aria_live="polite", aria_label="The current step"),
        made,
        class_="stepper",
        id=f"{derivation.name}-steps",
        aria_label=f"{derivation.name}, step by step",
        data_name=derivation.name,
    )


def _turns(example: Example) -> list[str]:
    """Return what tells successive traces apart: the steps of an optimizer."""
    several = len(example.traces) > 1
    return [f"step {place}, " if several else "" for place in range(1, len(example.traces) + 1)]


@dataclass(frozen=True)
class Panel:
    """A step: its title and its numbers, the row of its statement, and the names that the statement reads."""

    title: Html
    parts: tuple[Html, ...]
    row: str | None = None
    reads: tuple[str, ...] = ()


class _Panels:
    """The steps of one trace."""

    def __init__(
        self, derivation: Derivation, lines: dict[str, Line], names: frozenset[str], trace: Trace, turn: str
    ) -> None:
        self.derivation, self.lines, self.names, self.trace, self.turn = derivation, lines, names, trace, turn

    def each(self) -> Iterator[Panel]:
        """Yield every step, in the order of the computation."""
        trace = self.trace
        yield self._given("What goes in", trace.arguments)
        yield from map(self._computed, trace.forward)
        if trace.backward:
            yield self._given("The upstream gradient", {"grad_y": trace.grad_y, **trace.grad_others})
            yield from map(self._computed, trace.backward)
            returned = {f"grad_{name}": value for name, value in trace.gradients.items()}
            yield self._given("What backward returns", returned)

    def _given(self, title: str, values: dict[str, Any]) -> Panel:
        figures = [self._figure(name, value) for name, value in values.items()]
        said = f"{self.turn}{title}" if not self.turn else f"{self.turn.capitalize()}{title.lower()}"
        return Panel(escape(said), (element("div", *figures, class_="values"),))

    def _computed(self, step: Step) -> Panel:
        line = self.lines[step.label]
        here = anchor(self.derivation, step.label)
        left, right, _ = sides(line, self.names)
        label = element("a", step.label, href=f"#{here}", class_="label")
        title = join([self.turn, label, " ", element("span", left, " ", right, class_="formula")])
        empty = "np.empty" in step.statement  # uninitialized memory says nothing
        made = [self._figure(name, value, empty) for name, value in step.values.items()]
        parts = [element("div", *made, class_="values made")]
        if step.verdict:
            parts.append(self._judged(step))
        return Panel(title, tuple(parts), here, line.reads)

    def _judged(self, step: Step) -> Html:
        verdict = element("p", VERDICTS[step.verdict], class_=f"verdict {step.verdict}")
        if step.tape is None:
            return element("div", verdict, class_="tape")
        of = mathematics.quantity(f"grad_{step.of}", self.names) if step.of in self.names else element("code", step.of)
        tape = element("figure", element("figcaption", "by the tape: ", of), numbers.table(step.tape))
        uses = None
        if len(step.contributions) > 1:
            shares = [
                element("li", "through " if one.counted else "not through ", one.through, f" ({one.operation})")
                for one in step.contributions
            ]
            uses = element("ul", *shares, class_="uses")
        return element("div", tape, verdict, uses, class_="tape")

    def _figure(self, name: str, value: Any, empty: bool = False) -> Html:
        caption = element("figcaption", mathematics.quantity(name, self.names), " ", _kind(value))
        return element("figure", caption, numbers.unfilled() if empty else numbers.table(value), data_value=name)


def _kind(value: Any) -> Html | None:
    if isinstance(value, np.ndarray):
        return element("span", numbers.shape_of(value), class_="shape")
    return None

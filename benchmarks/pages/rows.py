"""A derivation beside its code, a row for each statement: the equation on the left, the statement on the right."""

from benchmarks.pages import code, mathematics
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.prose import Context, inline
from benchmarks.pages.relations import Line, lines_of, names_of
from parity_tests.harness.derivation import Derivation


def anchor(derivation: Derivation, label: str) -> str:
    """Return the identifier of a row on its page: "batch_norm-B5"."""
    return f"{derivation.name}-{label}"


def anchors(derivation: Derivation) -> dict[str, str]:
    """Return the identifiers of all rows, by label."""
    statements = (*derivation.forward, *derivation.backward)
    return {one.label: anchor(derivation, one.label) for one in statements if one.label}


def rows(derivation: Derivation, context: Context) -> Html:
    """Return both passes, or the update rule."""
    lines = lines_of(derivation)
    names = names_of(derivation) | frozenset(context.names)
    words = "Forward", "Backward"
    if not derivation.backward:
        words = ("Update",)
    parts = []
    for word, statements in zip(words, (derivation.forward, derivation.backward), strict=False):
        suffix = "_backward" if word == "Backward" else ""
        head = code.signature(getattr(derivation.module, f"{derivation.name}{suffix}"))
        items = [element("li", _code(head), class_="row plain signature")]
        for statement in statements:
            line = lines.get(statement.label or "")
            if line is None:
                items.append(element("li", _code(statement.source), class_="row plain"))
            else:
                items.append(_row(derivation, line, names, context))
        title = element("h4", word)
        parts.append(element("div", title, element("ol", *items, class_="rows"), class_=f"pass {word.lower()}"))
    return element("div", *parts, class_="both")


def sides(line: Line, names: frozenset[str]) -> tuple[Html, Html, Html | None]:
    """Return an equation's sides and its shape; None for the shape if the right side ends in it: "z, as (N, O)"."""
    shape = element("span", line.statement.shape, class_="shape") if line.statement.shape else None
    said = line.equation.removesuffix(line.statement.shape or "")
    left, right = mathematics.equation(said, names)
    if said == line.equation:
        return left, right, shape
    return left, join((right, shape), "\u00a0"), None


def _row(derivation: Derivation, line: Line, names: frozenset[str], context: Context) -> Html:
    label = line.statement.label
    here = anchor(derivation, label)
    left, right, shape = sides(line, names)
    formula = [element("span", left, class_="lhs"), element("span", right, class_="rhs")]
    equation = element(
        "div",
        element("a", label, href=f"#{here}", class_="label"),
        *formula,
        shape,
        element("p", _remark(line.remark, names, context), class_="remark") if line.remark else None,
        class_="equation",
    )
    return element(
        "li",
        equation,
        _code(line.statement.source),
        class_="row",
        id=here,
        data_undoes=" ".join(anchor(derivation, one) for one in line.undoes) or None,
        data_reads=" ".join(anchor(derivation, one) for one in line.reads_labels) or None,
    )


def _remark(text: str, names: frozenset[str], context: Context) -> Html:
    if text.startswith("= "):  # another form of the same
        formula = mathematics.equation(f" {text}", names)[1]
        return formula if 'class="text"' not in formula else inline(text, context)
    return inline(text, context)


def _code(source: str) -> Html:
    lines = [element("span", Html(line), class_="line") for line in code.coloured(source).splitlines()]
    return element("pre", element("code", join(lines)), class_="code")

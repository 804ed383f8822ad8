"""Operations on the tape in words: how an expression is written, and how its rule uses the upstream gradient."""

from collections.abc import Callable

from scratch.tape import Node

SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "true_divide": "/",
    "matmul": "@",
    "dot": "@",
    "power": "**",
}


def expression(node: Node, word: Callable[[Node], str]) -> str:
    """Return an operation as the code would write it."""
    operands = _operands(node, word)
    if node.operation in SIGNS and len(operands) == 2:
        return f"({operands[0]} {SIGNS[node.operation]} {operands[1]})"
    if node.operation == "negative":
        return f"-{operands[0]}"
    if node.operation == "getitem":
        return f"{operands[0]}[...]"
    if node.operation == "watch":
        return "a constant"
    return f"{node.operation}({', '.join(operands[:1])})"


def _operands(node: Node, word: Callable[[Node], str]) -> list[str]:
    traced = {(edge.place, edge.position): edge.operand for edge in node.edges}
    found = []
    for place, argument in enumerate(node.arguments):
        operand = traced.get((place, None))
        if operand is not None:
            found.append(word(operand))
        elif isinstance(argument, int | float):
            found.append(f"{argument:g}")
        elif getattr(argument, "ndim", None) == 0:
            found.append(f"{float(argument):g}")
        else:
            found.append("..." if not isinstance(argument, tuple | list) else "[...]")
    return found


def rule(user: Node, place: int, word: Callable[[Node], str], operand: Node) -> str:
    """Return what a use of ``operand`` contributes to its gradient."""
    result, x = word(user), word(operand)
    g = f"grad({result})"
    operands = _operands(user, word)
    other = operands[1 - place] if len(operands) == 2 and place < 2 else ""
    rules = {
        "add": g,
        "subtract": g if place == 0 else f"-{g}",
        "multiply": f"{g} * {other}",
        "divide": f"{g} / {other}" if place == 0 else f"-{g} * {other} / {x}**2",
        "matmul": f"{g} @ {other}.T" if place == 0 else f"{other}.T @ {g}",
        "dot": f"{g} @ {other}.T" if place == 0 else f"{other}.T @ {g}",
        "power": f"{g} * {other} * {x}**({other} - 1)",
        "negative": f"-{g}",
        "exp": f"{g} * {result}",
        "log": f"{g} / {x}",
        "tanh": f"{g} * (1 - {result}**2)",
        "sqrt": f"{g} / (2 * {result})",
        "square": f"{g} * 2 * {x}",
        "maximum": f"{g} where {x} is the larger",
        "minimum": f"{g} where {x} is the smaller",
        "absolute": f"{g} * sign({x})",
        "sum": f"{g} to each term of the sum",
        "mean": f"{g} / the number of terms, to each",
        "transpose": f"{g}.T",
        "reshape": f"{g} in the shape of {x}",
        "getitem": f"{g} at the same place, 0 elsewhere",
        "setitem": f"{g} where {x} was written" if place else f"{g} where nothing was written",
        "where": f"{g} where {x} was chosen, 0 elsewhere",
        "amax": f"{g} to the largest",
        "max": f"{g} to the largest",
        "var": f"{g} * 2 * ({x} - its mean) / the number of terms",
        "sin": f"{g} * cos({x})",
        "cos": f"-{g} * sin({x})",
    }
    said = rules.get(user.operation.replace("true_divide", "divide"), f"{g} through the derivative of {user.operation}")
    if operand.data.shape != user.data.shape and user.operation in (
        "add",
        "subtract",
        "multiply",
        "divide",
        "true_divide",
    ):
        said += ", summed over the axes that were broadcast"
    return said

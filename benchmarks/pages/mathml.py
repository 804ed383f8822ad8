"""What formulas are made of, as MathML: names with their indices, signs, brackets."""

import re
from collections.abc import Collection

from benchmarks.pages.html import Html, element

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "lambda": "λ", "mu": "μ",
    "psi": "ψ", "tau": "τ", "pi": "π", "phi": "φ", "Phi": "Φ", "sigma": "σ", "rho": "ρ", "theta": "θ", "eta": "η",
    "kappa": "κ",
}  # fmt: skip
SIGNS = {
    "-": "−", "<=": "≤", ">=": "≥", "!=": "≠", "...": "…", "<-": "←", "+-": "±", "*": "·", "+=": "+=", "==": "==",
    "||": "∥",
}  # fmt: skip
BIG = {"sum": "∑", "prod": "∏"}


def math(content: Html) -> Html:
    """Return a formula."""
    return element("math", content, displaystyle="true")


def big(word: str) -> Html:
    """Return the sign of a sum or a product."""
    return element("mo", BIG[word], movablelimits="false", largeop="false")


def operator(sign: str, form: str = "infix") -> Html:
    """Return a sign, spaced as one between operands unless its form is "prefix" or "postfix"."""
    return element("mo", SIGNS.get(sign, sign), form=form)


def raised(base: Html, exponent: Html) -> Html:
    """Return a power; where the base has an index, the exponent is above it."""
    if base.startswith("<msub>") and base.endswith("</msub>"):
        both = Html(base.removeprefix("<msub>").removesuffix("</msub>"))
        return element("msubsup", both, exponent)
    return element("msup", base, exponent)


def bracketed(left: str, inside: Html, right: str) -> Html:
    """Return brackets around what is inside."""
    # Fonts without intermediate sizes would make brackets around a single line twice as high.
    high = {} if "<mfrac>" in inside else {"stretchy": "false"}
    return element(
        "mrow", element("mo", left, form="prefix", **high), inside, element("mo", right, form="postfix", **high)
    )


def letters(index: str) -> Html:
    """Return an index: letters side by side, such as ``nc,(sp+i)``."""
    found = []
    for one in re.findall(r"\d+|[A-Za-z]|[-+,]", index):
        kind = "mn" if one.isdigit() else "mi" if one.isalpha() else "mo"
        found.append(element(kind, SIGNS.get(one, one)))
    return element("mrow", *found)


def name(word: str, names: Collection[str], index: str = "") -> Html:
    """Return a quantity's name; in "grad_x1_nc,(sp+i)" it is x1, all after it is an index, and grad a nabla."""
    gradient = word.startswith("grad_")
    of = word.removeprefix("grad_")
    if word not in names and of not in names and "_" in of:
        stem, _, tail = of.rpartition("_")
        if tail != "backward" and (gradient or stem in names or len(stem) == 1):
            of, index = stem, tail + index
    quantity, nabla = _plain(of), element("mo", "∇", form="prefix", rspace="0")
    below = letters(index.lstrip("_")) if index else None
    if gradient and below and len(index) < 4:  # small enough to stand below what is below
        return element("msub", nabla, element("msub", quantity, below))
    if gradient:
        quantity = element("msub", nabla, quantity)
    return element("msub", quantity, below) if below else quantity


def _plain(word: str) -> Html:
    stem, _, tail = word.partition("_")
    if tail == "hat":
        return element("mover", _plain(stem), element("mo", "^"))
    if tail in ("next", "max") or (tail and len(stem) == 1):
        return element("msub", _plain(stem), element("mi", tail.replace("_", ", ")))
    found = re.fullmatch(r"([A-Za-z]+)(\d+)", word)
    if found and found[1] in GREEK:
        return element("msub", _plain(found[1]), element("mn", found[2]))
    if word == "inf":
        return element("mi", "∞")
    bare = word.rstrip("'")
    return element("mi", GREEK.get(bare, bare) + "′" * (len(word) - len(bare)))

"""Python code with its parts marked by Pygments; the stylesheet colours them."""

import ast
import inspect
from collections.abc import Callable

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import PythonConsoleLexer, PythonLexer

from benchmarks.pages.html import Html, element

PYTHON, SESSION = PythonLexer(stripnl=False), PythonConsoleLexer()
FORMATTER = HtmlFormatter(nowrap=True)


def coloured(source: str, lexer: Lexer = PYTHON) -> Html:
    """Return code, coloured, without an element around it."""
    return Html(highlight(source, lexer, FORMATTER).rstrip("\n"))


def block(source: str, lexer: Lexer = PYTHON) -> Html:
    """Return code as a block that scrolls by itself."""
    return element("pre", element("code", coloured(source, lexer)), class_="code", tabindex="0")


def command(text: str) -> Html:
    """Return command lines, as a block."""
    lines = [element("span", line, class_="line") for line in text.splitlines()]
    return element("pre", element("code", *lines), class_="command", tabindex="0")


def signature(function: Callable) -> str:
    """Return a function's first line without the types: ``def linear(x, weight, bias):``."""
    (node,) = ast.parse(inspect.getsource(function)).body
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return f"def {node.name}({ast.unparse(node.args)}):"


def without_docstring(source: str) -> str:
    """Return the source of a class or function without its docstring."""
    (node,) = ast.parse(source).body
    first = node.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return source
    lines = source.splitlines()
    del lines[first.lineno - 1 : first.end_lineno]
    if len(node.body) == 1:
        lines.insert(first.lineno - 1, "    pass")
    while len(lines) >= first.lineno and not lines[first.lineno - 1].strip():
        del lines[first.lineno - 1]
    return "\n".join(lines)

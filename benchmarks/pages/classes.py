"""A class's part of a page: its options, the same in PyTorch, its speed, and the command that checks your own."""

import inspect
import re

import torch

from benchmarks.pages import code, examples, twins
from benchmarks.pages.html import Html, element
from benchmarks.pages.prose import Context, inline
from benchmarks.pages.speed import Speed
from parity_tests import catalogue
from parity_tests.harness import pencil

WIDTH = 78
HEADINGS = re.compile(r"^(?P<title>[A-Z][\w ]+)\n-{3,}\n", re.MULTILINE)


def section(cls: type, kind: str, context: Context, speed: Speed) -> Html:
    """Return what a page says about a class, besides the derivation."""
    name = cls.__name__
    summary, parts = _docstring(inspect.getdoc(cls) or "")
    shown = [element("p", inline(one, context)) for one in summary]
    shown.append(code.block(_call(cls)))
    for title, text in parts.items():
        if title == "Examples":
            shown += [element("h4", "An example"), code.block(inspect.cleandoc(text), code.SESSION)]
        elif title in ("Parameters", "Attributes", "Raises", "Shapes", "Returns"):
            shown += [element("h4", "Options" if title == "Parameters" else title), _definitions(text, context)]
        else:
            shown += [element("h4", title), element("p", inline(text, context))]
    twin = twins.twin(cls, kind)
    if twin:
        shown += [element("h4", "The same in PyTorch"), twin]
    shown += [element("h4", "Speed"), speed.of(name)]
    shown += [element("h4", "Check your own"), _check(cls, kind)]
    return element("section", element("h3", name), *shown, id=name, class_="class")


def _call(cls: type) -> str:
    """Return how the class is called, without types, on lines of at most `WIDTH` characters."""
    untyped = [str(one.replace(annotation=one.empty)) for one in inspect.signature(cls).parameters.values()]
    parameters = [one.replace("<class 'numpy.float32'>", "np.float32") for one in untyped]
    if len(whole := f"{cls.__name__}({', '.join(parameters)})") <= WIDTH:
        return whole
    lines = [""]
    for one in parameters:
        if len(f"    {lines[-1]} {one},") > WIDTH:
            lines.append("")
        lines[-1] += f" {one},"
    inside = "\n".join(f"   {line}" for line in lines)
    return f"{cls.__name__}(\n{inside.removesuffix(',')}\n)"


def _docstring(text: str) -> tuple[list[str], dict[str, str]]:
    """Return a NumPy docstring's paragraphs, and its sections by their headings."""
    marks = list(HEADINGS.finditer(text))
    summary = text[: marks[0].start()] if marks else text
    ends = [mark.start() for mark in marks[1:]] + [len(text)] * bool(marks)
    parts = {mark["title"]: text[mark.end() : end].strip("\n") for mark, end in zip(marks, ends, strict=True)}
    return [one for one in summary.split("\n\n") if one.strip()], parts


def _definitions(text: str, context: Context) -> Html:
    """Return a section of terms, each with its description below it."""
    items: list[Html] = []
    for term, said in re.findall(r"^(\S.*)\n?((?:(?: {4}.*)?\n?)*)", text, re.MULTILINE):
        name, _, kind = term.partition(" : ")
        plain = not said.strip() and not kind
        marked = element("code", name), " ", element("span", inline(kind, context), class_="kind")
        items.append(element("dt", *((inline(term, context),) if plain else marked)))
        if said.strip():
            items.append(element("dd", inline(said, context)))
    return element("dl", *items, class_="options")


def _check(cls: type, kind: str) -> Html:
    name = cls.__name__
    library = "torch.optim" if kind == "optimizer" else "torch.nn"
    if not hasattr(torch.optim if kind == "optimizer" else torch.nn, name) or name not in pencil.names():
        return code.command(f"backprop check my.py:{name} --help")
    words = ["backprop check", f"my.py:{name}", f"--against {library}.{name}"]
    arguments = examples.constructor(name)
    words += [f'--args "{arguments}"'] if arguments else []
    if kind != "optimizer":
        inputs = examples.inputs(name)
        words.append(f"--input {','.join(map(str, inputs[0].shape))}")
        if kind == "loss" and len(inputs) > 1:
            kinds = {"i": "classes", "f": "values"}
            target = "binary" if _is_binary(name) else kinds[inputs[1].dtype.kind]
            words.append(f"--target {target}")
    return code.command(" ".join(words))


def _is_binary(name: str) -> bool:
    targets = [catalogue.named(name).case("float64", seed).inputs[1] for seed in range(8)]
    return all(one.dtype.kind == "f" and ((one >= 0) & (one <= 1)).all() for one in targets)

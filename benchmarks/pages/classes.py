"""A class's part of a page: its options, the same in PyTorch, its speed, and the command that checks one's own."""

import inspect
import re

import numpy as np
import torch

import torch_ref
from benchmarks.pages import code, examples
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.prose import Context, inline
from benchmarks.pages.speed import Speed
from parity_tests import catalogue
from parity_tests.harness import pencil
from parity_tests.harness.compare import check

HEADINGS = re.compile(r"^(?P<title>[A-Z][\w ]+)\n-{3,}\n", re.MULTILINE)


def section(cls: type, kind: str, context: Context, speed: Speed) -> Html:
    """Return what is to be said of a class beside the derivation."""
    name = cls.__name__
    summary, parts = _docstring(inspect.getdoc(cls) or "")
    shown = [element("p", inline(one, context)) for one in summary]
    shown.append(code.block(_wrapped(f"{name}{_untyped(cls)}")))
    for title, text in parts.items():
        if title == "Examples":
            shown += [element("h4", "An example"), code.block(inspect.cleandoc(text), code.SESSION)]
        elif title in ("Parameters", "Attributes", "Raises", "Shapes", "Returns"):
            shown += [element("h4", "Options" if title == "Parameters" else title), _definitions(text, context)]
        else:
            shown += [element("h4", title), element("p", inline(text, context))]
    twin = _twin(cls, kind)
    if twin:
        shown += [element("h4", "The same in PyTorch"), twin]
    shown += [element("h4", "Speed"), speed.of(name)]
    shown += [element("h4", "Check your own"), _check(cls, kind)]
    return element("section", element("h3", name), *shown, id=name, class_="class")


def _untyped(cls: type) -> str:
    parameters = [one.replace(annotation=one.empty) for one in inspect.signature(cls).parameters.values()]
    text = str(inspect.Signature(parameters))
    return text.replace("<class 'numpy.float32'>", "np.float32")


def _wrapped(call: str) -> str:
    if len(call) <= 78:
        return call
    name, _, rest = call.partition("(")
    return f"{name}(\n    {rest.removesuffix(')')}\n)"


def _docstring(text: str) -> tuple[list[str], dict[str, str]]:
    """Return a NumPy docstring's paragraphs, and its sections by their headings."""
    marks = list(HEADINGS.finditer(text))
    summary = text[: marks[0].start()] if marks else text
    ends = [mark.start() for mark in marks[1:]] + [len(text)] * bool(marks)
    parts = {mark["title"]: text[mark.end() : end].strip("\n") for mark, end in zip(marks, ends, strict=True)}
    return [one for one in summary.split("\n\n") if one.strip()], parts


def _definitions(text: str, context: Context) -> Html:
    """Return a section of terms with what is said of each below it."""
    items: list[Html] = []
    for term, said in re.findall(r"^(\S.*)\n?((?:(?: {4}.*)?\n?)*)", text, re.MULTILINE):
        name, _, kind = term.partition(" : ")
        plain = not said.strip() and not kind
        head = [inline(term, context)] if plain else [element("code", name), " ", element("span", kind, class_="kind")]
        items.append(element("dt", *head))
        if said.strip():
            items.append(element("dd", inline(said, context)))
    return element("dl", *items, class_="options")


# PyTorch.


def _twin(cls: type, kind: str) -> Html | None:
    name = cls.__name__
    own = _file_of_twin(cls)
    if own is not None:
        source = element("p", "From ", element("code", own.__module__.replace(".", "/") + ".py"), ":")
        return join([source, code.block(code.without_docstring(inspect.getsource(own)))])
    if name not in pencil.names():
        return None
    arguments = examples.constructor(name)
    if kind == "optimizer":
        return _side_by_side(
            f"optimizer = scratch.optim.{name}([w], {arguments})\nw.grad = g\noptimizer.step()",
            f"optimizer = torch.optim.{name}([w], {arguments})\nw.grad = g\noptimizer.step()",
        )
    layer = pencil.make(name, None, {}, 0)
    inputs = examples.inputs(name)
    learned = [key for key, _ in layer.named_parameters()]
    word = "criterion" if kind == "loss" else "layer"
    given = "x, target" if len(inputs) > 1 and kind == "loss" else ", ".join("xhc"[: len(inputs)])
    result, upstream = ("loss", "grad_loss") if kind == "loss" else ("y", "grad_y")
    differentiable = inputs[0].dtype.kind == "f"
    ours = [f"{word} = scratch.nn.{name}({arguments})", f"{result} = {word}({given})"]
    ours += [f"{'grad_x = ' if differentiable else ''}{word}.backward({upstream})"]
    theirs = [f"{word} = torch.nn.{name}({arguments})", f"{result} = {word}({given})", f"{result}.backward({upstream})"]
    theirs += ["x.grad"] if differentiable else []
    grads = [f"{word}.{key}.grad" for key in learned]
    return join(
        [_side_by_side("\n".join(ours + grads), "\n".join(theirs + grads)), _agreement(name, arguments, layer, inputs)]
    )


def _file_of_twin(cls: type) -> type | None:
    """Return the class of `torch_ref` that mirrors one which PyTorch does not have."""
    module = getattr(torch_ref, cls.__module__.partition(".")[2], None)
    return getattr(module, cls.__name__, None)


def _side_by_side(ours: str, theirs: str) -> Html:
    figures = [
        element("figure", element("figcaption", word), code.block(text))
        for word, text in (("NumPy, by hand", ours), ("PyTorch", theirs))
    ]
    return element("div", *figures, class_="pair")


def _agreement(name: str, arguments: str, layer: object, inputs: tuple[np.ndarray, ...]) -> Html | None:
    """Say how far PyTorch is from the numbers of the example."""
    found = getattr(torch.nn, name, None)
    if found is None:
        return None
    args, kwargs = examples.literals(arguments)
    report = check(layer, found(*args, **kwargs), *inputs)
    apart = max((np.abs(one.got - one.expected).max(initial=0) for one in report.quantities), default=0.0)
    names = dict.fromkeys(one.name.partition(" ")[0] for one in report.quantities)
    words = ", ".join("buffers" if name == "buffer" else name for name in names)
    said = f"On the example's input, with a random upstream gradient, in float64: {words} "
    if not report.ok:
        return element("p", f"{said}do not agree.", class_="note")
    how = f"agree; the largest difference is {apart:.1e}." if apart else "agree to the last bit."
    return element("p", said, how, class_="note")


# One's own.


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

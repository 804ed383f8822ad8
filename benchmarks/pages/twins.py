"""A class in PyTorch: the same lines in both libraries, and how far apart they are in a case of the catalogue."""

import inspect
import warnings

import numpy as np

import torch_ref
from benchmarks.pages import code, examples
from benchmarks.pages.html import Html, element, join
from parity_tests import catalogue
from parity_tests.harness import pencil
from scratch.nn import Module


def twin(cls: type, kind: str) -> Html | None:
    """Return a class's counterpart in PyTorch; None if there is none to show.

    Parameters
    ----------
    cls : type
    kind : str
        The kind of its topic.
    """
    name = cls.__name__
    own = _file_of_twin(cls)
    if own is not None:
        said = element("p", "From ", element("code", own.__module__.replace(".", "/") + ".py"), ":")
        return join([said, code.block(code.without_docstring(inspect.getsource(own))), _agreement(name)])
    if name not in pencil.names():
        return None
    lines = _step(name) if kind == "optimizer" else _passes(name, kind == "loss")
    figures = [
        element("figure", element("figcaption", word), code.block("\n".join(text)))
        for word, text in zip(("NumPy, by hand", "PyTorch"), lines, strict=True)
    ]
    return join([element("div", *figures, class_="pair"), _agreement(name)])


def _file_of_twin(cls: type) -> type | None:
    """Return the class of `torch_ref` that mirrors a class that PyTorch does not have."""
    module = getattr(torch_ref, cls.__module__.partition(".")[2], None)
    return getattr(module, cls.__name__, None)


def _step(name: str) -> tuple[list[str], list[str]]:
    """Return an optimizer's step in both libraries."""
    call = f"{name}([w], {examples.constructor(name)})"
    return tuple([f"optimizer = {one}.optim.{call}", "w.grad = g", "optimizer.step()"] for one in ("scratch", "torch"))


def _passes(name: str, is_loss: bool) -> tuple[list[str], list[str]]:
    """Return both passes in both libraries; only how the layer is made, if it has several inputs or outputs."""
    word, result, upstream = ("criterion", "loss", "grad_loss") if is_loss else ("layer", "y", "grad_y")
    ours, theirs = ([f"{word} = {one}.nn.{name}({examples.constructor(name)})"] for one in ("scratch", "torch"))
    layer, inputs = pencil.make(name, None, {}, 0), examples.inputs(name)
    if not (isinstance(layer(*inputs), np.ndarray | np.generic | float) and len(inputs) <= 1 + is_loss):
        return ours, theirs
    given = "x, target" if len(inputs) > 1 else "x"
    differentiable = inputs[0].dtype.kind == "f"
    ours += [f"{result} = {word}({given})", f"{'grad_x = ' * differentiable}{word}.backward({upstream})"]
    theirs += [f"{result} = {word}({given})", f"{result}.backward({upstream})", *["x.grad"] * differentiable]
    grads = [f"{word}.{key}.grad" for key in _learned(layer)]
    return [*ours, *grads], [*theirs, *grads]


def _learned(layer: Module) -> list[str]:
    return [key for key, _ in layer.named_parameters()]


def _agreement(name: str) -> Html:
    """Say how far PyTorch is from ours in one case of the catalogue."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # PyTorch remarks on some of its own defaults
        report = catalogue.named(name).case("float64", 0).check(0)
    with np.errstate(invalid="ignore"):
        differences = [np.nan_to_num(np.abs(one.got - one.expected)).max(initial=0) for one in report.quantities]
    names = dict.fromkeys(one.name.partition(" ")[0] for one in report.quantities)
    words = ", ".join("buffers" if one == "buffer" else one for one in names)
    said = f"In a random case of the catalogue, in float64: {words} "
    apart = max(differences, default=0.0)
    if not report.ok:
        return element("p", f"{said}do not agree.", class_="note")
    how = f"agree; the largest difference is {apart:.1e}." if apart else "agree to the last bit."
    return element("p", said, how, class_="note")

"""What an exhibit is, and how each kind (layer or loss, optimizer, function) is shown to the witnesses."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

import scratch
from parity_tests import laws
from parity_tests.harness.arrays import random_state
from parity_tests.harness.compare import check
from scratch.nn import Module, Parameter

WITNESSES = ("torch", "differences", "laws")


@dataclass(frozen=True)
class Exhibit:
    """A wrong layer, loss, optimizer or function beside the right one.

    Attributes
    ----------
    wrong, right : class or function
        The exhibit, and what it should have been.
    caught : tuple of str
        The witnesses that catch it, as recorded; a test checks that these catch it and no others.
    passes_ones : bool or None
        Whether the check with ones lets it pass, as recorded; None where there is no backward to pass ones to.
    of : tuple of str
        The public names of what the mistake is in.
    """

    wrong: type | Callable
    right: type | Callable
    caught: tuple[str, ...]
    passes_ones: bool | None
    of: tuple[str, ...]

    @property
    def name(self) -> str:
        """The class's or function's name, in words."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", self.wrong.__name__)
        return words.replace("_", " ").lower()

    @property
    def forgotten(self) -> str:
        """What was forgotten: the first sentence of the docstring."""
        return " ".join(inspect.getdoc(self.wrong).split("\n\n")[0].split())

    @property
    def seen(self) -> str:
        """What the learner would see: the rest of the docstring."""
        return " ".join(inspect.getdoc(self.wrong).split("\n\n", 1)[1].split())

    def witnesses(self, subject: type | Callable) -> dict[str, bool | None]:
        """Return whether each witness objects to the exhibit, or to the right one; None if it cannot be asked."""
        raise NotImplementedError

    def ones_object(self, subject: type | Callable) -> bool | None:
        """Return whether the check with an upstream gradient of ones objects; None if there is none to send."""
        return None


EXHIBITS: list[Exhibit] = []


@dataclass(frozen=True)
class LayerExhibit(Exhibit):
    """A layer, loss or model, called on ``inputs`` after construction with ``args`` and ``options``.

    ``options`` are those that the check with ones leaves at their defaults. ``plain`` are the inputs of that check;
    ordinary numbers of the first input's shape unless given.
    """

    inputs: tuple[np.ndarray, ...] = ()
    args: tuple = ()
    options: dict = field(default_factory=dict)
    training: bool = True
    torch: Callable | None = None
    plain: tuple[np.ndarray, ...] | None = None

    def build(self, subject: type, dtype: type, **options: object) -> Module:
        """Return an object of the exhibit's class or of the right one."""
        if "dtype" in inspect.signature(self.right).parameters:
            options["dtype"] = dtype
        scratch.manual_seed(0)
        return subject(*self.args, **options)

    def build_torch(self, **options: object) -> Callable:
        """Return PyTorch's counterpart."""
        if self.torch is not None:
            return self.torch()
        tensors = {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}
        return getattr(torch.nn, self.right.__name__)(*self.args, **tensors)

    def witnesses(self, subject: type) -> dict[str, bool]:
        """Ask all three."""
        layer = self._layer(subject)
        with np.errstate(all="ignore"):
            return {
                "torch": self.differs_from_torch(subject),
                "differences": check(layer, None, *self.inputs).differs,
                "laws": bool(laws.broken(layer, *self.inputs)),
            }

    def differs_from_torch(self, subject: type) -> bool:
        """Ask PyTorch alone."""
        with np.errstate(all="ignore"):
            return not check(self._layer(subject), self.build_torch(**self.options), *self.inputs, strict=False).ok

    def _layer(self, subject: type) -> Module:
        return random_state(self.build(subject, np.float64, **self.options), seed=1).train(self.training)

    def ones_object(self, subject: type) -> bool:
        """Compare the gradients for an upstream gradient of ones, to a hundredth."""
        plain = self.plain
        if plain is None:
            rng = np.random.default_rng(0)
            first = self.inputs[0]
            plain = (rng.normal(size=first.shape) if first.dtype.kind == "f" else first, *self.inputs[1:])
        inputs = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in plain]
        layer, torchs = self.build(subject, np.float32), self.build_torch()
        if isinstance(torchs, torch.nn.Module) and torchs.state_dict():
            if torchs.state_dict().keys() != layer.state_dict().keys():
                return True
            torchs.load_state_dict({name: torch.tensor(values) for name, values in layer.state_dict().items()})
        scratch.manual_seed(0)
        torch.manual_seed(0)
        with np.errstate(all="ignore"):
            returned = layer(*inputs)
            outputs = returned if isinstance(returned, tuple) else (returned,)
            grads = layer.backward(*[np.ones_like(y) if np.ndim(y) else 1.0 for y in outputs])
        grads = grads if isinstance(grads, tuple) else (grads,)
        tensors = [torch.tensor(x, requires_grad=x.dtype.kind == "f" and i < len(grads)) for i, x in enumerate(inputs)]
        expected = torchs(*tensors)
        torch.autograd.backward([y.sum() for y in (expected if isinstance(expected, tuple) else (expected,))])
        pairs = list(zip(grads, (tensor.grad for tensor in tensors), strict=False))
        if isinstance(torchs, torch.nn.Module):
            learned = dict(torchs.named_parameters())
            pairs += [(p.grad, learned[name].grad) for name, p in layer.named_parameters()]
        return any(
            not _within_a_hundredth(found, expected.numpy()) for found, expected in pairs if expected is not None
        )


def _within_a_hundredth(found: np.ndarray | None, expected: np.ndarray) -> bool:
    return found is not None and found.shape == expected.shape and np.allclose(found, expected, rtol=1e-2, atol=1e-2)


@dataclass(frozen=True)
class OptimizerExhibit(Exhibit):
    """An optimizer with ``options``; there is nothing to differentiate, so finite differences cannot be asked."""

    options: dict = field(default_factory=dict)

    def witnesses(self, subject: type) -> dict[str, bool | None]:
        """Ask PyTorch, over eight steps, and the laws."""
        return {
            "torch": not self._walks_with_torch(subject),
            "differences": None,
            "laws": bool(laws.broken_by_optimizer(subject, self.options)),
        }

    def _walks_with_torch(self, subject: type) -> bool:
        # Two parameters; one has no gradient at the fourth step, and lr is doubled before the sixth.
        rng = np.random.default_rng(0)
        values = [rng.normal(size=shape) for shape in ((3, 4), (5,))]
        ours, torchs = [Parameter(v.copy()) for v in values], [torch.nn.Parameter(torch.tensor(v)) for v in values]
        optimizer = subject(ours, **self.options)
        reference = getattr(torch.optim, self.right.__name__)(torchs, **self.options)
        for number in range(8):
            for index, (one, other) in enumerate(zip(ours, torchs, strict=True)):
                grad = None if (number, index) == (3, 1) else rng.normal(size=one.shape) * 0.5**number
                one.grad, other.grad = grad, None if grad is None else torch.tensor(grad)
            if number == 5:
                optimizer.param_groups[0]["lr"] *= 2
                reference.param_groups[0]["lr"] *= 2
            optimizer.step()
            reference.step()
            optimizer.zero_grad()
            reference.zero_grad()
            if any((one.grad is None) != (other.grad is None) for one, other in zip(ours, torchs, strict=True)):
                return False
        return all(
            np.allclose(one.data, other.detach().numpy(), rtol=1e-10, atol=1e-12)
            for one, other in zip(ours, torchs, strict=True)
        )


@dataclass(frozen=True)
class FunctionExhibit(Exhibit):
    """A function without a backward. ``is_torchs`` and ``is_lawful`` take the function and return whether it agrees."""

    is_torchs: Callable[[Callable], bool] = lambda function: True
    is_lawful: Callable[[Callable], bool] = lambda function: True

    def witnesses(self, subject: Callable) -> dict[str, bool | None]:
        """Ask PyTorch and the law."""
        return {"torch": not self.is_torchs(subject), "differences": None, "laws": not self.is_lawful(subject)}


def instead(parameter: Parameter, run: Callable, made: np.ndarray) -> object:
    """Run a backward, but add ``made`` to a parameter's gradient in place of what it adds; return what it returns."""
    before, parameter.grad = parameter.grad, None
    returned = run()
    parameter.grad = before
    parameter.add_grad(made)
    return returned


def layer(*inputs: np.ndarray, caught: str, passes_ones: bool, of: str | None = None, **more: object) -> Callable:
    """Exhibit the class below as a wrong version of the class that it is derived from."""
    return _hang(LayerExhibit, caught, passes_ones, of, inputs=inputs, **more)


def optimizer(caught: str, of: str | None = None, **options: object) -> Callable:
    """Exhibit the class below as a wrong version of the optimizer that it is derived from."""
    return _hang(OptimizerExhibit, caught, None, of, options=options)


def function(right: Callable, caught: str, is_torchs: Callable, is_lawful: Callable, of: str | None = None) -> Callable:
    """Exhibit the function, or the class without a backward, below as a wrong version of ``right``."""
    return _hang(FunctionExhibit, caught, None, of, right=right, is_torchs=is_torchs, is_lawful=is_lawful)


def _hang(kind: type, caught: str, passes_ones: bool | None, of: str | None, **more: object) -> Callable:
    def hang(wrong: type | Callable) -> type | Callable:
        right = more.pop("right", None) or wrong.__bases__[0]
        names = tuple((of or right.__name__).split())
        EXHIBITS.append(kind(wrong, right, tuple(caught.split()), passes_ones, names, **more))
        return wrong

    return hang

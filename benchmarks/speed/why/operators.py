"""How long PyTorch's own operators take in a row, and what they read, write and multiply.

Two views of the same row are combined. ``torch.profiler`` says how long each operator takes by itself; it also sees
operators inside operators (``aten::convolution`` calls ``aten::mkldnn_convolution``). A dispatch mode sees only the
outermost ones, with their operands, and so knows what they move: each operand once, each result once. The time of an
inner operator is added to the outer one.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

ROW = "a row of the benchmark"


@dataclass
class Operator:
    """All calls of an operator in a row.

    Attributes
    ----------
    name : str
        "aten::convolution".
    inner : str
        The operator inside it that takes the longest: "aten::mkldnn_convolution"; its own name, if that is itself.
    calls : int
    seconds : float
        In the quickest run of the row, profiled.
    bytes, products, largest : int
        What it reads and writes, its multiply-adds where it is a product, and the bytes of its largest operand.
    """

    name: str
    inner: str
    calls: int
    seconds: float
    bytes: int
    products: int
    largest: int


class _Listening(TorchDispatchMode):
    """Counts the calls of each operator, and the bytes of their operands and results."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.largest: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call the operator, and note what it moves."""
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        made = [one for one in tree_leaves(result) if isinstance(one, torch.Tensor)]
        self.calls[name] = self.calls.get(name, 0) + 1
        writes = any(one.alias_info is not None and one.alias_info.is_write for one in func._schema.arguments)
        storages = {one.untyped_storage().data_ptr() for one in given}
        is_view = made and all(one.untyped_storage().data_ptr() in storages for one in made) and not writes
        empty = name.startswith("aten::empty") or name.startswith("aten::new_empty")
        moved = 0 if is_view or empty else sum(map(_own_bytes, given)) + sum(map(_own_bytes, made))
        self.bytes[name] = self.bytes.get(name, 0) + moved
        self.largest[name] = max(self.largest.get(name, 0), *map(_own_bytes, (*given, *made)), 0)
        return result


def _own_bytes(tensor: torch.Tensor) -> int:
    lengths = [length for length, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride != 0]
    size = tensor.element_size()
    for length in lengths:
        size *= length
    return size if tensor.numel() else 0


def operators(run: Callable[[], object], rounds: int) -> tuple[list[Operator], float]:
    """Run a row of PyTorch's ``rounds`` times under its profiler, and take the quickest.

    Returns
    -------
    list of Operator
        The longest first.
    float
        The seconds of the quickest profiled run, from which the operators are.
    """
    run()
    with _Listening() as listening:
        run()
    with FlopCounterMode(display=False) as flops:  # by itself: it takes some operators apart
        run()
    counted = flops.get_flop_counts().get("Global", {})
    products = {str(one).replace(".", "::"): count // 2 for one, count in counted.items()}
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it says on standard error which devices it misses
    # Ask for the events of all cycles although there is only one: some releases warn otherwise that events get lost.
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiled:
        for _ in range(rounds):
            with record_function(ROW):
                run()
    events = profiled.events()
    row = min((event for event in events if event.name == ROW), key=lambda event: event.cpu_time_total)
    times: dict[str, dict[str, float]] = {}
    for event in events:
        name, outer = None, event
        while outer is not None and outer is not row:
            name = outer.name if outer.name in listening.calls else name
            outer = outer.cpu_parent
        if name is not None and outer is row:
            inner = times.setdefault(name, {})
            inner[event.name] = inner.get(event.name, 0.0) + event.self_cpu_time_total * 1e-6
    found = [
        Operator(
            name,
            max(inner, key=inner.__getitem__),
            listening.calls[name],
            sum(inner.values()),
            listening.bytes[name],
            products.get(name, 0),
            listening.largest[name],
        )
        for name, inner in times.items()
    ]
    return sorted(found, key=lambda one: -one.seconds), row.cpu_time_total * 1e-6

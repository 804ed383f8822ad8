r"""The graph: what autograd writes down during forward, and how it reads it backwards.

One expression, with numbers for a pencil: x = 2, w = 3, b = -4, and the target t = 4.

    F1  p = w x        6            B6  dL/de = 2 e                4
    F2  a = p + b      2            B5  dL/dy = dL/de              4
    F3  h = a^2        4            B4  dL/dh = dL/dy              4, and a's first share: dL/dy     4
    F4  y = a + h      6            B3  a's second share: 2 a dL/dh                                 16
    F5  e = y - t      2            B2  dL/dp = dL/db = dL/da = 4 + 16 = 20
    F6  L = e^2        4            B1  dL/dw = x dL/dp = 40,   dL/dx = w dL/dp = 60

The graph. Every operation becomes a node, which remembers its operands (the edges) and whatever its derivative will
need. PyTorch attaches the nodes to the results: ``L.grad_fn`` is the last one, ``grad_fn.next_functions`` its edges.
`scratch.tape` writes them into a list. Along each edge backward sends one array: the node's own gradient, times the
derivative of the operation with respect to this operand.

Why gradients add. a is used twice, by F3 and also directly by F4 (a skip connection, as in a residual network). A small
change of a reaches L both ways, and the two effects add.

Why the order matters. a must not pass its gradient on before both shares have arrived. If the nodes are visited in the
order in which they are first reached from L, a comes before h: it passes on 4 instead of 20, and dL/dw is 8. If each
share is passed on as it arrives, the result is right, but every PATH from L is walked separately: with k skip
connections in a row there are 2^k. In a topological order, each node before its operands, every edge is walked once.

Why zero_grad. A gradient that arrives is added to what is already there; for a parameter, that is ``.grad``. This is
right for a weight that is used twice, and for a batch that comes in two halves. But between two steps somebody has to
say that a new sum begins.

What is kept. A square needs its base, a product its factors, a ReLU the sign. These arrays stay in memory until
backward has passed, and they, not the parameters, are what training needs memory for. Backward frees them one after
another, starting from the end, so a second backward is refused. Under ``no_grad`` nothing is kept at all.

In reinforcement learning. Two heads on one backbone are two paths, and the backbone's gradient is their sum. A critic's
target and an advantage are constants: no edge leads to them (detach, stop_gradient), or the critic could lower the loss
by moving the target. Where an action is drawn from a distribution, the path ends, too; SAC gets past this by drawing
noise first and computing the action from it. A recurrent world model keeps every step of its sequence until backward.

Takeaways. Backward walks each edge once, in the reverse of a topological order. Shares that meet are added; zero_grad
says when a new sum begins. What takes memory in training is what waits for backward.

Next: `backprop lesson activations`, what a neuron does with its sum.

Read: scratch/tape.py, scratch/vjp.py, scratch/nn/layer.py, scratch/grad_mode.py.
Run:  backprop lesson graph        (backprop trace LAYER does the same for one of our layers, statement by statement)
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import scratch
from benchmarks.engines import Engine
from benchmarks.figures.style import INK, new_figure
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREY, ORANGE, RED, WIDTH, engine_key, line, ruled
from scratch.tape import Node, Tape, Value

GIVEN = {"x": 2.0, "w": 3.0, "b": -4.0, "t": 4.0}
CONSTANT = "t"
SIGNS = {"p": "w x", "a": "p + b", "h": "a²", "y": "a + h", "e": "y - t", "L": "e²"}
BLOCKS = tuple(range(1, 17))
LAYERS, UNITS, BATCH = 5, 64, 128
HALF = 3

# Where the nodes of the figure stand, and how large they are.
SIDE, HEIGHT = 0.86, 0.66
PLACES = {
    **{"x": (0, 0), "w": (0, 1.6), "b": (1.25, 1.6), "p": (1.25, 0), "a": (2.5, 0), "h": (3.5, 1.6)},
    **{"y": (4.5, 0), "t": (5.75, 1.6), "e": (5.75, 0), "L": (7, 0)},
}


class Entry(NamedTuple):
    """A value of the expression: the operation that made it, its gradient, and what backward sends along its edges."""

    operation: str
    value: float
    grad: float
    sent: dict[str, float]


def expression(x: object, w: object, b: object, t: object) -> dict[str, object]:
    """Return every intermediate value, by name, and L."""
    p = w * x
    a = p + b
    h = a**2
    y = a + h
    e = y - t
    return {"p": p, "a": a, "h": h, "y": y, "e": e, "L": e**2}


def on_the_tape() -> tuple[Tape, dict[str, Value]]:
    """Record the expression; return the tape, and its values by name."""
    tape = Tape()
    leaves = {name: tape.watch(np.array(number)) for name, number in GIVEN.items() if name != CONSTANT}
    return tape, leaves | expression(**leaves, t=GIVEN[CONSTANT])


def by_tape() -> dict[str, Entry]:
    """Return the expression's graph as `scratch.tape` has it."""
    tape, values = on_the_tape()
    grads = tape.gradients(values["L"], 1.0)
    names = {value.node: name for name, value in values.items()}
    sent: dict[str, dict[str, float]] = {name: {} for name in values}
    for name, value in values.items():
        for one in grads.contributions(value):
            if one.user is not None:
                sent[names[one.user]][name] = float(one.grad)
    return {
        name: Entry(value.node.operation, float(value.data), float(grads[value]), sent[name])
        for name, value in values.items()
    }


def by_autograd() -> dict[str, Entry]:
    """Return the expression's graph as PyTorch has it; hooks listen to what the nodes send."""
    import torch

    leaves = {
        name: torch.tensor(number, dtype=torch.float64, requires_grad=True)
        for name, number in GIVEN.items()
        if name != CONSTANT
    }
    values = leaves | expression(**leaves, t=GIVEN[CONSTANT])
    names = {tensor.grad_fn: name for name, tensor in values.items() if tensor.grad_fn is not None}
    sent: dict[str, dict[str, float]] = {name: {} for name in values}

    def listen(name: str, node: object) -> None:
        def hook(grad_inputs: tuple, grad_outputs: tuple) -> None:
            for (operand, _), grad in zip(node.next_functions, grad_inputs, strict=True):
                if operand is not None:
                    variable = getattr(operand, "variable", None)  # a leaf's node holds the leaf
                    to = (
                        next(key for key, one in leaves.items() if one is variable)
                        if variable is not None
                        else names[operand]
                    )
                    sent[name][to] = grad.item()

        node.register_hook(hook)

    for name, tensor in values.items():
        if tensor.grad_fn is not None:
            tensor.retain_grad()
            listen(name, tensor.grad_fn)
    values["L"].backward()
    return {
        name: Entry(
            "leaf" if tensor.grad_fn is None else tensor.grad_fn.name(), tensor.item(), tensor.grad.item(), sent[name]
        )
        for name, tensor in values.items()
    }


GRAPHS = {"scratch": by_tape, "torch": by_autograd}


# The order.


def first_reached(root: Node) -> list[Node]:
    """Return the nodes in the order in which they are first reached from the last one."""
    order = [root]
    for node in order:
        order += [operand for operand, _, _ in node.edges if operand not in order]
    return order


def backward_in(order: list[Node], root: Node) -> dict[Node, float]:
    """Visit each node once, in the given order, and let it pass on what has arrived by then."""
    arrived = dict.fromkeys(order, 0.0) | {root: 1.0}
    for node in order:
        for operand, place, _ in node.edges:
            arrived[operand] += node.rules[place](arrived[node], node.data, *node.arguments, **node.options)
    return arrived


def residual_chain(blocks: int) -> Tape:
    """Record ``blocks`` residual blocks, each x + x^2, one after the other."""
    tape = Tape()
    x = tape.watch(np.array(0.1))
    for _ in range(blocks):
        x = x**2 + x
    return tape


def walks(tape: Tape) -> tuple[int, int]:
    """Return how many edges backward walks: in a topological order, and path by path."""
    paths = Counter({tape.nodes[-1]: 1})
    for node in reversed(tape.nodes):
        for operand, _, _ in node.edges:
            paths[operand] += paths[node]
    return (
        sum(len(node.edges) for node in tape.nodes),
        sum(paths[node] * len(node.edges) for node in tape.nodes),
    )


# zero_grad.


def accumulated(engine: Engine, seed: int) -> dict[str, np.ndarray]:
    """Return a layer's weight.grad after one backward, after a second, after zero_grad and a third, and in halves."""
    rng = np.random.default_rng(seed)
    x, grad_y = rng.normal(size=(2 * HALF, 4)), rng.normal(size=(2 * HALF, 2))
    layer = engine.nn.Linear(4, 2, dtype=engine.dtype)
    engine.load_state(layer, {"weight": rng.normal(size=(2, 4)), "bias": rng.normal(size=2)})
    found = {}
    for name in ("one backward", "a second one, without zero_grad", "zero_grad, then a third"):
        if name.startswith("zero_grad"):
            layer.zero_grad()
        engine.forward_backward(layer, x, grad_y)
        found[name] = engine.grads(layer)["weight"]
    layer.zero_grad()
    for rows in (slice(HALF), slice(HALF, None)):
        engine.forward_backward(layer, x[rows], grad_y[rows])
    return found | {"zero_grad, then the batch in two halves": engine.grads(layer)["weight"]}


# What is kept.


def make_network(engine: Engine) -> list:
    """Return the layers of a network, linear ones and ReLUs in turn."""
    engine.manual_seed(0)
    pairs = [(engine.nn.Linear(UNITS, UNITS, dtype=engine.dtype), engine.nn.ReLU()) for _ in range(LAYERS)]
    return [layer for pair in pairs for layer in pair]


def kept_by_scratch(layers: list, x: np.ndarray, grad: np.ndarray) -> tuple[list[int], str]:
    """Return the bytes kept after each layer's forward, then after each backward; and how a second one is refused."""

    def kept() -> int:
        arrays = {}
        for layer in layers:
            try:
                arrays |= {id(one): one.nbytes for one in layer.record().saved}
            except RuntimeError:  # nothing: not called yet, or used up
                continue
        return sum(arrays.values())

    sizes = []
    for layer in layers:
        x = layer(x)
        sizes.append(kept())
    if not sizes[-1]:
        return sizes, ""
    for layer in reversed(layers):
        grad = layer.backward(grad)
        sizes.append(kept())
    try:
        layers[-1].backward(grad)
    except RuntimeError as error:
        return sizes, str(error)
    return sizes, "no refusal"


def kept_by_torch(layers: list, x: object, grad: object) -> tuple[list[int], str]:
    """Return the same for PyTorch, where hooks report what the graph saves; parameters do not count."""
    import torch

    own = {parameter.untyped_storage().data_ptr() for layer in layers for parameter in layer.parameters()}
    alive: Counter[tuple[int, int]] = Counter()

    class Held:
        """A tensor that a node has saved; counted until the node lets it go."""

        def __init__(self, tensor: object) -> None:
            self.tensor = tensor
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                key = storage.data_ptr(), storage.nbytes()
                alive[key] += 1
                weakref.finalize(self, alive.subtract, [key])

    def kept() -> int:
        return sum(size for (_, size), count in alive.items() if count > 0)

    sizes = []
    x.requires_grad_(torch.is_grad_enabled())
    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        values = [x]
        for layer in layers:
            values.append(layer(values[-1]))
            sizes.append(kept())
        if not sizes[-1]:
            return sizes, ""
        # A value's hook runs once its gradient is there: when the layer that reads it has done its backward.
        for value in values[:-1]:
            value.register_hook(lambda grad: sizes.append(kept()))
        values[-1].backward(grad)
        try:
            values[-1].backward(grad)
        except RuntimeError as error:
            return sizes, str(error).partition(". ")[0]
    return sizes, "no refusal"


def kept(engine: Engine, seed: int) -> tuple[list[int], list[int], str]:
    """Return the bytes kept with gradients, and under no_grad, and the message that refuses a second backward."""
    import contextlib

    rng = np.random.default_rng(seed)
    x, grad = rng.normal(size=(BATCH, UNITS)), rng.normal(size=(BATCH, UNITS))
    measure = kept_by_torch if engine.name == "torch" else kept_by_scratch
    no_grad = scratch.no_grad
    if engine.name == "torch":
        import torch

        no_grad = torch.no_grad
    found = []
    for context in (contextlib.nullcontext, no_grad):
        with context():
            found.append(measure(make_network(engine), engine.asarray(x.copy()), engine.asarray(grad)))
    return found[0][0], found[1][0], found[0][1]


# The figure.


def draw_graph(axes: Axes, entries: dict[str, Entry]) -> None:
    """Draw the values as boxes, the edges as arrows, and on each edge what backward sends."""
    entries = entries | {CONSTANT: Entry("constant", GIVEN[CONSTANT], np.nan, {})}
    edges = [(operand, name, f"{sent:g}") for name, one in entries.items() for operand, sent in one.sent.items()]
    for operand, name, sent in [*edges, (CONSTANT, "e", "")]:
        (x, y), (to_x, to_y) = PLACES[operand], PLACES[name]
        level = y == to_y
        # From one box's rim to the other's.
        begin, end = (
            ((x + SIDE / 2, y), (to_x - SIDE / 2, y))
            if level
            else ((x, y + np.sign(to_y - y) * HEIGHT / 2), (to_x, to_y - np.sign(to_y - y) * HEIGHT / 2))
        )
        axes.annotate(
            "", end, begin, arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2, "shrinkA": 0, "shrinkB": 1}
        )
        middle = (np.array(begin) + end) / 2
        aside = (0, 8) if level else (13, 0)
        axes.annotate(sent, middle, aside, textcoords="offset points", color=RED, ha="center", va="center", fontsize=10)
    for name, (x, y) in PLACES.items():
        entry, given = entries[name], name not in SIGNS
        look = {"facecolor": "#f0f0f0" if given else "white", "edgecolor": INK, "linewidth": 0.9}
        corner = (x - SIDE / 2, y - HEIGHT / 2)
        axes.add_patch(FancyBboxPatch(corner, SIDE, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", **look))
        axes.text(x, y + 0.15, name if given else f"{name} = {SIGNS[name]}", ha="center", va="center", fontsize=10)
        constant = name == CONSTANT
        axes.text(x - (0 if constant else 0.2), y - 0.16, f"{entry.value:g}", ha="center", va="center", color=BLUE)
        if not constant:
            axes.text(x + 0.2, y - 0.16, f"{entry.grad:g}", ha="center", va="center", color=RED, fontweight="bold")
    axes.set(xlim=(-0.5, 7.5), ylim=(-0.4, 2.0))
    axes.set_axis_off()
    title = (
        "Forward computes the values (blue). Backward sends a share along each edge (red); shares that meet are added."
    )
    axes.set_title(title, fontsize=10)


def draw(graphs: dict[str, dict[str, Entry]], sizes: dict[str, tuple]) -> Figure:
    """Draw the graph, the cost of the wrong order, and the memory that waits for backward."""
    figure = new_figure(WIDTH, 5.6)
    figure.suptitle(
        "What autograd writes down, and how it reads it", x=0.01, ha="left", fontsize=12.5, fontweight="bold"
    )
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    draw_graph(upper.subplots(), next(iter(graphs.values())))
    order, memory = lower.subplots(1, 2)
    ruled(order)
    ruled(memory)
    counts = np.array([walks(residual_chain(blocks)) for blocks in BLOCKS])
    order.plot(BLOCKS, counts[:, 1], color=ORANGE, marker="o", ms=3.5)
    order.plot(BLOCKS, counts[:, 0], color=BLUE, marker="o", ms=3.5)
    order.annotate(
        "path by path", (BLOCKS[-6], counts[-6, 1]), (-8, 0), textcoords="offset points", color=ORANGE, ha="right"
    )
    order.annotate(
        "each node when it is complete",
        (BLOCKS[-1], counts[-1, 0]),
        (0, 7),
        textcoords="offset points",
        color=BLUE,
        ha="right",
    )
    order.set(title="Edges walked in backward", xlabel="skip connections in a row", yscale="log")

    steps = np.arange(1, 4 * LAYERS + 1)
    line(memory, steps, {name: np.array(size[0]) / 1024 for name, size in sizes.items()}, RED)
    line(memory, steps[: 2 * LAYERS], {name: np.array(size[1]) / 1024 for name, size in sizes.items()}, GREY)
    top = max(max(size[0]) for size in sizes.values()) / 1024
    memory.axvline(2 * LAYERS + 0.5, color=GREY, lw=0.8)
    memory.annotate("forward", (2 * LAYERS, 1.12 * top), ha="right", color=INK, fontsize=9)
    memory.annotate("backward", (2 * LAYERS + 1, 1.12 * top), color=INK, fontsize=9)
    memory.annotate("under no_grad", (1, 0), (0, 5), textcoords="offset points", color=GREY)
    memory.set(title="Kept for backward, KiB", xlabel="layers done", ylim=(-0.05 * top, 1.25 * top))
    memory.set_xticks(range(0, 4 * LAYERS + 1, 4))
    engine_key(figure, list(graphs))
    return figure


def nodes_table(board: Blackboard, graphs: dict[str, dict[str, Entry]]) -> None:
    """Print each value with its node in each engine, its gradient, and the shares that add up to it."""
    first = next(iter(graphs.values()))
    shares = {name: [entry.sent[name] for entry in first.values() if name in entry.sent] for name in first}
    rows = []
    for name in reversed(first):
        entry = first[name]
        to = ", ".join(entry.sent) or "-"
        sum_of = " + ".join(f"{share:g}" for share in shares[name]) or "1"
        made = [graph[name].operation for graph in graphs.values()]
        rows.append((name, SIGNS.get(name, "given"), f"{entry.value:g}", *made, to, sum_of, f"{entry.grad:g}"))
    nodes = [f"node ({'tape' if engine == 'scratch' else 'PyTorch'})" for engine in graphs]
    columns = ("value", "is", "numbers", *nodes, "edges to", "shares that arrive", "gradient")
    board.table("The graph from its end, as backward walks it", columns, rows)


def order_table(board: Blackboard) -> None:
    """Print the gradients that two orders give."""
    tape, values = on_the_tape()
    root = values["L"].node
    orders = {"each node before its operands": tape.nodes[::-1], "as first reached from L": first_reached(root)}
    names = {value.node: name for name, value in values.items()}
    rows = []
    for words, order in orders.items():
        arrived = backward_in(order, root)
        rows.append((words, " ".join(names[node] for node in order), *(f"{arrived[values[k].node]:g}" for k in "awbx")))
    board.table("The order decides", ("order", "visits", "dL/da", "dL/dw", "dL/db", "dL/dx"), rows)
    edges, paths = walks(residual_chain(BLOCKS[-1]))
    board.write(
        f"{BLOCKS[-1]} residual blocks x + x^2 in a row: {edges} edges. In a topological order each is walked once; "
        f"path by path, {paths:,} are."
    )


def run(board: Blackboard) -> None:
    """Walk the graph of one expression, in the right order and in a wrong one; measure what is kept for backward."""
    engines = board.engines("float64")
    graphs = {engine.name: GRAPHS["torch" if engine.name == "torch" else "scratch"]() for engine in engines}
    nodes_table(board, graphs)
    order_table(board)

    sums = {engine.name: accumulated(engine, board.seed) for engine in engines}
    board.table(
        "weight.grad of Linear(4, 2), its first number",
        ("after", *sums),
        [(name, *(f"{found[name][0, 0]:.6f}" for found in sums.values())) for name in next(iter(sums.values()))],
    )

    sizes = {engine.name: kept(engine, board.seed) for engine in engines}
    columns = ("engine", "largest, KiB", "when backward is done", "under no_grad")
    rows = [
        (name, f"{max(taken) / 1024:.0f}", f"{taken[-1] / 1024:.0f}", f"{max(without) / 1024:.0f}")
        for name, (taken, without, _) in sizes.items()
    ]
    one = BATCH * UNITS * np.dtype(np.float64).itemsize // 1024
    board.table(f"Kept for backward by {LAYERS} x (Linear, ReLU), {one} KiB an activation", columns, rows)
    board.write(
        "A second backward of one forward:\n" + "\n".join(f"  {name}: {size[2]}" for name, size in sizes.items())
    )

    def numbers(pick: object) -> list:
        return [[pick(entry) for entry in graph.values()] for graph in graphs.values()]

    board.differences(
        {
            "every value of the graph": numbers(lambda entry: entry.value),
            "every gradient": numbers(lambda entry: entry.grad),
            "every share along an edge": [
                [share for name in graph for share in graph[name].sent.values()]
                for graph in map(sorted_edges, graphs.values())
            ],
            "weight.grad, added up": [np.stack(list(found.values())) for found in sums.values()],
            "bytes kept, step by step": [size[0] for size in sizes.values()],
        }
    )
    board.figure("graph", draw(graphs, sizes))


def sorted_edges(graph: dict[str, Entry]) -> dict[str, Entry]:
    """Return the graph with each value's edges in the order of the operands' names."""
    return {name: entry._replace(sent=dict(sorted(entry.sent.items()))) for name, entry in graph.items()}

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

from collections import Counter

import numpy as np

from benchmarks.engines import Engine
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.expression_graph import GRAPHS, SIGNS, Entry, on_the_tape, sorted_edges
from benchmarks.lessons.support.graph_figure import draw
from benchmarks.lessons.support.kept_for_backward import BATCH, LAYERS, UNITS, kept
from scratch.tape import Node, Tape

BLOCKS = tuple(range(1, 17))
HALF = 3


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
    board.figure("graph", draw(graphs, {blocks: walks(residual_chain(blocks)) for blocks in BLOCKS}, sizes))

"""An explanation as a table and a sentence."""

from rich.console import Console
from rich.table import Table

from benchmarks.speed.why.explain import LARGEST_OVERHEAD, LARGEST_PROFILING, Explanation, Part, Split
from benchmarks.speed.why.rates import Rates
from benchmarks.tables import new_table

LEAST = 0.005  # of an engine's time: parts below it are one line
LONGEST_STEP = 46  # characters
ENGINES = {"scratch": "scratch", "torch": "PyTorch", "plain": "plain"}
CALLS = {"scratch": "NumPy calls", "torch": "operators", "plain": "NumPy calls"}
COLUMNS = (
    *("engine", "step", "ms", "share", "MB moved", "of the\ncopy rate"),
    *("million\nmultiply-adds", "of the\nproduct rate", "calls", "needs\nms"),
)


def show(console: Console, explanation: Explanation, rates: Rates) -> None:
    """Print an explanation: a table, how far the timers can be trusted, and a sentence."""
    console.print(table(explanation, rates))
    for split in explanation.splits:
        console.print(trust(split), soft_wrap=True)
    console.print(sentence(explanation, rates) + "\n", soft_wrap=True)


def table(explanation: Explanation, rates: Rates) -> Table:
    """Return a row for each part of each engine's time; beside scratch's, the least time that the machine needs."""
    title = f"{explanation.title}, {explanation.dtype}: where the time goes"
    found = new_table(*COLUMNS, words=2, title=title)
    for split in explanation.splits:
        parts, small = split.parts, []
        if split.is_split:
            parts = [part for part in parts if part.seconds >= LEAST * split.watched]
            small = [part for part in split.parts if part.seconds < LEAST * split.watched]
        for part in parts:
            found.add_row(split.engine, *_cells(part, split, explanation, rates))
        if small:
            seconds, moved = sum(part.seconds for part in small), sum(part.bytes for part in small)
            rest = Part(f"{len(small)} shorter ones", seconds, moved, 0, sum(part.calls for part in small), 0)
            found.add_row(split.engine, *_cells(rest, split, explanation, rates))
        if split.is_split:
            cells = (_ms(split.around), f"{split.around / split.watched:.0%}")
            found.add_row(split.engine, "around these", *cells)
        whole = (f"{split.bytes / 1e6:.3g}", "", _millions(split.products), "", str(split.calls))
        found.add_row(split.engine, "all, without timers", _ms(split.seconds), "", *whole, end_section=True)
    return found


def _cells(part: Part, split: Split, explanation: Explanation, rates: Rates) -> list[str]:
    step = part.step if len(part.step) <= LONGEST_STEP else f"{part.step[: LONGEST_STEP - 3]}..."
    time = part.seconds
    cells = [step, "-", "-"] if time is None else [step, _ms(time), f"{time / split.watched:.0%}"]
    cells += [f"{part.bytes / 1e6:.3g}", "", _millions(part.products), "", str(part.calls), ""]
    if time and part.largest and part.bytes:
        cells[4] = f"{part.bytes / time / rates.copying(part.largest):.0%}"
    if time and part.products:
        cells[6] = f"{2 * part.products / time / rates.products(explanation.dtype):.0%}"
    if part.needed_bytes:
        cells[8] = _ms(needed(part, explanation.dtype, rates))
    return cells


def needed(part: Part, dtype: str, rates: Rates) -> float:
    """Return the seconds that the machine needs at its measured rates: to move what must be moved, or to multiply."""
    copying = part.needed_bytes / rates.copying(part.largest) if part.largest else 0.0
    return max(copying, 2 * part.products / rates.products(dtype))


def trust(split: Split) -> str:
    """Say what the timers of a split cost, or that there was no time to split."""
    name = ENGINES[split.engine]
    if split.engine == "torch":
        slower = f"{name}'s row takes {split.watched / split.seconds:.2f} times as long under its profiler"
        if split.is_split:
            return f"{slower}; the shares are of that."
        return f"{slower}, more than {LARGEST_PROFILING:g}: it is too short to split."
    what = "of the two clock readings at each function" if split.engine == "scratch" else "of a clock reading a line"
    cost = f"{name}: the cost {what} is {split.overhead:.1%} of the time"
    return f"{cost}." if split.is_split else f"{cost}, more than {LARGEST_OVERHEAD:.0%}: the row is too short to split."


def sentence(explanation: Explanation, rates: Rates) -> str:
    """Say in one sentence what each engine does, how near the machine's limits, and what scratch's time is spent on."""
    scratch, torch = explanation.splits[:2]
    ours, theirs = (_moving(split, explanation, rates) for split in (scratch, torch))
    least = sum(needed(part, explanation.dtype, rates) for part in scratch.parts)
    words = [
        f"{explanation.title}, {explanation.dtype}: {explanation.ratio:.2f} of PyTorch's time.",
        f"scratch {ours}; PyTorch {theirs};",
        f"the machine needs {_ms(least)} ms to move each argument and result once and to multiply as scratch does.",
    ]
    return " ".join(words) + _longest(scratch)


def _moving(split: Split, explanation: Explanation, rates: Rates) -> str:
    passes = split.bytes / explanation.input_bytes
    largest = max((part.largest for part in split.parts), default=0)
    rate = split.bytes / split.seconds / rates.copying(max(largest, 1))
    words = f"goes through {explanation.input_bytes / 1e6:.3g} MB {passes:.3g} times in {split.calls}"
    words += f" {CALLS[split.engine]}, at {rate:.0%} of the copy rate"
    if split.products:
        share = 2 * split.products / split.seconds / rates.products(explanation.dtype)
        words += f", and does {_millions(split.products)} million multiply-adds at {share:.0%} of the product rate"
    return words


def _longest(split: Split) -> str:
    if not split.is_split:
        return ""
    first, *_ = sorted(split.parts, key=lambda part: -part.seconds)
    return f" Longest in scratch: {first.step} ({first.seconds / split.watched:.0%})."


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.3g}" if count else ""

"""An explanation as a table and in words."""

from functools import partial

from rich.console import Console
from rich.table import Table

from benchmarks.speed.why.explain import LARGEST_OVERHEAD, LARGEST_PROFILING, Explanation, Part, Split
from benchmarks.speed.why.rates import Rates
from benchmarks.tables import new_table

LEAST = 0.005  # of an engine's time: parts below it are one line
LONGEST_STEP = 36  # characters
MOST_NAMES = 3  # of NumPy's functions in a sentence
SHORT = 5e-3  # seconds: rows below it are shown in thousandths of the units
UNITS = {False: ("ms", "MB", "million", 1e3, 1e-6), True: ("µs", "kB", "thousand", 1e6, 1e-3)}
NAMES = {"scratch": "scratch", "torch": "PyTorch", "plain": "plain"}
CALLS = {"scratch": "NumPy calls", "torch": "operators", "plain": "NumPy calls"}
LEGEND = (
    "Bytes are what the NumPy calls, or PyTorch's operators, read and write: each operand and each result once, "
    "even if it stays in a cache. The copy rate is that of copying an array as large as the step's largest. Needs: the "
    "least time, to read each argument and to write each result once, or to do the multiply-adds, at the measured "
    "rates. Alone: the NumPy calls by themselves, divided by the threads that share them; no kernel that makes "
    "these calls takes less. Times are of the quickest round, and the ratio is the median of turns."
)


def show(console: Console, explanation: Explanation, rates: Rates) -> None:
    """Print an explanation: a table, how far the timers can be trusted, and a sentence."""
    console.print(table(explanation, rates))
    for split in explanation.splits:
        console.print(trust(split), soft_wrap=True)
    console.print(sentence(explanation, rates) + "\n", soft_wrap=True)


def table(explanation: Explanation, rates: Rates) -> Table:
    """Return a row for each part of each engine's time."""
    scratch = explanation.splits[0]
    time, size, many, *_ = units = UNITS[scratch.seconds < SHORT]
    heads = time, "share", size, "copy\nrate", f"{many}\nmult-adds", "product\nrate", "calls", "needs", "alone"
    title = f"{explanation.title}, {explanation.dtype}, {explanation.threads} thread{'s' * (explanation.threads > 1)}"
    found = new_table("step", *heads, words=1, title=title)
    for column in found.columns:
        column.no_wrap = True
    cells = partial(_cells, units, explanation.dtype, rates)
    for split in explanation.splits:
        whole = cells(Part("", split.seconds, split.bytes, split.products, split.calls, 0), split.seconds)
        if split.engine == "scratch":
            whole[-2] = _number(units[3] * least(split, explanation.dtype, rates))
            whole[-1] = _number(units[3] * split.alone.total())
        found.add_row(f"{NAMES[split.engine]}, without timers", *whole)
        for part in _rows(split) if split.is_split else ():
            step = part.step if len(part.step) <= LONGEST_STEP else f"{part.step[: LONGEST_STEP - 3]}..."
            found.add_row(f"  {step}", *cells(part, split.watched))
        found.add_section()
    return found


def _rows(split: Split) -> list[Part]:
    """Return the parts that are long enough to be seen, the others together, and what is around all of them."""
    small = [part for part in split.parts if part.seconds < LEAST * split.watched]
    sums = [sum(getattr(part, name) for part in small) for name in ("seconds", "bytes", "products", "calls")]
    return [
        *(part for part in split.parts if part.seconds >= LEAST * split.watched),
        *([Part(f"{len(small)} shorter ones", *sums, 0)] if small else []),
        Part("around these", split.around, 0, 0, 0, 0),
    ]


def _cells(units: tuple, dtype: str, rates: Rates, part: Part, total: float) -> list[str]:
    *_, times, sizes = units
    cells = [_number(times * part.seconds), f"{part.seconds / total:.0%}", *[""] * 7]
    if part.bytes:
        cells[2] = _number(sizes * part.bytes)
    if part.bytes and part.largest:
        cells[3] = f"{part.bytes / part.seconds / rates.copying(part.largest):.0%}"
    if part.products:
        cells[4] = _number(sizes * part.products)
        cells[5] = f"{2 * part.products / part.seconds / rates.products(dtype):.0%}"
    if part.calls:
        cells[6] = str(part.calls)
    if part.needed_bytes:
        cells[7] = _number(times * needed(part, dtype, rates))
    if part.alone:
        cells[8] = _number(times * part.alone.total())
    return cells


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def needed(part: Part, dtype: str, rates: Rates) -> float:
    """Return the seconds that the machine needs at its measured rates to move or to multiply, whichever is longer."""
    copying = part.needed_bytes / rates.copying(part.largest) if part.largest else 0.0
    return max(copying, 2 * part.products / rates.products(dtype))


def least(split: Split, dtype: str, rates: Rates) -> float:
    """Return the seconds that the machine needs for all parts."""
    return sum(needed(part, dtype, rates) for part in split.parts)


def trust(split: Split) -> str:
    """Say what the timers of a split cost, or that there was no time to split."""
    name = NAMES[split.engine]
    if split.engine == "torch":
        words = f"{name} takes {split.watched / split.seconds:.2f} times as long under its profiler"
        short = f"{words}, more than {LARGEST_PROFILING:g}: too short a row to split by operators."
        return f"{words}." if split.is_split else short
    timers = "two readings of the clock a function" if split.engine == "scratch" else "readings between the statements"
    words = f"{name}: {timers} take {split.overhead:.1%} of the time"
    short = f"{words}, more than {LARGEST_OVERHEAD:.0%}: too short a row to split."
    return f"{words}." if split.is_split else short


def sentence(explanation: Explanation, rates: Rates) -> str:
    """Say what each engine does, how near it is to the machine's limits, and where the time goes."""
    scratch, torch, plain = explanation.splits
    dtype, needs = explanation.dtype, least(scratch, explanation.dtype, rates)
    return (
        f"{explanation.title}, {dtype}: scratch takes {explanation.ratio:.2f} times as long as PyTorch. "
        f"scratch {_doing(scratch, explanation, rates)}; PyTorch {_doing(torch, explanation, rates)}. "
        f"The machine needs {1e3 * needs:.3g} ms, {needs / scratch.seconds:.0%} of scratch's time. "
        f"{_alone(scratch, torch, explanation.threads)}{_longest(scratch, 'step')}{_longest(plain, 'statement')}"
    )


def _alone(scratch: Split, torch: Split, threads: int) -> str:
    seconds = scratch.alone.total()
    shared = f", shared out among {threads} threads," if threads > 1 else ""
    most = [f"{name} {time / seconds:.0%}" for name, time in scratch.alone.most_common(MOST_NAMES)]
    return (
        f"Its NumPy calls by themselves{shared} take {1e3 * seconds:.3g} ms, {seconds / scratch.seconds:.0%} of "
        f"scratch's time and {seconds / torch.seconds:.2f} times PyTorch's ({', '.join(most)})."
    )


def _doing(split: Split, explanation: Explanation, rates: Rates) -> str:
    moved = f"moves {split.bytes / 1e6:.3g} MB"
    if explanation.input_bytes:
        times = split.bytes / explanation.input_bytes
        moved = f"goes through its {explanation.input_bytes / 1e6:.3g} MB {times:.3g} times"
    rate = split.bytes / split.seconds / rates.copying(max(part.largest for part in split.parts))
    words = f"{moved} in {split.calls} {CALLS[split.engine]}, at {rate:.0%} of the copy rate"
    if split.products:
        share = 2 * split.products / split.seconds / rates.products(explanation.dtype)
        words += f", and does {split.products / 1e6:.3g} million multiply-adds at {share:.0%} of the product rate"
    return words


def _longest(split: Split, what: str) -> str:
    if not split.is_split:
        return ""
    longest = max(split.parts, key=lambda part: part.seconds)
    name, share, around = longest.step.partition(" =")[0], longest.seconds / split.watched, split.around / split.watched
    return f" Longest {what} of {NAMES[split.engine]}: {name}, {share:.0%}; around all of them: {around:.0%}."

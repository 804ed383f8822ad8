"""``backprop parity``: layers, losses, optimizers, schedulers and models against PyTorch's, and how close they come."""

import argparse

from benchmarks.commands import argument_types
from benchmarks.errors import shown

FEWER = 5  # the plain functions get one in this many of the cases

EXAMPLES = """\
Each case has random options, shapes, numbers, memory layout and upstream gradient; the same ones each time. Errors are
given as shares of the rounding budget, the most that rounding can explain (parity_tests/harness/budget.py): up to 1 the
engines agree. In float64 the budget is 1e-12 of the numbers that go into the result; in float32 the error is the
distance from PyTorch's float64 run. "relative" is the largest error divided by the largest number of its kind in the
same case; it means nothing where cancellation leaves only rounding, as in the gradient of a very confident softmax.
Slow networks get only some of the cases. For optimizers, the parameters and the state are compared after 60 steps; for
schedulers, the learning rates and momenta of 120 steps, bit for bit. The second table compares the plain functions in
the same way, on a fifth of the cases.

exit status: 0 all agree, 1 something differs

examples:
  backprop parity
  backprop parity --cases 500 --figure parity.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--cases", type=argument_types.count, default=50, metavar="N", help="cases of each, in each dtype (50)"
    )
    parser.add_argument(
        "--figure", type=argument_types.path, metavar="PNG", help="draw the table as a heat map, a new file (none)"
    )


def run(args: argparse.Namespace) -> int:
    """Compare, print the table, and return 0 if all agree or 1."""
    from benchmarks import files
    from benchmarks.tables import console

    if args.figure is not None:
        files.check_new(args.figure)
    fast, plain = compare(args.cases, plain=False), compare(max(args.cases // FEWER, 1), plain=True)
    for title, rows in (("kernels", fast), ("plain functions", plain)):
        console().print(table(rows, title))
    for words, rows in (("", fast), ("plain functions of ", plain)):
        for row in rows:
            if row.different:
                said = f"{row.different} of {row.cases} cases differ. The first of them:\n{row.failure}\n"
                print(f"{words}{row.name}, {row.dtype}: {said}")
    different = sum(row.different for row in fast + plain)
    tried, again = (sum(row.cases for row in rows) for rows in (fast, plain))
    verdict = f"{different} differ." if different else "all agree."
    print(f"{tried} cases, and {again} of the plain functions: {verdict}")
    if args.figure is not None:
        import matplotlib

        from benchmarks.figures import style
        from benchmarks.figures.parity import parity

        with matplotlib.rc_context(style.RC):
            style.save_new(parity(fast), args.figure)
        print(f"Written to {shown(args.figure)}")
    return 1 if different else 0


def compare(cases: int, plain: bool) -> list:
    """Compare every entry of the catalogue in both dtypes, the plain functions or the kernels."""
    from rich.console import Console
    from rich.progress import track

    import scratch
    from parity_tests.catalogue import CATALOGUE, KINDS
    from parity_tests.harness.sweep import DTYPES, sweep

    entries = sorted(CATALOGUE, key=lambda entry: KINDS.index(entry.kind))
    jobs = [(entry, dtype) for entry in entries for dtype in DTYPES]
    words = "comparing, plain" if plain else "comparing"
    with scratch.plain(plain):
        return [
            sweep(entry, dtype, cases)
            for entry, dtype in track(jobs, words, console=Console(stderr=True), transient=True)
        ]


def table(rows: list, title: str) -> object:
    """Return a row for each name, with both dtypes side by side."""
    from benchmarks.tables import new_table
    from parity_tests.harness.sweep import DTYPES, QUANTITIES

    quantities = [quantity.replace(" ", "\n") for quantity in (*QUANTITIES, "relative")]
    columns = [f"{dtype}\n{quantity}" for dtype in DTYPES for quantity in quantities]
    found = new_table("", "cases", *columns, words=1, title=f"{title}: worst error / rounding budget")
    found.columns[0].no_wrap = True
    by_name: dict[str, dict] = {}
    for row in rows:
        by_name.setdefault(row.name, {})[row.dtype] = row
    previous = ""
    for name, both in by_name.items():
        kind = both[DTYPES[0]].kind
        if previous and kind != previous:
            found.add_section()
        previous = kind
        cells = [name, str(sum(row.cases for row in both.values()))]
        for dtype in DTYPES:
            worst = both[dtype].worst
            cells += [_share(worst[quantity].share) if quantity in worst else "-" for quantity in QUANTITIES]
            cells.append(f"{max((one.relative for one in worst.values()), default=float('nan')):.0e}")
        found.add_row(*cells, style="bold red" if any(row.different for row in both.values()) else None)
    return found


def _share(share: float) -> str:
    # Two digits, without an exponent down to a ten-thousandth.
    if share == 0:
        return "0"
    return f"{share:.2g}" if share >= 1e-4 else f"{share:.0e}"

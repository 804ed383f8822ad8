"""How far a benchmark is, on standard error: it measures for minutes before there is a table to show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TextColumn

OnRow = Callable[[int, dict], None]


@contextmanager
def progress(name: str, processes: int) -> Iterator[OnRow]:
    """Show what has been measured; yield a function to call after each row, with the process's number and the row.

    On a terminal this is one line, which goes when all is measured; elsewhere, one line for each process. Nothing is
    drawn from a thread of its own, which would take its time from what is measured.
    """
    console = Console(stderr=True, highlight=False)
    begun = [f"Measuring {name}: process {number} of {processes}" for number in range(1, processes + 1)]
    counts = [0] * processes
    if not console.is_terminal:
        console.print(begun[0], soft_wrap=True)

        def say(number: int, row: dict) -> None:
            counts[number - 1] += 1
            if number > 1 and counts[number - 1] == 1:
                console.print(begun[number - 1], soft_wrap=True)

        yield say
        return
    with Progress(TextColumn("{task.description}"), console=console, auto_refresh=False, transient=True) as line:
        task = line.add_task(begun[0])
        line.refresh()

        def show(number: int, row: dict) -> None:
            counts[number - 1] += 1
            rows = f"{counts[0]} rows" if number == 1 else f"{counts[number - 1]} of {counts[0]} rows"
            latest = f"{row['work']}, {row['dtype']}, {row['contender']}"
            line.update(task, description=f"{begun[number - 1]}, {rows} ({latest})", refresh=True)

        yield show

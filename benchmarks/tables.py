"""Tables of words and numbers on standard output."""

from rich import box
from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Return a console on standard output that prints text as it is; off a terminal, wide enough for the tables."""
    found = Console(highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found.width = 120
    return found


def new_table(*columns: str, words: int = 0, title: str | None = None) -> Table:
    """Return an empty table; the first ``words`` columns hold words, the others numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False
    )
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < words else "right")
    return table

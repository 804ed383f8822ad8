"""``backprop mistakes``: the museum of wrong layers, losses and optimizers, and who catches each of them."""

import argparse

from benchmarks.errors import Failure

EXAMPLES = """\
Each line is the right class with one mistake put in. Three witnesses examine it: PyTorch, finite differences, and laws
that need no reference. "alone" marks mistakes that only one of them catches. The last column is the check that many
projects make do with: an upstream gradient of ones, one shape, default options, gradients within a hundredth.

examples:
  backprop mistakes
"""

WORDS = {True: "caught", False: "-", None: ""}
ONES = {True: "caught", False: "passes!", None: ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Put every exhibit before every witness, and print what they say."""
    from benchmarks.tables import console, new_table
    from parity_tests.museum import EXHIBITS, WITNESSES

    columns = ("exhibit", "what was forgotten", "PyTorch", "finite\ndifferences", "laws", "", "check\nwith ones")
    table = new_table(*columns, words=len(columns))
    for column in table.columns:
        column.no_wrap = column.header != "what was forgotten"
    found, ones = [], []
    for exhibit in EXHIBITS:
        verdicts, objects = exhibit.witnesses(exhibit.wrong), exhibit.ones_object(exhibit.wrong)
        alone = "alone" if sum(map(bool, verdicts.values())) == 1 else ""
        cells = [WORDS[verdicts[name]] for name in WITNESSES]
        table.add_row(f"{exhibit.of[0]}: {exhibit.name}", exhibit.forgotten, *cells, alone, ONES[objects])
        found.append(verdicts)
        ones.append(objects)
    screen = console()
    if not screen.is_terminal:
        screen.width = 180
    screen.print(table)

    caught = sum(any(verdicts.values()) for verdicts in found)
    print(f"{len(found)} mistakes, {caught} caught. ", end="")
    for name, words in zip(WITNESSES, ("PyTorch", "finite differences", "laws"), strict=True):
        asked = [verdicts[name] for verdicts in found if verdicts[name] is not None]
        print(f"{words}: {sum(asked)} of {len(asked)}. ", end="")
    asked = [objects for objects in ones if objects is not None]
    print(f"The check with ones: {sum(asked)} of {len(asked)}.")
    if caught < len(found):
        missed = [exhibit.name for exhibit, verdicts in zip(EXHIBITS, found, strict=True) if not any(verdicts.values())]
        raise Failure(f"nobody catches {', '.join(missed)}")
    return 0

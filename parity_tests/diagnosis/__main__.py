"""``python -m parity_tests.diagnosis``: the figures of the check, over its collection of learners' layers."""

import sys

from parity_tests.diagnosis.figures import measure, overlooked


def main() -> int:
    """Print the table and the failures; return 1 if a right layer is accused or a wrong one missed."""
    figures = measure()
    print(figures.table())
    exhibits, missed = overlooked()
    caught = exhibits - len(missed)
    print(f"\nof the museum's {exhibits} wrong layers that a comparison with PyTorch should catch: {caught} detected")
    for words in ("accused", "unmentioned", "missed", "nameless", "elsewhere", "misleading"):
        for name in getattr(figures, words):
            print(f"{words}: {name}")
    for name in missed:
        print(f"overlooked: {name}")
    return int(bool(figures.accused or figures.unmentioned or figures.missed or figures.misleading))


if __name__ == "__main__":
    sys.exit(main())

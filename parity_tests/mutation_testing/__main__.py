"""``python -m parity_tests.mutation_testing``."""

import argparse
import json
import sys
from pathlib import Path

from parity_tests.mutation_testing.files import TESTS
from parity_tests.mutation_testing.mutants import mutants
from parity_tests.mutation_testing.runner import Run
from parity_tests.mutation_testing.sample import draw, wilson


def main() -> None:
    """Run the files that are named, or all, and print a line for each file, and the survivors."""
    parser = argparse.ArgumentParser(
        prog="python -m parity_tests.mutation_testing",
        description="Change the engine in small ways, and see whether its tests notice.",
    )
    parser.add_argument("files", nargs="*", default=list(TESTS), metavar="FILE", help="what to change (every file)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (2)")
    parser.add_argument("--list", action="store_true", help="print the mutants instead of running them")
    parser.add_argument("--out", type=Path, metavar="JSON", help="append a line of JSON for each file")
    parser.add_argument("--sample", type=_positive, metavar="N", help="draw N mutants of each file (all)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others (0)")
    args = parser.parse_args()
    if unknown := [path for path in args.files if path not in TESTS]:
        parser.error(f"no tests are listed for {', '.join(unknown)}")
    if args.list:
        for path in args.files:
            for mutant in draw(path, mutants(path), args.sample, args.seed):
                print(f"{path}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}")
        return
    results = []
    drawn = " drawn" if args.sample else ""

    def report(result: dict) -> None:
        results.append(result)
        print(
            f"{result['file']}: {result['killed']} of {result['drawn']}{drawn} killed, {result['mutants']} mutants, "
            f"{result['equivalent']} of them equivalent, {result['seconds']:.0f} s"
        )
        for mutant in result["survivors"]:
            print(f"  survived, line {mutant['line']}\n    - {mutant['before']}\n    + {mutant['after']}")
        sys.stdout.flush()
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps(result | {"seed": args.seed}) + "\n")

    Run({path: TESTS[path] for path in args.files}, args.jobs, report, args.sample, args.seed).start()
    killed, counted = (sum(result[key] for result in results) for key in ("killed", "drawn"))
    if counted:
        print(f"total: {killed} of {counted}{drawn} killed ({killed / counted:.1%})", end="")
        print(" (95% interval: {:.1%} to {:.1%})".format(*wilson(killed, counted)) if args.sample else "")


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of mutants, 1 or more, got {number}")
    return number


if __name__ == "__main__":
    main()

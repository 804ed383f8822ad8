"""``python -m parity_tests.mutation_testing``."""

import argparse
import json
import sys
from pathlib import Path

from parity_tests.mutation_testing.files import TESTS
from parity_tests.mutation_testing.mutants import mutants
from parity_tests.mutation_testing.runner import run_apart


def main() -> None:
    """Run the files that are named, or all, and print a line for each, and the survivors."""
    parser = argparse.ArgumentParser(
        prog="python -m parity_tests.mutation_testing",
        description="Change the engine in small ways, and ask whether its tests notice.",
    )
    parser.add_argument("files", nargs="*", default=list(TESTS), metavar="FILE", help="what to change (every file)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (2)")
    parser.add_argument("--list", action="store_true", help="print the mutants instead of running them")
    parser.add_argument("--out", type=Path, metavar="JSON", help="append a line of JSON for each file")
    args = parser.parse_args()
    if unknown := [path for path in args.files if path not in TESTS]:
        parser.error(f"no tests are listed for {', '.join(unknown)}")
    killed = counted = 0
    for path in args.files:
        if args.list:
            for mutant in mutants(path):
                print(f"{path}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}")
            continue
        result = run_apart(path, TESTS[path], args.jobs)
        mattering = result["mutants"] - result["equivalent"]
        killed, counted = killed + result["killed"], counted + mattering
        print(
            f"{path}: {result['killed']} of {mattering} killed ({result['killed'] / max(mattering, 1):.1%}), "
            f"{result['equivalent']} equivalent, {result['seconds']:.0f} s"
        )
        for mutant in result["survivors"]:
            print(f"  survived, line {mutant['line']}\n    - {mutant['before']}\n    + {mutant['after']}")
        sys.stdout.flush()
        if args.out:
            with args.out.open("a") as file:
                file.write(json.dumps(result) + "\n")
    if counted:
        print(f"in all: {killed} of {counted} killed ({killed / counted:.1%})")


if __name__ == "__main__":
    main()

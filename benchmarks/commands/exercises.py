"""``backprop exercises``: write the backward passes yourself, and be told what is wrong with them."""

import argparse

from benchmarks.commands import argument_types

EXAMPLES = """\
start writes a folder with a README and a file for each exercise: a backward to write, a mistake to find, a prediction
to make. check says what is right and what is not, in which line it goes wrong, and why. hint goes one step further
each time. Progress is saved in the folder; no file of yours is ever overwritten.

exit status: of check, 0 if the exercise is right, 1 if it is not yet

examples:
  backprop exercises start
  backprop exercises watch
  backprop exercises check linear
  backprop exercises hint linear
  backprop exercises milestone mlp
"""
ACTIONS = {
    "start": "write the folder, or add what is new to it",
    "list": "show all exercises, and which are solved",
    "check": "check one; without a name, the next one",
    "watch": "check at every save, and move on when one is solved",
    "hint": "one more hint",
    "solution": "show the library's version, once it is solved",
    "reset": "restore a file, and keep yours beside it",
    "milestone": "train a network on the functions that you wrote",
}
NAMED = ("check", "hint", "solution", "reset")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    from benchmarks.exercises.catalogue import NEEDED

    parser.epilog = EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    for name, summary in ACTIONS.items():
        action = actions.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
        )
        if name == "start":
            action.add_argument(
                "--out", metavar="DIR", type=argument_types.path, help="the folder (default: ./exercises)"
            )
            continue
        if name in NAMED:
            action.add_argument(
                "name",
                metavar="NAME",
                nargs="?" if name in ("check", "hint") else None,
                help="the exercise: linear, say, its number, or its file's name",
            )
        if name == "milestone":
            action.add_argument("name", metavar="NAME", choices=tuple(NEEDED), help=", ".join(NEEDED))
        if name == "solution":
            action.add_argument("--give-up", action="store_true", help="show it even if it is not solved")
        action.add_argument(
            "--dir", metavar="DIR", type=argument_types.path, help="the folder (default: this one, or ./exercises)"
        )


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; return 1 if a check finds something wrong."""
    from benchmarks.runs.interrupts import Interrupts

    with Interrupts():
        return act(args)


def act(args: argparse.Namespace) -> int:
    """Do what was asked for; a signal ends it, together with the process that runs a learner's code."""
    from benchmarks.exercises import desk, folder

    if args.action == "start":
        place, added = folder.start(args.out or folder.DEFAULT)
        desk.welcome(place, added)
        return 0
    place = folder.opened(args.dir)
    if args.action == "list":
        desk.show_list(place)
    elif args.action == "watch":
        desk.watch(place)
    elif args.action == "milestone":
        from benchmarks.exercises import milestones

        return milestones.run(place, args.name)
    else:
        exercise = desk.exercise_of(place, args.name)
        if args.action == "check":
            return int(not desk.check(place, exercise))
        if args.action == "hint":
            desk.hint(place, exercise)
        elif args.action == "solution":
            desk.solution(place, exercise, args.give_up)
        else:
            desk.reset(place, exercise)
    return 0

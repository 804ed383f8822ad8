"""The process in which a milestone trains: ``child NAME FOLDER SOLVED``."""

import contextlib
import io
import sys
import textwrap
import traceback
from pathlib import Path

from benchmarks.errors import Failure
from benchmarks.exercises.grading.reading import BrokenError, raised
from benchmarks.exercises.milestones.chart import chart
from benchmarks.exercises.milestones.learners import Learners

SCREEN = sys.stdout


def say(line: str = "") -> None:
    """Print a line to the real stdout; what the learner's layers print is discarded."""
    print(line, file=SCREEN, flush=True)


def main(name: str, path: str, solved: str) -> int:
    """Train, and show the result; return 0 if it reached its target."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            learners = Learners(Path(path), solved.split(","))
            return _cartpole(learners) if name == "cartpole" else _classifier(name, Path(path), learners)
        except BrokenError as error:
            say(error.verdict.text)
        except Failure as error:
            say(textwrap.fill(str(error), 79, initial_indent="  ", subsequent_indent="  "))
        except Exception as error:
            say(raised(error, _file_of(error, Path(path))).text)
    return 1


def _file_of(error: BaseException, folder: Path) -> Path:
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    return next((one for one in reversed(files) if one.parent == folder), folder)


def _classifier(name: str, folder: Path, learners: Learners) -> int:
    from benchmarks.exercises.milestones import networks

    plan = networks.PLANS[name]
    found = networks.train(plan, learners, say)
    say()
    say("  the loss of each step: o yours, . PyTorch's where it differs")
    say()
    for line in chart({".": found.losses["torch"], "o": found.losses["yours"]}):
        say(line)
    say()
    picture = _draw(name, folder, found)
    say(textwrap.fill(f"Your functions: {', '.join(learners.used)}.", 79, initial_indent="  ", subsequent_indent="  "))
    if found.parted is not None:
        step, what, distance = found.parted
        say(f"  Your run departs from PyTorch's at step {step}:")
        say(f"  {what} differs by {distance:.2g} of its size, from the same weights.")
        say("  Run `backprop exercises check` on the exercises that compute it.")
        return 1
    worst = max(abs(a - b) for a, b in zip(found.losses["yours"], found.losses["torch"], strict=True))
    say(f"  The losses are never more than {worst:.1e} apart. Both curves: {picture}")
    reached = found.accuracies[-1] >= plan.accuracy
    end = "reached" if reached else "not reached"
    say(f"  Test accuracy {found.accuracies[-1]:.1%}; the goal of {plan.accuracy:.0%} was {end}.")
    if reached:
        say()
        say("  You have trained a network with your own backward passes.")
    return int(not reached)


def _draw(name: str, folder: Path, found: object) -> Path:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(found.losses["torch"], color="#888888", linewidth=4, label="PyTorch's")
    axes.plot(found.losses["yours"], color="#d1495b", linewidth=1.2, label="yours")
    axes.set(xlabel="step", ylabel="loss", title=f"milestone {name}")
    axes.legend(frameon=False)
    path = folder / f"milestone_{name}.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _cartpole(learners: Learners) -> int:
    from benchmarks.exercises.milestones.learners import engine
    from benchmarks.tasks import cartpole

    recipe = cartpole.Recipe()
    playing = engine(learners, "float32")

    def report(update: int) -> None:
        if update % 300 == 0:
            say(f"  update {update:4} of {recipe.updates}")

    actor, curve = cartpole.train(playing, 0, recipe, report)
    returns = [float(value) for _, value in curve.evaluations]
    say()
    say("  steps that the pole stays up, in an evaluation of 20 episodes: o yours")
    say()
    for line in chart({"o": returns}):
        say(line)
    say(f"  Your functions: {', '.join(learners.used)}.")
    final = float(cartpole.evaluate(actor, 100, 20_000).mean())
    say()
    say(f"  Over 100 episodes it stays up for {final:.0f} of 500 steps; {cartpole.SOLVED:.0f} count as solved.")
    return int(final < cartpole.SOLVED)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Milestones: networks built on the functions that a learner wrote, trained in a separate process."""

from benchmarks.errors import Failure
from benchmarks.exercises import catalogue, desk
from benchmarks.exercises.folder import Folder

LIMIT = 3600
TITLES = {
    "mlp": "a network of your Linear and ReLU learns two moons",
    "cnn": "a network of your convolution and pooling learns digits",
    "cartpole": "your policy and critic learn to balance a pole",
}


def run(folder: Folder, name: str) -> int:
    """Train a milestone's network and show the result; return 1 if it misses its target.

    Raises
    ------
    Failure
        If an exercise that it needs is not solved or its file is missing, or if the process ends early.
    """
    from benchmarks.exercises.grading import process

    missing = desk.still_needed(folder, name)
    if missing:
        raise Failure(f"{name} trains what you wrote, and waits for {', '.join(missing)}")
    for exercise in map(catalogue.named, catalogue.NEEDED[name]):
        assert exercise is not None
        folder.found(exercise)
    desk.say(f"milestone {name}: {TITLES[name]}", "title")
    desk.say()
    solved = ",".join(sorted(folder.solved()))
    arguments = [name, str(folder.path), solved]
    _, status = process.run(
        "benchmarks.exercises.milestones.child", arguments, LIMIT, lambda line: desk.say(line.rstrip("\n"))
    )
    if status is None:
        raise Failure(f"{name} was stopped: it took more than {LIMIT} seconds")
    if status not in (0, 1):
        raise Failure(f"{name} ended early (status {status})")
    return status
